/** Keeps long work to a rate and out of others' way. */
import { limits } from '../limits.ts';
import type { Clock } from '../sys/clock.ts';

/** ms of a sleep at most, so that an end is noticed. */
const sleepMsMax = 500;

export interface PaceOptions {
  readonly clock: Clock;
  /** Octets a second; 0: as fast as it goes. */
  readonly rateBytes: number;
  /** Ends a sleep early; whoever works looks at it himself. */
  readonly signal?: AbortSignal;
}

export class Pace {
  readonly #options: PaceOptions;
  readonly #startedAt: number;
  #sliceAt: number;
  #spent = 0;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
    this.#sliceAt = this.#startedAt;
  }

  /** Counts octets in, and waits until they may have been read; undefined when the work may go on at once. */
  spend(bytes: number): Promise<void> | undefined {
    const { clock, rateBytes } = this.#options;
    this.#spent += bytes;
    const now = clock.monotonic();
    const aheadMs = rateBytes === 0 ? 0 : this.#startedAt + (1_000 * this.#spent) / rateBytes - now;
    if (aheadMs >= 1) return this.#sleep(aheadMs);
    return now - this.#sliceAt < limits.scrubSliceMs ? undefined : this.#turn();
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#sliceAt = this.#options.clock.monotonic();
  }

  async #sleep(ms: number): Promise<void> {
    const { clock, signal } = this.#options;
    const until = clock.monotonic() + ms;
    for (let left = ms; left > 0 && signal?.aborted !== true; left = until - clock.monotonic()) {
      await new Promise<void>((resolve) => setTimeout(resolve, Math.min(left, sleepMsMax)));
    }
    this.#sliceAt = clock.monotonic();
  }
}
