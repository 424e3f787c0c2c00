/**
 * Who was just answered and will soon ask again. Mail servers with much to deliver send the next message as soon as the last one
 * is answered; where a flush takes long, a batch that begins without them makes them wait for the one after, and each flush
 * carries half of what it could. Whether they come back is measured, not assumed: where less than half of those answered do, nobody
 * is waited for.
 */
import type { Clock } from '../sys/clock.ts';

/** Share of those answered that must have come back lately. */
const shareMin = 0.5;

export class Returns {
  readonly #clock: Clock;
  /** ms after their answer for which some are still out. */
  #until = Number.NEGATIVE_INFINITY;
  #out = 0;
  #returned = 0;
  #share = 1;
  #wake: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** So many were answered, and are expected back within `windowMs`. */
  answered(count: number, windowMs: number): void {
    if (count === 0) return;
    const now = this.#clock.monotonic();
    if (this.#out > 0) this.#share = 0.8 * this.#share + 0.2 * Math.min(1, this.#returned / this.#out);
    const stillOut = now < this.#until ? Math.max(0, this.#out - this.#returned) : 0;
    this.#out = stillOut + count;
    this.#returned = 0;
    this.#until = now + windowMs;
  }

  /** Somebody asks. */
  asked(): void {
    if (this.#clock.monotonic() < this.#until) this.#returned += 1;
    this.#wake();
  }

  /** Resolves when nobody is worth waiting for any more. */
  async wait(): Promise<void> {
    for (let ms = this.#worthMs(); ms > 0; ms = this.#worthMs()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.ceil(ms));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = () => undefined;
    }
  }

  /** Nobody will come back: who waits goes on. */
  end(): void {
    this.#until = Number.NEGATIVE_INFINITY;
    this.#wake();
  }

  #worthMs(): number {
    if (this.#returned >= this.#out || this.#share < shareMin) return 0;
    return this.#until - this.#clock.monotonic();
  }
}
