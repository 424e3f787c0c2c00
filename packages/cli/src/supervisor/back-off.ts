/** How long to wait before a program that ended is started again: not at all the first time, longer the more often it ends soon. */
import { limits } from './limits.ts';

export class BackOff {
  #quickEnds = 0;

  /** ms to wait after a run of `ranMs`. */
  after(ranMs: number): number {
    if (ranMs >= limits.steadyMs) this.#quickEnds = 0;
    this.#quickEnds += 1;
    if (this.#quickEnds === 1) return 0;
    return Math.min(limits.backOffMs * 2 ** (this.#quickEnds - 2), limits.backOffMsMax);
  }
}
