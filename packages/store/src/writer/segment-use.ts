/**
 * Which segments are in use beyond what the catalog says: the one that compaction works on, and those that hold what went ahead of a
 * message still on its way in. (Whose files somebody copies is in `pins.ts`.)
 *
 * Nothing here is durable: a writer that starts again has no victim, and no message on its way.
 */
import type { Heap } from '../heap/heap.ts';
import type { Lsn } from '../types.ts';
import type { Places } from './turn.ts';

interface Ahead {
  /** The prepared chunk or part: of a message that was given up without a word, nobody holds it any more. */
  readonly owner: WeakRef<object>;
  readonly lsns: readonly Lsn[];
}

export class SegmentUse implements Places {
  readonly #heap: Heap;
  readonly #ahead = new Set<Ahead>();
  readonly #byOwner = new WeakMap<object, Ahead>();
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
    const ahead = { owner: new WeakRef(owner), lsns };
    this.#ahead.add(ahead);
    this.#byOwner.set(owner, ahead);
  }

  /** The message that these went ahead of was placed, or given up. */
  arrived(owners: readonly object[]): void {
    for (const owner of owners) {
      const ahead = this.#byOwner.get(owner);
      if (ahead !== undefined) this.#ahead.delete(ahead);
    }
  }

  /** Whether something in the segment waits for its message. */
  isAwaited(segment: number): boolean {
    for (const ahead of this.#ahead) {
      if (ahead.owner.deref() === undefined) this.#ahead.delete(ahead);
      else if (ahead.lsns.some((lsn) => this.#heap.segmentOf(lsn) === segment)) return true;
    }
    return false;
  }
}
