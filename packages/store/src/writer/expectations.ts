/**
 * Deliveries that are about to come: a batch waits for them a moment, so that they share its flush. Who lets a message wait after
 * its beginning is expected no more, or each batch would wait in vain.
 */
import type { Clock } from '../sys/clock.ts';

export class Expectations {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  /** Since when, in ms; the longest expected first. */
  readonly #open = new Set<{ readonly since: number }>();

  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /** One more; returns what ends it. */
  add(): () => void {
    const one = { since: this.#clock.monotonic() };
    this.#open.add(one);
    return () => this.#open.delete(one);
  }

  /** Waits for them, some ms at most. */
  async gather(mostMs: number): Promise<void> {
    const start = this.#clock.monotonic();
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#any() && this.#clock.monotonic() - start < mostMs);
  }

  #any(): boolean {
    const latest = this.#clock.monotonic() - this.#patienceMs;
    for (const one of this.#open) {
      if (one.since >= latest) return true;
      this.#open.delete(one);
    }
    return false;
  }
}
