/**
 * The heap's face: frames in, places out. Implements docs/format/heap.md; knows nothing of mail.
 *
 * One `Heap` opened for writing exists at a time (the caller holds the lock); any number opened for reading may live
 * beside it, in other processes. State is what the headers said (`chain.ts`), where the log ends (`tail.ts`), and, for
 * writing, a `SegmentWriter`. It changes only after octets are durable.
 */
import { dirname } from 'node:path';
import { errnoOf, invariant, isStoreError, StoreError } from '../errors.ts';
import type { FileHandle } from '../sys/fs.ts';
import { brandNumber, type Location, type Lsn } from '../types.ts';
import type { BatchBuilder } from './batch.ts';
import { Believed } from './believed.ts';
import type { Segment } from './chain.ts';
import { asStoreError, closeQuietly, type HeapCounters, SegmentFiles } from './files.ts';
import { heapFormat } from './format.ts';
import type {
  Commit,
  CommitOptions,
  HeapPorts,
  HeapRecord,
  HighWater,
  LostSegment,
  OnDamage,
  ScannedRecord,
  SegmentState,
  StoredRecord,
} from './location.ts';
import {
  type HeapOptions,
  nothingFound,
  type OpenOptions,
  type OpenReport,
  openToWrite,
  readAgain,
  readState,
  recover,
  refuseExisting,
} from './open.ts';
import { RecordPeek } from './peek.ts';
import { decodeStored, readStored, segmentGone } from './reader.ts';
import { type ScanOptions, scan } from './scanner.ts';
import { type DeviceRecord, SegmentWriter } from './writer.ts';

export type { BatchBuilder } from './batch.ts';
export type { HeapCounters } from './files.ts';
export { commitBytes, heapFormat } from './format.ts';
export type * from './location.ts';
export type { HeapOptions, OpenOptions, OpenReport } from './open.ts';
export { isSegmentGone, unpackPayload } from './reader.ts';
export type { ScanOptions } from './scanner.ts';

/** What a heap begins with. */
interface Beginning {
  readonly segments: readonly Segment[];
  readonly listed: ReadonlyMap<number, Lsn>;
  readonly lastCommit: Commit | undefined;
  readonly report: OpenReport;
}

export class Heap {
  readonly storeId: Buffer;
  readonly report: OpenReport;
  readonly #files: SegmentFiles;
  readonly #onDamage: OnDamage | undefined;
  readonly #peek: RecordPeek;
  #writer: SegmentWriter | undefined;
  readonly #believed: Believed;
  #lastCommit: Commit | undefined;
  #reloading: Promise<void> | undefined;

  private constructor(files: SegmentFiles, beginning: Beginning, onDamage: OnDamage | undefined) {
    const { report } = beginning;
    this.#files = files;
    this.#peek = new RecordPeek(files);
    this.#onDamage = onDamage;
    this.#believed = new Believed(beginning.segments, beginning.listed, report);
    this.#lastCommit = beginning.lastCommit;
    this.storeId = this.#newest.storeId;
    this.report = report;
  }

  /**
   * Makes `heap/` in a store's directory and its first segment; durable on return.
   * @throws {StoreError} storeExists, ioError, diskFull
   */
  static async create(ports: HeapPorts, directory: string, storeId: Buffer, options: HeapOptions): Promise<Heap> {
    invariant(storeId.length === 16, 'a store id has 16 octets');
    const files = new SegmentFiles(ports.fs, directory);
    const present = await files.list();
    if (present.length > 0) await refuseExisting(files);
    try {
      await ports.fs.makeDirectory(files.directory);
      await ports.fs.syncDirectory(dirname(files.directory));
    } catch (error) {
      throw asStoreError(error, 'ioError', 'creating', files.directory);
    }
    let heap: Heap | undefined;
    const writer = new SegmentWriter(ports, files, {
      storeId,
      epoch: 1,
      segmentBytes: options.segmentBytes,
      newest: undefined,
      file: undefined,
      lastBatch: 0,
      lastNumber: present.at(-1) ?? 0,
      attemptedLsn: 0,
      listed: () => (heap === undefined ? [] : heap.#believed.stillListed()),
    });
    const first = await writer.createFirst();
    const listed = new Map([[first.number, first.endLsn]]);
    const beginning = { segments: [first], listed, lastCommit: undefined, report: nothingFound };
    heap = new Heap(files, beginning, undefined);
    heap.#writer = writer;
    return heap;
  }

  /**
   * Finds the end of the log, and writes and syncs what is unproved before it once more; writes nothing else.
   * @throws {StoreError} noStore, newerFormat, corrupt, ioError, diskFull
   */
  static async openForWriting(ports: HeapPorts, directory: string, options: HeapOptions): Promise<Heap> {
    const files = new SegmentFiles(ports.fs, directory);
    let file: FileHandle | undefined;
    try {
      const state = await readState(files, false, options.onDamage);
      const { segments, newest, chain, tail, lastCommit } = state;
      file = await openToWrite(files, newest.number);
      const report = { ...state.report, rewrittenBytes: await recover(files, file, state) };
      const heap = new Heap(files, { segments, listed: chain.listed, lastCommit, report }, options.onDamage);
      const isLeftWell = tail.lastCommit?.cleanStop === true && report.voidBytes === 0 && !tail.damaged;
      // What an earlier format does not know is not appended to one of its segments.
      const goesOn = isLeftWell && newest.format === heapFormat;
      if (!goesOn) await closeQuietly(file);
      heap.#writer = new SegmentWriter(ports, files, {
        storeId: newest.storeId,
        epoch: newest.epoch,
        segmentBytes: options.segmentBytes,
        newest,
        file: goesOn ? file : undefined,
        lastBatch: tail.lastCommit?.number ?? newest.lastBatch,
        lastNumber: Math.max(chain.lastNumber, options.beyond?.segment ?? 0),
        attemptedLsn: Math.max(chain.attemptedLsn, options.beyond?.lsn ?? 0),
        listed: () => heap.#believed.stillListed(),
      });
      return heap;
    } catch (error) {
      await closeQuietly(file);
      await files.close();
      throw error;
    }
  }

  /**
   * Opens beside a writer or without one; never writes. Believes complete batches, synced or not.
   * @throws {StoreError} noStore, newerFormat, corrupt, ioError
   */
  static async openForReading(ports: HeapPorts, directory: string, options: OpenOptions = {}): Promise<Heap> {
    const files = new SegmentFiles(ports.fs, directory);
    try {
      const { segments, chain, lastCommit, report } = await readState(files, true, options.onDamage);
      return new Heap(files, { segments, listed: chain.listed, lastCommit, report }, options.onDamage);
    } catch (error) {
      await files.close();
      throw error;
    }
  }

  get epoch(): number {
    return this.#newest.epoch;
  }

  /** The newest segment's format version; the next one's is `heapFormat`. */
  get format(): number {
    return this.#newest.format;
  }

  get counters(): HeapCounters {
    return this.#files.counters;
  }

  /** One past the end of the believed log. */
  get durableLsn(): Lsn {
    return this.#newest.endLsn;
  }

  /** The last COMMIT of the believed log; undefined when none can be read. */
  get lastCommit(): Commit | undefined {
    return this.#lastCommit;
  }

  /** As the newest segment's header has it. */
  get newestHighWater(): HighWater {
    return this.#newest.highWater;
  }

  /** The believed segments, rising by number. */
  segments(): readonly SegmentState[] {
    return this.#believed.states();
  }

  /** The number of the segment whose log holds this LSN; undefined when none does. */
  segmentOf(lsn: Lsn): number | undefined {
    return this.#believed.holding(lsn)?.number;
  }

  /**
   * Plans the place of a batch: in the newest segment, or in a new one when that has reached its size, ended in an error
   * or was not left by a clean stop. One batch at a time. Nothing is written.
   * @throws {StoreError} readOnly, after two device errors in a row, unless it is a probe
   */
  begin(highWater: HighWater, probing: boolean = false): BatchBuilder {
    return this.#writing().begin(highWater, probing);
  }

  /** How the device has done since the heap was opened for writing; undefined of one that is read only. */
  get device(): DeviceRecord | undefined {
    return this.#writer;
  }

  /**
   * Appends the batch and its COMMIT in one write, and syncs; before that, creates its segment if it has a new one.
   * Durable on return. After an error the log is as it was, and the batch must be made again: its LSNs are void.
   * @throws {StoreError} ioError, diskFull
   */
  async commit(batch: BatchBuilder, options: CommitOptions = {}): Promise<void> {
    const appended = await this.#writing().commit(batch, options.cleanStop ?? false, options.idle ?? false);
    this.#believed.publish(appended.segments);
    this.#lastCommit = appended.commit;
  }

  /** Forgets a begun batch; nothing was written. */
  abandon(batch: BatchBuilder): void {
    this.#writing().abandon(batch);
  }

  /**
   * The record at an LSN, verified and decoded; `bytes` is its location's, for a read of the right size.
   * @throws {StoreError} corrupt with details `{segment, offset, lsn}`; ask `isSegmentGone`; ioError
   */
  async read(lsn: Lsn, bytes?: number): Promise<HeapRecord> {
    const segment = this.#candidate(lsn);
    let failure: unknown;
    let gone = segment === undefined;
    if (segment !== undefined) {
      try {
        return decodeStored(await readStored(this.#files, segment, lsn, bytes), segment);
      } catch (error) {
        gone = isStoreError(error) && errnoOf(error.cause) === 'ENOENT';
        if (!gone && (this.#writer !== undefined || lsn < segment.endLsn)) throw error;
        failure = error;
      }
    }
    // Its segment was dropped, or the place lies in one that is news.
    await this.refresh();
    const again = this.#candidate(lsn);
    if (again !== undefined && again.number !== segment?.number) {
      return decodeStored(await readStored(this.#files, again, lsn, bytes), again);
    }
    if (!gone) throw failure;
    throw segmentGone(lsn, failure);
  }

  /** The records at these places, if all can be had at once (peek.ts); valid until the next call. `read` says why not. */
  peek(places: readonly Location[]): readonly HeapRecord[] | undefined {
    return this.#peek.records(places, ({ lsn }) => this.#candidate(lsn));
  }

  /** One past the newest segment's last octet as it is now, durable or not. */
  async writtenLsn(): Promise<Lsn> {
    for (;;) {
      const { number, baseLsn } = this.#newest;
      try {
        return brandNumber<Lsn>(baseLsn + (await this.#files.size(number)));
      } catch (error) {
        if (!isStoreError(error) || errnoOf(error.cause) !== 'ENOENT') throw error;
        // A reader that did not look for long: others followed, and this one was compacted.
        await this.refresh();
        if (this.#newest.number === number) throw error;
      }
    }
  }

  /** Records of the believed log as it is now, COMMITs included, in LSN order; without retired segments. */
  scan(options: ScanOptions): AsyncIterable<ScannedRecord> {
    return scan(this.#files, this.#believed.scanView(), options);
  }

  /** Listed segments that cannot be read, with the LSN at which the log ended in each; without retired ones. */
  lostSegments(): readonly LostSegment[] {
    return this.#believed.scanView().lost;
  }

  /** The records of one believed segment, with payloads as they are stored. @throws {StoreError} corrupt, ioError */
  scanSegment(number: number, from?: Lsn): AsyncIterable<ScannedRecord> {
    const segments = this.#believed.segments.filter((segment) => segment.number === number);
    return scan(this.#files, { segments, lost: [] }, { from: from ?? brandNumber<Lsn>(0), asStored: true });
  }

  /** As `read`, with the payload as it is stored. @throws {StoreError} corrupt, ioError */
  async readStored(lsn: Lsn, bytes: number): Promise<StoredRecord> {
    const segment = this.#believed.holding(lsn);
    if (segment === undefined) throw segmentGone(lsn, undefined);
    return readStored(this.#files, segment, lsn, bytes);
  }

  /** Of a reading heap: believes what was appended since. */
  async refresh(): Promise<void> {
    if (this.#writer === undefined) await this.#reload();
  }

  /** Closes descriptors of files that were unlinked: they would keep the octets. @throws {StoreError} ioError */
  forgetUnlinked(): Promise<void> {
    return this.#files.forgetUnlinked();
  }

  /** The next batch begins a new segment. */
  async endSegment(): Promise<void> {
    await this.#writing().close();
  }

  /** Whether a header that is on disk may still list the segment. */
  isListed(number: number): boolean {
    return this.#believed.isListed(number);
  }

  /** Whether the segment stays: not retired. */
  keepsSegment(number: number): boolean {
    return !this.#believed.isRetired(number);
  }

  /** Whether the place lies in a segment that stays: believed, and not retired. */
  keeps(lsn: Lsn): boolean {
    const segment = this.#believed.holding(lsn);
    return segment !== undefined && !this.#believed.isRetired(segment.number);
  }

  /** What follows bears a higher epoch: acknowledged history may be missing behind it. After a restore, the so-manieth of its
   *  backup, numbers and LSNs of segments jump too, and the epoch is at least `epoch`. */
  raiseEpoch(restores = 0, epoch = 0): Promise<void> {
    return this.#writing().raiseEpoch(restores, epoch);
  }

  /** A logged-as-garbage segment: no further header lists it. It can be read until `drop`. */
  retire(number: number): void {
    invariant(number !== this.#newest.number, 'the newest segment is never retired');
    this.#believed.retire(number);
  }

  /**
   * Forgets a retired segment and closes its descriptors; when writing, also unlinks its file, if it is there, durably. The newest
   * header must not list it: what is listed must be there. @throws {StoreError} ioError
   */
  async drop(number: number): Promise<void> {
    invariant(number !== this.#newest.number, 'the newest segment is never dropped');
    invariant(this.#writer === undefined || !this.isListed(number), 'a listed segment is not dropped');
    this.#believed.forget(number);
    await this.#files.forget(number);
    if (this.#writer === undefined) return;
    await this.#files.unlink(number);
  }

  /** Closes all files. Writes nothing: the caller commits a clean stop first. */
  async close(): Promise<void> {
    await this.#writer?.close();
    await this.#files.close();
  }

  get #newest(): Segment {
    return this.#believed.newest;
  }

  #writing(): SegmentWriter {
    if (this.#files.closed) throw new StoreError('closed', 'the heap is closed');
    if (this.#writer === undefined) throw new StoreError('readOnly', 'this heap is open for reading');
    return this.#writer;
  }

  /** Where a record may lie: a reader's places come from a catalog that can be ahead of what it believes. */
  #candidate(lsn: Lsn): Segment | undefined {
    const ahead = this.#writer === undefined && lsn >= this.#newest.endLsn;
    return ahead ? this.#newest : this.#believed.holding(lsn);
  }

  #reload(): Promise<void> {
    this.#reloading ??= this.#loadAgain().finally(() => {
      this.#reloading = undefined;
    });
    return this.#reloading;
  }

  async #loadAgain(): Promise<void> {
    const known = { segments: this.#believed.segments, lastCommit: this.#lastCommit };
    const now = await readAgain(this.#files, known, this.#onDamage);
    this.#believed.replace(now.segments, now.chain, now.retired);
    this.#lastCommit = now.lastCommit;
    await this.forgetUnlinked();
  }
}
