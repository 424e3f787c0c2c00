/**
 * Which segments are in use beyond what the catalog says: the one that compaction works on, those that hold what went ahead of a
 * message still on its way in, and all of them while somebody copies files.
 *
 * Nothing here is durable: a writer that starts again has no victim, no message on its way, and no pin.
 */
import type { Heap } from '../heap/heap.ts';
import type { Lsn } from '../types.ts';
import type { Places } from './turn.ts';

interface Ahead {
  /** The prepared chunk or part: nobody holds it any more when its message was placed, or given up. */
  readonly owner: WeakRef<object>;
  readonly lsns: readonly Lsn[];
}

export class SegmentUse implements Places {
  readonly #heap: Heap;
  readonly #ahead = new Set<Ahead>();
  readonly #pins = new Set<number>();
  #lastPin = 0;
  /** The segment that compaction works on. */
  victim: number | undefined;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  isKept(lsn: Lsn): boolean {
    return this.isThere(lsn) && (this.victim === undefined || this.#heap.segmentOf(lsn) !== this.victim);
  }

  isThere(lsn: Lsn): boolean {
    // What lies beyond the durable log is in the batch being made.
    return lsn >= this.#heap.durableLsn || this.#heap.keeps(lsn);
  }

  /** What lies at these places is for a message on its way in; its segments are no victims as long as `owner` is held. */
  goesAhead(owner: object, lsns: readonly Lsn[]): void {
    this.#ahead.add({ owner: new WeakRef(owner), lsns });
  }

  /** Whether something in the segment waits for its message. */
  isAwaited(segment: number): boolean {
    for (const ahead of this.#ahead) {
      if (ahead.owner.deref() === undefined) this.#ahead.delete(ahead);
      else if (ahead.lsns.some((lsn) => this.#heap.segmentOf(lsn) === segment)) return true;
    }
    return false;
  }

  /** From now on no file is unlinked; returns what to `unpin`. */
  pin(): number {
    this.#pins.add(++this.#lastPin);
    return this.#lastPin;
  }

  unpin(pin: number): void {
    this.#pins.delete(pin);
  }

  get isPinned(): boolean {
    return this.#pins.size > 0;
  }
}
