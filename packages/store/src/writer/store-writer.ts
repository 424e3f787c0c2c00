/** What a store's writer offers beyond mail: upkeep that only the writer can do, asked by commands. */
import type { MailWriter } from './mail-writer.ts';
import type { LogKeeper } from './pins.ts';

export interface CompactRequest {
  /** Segments with at least this share of garbage, 0 to 1. */
  readonly minGarbage: number;
  /** Octets of segments gone through per second at most; 0: no bound. */
  readonly maxRate: number;
}

/** Octets of segments gone through, of so many, and segments retired. */
export interface CompactProgress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly segments: number;
}

export interface CompactReport {
  /** Segments retired. */
  readonly segments: readonly number[];
  /** Octets of their logs, and octets of them that were written again. */
  readonly retiredBytes: number;
  readonly writtenBytes: number;
  /** Segments that stay, and why; `damaged` ones until somebody repairs them. */
  readonly kept: readonly { readonly segment: number; readonly reason: string; readonly damaged: boolean }[];
}

export interface StoreWriter extends MailWriter, LogKeeper {
  /** Compacts what is worth it now; one run at a time. Each step is durable by itself: a run that ends anywhere can be begun again.
   *  @throws {StoreError} closed, ioError, diskFull, readOnly, noWriter */
  compact(request: CompactRequest): Promise<CompactReport>;
  /** How far the run of compaction is; undefined when there is none. */
  compactProgress(): Promise<CompactProgress | undefined>;
}
