/** One line of an answer, however long, sent as fast as the client takes it. Nothing else may be said before it has ended. */
import { setImmediate as turn } from 'node:timers/promises';
import { limits } from '../limits.ts';
import type { Session } from '../session.ts';
import type { Encoder } from '../wire/encoder.ts';

export class LongLine {
  readonly #session: Pick<Session, 'say'>;
  readonly #octets: Encoder;

  /** @param start what the line begins with */
  constructor(session: Pick<Session, 'say'>, start: Encoder) {
    this.#session = session;
    this.#octets = start;
  }

  raw(text: string): void {
    this.#octets.raw(text);
  }

  /** True when it is time for `send`. */
  get isFull(): boolean {
    return this.#octets.bytes >= limits.answerBytes;
  }

  /** Sends what is written, and lets others have a turn. */
  async send(): Promise<void> {
    await this.#session.say(this.#octets.take());
    await turn();
  }

  async end(): Promise<void> {
    await this.#session.say(this.#octets.crlf().take());
  }
}
