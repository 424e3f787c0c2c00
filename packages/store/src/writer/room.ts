/**
 * Room on the disk. New mail is refused while there is little left: the catalog's commits, flags and expunges need some, and a
 * disk that is full to the last octet stops the writer for everybody. The disk is asked a few times a second at most.
 */
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Clock } from '../sys/clock.ts';

/** Octets of a file system: in all, and free to us. */
export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export class Room {
  readonly #ask: () => Promise<DiskSpace>;
  readonly #clock: Clock;
  #isShort = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(ask: () => Promise<DiskSpace>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** Undefined when what is known is new enough; else await the result. @throws {StoreError} diskFull, either way */
  check(): Promise<void> | undefined {
    const age = this.#clock.monotonic() - this.#askedAt;
    if (age > limits.roomFreshMs) this.#asking ??= this.#refresh();
    if (age > limits.roomStaleMs && this.#asking !== undefined) return this.#asking.then(() => this.#refuse());
    this.#refuse();
    return undefined;
  }

  #refuse(): void {
    if (this.#isShort) throw new StoreError('diskFull', 'the disk has no room for new mail');
  }

  async #refresh(): Promise<void> {
    try {
      const { totalBytes, freeBytes } = await this.#ask();
      this.#isShort = freeBytes < Math.min(limits.freeBytesMin, totalBytes / 8);
    } catch {
      // Who cannot tell lets mail try.
      this.#isShort = false;
    }
    this.#askedAt = this.#clock.monotonic();
    this.#asking = undefined;
  }
}
