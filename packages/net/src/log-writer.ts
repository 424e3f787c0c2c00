/**
 * Where log lines go: standard error, at once or gathered for a moment. What cannot be written (a full disk, a terminal that is gone)
 * is lost, and what nobody reads is kept up to a bound: a log that fails shall not take the mail with it, nor stop it by waiting.
 */
import { writeSync } from 'node:fs';
import { errnoOf } from './errors.ts';
import { limits } from './limits.ts';

export class LogWriter {
  readonly #fd: number;
  readonly #gatherBytes: number;
  #lines: string[] = [];
  #length = 0;
  /** Octets of which a part was written. */
  #rest: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;

  /** @param gatherBytes octets that are gathered before they are written, for `limits.logGatherMs` at most; 0 for none */
  constructor(fd: number, gatherBytes: number) {
    this.#fd = fd;
    this.#gatherBytes = gatherBytes;
  }

  /** Takes a line with its end. */
  write(line: string): void {
    if (this.#length + line.length + this.#rest.length > limits.logUnwrittenBytes) return;
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#length < this.#gatherBytes || this.#rest.length > 0) this.#later();
    else this.flushSync();
  }

  /** Writes what can be written now. */
  flushSync(): void {
    let octets = Buffer.concat([this.#rest, Buffer.from(this.#lines.join(''))]);
    this.#lines = [];
    this.#length = 0;
    try {
      while (octets.length > 0) octets = octets.subarray(writeSync(this.#fd, octets));
    } catch (error) {
      // The reader is slow: its pipe is full. Anything else will not get better for these lines.
      if (errnoOf(error) !== 'EAGAIN') octets = Buffer.alloc(0);
    }
    this.#rest = octets;
    if (octets.length > 0) this.#later();
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flushSync();
    }, limits.logGatherMs).unref();
  }
}
