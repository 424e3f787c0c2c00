/** What a command is: when it may come, how long its line may be, how its arguments are read, and what it does. */
import { limits } from '../limits.ts';
import type { Session, State } from '../session.ts';

/** Reads the octets behind the keyword and its blank; undefined when they do not fit. */
export type Parse<Args> = (octets: Buffer) => Args | undefined;

/** Does the work and answers; what it returns, if anything, must be awaited. Throws what errors.ts knows words for. */
export type Run<Args> = (session: Session, args: Args) => Promise<void> | undefined;

export interface Command {
  readonly states: readonly State[];
  /** Octets of the line, without its end. */
  readonly lineBytesMax: number;
  /** What to run with the arguments that stand there; undefined when they do not fit. */
  read(octets: Buffer): ((session: Session) => Promise<void> | undefined) | undefined;
}

export function command<Args>(
  states: readonly State[],
  parse: Parse<Args>,
  run: Run<Args>,
  lineBytesMax: number = limits.lineBytes,
): Command {
  return {
    states,
    lineBytesMax,
    read: (octets) => {
      const args = parse(octets);
      return args === undefined ? undefined : (session) => run(session, args);
    },
  };
}
