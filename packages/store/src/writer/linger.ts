/**
 * When a catalog transaction begins: at once after a batch that came alone, a moment later while batches keep coming, so that they
 * share it. A transaction costs several times what a batch adds to it, and its sync slows the heap's.
 */
import type { Clock } from '../sys/clock.ts';

/** ms within which the next batch comes, where they keep coming; and for which they are waited for. */
const lingerMs = 4;

export class Linger {
  readonly #clock: Clock;
  #lastAt = Number.NEGATIVE_INFINITY;
  #gapMs = Number.POSITIVE_INFINITY;
  #end: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A batch became durable. */
  batch(): void {
    const now = this.#clock.monotonic();
    this.#gapMs = now - this.#lastAt;
    this.#lastAt = now;
  }

  /** Resolves when the transaction should begin. */
  async wait(): Promise<void> {
    if (this.#gapMs > lingerMs) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lingerMs);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#end = undefined;
  }

  /** Somebody waits for the transaction, or it holds enough: it begins now. */
  hurry(): void {
    this.#end?.();
  }
}
