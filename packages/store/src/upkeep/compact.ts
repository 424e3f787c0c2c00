/**
 * Compaction (docs/compaction.md): what is still needed of segments with much garbage is said again at the end of the log, and
 * the segments are retired.
 *
 * The argument, in short. Everything a row rests on is in a listed segment, before and after each decision: a record is written
 * again in the batch that moves the row to it, and the victim is listed until a decision finds that nothing points into it and that
 * all it says was said again. Between decisions the store may change or the process end: what was said again is true, what was not is
 * still in the victim. So a run that ends anywhere is begun anew, and passes over what does not point into the victim any more.
 */
import { errorText, isStoreError } from '../errors.ts';
import { decideRetire } from '../writer/intents/restate.ts';
import type { CompactProgress, CompactReport, CompactRequest } from '../writer/store-writer.ts';
import { Throttle } from './throttle.ts';
import { type CompactorParts, Kept, VictimReader } from './victim-reader.ts';
import { type Victim, victimsOf } from './victims.ts';

export interface CompactOptions extends CompactRequest {
  /** Ends the run between two decisions. */
  readonly signal?: AbortSignal;
}

/** Times that a victim is gone through, when something still points into it. */
const roundsMax = 3;

export class Compactor {
  readonly #parts: CompactorParts;
  #running: Promise<unknown> = Promise.resolve();
  /** Of the run under way. */
  progress: CompactProgress | undefined;
  /** Segments that were found damaged: they stay until somebody repairs them. */
  readonly #damaged = new Map<number, string>();

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  /** Segments worth compacting now, the best first. */
  victims(minGarbage: number): Victim[] {
    const { heap, catalog, segmentBytes } = this.#parts;
    const found = victimsOf(catalog(), heap.segments(), { minGarbage, segmentBytes });
    return found.filter(({ segment }) => !this.#damaged.has(segment) && heap.keepsSegment(segment));
  }

  /** Compacts all segments that are worth it now, one after the other; one run at a time.
   *  @throws {StoreError} closed, ioError, diskFull, readOnly */
  run(options: CompactOptions): Promise<CompactReport> {
    const next = this.#running.then(() => this.#run(options));
    this.#running = next
      .catch(() => undefined)
      .then(() => {
        this.progress = undefined;
      });
    return next;
  }

  /** Resolves when no run is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(options: CompactOptions): Promise<CompactReport> {
    const { committer } = this.#parts;
    if (options.signal?.aborted !== true) await this.#endNewest(options.minGarbage);
    // The last transaction of the catalog may be lost with a crash: the one that retires a segment, but then not its own batches too,
    // which no header may list any more.
    await committer.settle();
    const victims = this.victims(options.minGarbage);
    const throttle = new Throttle(
      this.#parts.clock,
      options.maxRate || Number.POSITIVE_INFINITY,
      () => committer.quietMs < busyMs,
    );
    const totalBytes = victims.reduce((sum, { bytes }) => sum + bytes, 0);
    const retired: number[] = [];
    const kept: { segment: number; reason: string; damaged: boolean }[] = [];
    let doneBytes = 0;
    let retiredBytes = 0;
    let writtenBytes = 0;
    for (const { segment, bytes } of victims) {
      if (options.signal?.aborted === true) break;
      const onBytes = (some: number): void => {
        this.progress = { doneBytes: doneBytes + some, totalBytes, segments: retired.length };
      };
      onBytes(0);
      try {
        writtenBytes += await this.#compact(segment, { throttle, onBytes, signal: options.signal });
        retired.push(segment);
        retiredBytes += bytes;
      } catch (error) {
        if (!(error instanceof Kept) && !isStoreError(error, 'corrupt')) throw error;
        if (error instanceof Kept) kept.push({ segment, reason: error.message, damaged: false });
        else this.#damaged.set(segment, errorText(error));
      } finally {
        this.#parts.use.victim = undefined;
      }
      doneBytes += bytes;
    }
    for (const [segment, reason] of this.#damaged) kept.push({ segment, reason, damaged: true });
    return { segments: retired, retiredBytes, writtenBytes, kept };
  }

  /** The newest segment can be a victim only when another one has begun. */
  async #endNewest(minGarbage: number): Promise<void> {
    const { heap, catalog, committer, segmentBytes } = this.#parts;
    const newest = heap.segments().at(-1);
    if (newest === undefined) return;
    const asOlder = victimsOf(catalog(), [newest, { ...newest, number: newest.number + 1 }], {
      minGarbage,
      segmentBytes,
    });
    const least = Math.min(newestShare, minGarbage) * segmentBytes;
    if (asOlder.some(({ isSmall, garbageBytes }) => !isSmall && garbageBytes >= least)) {
      await committer.beginSegment();
      await committer.commitEmpty('idle');
    }
  }

  /** Returns the octets written again. @throws {Kept} when the segment cannot be retired now; {StoreError} corrupt */
  async #compact(
    segment: number,
    run: { throttle: Throttle; onBytes: (some: number) => void; signal: AbortSignal | undefined },
  ): Promise<number> {
    const { heap, use, committer, onRetired } = this.#parts;
    if (use.isAwaited(segment)) throw new Kept('parts of messages on their way in lie in it');
    use.victim = segment;
    let written = 0;
    for (let round = 1; ; round++) {
      const reader = new VictimReader(this.#parts, segment, run);
      written += await reader.read();
      if (use.isAwaited(segment)) throw new Kept('parts of messages on their way in lie in it');
      const pointed = await committer.submit({
        answerAfter: 'catalog',
        background: true,
        decide: (turn) => decideRetire(turn, segment),
      });
      if (pointed === 0) break;
      if (round === roundsMax) throw new Kept(`${pointed} octets of it are still in use`);
    }
    heap.retire(segment);
    onRetired(segment);
    return written;
  }
}

/** Share of a segment that must be garbage in the newest one before another is begun for that. */
const newestShare = 1 / 16;
/** ms without other work after which compaction need not hold back. */
const busyMs = 100;
