/**
 * Compaction by itself: looks now and then whether there is enough to win, and begins when the store is quiet, or when there is so much
 * that it is not worth waiting.
 */
import type { Heap } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import type { CompactReport, CompactRequest } from '../writer/store-writer.ts';
import type { Compactor } from './compact.ts';

export interface AutoCompactionRules {
  /** The least share of garbage of a segment, 0 to 1. */
  readonly minGarbage: number;
  /** Octets per second. */
  readonly maxRate: number;
  /** ms without other work after which the store is quiet. */
  readonly idleMs: number;
  readonly segmentBytes: number;
  /** ms between two looks; `limits.compactLookMs` unless given. */
  readonly lookMs?: number;
}

/** Told how each run ended. */
export interface CompactionObserver {
  compacted(report: CompactReport): void;
  failed(error: unknown): void;
}

interface Parts {
  readonly compactor: Compactor;
  readonly heap: Heap;
  readonly quietMs: () => number;
  readonly compact: (request: CompactRequest) => Promise<CompactReport>;
  readonly rules: AutoCompactionRules;
  readonly observer: CompactionObserver;
}

/** Shares of the heap's octets to win: when the store is quiet, and when it is not. */
const quietShare = 1 / 20;
const busyShare = 3 / 10;
/** Share of a segment that there must be to win at least. */
const segmentShare = 1 / 4;
/** Small segments that are worth a run by themselves. */
const smallsMin = 16;

export class AutoCompaction {
  readonly #parts: Parts;
  readonly #timer: NodeJS.Timeout;
  #isRunning = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#look(), parts.rules.lookMs ?? limits.compactLookMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Compacts, if it is time. Failures go to the observer. */
  async #look(): Promise<void> {
    const { compact, rules, observer } = this.#parts;
    if (this.#isRunning || !this.#isDue) return;
    this.#isRunning = true;
    try {
      const { minGarbage, maxRate } = rules;
      observer.compacted(await compact({ minGarbage, maxRate }));
    } catch (error) {
      observer.failed(error);
    } finally {
      this.#isRunning = false;
    }
  }

  /** Whether there is enough to win now. */
  get #isDue(): boolean {
    const { compactor, heap, quietMs, rules } = this.#parts;
    const victims = compactor.victims(rules.minGarbage);
    const win = victims.reduce((sum, { garbageBytes }) => sum + garbageBytes, 0);
    const all = heap.segments().reduce((sum, { baseLsn, endLsn }) => sum + (endLsn - baseLsn), 0);
    if (win >= Math.max(busyShare * all, rules.segmentBytes)) return true;
    if (quietMs() < rules.idleMs) return false;
    const smalls = victims.filter(({ isSmall }) => isSmall).length;
    return smalls >= smallsMin || win >= Math.max(quietShare * all, segmentShare * rules.segmentBytes);
  }
}
