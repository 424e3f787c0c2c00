/** Compaction as a store has it: runs that are asked for, runs by itself, and the end of the files. */
import type { CompactProgress, CompactReport, CompactRequest } from '../writer/store-writer.ts';
import { AutoCompaction, type AutoCompactionRules, type CompactionObserver } from './auto-compaction.ts';
import { Compactor } from './compact.ts';
import { RetiredFiles, type RetiredFilesParts } from './retired-files.ts';
import type { CompactorParts } from './victim-reader.ts';

export class Compaction {
  readonly #parts: CompactionParts;
  readonly #compactor: Compactor;
  readonly #files: RetiredFiles;
  readonly #stop = new AbortController();
  #auto: AutoCompaction | undefined;

  constructor(parts: CompactionParts) {
    this.#parts = parts;
    this.#files = new RetiredFiles(parts);
    this.#compactor = new Compactor({ ...parts, onRetired: (segment) => this.#files.add(segment) });
  }

  /** Takes over what the writer before left. @throws {StoreError} ioError */
  adopt(): Promise<void> {
    return this.#files.adopt();
  }

  run(request: CompactRequest): Promise<CompactReport> {
    return this.#compactor.run({ ...request, signal: this.#stop.signal });
  }

  get progress(): CompactProgress | undefined {
    return this.#compactor.progress;
  }

  /** From now on runs by itself. */
  runAlone(rules: AutoCompactionRules, observer: CompactionObserver): void {
    const { heap, committer } = this.#parts;
    const compact = (request: CompactRequest): Promise<CompactReport> => this.run(request);
    const quietMs = (): number => committer.quietMs;
    this.#auto ??= new AutoCompaction({ compactor: this.#compactor, heap, quietMs, compact, rules, observer });
  }

  /** Unlinks what is due, or everything that may go. @throws {StoreError} ioError, diskFull, readOnly */
  dropRetired(now: boolean): Promise<void> {
    return this.#files.look(now);
  }

  /** Ends a run between two decisions, and takes away the files that may go; to be called before the last batch. */
  async close(): Promise<void> {
    this.#auto?.stop();
    this.#stop.abort();
    await this.#compactor.idle();
    await this.#files.close();
  }
}

export type CompactionParts = Omit<CompactorParts, 'onRetired'> & RetiredFilesParts;
