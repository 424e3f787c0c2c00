/**
 * The end of retired segments: their files are unlinked a while after nothing points into them, so that who holds a place in one is
 * done with it by then; and the log is told, so that the catalog forgets them.
 *
 * Invariant: a file is unlinked only when no header on disk lists it and nobody pins it. What a header lists is there, so a
 * rebuild never misses a file that was taken away on purpose. Where no segment began since the retirement, one is begun.
 *
 * A crash before the unlink leaves the file, which the next open takes away (its row says retired, no header lists it). A crash
 * behind it leaves the row, which the next look has removed.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { Heap } from '../heap/heap.ts';
import type { Clock } from '../sys/clock.ts';
import type { Committer } from '../writer/batch.ts';
import { decideDropped } from '../writer/intents/restate.ts';
import type { Pins } from '../writer/pins.ts';

export interface RetiredFilesParts {
  readonly heap: Heap;
  readonly catalog: () => Catalog;
  readonly committer: Committer;
  readonly pins: Pins;
  readonly clock: Clock;
  /** ms from the retirement to the unlink. */
  readonly delayMs: number;
}

export class RetiredFiles {
  readonly #parts: RetiredFilesParts;
  /** Retired segments whose files are there, and from when on these may go. */
  readonly #waiting = new Map<number, number>();
  /** Segments whose files are gone and whose rows are not. */
  readonly #gone = new Set<number>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(parts: RetiredFilesParts) {
    this.#parts = parts;
  }

  /** Takes over what the writer before left: files that no header lists go at once. @throws {StoreError} ioError */
  async adopt(): Promise<void> {
    const { heap, catalog } = this.#parts;
    for (const [segment, row] of [...catalog().segments()]) {
      if (row.retiredAt === 0) continue;
      heap.retire(segment);
      if (heap.isListed(segment)) this.#waiting.set(segment, Number.NEGATIVE_INFINITY);
      else await this.#unlink(segment);
    }
    this.#watch();
  }

  /** A segment was retired. */
  add(segment: number): void {
    const { clock, delayMs } = this.#parts;
    this.#waiting.set(segment, clock.monotonic() + delayMs);
    this.#watch();
  }

  /** Unlinks what is due; everything that is not pinned with `all`. @throws {StoreError} ioError, diskFull, readOnly */
  look(all = false): Promise<void> {
    const next = this.#looking.then(() => this.#look(all));
    this.#looking = next.catch(() => undefined);
    return next;
  }

  /** Unlinks what can be, whatever time is left; to be called before the last batch. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    // What fails now is done at the next open.
    await this.look(true).catch(() => undefined);
  }

  async #look(all: boolean): Promise<void> {
    const { heap, clock, pins, committer } = this.#parts;
    const now = clock.monotonic();
    const due = [...this.#waiting]
      .filter(([segment, at]) => (all || at <= now) && !pins.has(segment))
      .map(([segment]) => segment);
    if (due.length > 0) {
      if (due.some((segment) => heap.isListed(segment))) {
        await committer.beginSegment();
        await committer.commitEmpty('idle');
      }
      // It may have been pinned meanwhile.
      for (const segment of due) if (!heap.isListed(segment) && !pins.has(segment)) await this.#unlink(segment);
    }
    const gone = [...this.#gone];
    if (gone.length === 0) return;
    await committer.submit({ answerAfter: 'catalog', background: true, decide: (turn) => decideDropped(turn, gone) });
    for (const segment of gone) this.#gone.delete(segment);
  }

  async #unlink(segment: number): Promise<void> {
    await this.#parts.heap.drop(segment);
    this.#waiting.delete(segment);
    this.#gone.add(segment);
  }

  #watch(): void {
    if (this.#timer !== undefined || this.#closed || this.#waiting.size + this.#gone.size === 0) return;
    const timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.look()
          .catch(() => undefined)
          .finally(() => this.#watch());
      },
      Math.max(lookMsMin, Math.min(this.#parts.delayMs, lookMsMax)),
    ).unref();
    this.#timer = timer;
  }
}

/** ms between two looks: as many as a file stays, within these. */
const lookMsMin = 100;
const lookMsMax = 5_000;
