/**
 * How fast upkeep may go: a number of octets a second, slices that give the event loop a turn, and while others work no more than
 * a share of the time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../sys/clock.ts';

/** ms of work after which others get a turn. */
const sliceMs = 4;
/** ms of rest for each ms of work while others work. */
const restPerWork = 3;
/** ms of rest that is not worth a timer. */
const restMsMin = 1;
/** ms of octets that a pause may lag behind: longer ones come in pieces, so that a run ends soon when it is told to. */
const lagMsMax = 1_000;

export class Throttle {
  readonly #clock: Clock;
  readonly #rate: number;
  readonly #isBusy: () => boolean;
  #sliceStart: number;
  /** When the octets spent so far are allowed. */
  #allowedAt: number;

  constructor(clock: Clock, bytesPerSecond: number, isBusy: () => boolean) {
    this.#clock = clock;
    this.#rate = bytesPerSecond;
    this.#isBusy = isBusy;
    this.#sliceStart = clock.monotonic();
    this.#allowedAt = this.#sliceStart;
  }

  /** So many octets were worked on. Undefined when the work may go on at once; else await the result. */
  spend(bytes: number): Promise<void> | undefined {
    const now = this.#clock.monotonic();
    this.#allowedAt = Math.max(this.#allowedAt, now - lagMsMax) + (1000 * bytes) / this.#rate;
    const worked = now - this.#sliceStart;
    if (worked < sliceMs && this.#allowedAt <= now + restMsMin) return undefined;
    return this.#rest(now, worked);
  }

  /** Waiting for an answer is no work. */
  waited(): void {
    this.#sliceStart = this.#clock.monotonic();
  }

  async #rest(now: number, worked: number): Promise<void> {
    const share = this.#isBusy() ? worked * restPerWork : 0;
    const ms = Math.min(lagMsMax, Math.max(share, this.#allowedAt - now));
    if (ms >= restMsMin) await sleep(ms);
    else await new Promise((resolve) => setImmediate(resolve));
    this.#sliceStart = this.#clock.monotonic();
  }
}
