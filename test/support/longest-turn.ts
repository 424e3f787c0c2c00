/**
 * How long the event loop is held, in time that this thread itself was running: on a machine whose processors others use, a turn
 * takes as long as the kernel lets it wait, which says nothing about the slicing of work.
 */
import { readFileSync } from 'node:fs';

const nanosecondsPerMs = 1e6;
const path = '/proc/self/schedstat';

/** ms that this process's first thread has run, to a few ms; by the clock where the kernel does not tell. */
export function ranMs(): number {
  try {
    const [ran = ''] = readFileSync(path, 'latin1').split(' ');
    return Number(ran) / nanosecondsPerMs;
  } catch {
    return performance.now();
  }
}

/** Watches each turn until it is stopped. To be used in the first thread of a process. */
export class LongestTurn {
  #since = ranMs();
  #longestMs = 0;
  #next: NodeJS.Immediate;

  constructor() {
    this.#next = setImmediate(() => this.#turn());
  }

  /** The longest turn so far, in ms. */
  stop(): number {
    clearImmediate(this.#next);
    return this.#longestMs;
  }

  #turn(): void {
    const now = ranMs();
    this.#longestMs = Math.max(this.#longestMs, now - this.#since);
    this.#since = now;
    this.#next = setImmediate(() => this.#turn());
  }
}

/** The one in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
