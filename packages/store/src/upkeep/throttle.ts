/**
 * How fast upkeep may go: a number of octets a second, slices that give the event loop a turn, and while others work no more than
 * a share of the time. Only time in which upkeep itself ran counts as work.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../sys/clock.ts';

/** ms of work after which others get a turn. */
const sliceMs = 3;
/** ms of rest for each ms of work while others work. */
const restPerWork = 4;
/** ms of rest that is not worth a timer. */
const restMsMin = 1;
/** ms that a pause has at most: longer ones come in pieces, so that a run ends soon when it is told to. */
const pauseMsMax = 1_000;

const sleepMs = (ms: number): Promise<void> => sleep(ms);

export class Throttle {
  readonly #clock: Clock;
  readonly #rate: number;
  readonly #isBusy: () => boolean;
  /** ms of work since the last rest. */
  #worked = 0;
  /** When the octets spent so far are allowed. */
  #allowedAt: number;

  readonly #sleep: typeof sleepMs;

  /** @param sleep waits so many ms; for tests, whose clock nobody else moves */
  constructor(clock: Clock, bytesPerSecond: number, isBusy: () => boolean, sleep: typeof sleepMs = sleepMs) {
    this.#sleep = sleep;
    this.#clock = clock;
    this.#rate = bytesPerSecond;
    this.#isBusy = isBusy;
    this.#allowedAt = clock.monotonic();
  }

  /** Runs a piece of work, which does not wait for anything. */
  work<T>(piece: () => T): T {
    const start = this.#clock.monotonic();
    try {
      return piece();
    } finally {
      this.#worked += this.#clock.monotonic() - start;
    }
  }

  /** So many octets were worked on. Undefined when the work may go on at once; else await the result. */
  spend(bytes: number): Promise<void> | undefined {
    const now = this.#clock.monotonic();
    this.#allowedAt = Math.max(this.#allowedAt, now - pauseMsMax) + (1000 * bytes) / this.#rate;
    if (this.#worked < sliceMs && this.#allowedAt <= now + restMsMin) return undefined;
    return this.#rest(now);
  }

  async #rest(now: number): Promise<void> {
    const share = this.#isBusy() ? this.#worked * restPerWork : 0;
    this.#worked = 0;
    const ms = Math.min(pauseMsMax, Math.max(share, this.#allowedAt - now));
    if (ms >= restMsMin) await this.#sleep(ms);
    else await new Promise((resolve) => setImmediate(resolve));
  }
}
