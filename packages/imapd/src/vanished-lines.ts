/**
 * VANISHED (RFC 7162 §3.2.10): UIDs that are gone, as ranges, in lines of a length that clients take. `(EARLIER)` stands for what
 * was gone before the client looked, and moves no message number; what goes while it looks is told without it.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { limits } from './limits.ts';
import type { Session } from './session.ts';
import type { Range } from './view.ts';
import type { Encoder } from './wire/encoder.ts';

export class VanishedLines {
  readonly #session: Session;
  readonly #to: Encoder;
  readonly #start: string;
  /** The last range, which the next one may continue. */
  #open: Range | undefined;
  /** Octets written when the line began; undefined: there is none yet. */
  #mark: number | undefined;

  constructor(session: Session, isEarlier: boolean) {
    this.#session = session;
    this.#to = session.encoder();
    this.#start = isEarlier ? '* VANISHED (EARLIER) ' : '* VANISHED ';
  }

  /** Takes the next range, above the last. What it returns, if anything, must be awaited. */
  add({ first, last }: Range): Promise<void> | undefined {
    if (this.#open !== undefined && first === this.#open.last + 1) {
      this.#open = { first: this.#open.first, last };
      return undefined;
    }
    this.#write();
    this.#open = { first, last };
    return this.#to.bytes < limits.answerBytes ? undefined : this.#send();
  }

  async finish(): Promise<void> {
    this.#write();
    this.#open = undefined;
    this.#endLine();
    await this.#session.say(this.#to.take());
  }

  #write(): void {
    if (this.#open === undefined) return;
    const { first, last } = this.#open;
    const isNew = this.#mark === undefined;
    this.#mark ??= this.#to.bytes;
    this.#to.raw(`${isNew ? this.#start : ','}${first === last ? first : `${first}:${last}`}`);
    if (this.#to.bytes - this.#mark >= limits.vanishedLineBytes) this.#endLine();
  }

  #endLine(): void {
    if (this.#mark !== undefined) this.#to.crlf();
    this.#mark = undefined;
  }

  async #send(): Promise<void> {
    this.#endLine();
    await this.#session.say(this.#to.take());
    await turn();
  }
}
