/** What a command is: when it may come, how its arguments are read, and what it does. */
import type { Completion } from './reply.ts';
import type { Session, State } from './session.ts';
import type { Decoder } from './wire/decoder.ts';

/** Does the work and says what it has to say; how it ended is said for it. Undefined: it said that itself. */
export type Run<Args> = (
  session: Session,
  args: Args,
  tag: string,
) => Completion | undefined | Promise<Completion | undefined>;

export interface Command {
  readonly states: readonly State[];
  /** Messages keep their numbers until the next command (RFC 9051 §7.5.1). */
  readonly keepsNumbers: boolean;
  /** What to run with the arguments that stand there; undefined when they cannot be read, and the decoder says why. */
  read(
    decoder: Decoder,
  ): ((session: Session, tag: string) => Completion | undefined | Promise<Completion | undefined>) | undefined;
}

/** A command whose name and arguments have a blank between. */
export function command<Args>(
  states: readonly State[],
  what: string,
  parse: (decoder: Decoder) => Args,
  run: Run<Args>,
  keepsNumbers: boolean = false,
): Command {
  return {
    states,
    keepsNumbers,
    read: (decoder) => {
      decoder.expectSpace(what);
      const args = parse(decoder);
      return decoder.expectEnd() ? (session, tag) => run(session, args, tag) : undefined;
    },
  };
}

/** A command without arguments. */
export function bare(states: readonly State[], run: Run<undefined>): Command {
  return {
    states,
    keepsNumbers: false,
    read: (decoder) => (decoder.expectEnd() ? (session, tag) => run(session, undefined, tag) : undefined),
  };
}
