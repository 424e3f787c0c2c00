/**
 * Pinned segments: who copies the log, or reads it for long, keeps the files that are there now from being unlinked until it is
 * done. Compaction may retire a pinned segment, it only waits with the file: whoever unlinks one asks `has` first. A pin lives in
 * the writer's memory: it goes with the writer, with the connection that asked for it, or when it is released.
 */
import type { Lsn } from '../types.ts';

/** The log as it was when it was pinned. */
export interface PinnedLog {
  /** Every octet below it was durable. */
  readonly durableLsn: Lsn;
  /** Lets the files go; a second call does nothing. */
  release(): Promise<void>;
}

/** Who can keep the files of the log: the writer, and a client of it. */
export interface LogKeeper {
  /** Pins all segments that are there now. @throws {StoreError} noWriter, limitExceeded, closed */
  pinLog(): Promise<PinnedLog>;
}

export class Pins {
  /** Segment number → how many hold it. */
  readonly #held = new Map<number, number>();

  /** Keeps the files of these segments; returns what lets them go. */
  pin(numbers: readonly number[]): () => void {
    for (const number of numbers) this.#held.set(number, (this.#held.get(number) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      for (const number of numbers) {
        const left = (this.#held.get(number) ?? 1) - 1;
        if (left > 0) this.#held.set(number, left);
        else this.#held.delete(number);
      }
    };
  }

  /** True while somebody needs the file. */
  has(number: number): boolean {
    return this.#held.has(number);
  }
}
