/**
 * Appends batches: plans where each goes, writes it, makes it durable, and keeps to the failure policy. The only module
 * of the heap that writes, with `recover` for the unproved tail.
 *
 * The crash argument. One batch, step by step; after a crash between any two:
 *
 *   1. (new segment only) create the file          the name may or may not be there; its content is not a header
 *   2. write the header                            the same, or a header that is there by luck: an empty segment, whose
 *                                                  header recovery writes again before anything relies on it
 *   3. datasync the file, sync the directory       an empty segment, believed: the log ends where it did
 *   4. write records and COMMIT, one write         any octets of the batch in any order: believed as a whole if every
 *                                                  one checks (recovery writes it again first), else void as a whole
 *   5. datasync                                    durable: the caller may say so
 *
 * 1 and 2 leave an *unborn* file when no header checks: ignored, its number not used again. 4 comes after the datasync of
 * the batch before, so a COMMIT's *previous durable LSN* is true when it is written, and 1 comes after it too, so a
 * header's *predecessor end* is.
 *
 * After an error in 4 or 5 nobody knows what the disk will show after a power cut: all, some or none of the batch. So
 * the file is never written again, its log ends where the last durable batch ended, and the next segment's header,
 * durable before its own first batch, says so: from then on the failed batch is void whatever its octets look like. Only
 * a crash before that header can make the failed batch appear; its caller was told of an error, not of success or
 * absence. The next base LSN lies beyond everything attempted, so no LSN is given twice.
 *
 * After two errors in a row nothing is written but what its caller asks for as a probe. A probe goes into a new segment, which stands
 * on its own syncs alone: once it is durable, so is the header before it, and everything said above holds again.
 */
import { errorText, invariant, isStoreError, StoreError } from '../errors.ts';
import type { Clock } from '../sys/clock.ts';
import type { FileHandle } from '../sys/fs.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { BatchBuilder, newArena } from './batch.ts';
import { type Segment, segmentFrom } from './chain.ts';
import { asStoreError, closeQuietly, isFull, type SegmentFiles } from './files.ts';
import {
  alignUp,
  baseLsnUnit,
  encodeSegmentHeader,
  heapFormat,
  type ListedSegment,
  lsnAt,
  type SegmentHeader,
  segmentHeaderBytes,
} from './format.ts';
import type { Commit, HighWater } from './location.ts';

/** Device errors in a row after which nothing is written but probes. */
const failuresMax = 2;

/** Octets rewritten at once by recovery. */
const rewriteBytes = 1024 * 1024;

/** Segments, and octets of log, that a store can have made since the backup that it is restored from. */
const restoreSegments = 2 ** 20;
const restoreLsns = 2 ** 40;

export interface WriterPorts {
  readonly clock: Clock;
  /** As many unpredictable octets. */
  readonly random: (bytes: number) => Buffer;
}

/** Where writing begins. */
export interface WriterStart {
  readonly storeId: Buffer;
  readonly epoch: number;
  readonly segmentBytes: number;
  /** The newest believed segment; none before the first. */
  readonly newest: Segment | undefined;
  /** Open for writing when the log goes on in the newest segment. */
  readonly file: FileHandle | undefined;
  readonly lastBatch: number;
  /** The highest segment number ever used. */
  readonly lastNumber: number;
  readonly attemptedLsn: number;
  /** Segments to list in a new header, but for the newest and those that failed. */
  readonly listed: () => readonly ListedSegment[];
}

/** What a successful commit changed. */
export interface Appended {
  readonly commit: Commit;
  /** Segments that are new or changed, rising; the last one is the newest. */
  readonly segments: readonly Segment[];
}

interface Plan {
  readonly segment: Segment;
  /** The header to create it with; undefined when it exists. */
  readonly header: Buffer | undefined;
}

interface OpenBatch {
  readonly batch: BatchBuilder;
  readonly plan: Plan;
}

/** How a device does what it is asked. */
export interface DeviceRecord {
  /** False after two errors in a row, until a batch gets through. */
  readonly takesWrites: boolean;
  /** Errors of writes and syncs in all, a full disk apart; and the last one. */
  readonly deviceErrors: number;
  readonly lastDeviceError: string;
}

export class SegmentWriter implements DeviceRecord {
  readonly #ports: WriterPorts;
  readonly #files: SegmentFiles;
  readonly #start: WriterStart;
  #newest: Segment | undefined;
  #file: FileHandle | undefined;
  /** Segments that ended in an error and are not yet in a durable header; told with the next success. */
  #broken: Segment[] = [];
  #lastBatch: number;
  #lastNumber: number;
  #attemptedLsn: number;
  #epoch: number;
  /** Device errors since the last success. */
  #failures = 0;
  deviceErrors = 0;
  lastDeviceError = '';
  #open: OpenBatch | undefined;
  /** Free whenever no batch is open: a write that has returned no longer needs its buffers. */
  readonly #arena: Buffer = newArena();
  #committing = false;

  constructor(ports: WriterPorts, files: SegmentFiles, start: WriterStart) {
    this.#ports = ports;
    this.#files = files;
    this.#start = start;
    this.#newest = start.newest;
    this.#file = start.file;
    this.#lastBatch = start.lastBatch;
    this.#lastNumber = start.lastNumber;
    this.#attemptedLsn = start.attemptedLsn;
    this.#epoch = start.epoch;
  }

  /** Makes the first segment of a heap; durable on return. */
  async createFirst(): Promise<Segment> {
    const { segment, header } = this.#plan({
      sequence: 0,
      account: 0,
      mailbox: 0,
      message: 0,
      thread: 0,
      uidValidity: 0,
    });
    invariant(this.#newest === undefined && header !== undefined, 'the first segment follows none');
    await this.#createSegment(segment, header);
    this.#newest = segment;
    return segment;
  }

  get takesWrites(): boolean {
    return this.#failures < failuresMax;
  }

  /** Plans the next batch's place; nothing is written. @throws {StoreError} readOnly, unless it is to find out */
  begin(highWater: HighWater, probing: boolean): BatchBuilder {
    if (!this.takesWrites && !probing)
      throw new StoreError(
        'readOnly',
        `the heap takes no changes now, after two errors in a row: ${this.lastDeviceError}`,
      );
    invariant(this.#open === undefined, 'one batch at a time');
    const plan = this.#plan(highWater);
    const { endLsn, salt, epoch, number: segment } = plan.segment;
    const batch = new BatchBuilder({
      firstLsn: endLsn,
      salt,
      epoch,
      number: this.#lastBatch + 1,
      segment,
      arena: this.#arena,
    });
    this.#open = { batch, plan };
    return batch;
  }

  /** Forgets the open batch. */
  abandon(batch: BatchBuilder): void {
    invariant(this.#open?.batch === batch && !this.#committing, 'this batch is not open');
    this.#open = undefined;
  }

  /** Writes the open batch; durable on return. @throws {StoreError} ioError, diskFull */
  async commit(batch: BatchBuilder, cleanStop: boolean, idle: boolean): Promise<Appended> {
    const open = this.#open;
    invariant(open?.batch === batch && !this.#committing, 'this batch is not open');
    this.#committing = true;
    try {
      const appended = await this.#append(open, cleanStop, idle);
      this.#failures = 0;
      return appended;
    } catch (error) {
      if (!isStoreError(error, 'diskFull')) {
        this.#failures++;
        this.deviceErrors++;
        this.lastDeviceError = errorText(error);
      }
      throw error;
    } finally {
      this.#committing = false;
      this.#open = undefined;
    }
  }

  /** Later segments bear a higher epoch, and numbers and LSNs beyond what a lost log can have used; the next batch begins one. */
  async raiseEpoch(restores: number, epoch: number): Promise<void> {
    await this.close();
    this.#epoch = Math.max(this.#epoch + 1, epoch);
    this.#lastNumber += restores * restoreSegments;
    this.#attemptedLsn += restores * restoreLsns;
  }

  async close(): Promise<void> {
    await closeQuietly(this.#file);
    this.#file = undefined;
  }

  #plan(highWater: HighWater): Plan {
    const newest = this.#newest;
    if (newest !== undefined && this.#file !== undefined) {
      if (newest.endLsn - newest.baseLsn < this.#start.segmentBytes) return { segment: newest, header: undefined };
    }
    const before = this.#broken.at(-1) ?? newest;
    const listed = new Map(this.#start.listed().map(({ number, endLsn }) => [number, endLsn]));
    if (newest !== undefined) listed.set(newest.number, newest.endLsn);
    for (const { number, endLsn } of this.#broken) listed.set(number, endLsn);
    const live = [...listed].map(([number, endLsn]) => ({ number, endLsn })).sort((a, b) => a.number - b.number);
    const baseLsn = lsnAt(0, Math.max(baseLsnUnit, alignUp(this.#attemptedLsn, baseLsnUnit)));
    const header: SegmentHeader = {
      storeId: this.#start.storeId,
      number: this.#lastNumber + 1,
      epoch: this.#epoch,
      salt: this.#ports.random(4).readUInt32LE(0),
      baseLsn,
      predecessor: before?.number ?? 0,
      predecessorEnd: before?.endLsn ?? brandNumber<Lsn>(0),
      highWater: { ...highWater },
      time: this.#ports.clock.now(),
      lastBatch: this.#lastBatch,
    };
    const headerBytes = segmentHeaderBytes(live.length);
    const numbers = live.map(({ number }) => number);
    const endLsn = lsnAt(baseLsn, headerBytes);
    const segment = segmentFrom({ ...header, format: heapFormat, headerBytes }, headerBytes, endLsn, numbers);
    return { segment, header: encodeSegmentHeader(header, live) };
  }

  async #append({ batch, plan }: OpenBatch, cleanStop: boolean, idle: boolean): Promise<Appended> {
    const sealed = batch.seal(this.#ports.clock.now(), cleanStop, idle);
    if (plan.header !== undefined) await this.#createSegment(plan.segment, plan.header);
    const file = this.#file;
    invariant(file !== undefined, 'a planned segment is open');
    const { segment } = plan;
    const position = batch.firstLsn - segment.baseLsn;
    const end = position + batch.octets;
    this.#attemptedLsn = segment.baseLsn + end;
    const path = this.#files.path(segment.number);
    const { counters } = this.#files;
    try {
      counters.writeCalls++;
      await file.write(sealed.octets, position);
      counters.writtenBytes += batch.octets;
    } catch (error) {
      await this.#abandonSegment(segment, end);
      throw asStoreError(error, isFull(error) ? 'diskFull' : 'ioError', 'writing', path);
    }
    try {
      counters.syncs++;
      await file.datasync();
    } catch (error) {
      await this.#abandonSegment(segment, end);
      throw asStoreError(error, 'ioError', 'syncing', path);
    }
    const grown = { ...segment, endLsn: lsnAt(segment.baseLsn, end), fileBytes: end };
    const segments = [...this.#broken, grown];
    this.#broken = [];
    this.#newest = grown;
    this.#lastBatch = sealed.commit.number;
    return { commit: sealed.commit, segments };
  }

  /** Steps 1 to 3. On success the file is open; on failure it is gone if that was possible. */
  async #createSegment(segment: Segment, header: Buffer): Promise<void> {
    await this.close();
    const { counters, fs, directory } = this.#files;
    const path = this.#files.path(segment.number);
    this.#lastNumber = segment.number;
    this.#attemptedLsn = segment.endLsn;
    let file: FileHandle | undefined;
    let syncing = false;
    try {
      file = await fs.open(path, 'create');
      counters.writeCalls++;
      await file.write([header], 0);
      counters.writtenBytes += header.length;
      syncing = true;
      counters.syncs += 2;
      await file.datasync();
      await fs.syncDirectory(directory);
    } catch (error) {
      const mine = file !== undefined;
      await closeQuietly(file);
      if (mine) await fs.unlink(path).catch(() => undefined);
      throw asStoreError(error, !syncing && isFull(error) ? 'diskFull' : 'ioError', 'creating', path);
    }
    counters.segmentsCreated++;
    this.#file = file;
  }

  /** Never writes to the segment again; its log ends where it did. */
  async #abandonSegment(segment: Segment, attempted: number): Promise<void> {
    const fileBytes = (await this.#file?.size().catch(() => attempted)) ?? attempted;
    await this.close();
    this.#broken.push({ ...segment, fileBytes });
  }
}

/**
 * Writes the octets of a range of a segment again, the same at the same place, and syncs them.
 * @throws {StoreError} ioError, diskFull
 */
export async function rewrite(
  files: SegmentFiles,
  file: FileHandle,
  number: number,
  from: number,
  to: number,
): Promise<void> {
  const path = files.path(number);
  const octets = Buffer.allocUnsafeSlow(Math.min(rewriteBytes, to - from));
  for (let at = from; at < to; ) {
    const length = Math.min(octets.length, to - at);
    const got = await files.read(number, octets, 0, length, at);
    if (got < length) throw new StoreError('ioError', `${path} became shorter while it was recovered`, { path });
    try {
      files.counters.writeCalls++;
      await file.write([octets.subarray(0, length)], at);
      files.counters.writtenBytes += length;
    } catch (error) {
      throw asStoreError(error, isFull(error) ? 'diskFull' : 'ioError', 'rewriting', path);
    }
    at += length;
  }
  try {
    files.counters.syncs++;
    await file.datasync();
  } catch (error) {
    throw asStoreError(error, 'ioError', 'syncing', path);
  }
}
