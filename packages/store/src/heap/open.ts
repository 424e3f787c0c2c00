/** Opening a heap: from the files to what is believed, and the one thing recovery writes. */
import { isStoreError, StoreError } from '../errors.ts';
import type { FileHandle } from '../sys/fs.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { type Chain, loadChain, type Segment } from './chain.ts';
import { asStoreError, type SegmentFiles } from './files.ts';
import { commitBytes, commitType, decodeCommit, lsnAt } from './format.ts';
import type { Commit, DamageKind, LostSegment, OnDamage } from './location.ts';
import { findTail, type Tail } from './tail.ts';
import { RecordWalk } from './walk.ts';
import { rewrite } from './writer.ts';

export interface OpenOptions {
  /** Told of damage in the newest segment, behind which the log is believed all the same. Without it, it is thrown. */
  readonly onDamage?: OnDamage;
  /** When writing: no segment's number and no LSN up to these is given again, though nothing on disk shows that they were. */
  readonly beyond?: { readonly segment: number; readonly lsn: number };
}

/** `segmentBytes`: octets after which a segment takes no further batch. */
export type HeapOptions = OpenOptions & { readonly segmentBytes: number };

/** What opening found and did. */
export interface OpenReport {
  /** Octets of the unproved tail that were written and synced once more. */
  readonly rewrittenBytes: number;
  /** Octets behind the end of the log in the newest segment. */
  readonly voidBytes: number;
  /** Files above the newest segment without header and records. */
  readonly unborn: readonly number[];
  /** Listed segments without a file. */
  readonly missing: readonly number[];
  /** Segments whose header is not believable: as good as missing. */
  readonly damaged: readonly number[];
  /** Files that the newest header does not list: retired ones that were not unlinked, and never born ones. */
  readonly unlisted: readonly number[];
}

/** What there is to say of a heap just made. */
export const nothingFound: OpenReport = {
  rewrittenBytes: 0,
  voidBytes: 0,
  unborn: [],
  missing: [],
  damaged: [],
  unlisted: [],
};

/** Listed segments that cannot be read, and why. */
export function lostOf(found: Pick<OpenReport, 'missing' | 'damaged'>): Map<number, DamageKind> {
  const lost = new Map<number, DamageKind>();
  for (const number of found.missing) lost.set(number, 'missingSegment');
  for (const number of found.damaged) lost.set(number, 'segmentHeader');
  return lost;
}

/** Of the segments that cannot be read those that are not retired, with the LSN at which the log ended in each. */
export function lostSegments(
  lost: ReadonlyMap<number, DamageKind>,
  retired: ReadonlySet<number>,
  listed: ReadonlyMap<number, Lsn>,
): LostSegment[] {
  return [...lost]
    .filter(([number]) => !retired.has(number))
    .map(([segment, kind]) => {
      const damage = { kind, segment, offset: 0, lsn: brandNumber<Lsn>(0), bytes: 0 };
      return { damage, endLsn: listed.get(segment) ?? damage.lsn };
    });
}

/** A heap as opening found it. */
export interface OpenState {
  /** Believed segments, rising; the newest one with its true end. */
  readonly segments: readonly Segment[];
  readonly newest: Segment;
  readonly chain: Chain;
  readonly tail: Tail;
  readonly report: OpenReport;
  /** The last COMMIT of the log, wherever it stands. */
  readonly lastCommit: Commit | undefined;
}

/**
 * Reads what there is; `live` when a writer may be at work.
 * @throws {StoreError} noStore, newerFormat, corrupt, ioError
 */
export async function readState(
  files: SegmentFiles,
  live: boolean,
  onDamage: OnDamage | undefined,
): Promise<OpenState> {
  const chain = await loadChain(files, [], onDamage);
  const start = lastOf(chain.segments);
  const tail = await findTail(files, start, live, onDamage);
  const newest = { ...start, endLsn: tail.endLsn };
  const segments = [...chain.segments.slice(0, -1), newest];
  const { unborn, missing, damaged, unlisted } = chain;
  const voidBytes = newest.baseLsn + newest.fileBytes - newest.endLsn;
  const report = { rewrittenBytes: 0, voidBytes: Math.max(voidBytes, 0), unborn, missing, damaged, unlisted };
  const lastCommit = tail.lastCommit ?? (await findCommit(files, segments));
  return { segments, newest, chain: withEnd(chain, newest), tail, report, lastCommit };
}

/** What a reader believed, and what it finds now. */
export interface Known {
  /** Believed segments, rising; never empty. */
  readonly segments: readonly Segment[];
  readonly lastCommit: Commit | undefined;
}

/**
 * Looks again beside a living writer: new segments, new ends; only what was appended since is read. Segments that are no
 * longer listed stay among those returned while their files are there, and are named `retired`.
 * @throws {StoreError} newerFormat, corrupt, ioError
 */
export async function readAgain(
  files: SegmentFiles,
  known: Known,
  onDamage: OnDamage | undefined,
): Promise<Known & { readonly chain: Chain; readonly retired: readonly number[] }> {
  const before = lastOf(known.segments);
  const chain = await loadChain(files, known.segments.slice(0, -1), onDamage);
  const start = lastOf(chain.segments);
  const grew = before.number === start.number && before.salt === start.salt;
  const tail = await findTail(files, grew ? { ...start, endLsn: before.endLsn } : start, true, onDamage);
  const newest = { ...start, endLsn: tail.endLsn };
  const unlisted = new Set(chain.unlisted);
  const retired = known.segments.filter(({ number }) => unlisted.has(number));
  const segments = [...chain.segments.slice(0, -1), ...retired, newest].sort((a, b) => a.number - b.number);
  const lastCommit = tail.lastCommit ?? (grew ? known.lastCommit : await findCommit(files, segments));
  return { segments, lastCommit, chain: withEnd(chain, newest), retired: retired.map(({ number }) => number) };
}

/**
 * Writes the unproved part of the newest segment once more and syncs it, its header and name too when no COMMIT spoke
 * yet. Returns how many octets.
 * @throws {StoreError} ioError, diskFull
 */
export async function recover(files: SegmentFiles, file: FileHandle, { newest, tail }: OpenState): Promise<number> {
  const from = tail.provedLsn === 0 ? 0 : tail.provedLsn - newest.baseLsn;
  const to = newest.endLsn - newest.baseLsn;
  if (from < to) await rewrite(files, file, newest.number, from, to);
  if (from === 0) {
    try {
      files.counters.syncs++;
      await files.fs.syncDirectory(files.directory);
    } catch (error) {
      throw asStoreError(error, 'ioError', 'syncing', files.directory);
    }
  }
  return Math.max(to - from, 0);
}

/** Opens a segment's file for writing. @throws {StoreError} ioError */
export async function openToWrite(files: SegmentFiles, number: number): Promise<FileHandle> {
  const path = files.path(number);
  try {
    return await files.fs.open(path, 'write');
  } catch (error) {
    throw asStoreError(error, 'ioError', 'opening', path);
  }
}

/** Passes when no file is a segment or was one. @throws {StoreError} storeExists, ioError */
export async function refuseExisting(files: SegmentFiles): Promise<void> {
  try {
    await loadChain(files, [], undefined);
  } catch (error) {
    if (isStoreError(error, 'noStore')) return;
    if (isStoreError(error, 'ioError')) throw error;
  }
  throw new StoreError('storeExists', `${files.directory} holds segments`, { path: files.directory });
}

/** The last of a list that is never empty. */
export function lastOf(segments: readonly Segment[]): Segment {
  const last = segments.at(-1);
  if (last === undefined) throw new Error('a heap has a segment');
  return last;
}

/** The chain with the newest segment's end as it was found: its own header knows only where its log starts. */
function withEnd(chain: Chain, newest: Segment): Chain {
  return { ...chain, listed: new Map(chain.listed).set(newest.number, newest.endLsn) };
}

/** The COMMIT that ends the last segment that has one: in front of the end that a later header named. */
export async function findCommit(files: SegmentFiles, segments: readonly Segment[]): Promise<Commit | undefined> {
  const older = segments.slice(0, -1).reverse();
  const segment = older.find(({ baseLsn, headerBytes, endLsn }) => endLsn > lsnAt(baseLsn, headerBytes));
  if (segment === undefined) return undefined;
  const end = segment.endLsn - segment.baseLsn;
  const walk = new RecordWalk(files, segment, end);
  const head = await walk.head(end - commitBytes);
  return head?.type === commitType ? decodeCommit(walk.fields(end - commitBytes, head)).commit : undefined;
}

/** Index of the segment in whose range of LSNs this one lies, by base alone; −1 for before the first. */
export function indexBelow(segments: readonly Segment[], lsn: Lsn): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.baseLsn <= lsn) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
