/** Things of the last while: a set that forgets what is old, and the oldest when it is full. */
import type { Clock } from '@mstore/net';

export class RecentSet<Thing> {
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #max: number;
  /** When each was added, by the monotonic clock; the oldest first. */
  readonly #times = new Map<Thing, number>();

  constructor(clock: Clock, keepMs: number, max: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
    this.#max = max;
  }

  has(thing: Thing): boolean {
    const time = this.#times.get(thing);
    return time !== undefined && this.#clock.monotonic() - time < this.#keepMs;
  }

  /** Adds it as of now. */
  add(thing: Thing): void {
    const now = this.#clock.monotonic();
    this.#times.delete(thing);
    this.#times.set(thing, now);
    for (const [oldest, time] of this.#times) {
      if (this.#times.size <= this.#max && now - time < this.#keepMs) break;
      this.#times.delete(oldest);
    }
  }
}
