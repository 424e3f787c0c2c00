/**
 * A store's directory: what lies where, the machine underneath, the writer's lock, the catalog that belongs to a heap.
 *
 * On disk: `heap/` the log, `catalog/` its index, `run/` sockets, `lost+found/`, `writer.lock` held by the one writer.
 */
import { randomBytes } from 'node:crypto';
import { currentGeneration, generationPath } from '../catalog/generations.ts';
import type { Kv } from '../catalog/kv.ts';
import { openLmdbKv } from '../catalog/lmdb-kv.ts';
import { emptyTotals, type StateRow } from '../catalog/rows.ts';
import { catalogFormat, stateTable } from '../catalog/schema.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import { errnoOf, errorText, invariant, isStoreError, StoreError } from '../errors.ts';
import type { Heap, HeapPorts } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import { type Clock, systemClock } from '../sys/clock.ts';
import { type FileLock, lockFile, lockHolder } from '../sys/file-lock.ts';
import type { FileSystem } from '../sys/fs.ts';
import { diskSpace, nodeFs } from '../sys/node-fs.ts';
import { brandNumber, type Lsn } from '../types.ts';
import type { DiskSpace } from './room.ts';

/** The machine, as the store sees it; tests put another underneath. */
export interface StorePorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: (bytes: number) => Buffer;
  readonly openKv: (path: string, readOnly: boolean) => Kv;
  /** The space of the file system that holds a directory; absent: there is always room. */
  readonly space?: (directory: string) => Promise<DiskSpace>;
  /** The writer's lock; undefined when another process has it. */
  readonly lock: (path: string) => FileLock | undefined;
}

export const machinePorts: StorePorts = {
  fs: nodeFs,
  clock: systemClock,
  random: randomBytes,
  openKv: (path, readOnly) => openLmdbKv(path, { readOnly, mapBytes: limits.catalogMapBytes, metaSync: false }),
  space: diskSpace,
  lock: lockFile,
};

export interface StoreOptions {
  readonly ports?: StorePorts;
  /** Octets after which a segment takes no further batch. */
  readonly segmentBytes?: number;
  /** Octets of the largest message taken. */
  readonly messageBytes?: number;
  /** ms without work after which an empty COMMIT proves the log; 0 for never. */
  readonly idleCommitMs?: number;
  /** ms from a segment's retirement to the end of its file. */
  readonly retiredFileMs?: number;
}

const heapDirectory = (directory: string): string => `${directory}/heap`;
export const catalogDirectory = (directory: string): string => `${directory}/catalog`;

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

export function heapOptions(options: StoreOptions): { segmentBytes: number } {
  return { segmentBytes: options.segmentBytes ?? limits.segmentBytes };
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
    throw new StoreError('ioError', `cannot read ${heapDirectory(directory)}`, {}, error);
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

/** Opens the current generation and makes sure that it belongs to this heap. */
export async function openCatalog(ports: StorePorts, directory: string, heap: Heap, readOnly: boolean): Promise<Kv> {
  const catalogs = catalogDirectory(directory);
  const generation = await currentGeneration(ports.fs, catalogs);
  if (generation === undefined)
    throw new StoreError('catalogMissing', `${catalogs} names no catalog; run mstore rebuild`);
  const kv = ports.openKv(generationPath(catalogs, generation), readOnly);
  const state = new View(kv).read(stateTable);
  if (state === undefined) {
    await kv.close();
    throw new StoreError('catalogMissing', `${catalogs}/${generation} is empty; run mstore rebuild`);
  }
  if (state.format > catalogFormat || !state.storeId.equals(heap.storeId)) {
    await kv.close();
    throw state.format > catalogFormat
      ? new StoreError('newerFormat', `catalog of format ${state.format}, this release knows ${catalogFormat}`)
      : new StoreError('corrupt', 'the catalog belongs to another store');
  }
  return kv;
}
