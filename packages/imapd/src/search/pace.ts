/**
 * The pace of a search: work is counted, and after some ms of it the event loop gets a turn. Between two turns nothing is known to
 * have stayed, so a snapshot of the catalog lives no longer. A search whose session ends, ends too.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { RefusedError, refusals } from '../errors.ts';
import { limits } from '../limits.ts';
import { untaggedOk } from '../reply.ts';
import type { Session } from '../session.ts';

export class Pace {
  readonly #session: Session;
  #work = 0;
  #saidAt: number;

  constructor(session: Session) {
    this.#session = session;
    this.#saidAt = session.services.clock.monotonic();
  }

  /** Counts work; true when it is time for `turn`. */
  isDue(work: number): boolean {
    this.#work += work;
    return this.#work >= limits.searchTurnWork;
  }

  /** Counts work, and lets others have a turn when it is time. */
  async worked(work: number): Promise<void> {
    if (this.isDue(work)) await this.turn();
  }

  /** Lets others have a turn. @throws {RefusedError} stopping; {PeerError} gone */
  async turn(): Promise<void> {
    this.#work = 0;
    await turn();
    const { connection, services } = this.#session;
    if (connection.isLeaving) throw new RefusedError(refusals.stopping);
    const now = services.clock.monotonic();
    // Whoever has left is noticed only by writing.
    if (now - this.#saidAt < limits.searchWordMs && connection.isOpen) return;
    this.#saidAt = now;
    await this.#session.say(untaggedOk('still searching'));
  }
}
