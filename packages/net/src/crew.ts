/**
 * The supervisor's side of the processes of one program, which share its listening sockets. Passes on what each tells the others (siblings.ts), says who
 * joined and who is gone, and keeps what they claim, since it outlives them.
 */
import { type Claims, MemoryClaims } from './claims.ts';
import type { Telling, Told } from './inherited.ts';

/** A process as the others know it. */
export interface Member {
  readonly pid: number | undefined;
  /** Nobody hears of it when the message cannot be sent any more. */
  tell(message: Told): void;
}

export class Crew {
  readonly #claims: Claims;
  /** Those that are ready. */
  readonly #members = new Set<Member>();

  constructor(claims: Claims = new MemoryClaims()) {
    this.#claims = claims;
  }

  /** A process became ready. */
  join(member: Member): void {
    this.#members.add(member);
    this.pass(member, { type: 'tell', about: 'joined', args: [] });
  }

  /** A process ended, ready or not. */
  leave(member: Member): void {
    this.#members.delete(member);
    this.pass(member, { type: 'tell', about: 'gone', args: [] });
  }

  /** Passes on what a process has for the others. */
  pass(from: Member, { about, args }: Telling): void {
    if (from.pid === undefined) return;
    for (const member of this.#members) {
      if (member !== from) member.tell({ type: 'told', from: from.pid, about, args });
    }
  }

  /** Answers a question of a process. @throws Error when it is none */
  async answer(about: string, [name = '', forMs = '']: readonly string[]): Promise<unknown> {
    if (about === 'claim') return this.#claims.claim(name, Number(forMs));
    if (about === 'release') return this.#claims.release(name);
    throw new Error(`nothing is known about ${about}`);
  }
}
