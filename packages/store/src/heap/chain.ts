/**
 * Which segments there are: reads the headers at open and on refresh, and keeps what they say. The newest header rules:
 * it lists the live segments and where the log ends in each, so an older one needs only its fixed part. Belief within
 * the newest segment is `tail.ts`'s.
 */
import { DecodeError } from '../codec/bytes.ts';
import { errnoOf, errorText, isStoreError, StoreError } from '../errors.ts';
import { brandNumber, type Lsn } from '../types.ts';
import type { SegmentFiles } from './files.ts';
import {
  decodeSegmentHeader,
  decodeSegmentList,
  type FixedHeader,
  type ListedSegment,
  lsnAt,
  type SegmentHeader,
  segmentFixedBytes,
} from './format.ts';
import type { DamageKind, OnDamage, SegmentState } from './location.ts';
import { RecordWalk } from './walk.ts';

/** Headers read at once at open. */
const headersAtOnce = 16;

/** A believed segment: its state and what verifies its records. */
export interface Segment extends SegmentState {
  readonly storeId: Buffer;
  readonly salt: number;
  /** Number of the last batch before it. */
  readonly lastBatch: number;
}

/** What the headers on disk say. */
export interface Chain {
  /** Believed segments, rising; the newest last, its `endLsn` not yet known: the start of its log. */
  readonly segments: readonly Segment[];
  /** Everything the newest header lists and itself, present or not. */
  readonly listed: ReadonlyMap<number, Lsn>;
  readonly unborn: readonly number[];
  readonly missing: readonly number[];
  readonly damaged: readonly number[];
  readonly unlisted: readonly number[];
  /** The highest number on disk. */
  readonly lastNumber: number;
  /** One past every LSN that any file's octets can have. */
  readonly attemptedLsn: number;
}

/** A `corrupt` error for a place. */
export function corruptAt(kind: DamageKind, segment: number, offset: number, lsn: number, cause?: unknown): StoreError {
  const text = `${kind} in segment ${segment} at ${offset} (LSN ${lsn})`;
  return new StoreError('corrupt', cause === undefined ? text : `${text}: ${errorText(cause)}`, {
    segment,
    offset,
    lsn,
    damage: kind,
  });
}

/** A Segment from its header and file; the log ends in it at `endLsn`. */
export function segmentFrom(
  header: SegmentHeader & { readonly format: number; readonly headerBytes: number },
  fileBytes: number,
  endLsn: Lsn,
  liveSegments: readonly number[],
): Segment {
  const { storeId, salt, lastBatch } = header;
  const { number, format, epoch, baseLsn, headerBytes, predecessor, predecessorEnd, highWater } = header;
  const state = {
    number,
    format,
    epoch,
    baseLsn,
    endLsn,
    fileBytes,
    headerBytes,
    predecessor,
    predecessorEnd,
    liveSegments,
    highWater,
  };
  return { ...state, storeId, salt, lastBatch };
}

/** The part of a Segment that is told outside. */
export function stateOf(segment: Segment): SegmentState {
  const { storeId: _storeId, salt: _salt, lastBatch: _lastBatch, ...state } = segment;
  return state;
}

interface Newest {
  readonly header: FixedHeader;
  readonly live: readonly ListedSegment[];
  readonly fileBytes: number;
}

/**
 * Reads the headers. `known` are segments already read, which are not read again.
 * With `onDamage`, a newest segment that has records but no header is told of and counts as damaged.
 * @throws {StoreError} noStore, newerFormat, corrupt, ioError
 */
export async function loadChain(
  files: SegmentFiles,
  known: readonly Segment[],
  onDamage: OnDamage | undefined,
): Promise<Chain> {
  const numbers = await files.list();
  const unborn: number[] = [];
  const beheaded: Beheaded[] = [];
  let newest: Newest | undefined;
  let below = numbers.length;
  while (newest === undefined && below > 0) {
    const number = numbers[--below]!;
    const found = await loadNewest(files, number, onDamage);
    if (found === 'unborn') unborn.unshift(number);
    else if ('header' in found) newest = found;
    else beheaded.push(found);
  }
  if (newest === undefined)
    throw new StoreError('noStore', `no segment in ${files.directory}`, { path: files.directory });
  const listed = new Map(newest.live.map(({ number, endLsn }) => [number, endLsn]));
  for (const { number, endLsn } of beheaded) listed.set(number, endLsn);
  const { segments, missing, damaged } = await loadListed(files, newest, known, new Set(numbers));
  checkChain(segments, newest);
  const startLsn = lsnAt(newest.header.baseLsn, newest.header.headerBytes);
  const list = newest.live.map(({ number }) => number);
  const last = segmentFrom(newest.header, newest.fileBytes, startLsn, list);
  listed.set(last.number, startLsn);
  return {
    segments: [...segments, last],
    listed,
    unborn,
    missing,
    damaged: [...damaged, ...beheaded.map(({ number }) => number)],
    unlisted: numbers.filter((number) => number < last.number && !listed.has(number)),
    lastNumber: numbers.at(-1) ?? 0,
    attemptedLsn: Math.max(last.baseLsn + last.fileBytes, ...beheaded.map(({ endLsn }) => endLsn)),
  };
}

/** A segment that holds records but no header; where they can end. */
interface Beheaded {
  readonly number: number;
  readonly endLsn: Lsn;
}

async function loadNewest(
  files: SegmentFiles,
  number: number,
  onDamage: OnDamage | undefined,
): Promise<Newest | 'unborn' | Beheaded> {
  // A reader may meet a file in the making: its header can appear between two looks. Twice the same is the truth.
  for (let look = 1; ; look++) {
    const header = await readHeader(files, number);
    if (!(header instanceof DecodeError)) {
      const rest = Buffer.allocUnsafe(header.headerBytes - segmentFixedBytes);
      const got = await files.read(number, rest, 0, rest.length, segmentFixedBytes);
      const live = decoded(() => decodeSegmentList(rest.subarray(0, got), header));
      if (!(live instanceof DecodeError)) return { header, live, fileBytes: await files.size(number) };
    }
    const fileBytes = await files.size(number);
    const walk = new RecordWalk(files, { number, salt: 0, baseLsn: brandNumber<Lsn>(0) }, fileBytes);
    const record = await walk.findLooks(0);
    if (record === undefined) return 'unborn';
    if (look === 1) continue;
    if (onDamage === undefined) throw corruptAt('segmentHeader', number, 0, record.baseLsn, header);
    const lsn = lsnAt(record.baseLsn, 0);
    onDamage({ kind: 'segmentHeader', segment: number, offset: 0, lsn, bytes: fileBytes });
    return { number, endLsn: lsnAt(record.baseLsn, fileBytes) };
  }
}

async function loadListed(
  files: SegmentFiles,
  newest: Newest,
  known: readonly Segment[],
  present: ReadonlySet<number>,
): Promise<{ segments: Segment[]; missing: number[]; damaged: number[] }> {
  const byNumber = new Map(known.map((segment) => [segment.number, segment]));
  const segments: Segment[] = [];
  const missing: number[] = [];
  const damaged: number[] = [];
  const load = async ({ number, endLsn }: ListedSegment): Promise<Segment | 'missing' | 'damaged'> => {
    if (!present.has(number)) return 'missing';
    const before = byNumber.get(number);
    if (before !== undefined && before.endLsn === endLsn) return before;
    try {
      const header = await readHeader(files, number);
      if (header instanceof DecodeError || !header.storeId.equals(newest.header.storeId)) return 'damaged';
      return segmentFrom(header, await files.size(number), endLsn, []);
    } catch (error) {
      if (isStoreError(error) && errnoOf(error.cause) === 'ENOENT') return 'missing';
      throw error;
    } finally {
      // A descriptor that nobody reads through would keep the octets of an unlinked file.
      await files.forget(number);
    }
  };
  for (let from = 0; from < newest.live.length; from += headersAtOnce) {
    const some = newest.live.slice(from, from + headersAtOnce);
    const loaded = await Promise.all(some.map(load));
    for (const [index, result] of loaded.entries()) {
      if (result === 'missing') missing.push(some[index]!.number);
      else if (result === 'damaged') damaged.push(some[index]!.number);
      else segments.push(result);
    }
  }
  return { segments, missing, damaged };
}

/** Segments rise in base LSN, none begins before the one below it ended, and neighbours agree where that was. */
function checkChain(older: readonly Segment[], { header }: Newest): void {
  let below: Segment | undefined;
  for (const segment of older) {
    const { number, baseLsn, endLsn, headerBytes } = segment;
    if (endLsn < baseLsn + headerBytes || (below !== undefined && baseLsn < below.endLsn)) {
      throw corruptAt('segmentHeader', number, 0, baseLsn, 'its LSNs contradict the newest list');
    }
    below = segment;
  }
  if (below === undefined) return;
  const disagrees = header.predecessor === below.number && header.predecessorEnd !== below.endLsn;
  if (header.baseLsn < below.endLsn || disagrees) {
    throw corruptAt('segmentHeader', header.number, 0, header.baseLsn, 'its predecessor contradicts its list');
  }
}

async function readHeader(files: SegmentFiles, number: number): Promise<FixedHeader | DecodeError> {
  const octets = Buffer.allocUnsafe(segmentFixedBytes);
  const got = await files.read(number, octets, 0, octets.length, 0);
  return decodeFor(number, octets.subarray(0, got));
}

function decodeFor(number: number, octets: Buffer): FixedHeader | DecodeError {
  const header = decoded(() => decodeSegmentHeader(octets), number);
  if (!(header instanceof DecodeError) && header.number !== number) {
    return new DecodeError(`header of segment ${header.number} in the file of ${number}`);
  }
  return header;
}

/** What `decode` gives; a newer format is refused with the segment's number. @throws {StoreError} newerFormat */
function decoded<T>(decode: () => T, segment?: number): T | DecodeError {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) return error;
    if (isStoreError(error, 'newerFormat') && segment !== undefined) {
      throw new StoreError('newerFormat', `segment ${segment} has ${error.message}`, { ...error.details, segment });
    }
    throw error;
  }
}
