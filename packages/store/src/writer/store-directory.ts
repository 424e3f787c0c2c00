/**
 * A store's directory: what lies where, the machine underneath, the writer's lock, the catalog that belongs to a heap.
 *
 * On disk: `heap/` the log, `catalog/` its index, `run/` sockets, `lost+found/`, `writer.lock` held by the one writer.
 */
import { randomBytes } from 'node:crypto';
import { formatOf } from '../catalog/earlier-format.ts';
import { currentGeneration, generationPath, isSuspect } from '../catalog/generations.ts';
import type { Kv } from '../catalog/kv.ts';
import { openLmdbKv } from '../catalog/lmdb-kv.ts';
import { type CatalogPosition, deathAt, positionAt, positionIn } from '../catalog/position.ts';
import { emptyTotals, type StateRow } from '../catalog/rows.ts';
import { catalogFormat, stateTable } from '../catalog/schema.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import { DecodeError } from '../codec/bytes.ts';
import { errnoOf, errorText, invariant, isStoreError, StoreError } from '../errors.ts';
import {
  type Damage,
  type Heap,
  type HeapOptions,
  type HeapPorts,
  heapFormat,
  type OpenOptions,
} from '../heap/heap.ts';
import { limits } from '../limits.ts';
import { type Clock, systemClock } from '../sys/clock.ts';
import { type FileLock, lockFile, lockHolder, shareFile } from '../sys/file-lock.ts';
import { isFileThere } from '../sys/files.ts';
import type { FileSystem } from '../sys/fs.ts';
import { diskSpace, fileStamp, nodeFs, removeDirectory } from '../sys/node-fs.ts';
import { brandNumber, type Lsn } from '../types.ts';
import type { StoreNotice } from './notices.ts';
import type { DiskSpace, SpaceMarks } from './room.ts';

/** The machine, as the store sees it; tests put another underneath. */
export interface StorePorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: (bytes: number) => Buffer;
  readonly openKv: (path: string, readOnly: boolean) => Promise<Kv>;
  /** Removes a key-value store that nobody will open again; who has it open goes on reading. Absent: it stays. */
  readonly removeKv?: (path: string) => Promise<void>;
  /** How much of the log the key-value store there knows, where that can be found out without harm; absent: it is opened. */
  readonly positionAt?: (path: string) => Promise<CatalogPosition | undefined>;
  /** What kills who reads the key-value store there, where something does; absent: nothing can. */
  readonly deathAt?: (path: string) => Promise<string | undefined>;
  /** What tells cheaply whether a name leads to another file than before; absent: that is always looked up. */
  readonly stamp?: (path: string) => string | undefined;
  /** The space of the file systems that hold a store; absent: there is always room. */
  readonly space?: (directory: string) => Promise<DiskSpace>;
  /** The writer's lock; undefined when another process has it. */
  readonly lock: (path: string) => FileLock | undefined;
  /** A lock that several hold together; undefined while somebody has it alone. Absent: nobody shares one. */
  readonly share?: (path: string) => FileLock | undefined;
}

export const machinePorts: StorePorts = {
  fs: nodeFs,
  clock: systemClock,
  random: randomBytes,
  openKv: (path, readOnly) => openLmdbKv(path, { readOnly, mapBytes: limits.catalogMapBytes, metaSync: false }),
  removeKv: removeDirectory,
  positionAt,
  deathAt,
  stamp: fileStamp,
  space: storeSpace,
  lock: lockFile,
  share: shareFile,
};

export interface StoreOptions {
  readonly ports?: StorePorts;
  /** Octets after which a segment takes no further batch. */
  readonly segmentBytes?: number;
  /** Octets of the largest message taken. */
  readonly messageBytes?: number;
  /** For repairs: opens in spite of damage, which is told, and of a catalog that knows more of the log than there is. */
  readonly despite?: OpenOptions;
  /** ms without work after which an empty COMMIT proves the log; 0 for never, and nothing else happens by itself then. */
  readonly idleCommitMs?: number;
  /** ms from a segment's retirement to the end of its file. */
  readonly retiredFileMs?: number;
  /** Free octets that the store keeps to. */
  readonly space?: Partial<SpaceMarks>;
  /** Who hears of what the writer does by itself about a disk that is full or fails. */
  readonly tell?: (notice: StoreNotice) => void;
  /** The catalog is made again before it is written: its device failed, and that could not be noted down. */
  readonly newCatalog?: boolean;
}

const heapDirectory = (directory: string): string => `${directory}/heap`;
export const catalogDirectory = (directory: string): string => `${directory}/catalog`;

/** The space of the file system with less of it, of those that hold heap and catalog. */
async function storeSpace(directory: string): Promise<DiskSpace> {
  const heap = await diskSpace(heapDirectory(directory));
  // A catalog that is not there will be made where the store is.
  const catalog = await diskSpace(catalogDirectory(directory)).catch(() => heap);
  return catalog.freeBytes < heap.freeBytes ? catalog : heap;
}

/** Writes the state row of a catalog that has nothing applied. */
export async function initializeCatalog(kv: Kv, heap: Heap): Promise<void> {
  const state: StateRow = {
    format: catalogFormat,
    storeId: heap.storeId,
    epoch: heap.epoch,
    appliedLsn: brandNumber<Lsn>(0),
    batch: 0,
    sequence: 0,
    account: 0,
    mailbox: 0,
    message: 0,
    thread: 0,
    uidValidity: 0,
    totals: emptyTotals(),
  };
  const set = new WriteSet();
  new View(kv, [], set).put(stateTable, state);
  await kv.write(WriteSet.encode([set]));
}

/**
 * Makes all that was written to a new catalog durable. The last transaction may be lost with the power as long as none
 * followed it (`metaSync` is off), which a catalog in use makes good from the log, and one in the making cannot.
 */
export async function sealCatalog(kv: Kv): Promise<void> {
  const state = new View(kv).read(stateTable);
  invariant(state !== undefined, 'a catalog has a state row');
  const set = new WriteSet();
  new View(kv, [], set).put(stateTable, state);
  await kv.write(WriteSet.encode([set]));
}

export function heapPorts(ports: StorePorts): HeapPorts {
  return { fs: ports.fs, clock: ports.clock, random: ports.random };
}

export function heapOptions(options: StoreOptions): HeapOptions {
  return { ...options.despite, segmentBytes: options.segmentBytes ?? limits.segmentBytes };
}

/** The writer's lock. @throws {StoreError} locked, with the holder's pid where it is known */
export function takeLock(ports: StorePorts, directory: string): FileLock {
  const path = `${directory}/writer.lock`;
  const lock = ports.lock(path);
  if (lock !== undefined) return lock;
  const holder = lockHolder(path);
  throw new StoreError('locked', `another writer${holder === undefined ? '' : ` (pid ${holder})`} has ${directory}`);
}

/** True when the directory holds a heap. @throws {StoreError} ioError when that cannot be told */
export async function isStore(fs: FileSystem, directory: string): Promise<boolean> {
  try {
    return (await fs.list(heapDirectory(directory))).some((name) => name.endsWith('.seg'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw new StoreError('ioError', `cannot read ${heapDirectory(directory)}: ${errorText(error)}`, {}, error);
  }
}

/** A file that stands in a store's directory as long as a restore into it is not finished. */
export const unfinishedName = 'restore.unfinished';

/** A file that stands in every folder that holds a backup, complete or not; held by who makes one. */
export const backupLockName = 'backup.lock';

/** Refuses a directory that a restore began to fill, or that is a backup. @throws {StoreError} unfinished, noStore */
export async function checkFinished(fs: FileSystem, directory: string): Promise<void> {
  const isThere = async (name: string): Promise<boolean> => {
    try {
      return await isFileThere(fs, `${directory}/${name}`);
    } catch (error) {
      throw new StoreError('ioError', `cannot read ${directory}: ${errorText(error)}`, {}, error);
    }
  };
  if (await isThere(unfinishedName)) {
    throw new StoreError('unfinished', `${directory} is a restore that was not finished`);
  }
  if (await isThere(backupLockName)) {
    throw new StoreError('noStore', `${directory} is a backup and no store: restore it into a folder of its own`);
  }
}

/** Runs what makes files in `directory`; a failed system call becomes a StoreError. @throws {StoreError} ioError, diskFull */
export async function making<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const errno = errnoOf(error);
    if (isStoreError(error) || errno === undefined) throw error;
    const code = errno === 'ENOSPC' || errno === 'EDQUOT' ? 'diskFull' : 'ioError';
    throw new StoreError(code, `cannot write in ${directory}: ${errorText(error)}`, {}, error);
  }
}

/** A store of an earlier format: what this release wants of it is an upgrade. */
function olderFormat(directory: string, cause?: unknown): StoreError {
  const text = `the store in ${directory} was written by an earlier release: stop what uses it, then run mstore upgrade`;
  return new StoreError('olderFormat', text, {}, cause);
}

/**
 * Makes sure that the store is of today's format: that of its newest segment, or of its catalog where nothing was written since
 * it was upgraded. @throws {StoreError} olderFormat
 */
export async function refuseOlder(ports: StorePorts, directory: string, heap: Heap): Promise<void> {
  if (heap.format === heapFormat) return;
  const format = (await ofCurrent(ports, directory, formatOf)) ?? heap.format;
  if (format < catalogFormat) throw olderFormat(directory);
}

/** What `read` finds in the catalog in use, of whatever format; undefined when there is none that can be read. */
export async function ofCurrent<T>(ports: StorePorts, directory: string, read: (kv: Kv) => T): Promise<T | undefined> {
  let kv: Kv | undefined;
  try {
    const catalogs = catalogDirectory(directory);
    const generation = await currentGeneration(ports.fs, catalogs);
    if (generation === undefined) return undefined;
    kv = await ports.openKv(generationPath(catalogs, generation), true);
    return read(kv);
  } catch (error) {
    // Whatever is wrong with it: a new one can be made without it.
    if (isStoreError(error) || error instanceof DecodeError) return undefined;
    throw error;
  } finally {
    await kv?.close();
  }
}

/** How much of the log the catalog in use knows; undefined where that cannot be known. Does not touch one whose device failed. */
export async function knownLog(ports: StorePorts, directory: string): Promise<CatalogPosition | undefined> {
  const catalogs = catalogDirectory(directory);
  try {
    const generation = await currentGeneration(ports.fs, catalogs);
    if (generation === undefined || (await isSuspect(ports.fs, catalogs, generation))) return undefined;
    if (ports.positionAt !== undefined) return await ports.positionAt(generationPath(catalogs, generation));
  } catch (error) {
    if (isStoreError(error)) return undefined;
    throw error;
  }
  return ofCurrent(ports, directory, positionIn);
}

/**
 * Refuses a catalog that would kill this process: its file was cut, or is no LMDB behind its first pages. For who looks at stores that
 * may be damaged; it takes the start of a process. @throws {StoreError} corrupt
 */
export async function refuseDeadly(ports: StorePorts, directory: string): Promise<void> {
  const catalogs = catalogDirectory(directory);
  const generation = await currentGeneration(ports.fs, catalogs);
  if (generation === undefined) return;
  const path = generationPath(catalogs, generation);
  const death = await ports.deathAt?.(path);
  if (death === undefined) return;
  const text = `who reads ${path} is killed (${death}), so it was cut or damaged: \`mstore rebuild\` makes a new one`;
  throw new StoreError('corrupt', text);
}

/** The end of the log that a catalog had applied, and that is no longer there. */
export function lostEnd(heap: Heap, applied: Lsn | undefined): Damage[] {
  const end = heap.durableLsn;
  const newest = heap.segments().at(-1);
  if (applied === undefined || newest === undefined || applied <= end) return [];
  return [{ kind: 'lostEnd', segment: newest.number, offset: end - newest.baseLsn, lsn: end, bytes: applied - end }];
}

/**
 * Opens the current generation and makes sure that it belongs to this heap.
 * @throws {StoreError} catalogMissing, olderFormat, newerFormat, corrupt, ioError
 */
export async function openCatalog(ports: StorePorts, directory: string, heap: Heap, readOnly: boolean): Promise<Kv> {
  try {
    return await openCurrent(ports, directory, heap, readOnly);
  } catch (error) {
    // A catalog of an earlier format can lack a table, too.
    if (!isStoreError(error, 'catalogMissing') || heap.format === heapFormat) throw error;
    throw olderFormat(directory, error);
  }
}

async function openCurrent(ports: StorePorts, directory: string, heap: Heap, readOnly: boolean): Promise<Kv> {
  const catalogs = catalogDirectory(directory);
  const generation = await currentGeneration(ports.fs, catalogs);
  if (generation === undefined)
    throw new StoreError('catalogMissing', `${catalogs} names no catalog; run mstore rebuild`);
  const kv = await ports.openKv(generationPath(catalogs, generation), readOnly);
  try {
    checkCatalog(kv, directory, heap, `${catalogs}/${generation}`);
    return kv;
  } catch (error) {
    await kv.close();
    throw error;
  }
}

function checkCatalog(kv: Kv, directory: string, heap: Heap, path: string): void {
  const format = formatOf(kv);
  if (format === undefined) throw new StoreError('catalogMissing', `${path} is empty; run mstore rebuild`);
  if (format < catalogFormat) throw olderFormat(directory);
  if (format > catalogFormat) {
    const text = `the catalog has format ${format}, and this release reads ${catalogFormat}: run the release that wrote it`;
    throw new StoreError('newerFormat', `${text}, or a later one`, { format });
  }
  if (new View(kv).read(stateTable)?.storeId.equals(heap.storeId) !== true) {
    throw new StoreError('corrupt', 'the catalog belongs to another store');
  }
}
