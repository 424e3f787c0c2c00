/**
 * A store, opened: by its writer, or for reading beside one. This is the face of the package; who calls `deliver` never
 * learns that segments, hashes or reference counts exist.
 *
 * On disk: `heap/` the log, `catalog/` its index, `run/` sockets, `writer.lock` held by the one writer.
 */
import { randomBytes } from 'node:crypto';
import { Catalog } from './catalog/catalog.ts';
import { currentGeneration, generationPath, nextGeneration, setCurrentGeneration } from './catalog/generations.ts';
import type { Entry } from './catalog/index-chunk.ts';
import type { Kv } from './catalog/kv.ts';
import { openLmdbKv } from './catalog/lmdb-kv.ts';
import { emptyTotals, type StateRow } from './catalog/rows.ts';
import { catalogFormat, stateTable } from './catalog/schema.ts';
import { View, WriteSet } from './catalog/write-set.ts';
import { invariant, StoreError } from './errors.ts';
import { Heap, type HeapCounters, type HeapPorts, isSegmentGone } from './heap/heap.ts';
import { limits } from './limits.ts';
import { replay } from './log/recover.ts';
import { openMessage, type StoredMessage } from './mail/assemble.ts';
import { type Clock, systemClock } from './sys/clock.ts';
import { type FileLock, lockFile, lockHolder } from './sys/file-lock.ts';
import type { FileSystem } from './sys/fs.ts';
import { nodeFs } from './sys/node-fs.ts';
import { brandNumber, type Lsn } from './types.ts';
import { Committer } from './writer/batch.ts';
import { Feed } from './writer/feed.ts';
import { HeadState } from './writer/head-state.ts';
import { Writer } from './writer/writer.ts';

/** The machine, as the store sees it; tests put another underneath. */
export interface StorePorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: (bytes: number) => Buffer;
  readonly openKv: (path: string, readOnly: boolean) => Kv;
  /** The writer's lock; undefined when another process has it. */
  readonly lock: (path: string) => FileLock | undefined;
}

export const machinePorts: StorePorts = {
  fs: nodeFs,
  clock: systemClock,
  random: randomBytes,
  openKv: (path, readOnly) => openLmdbKv(path, { readOnly, mapBytes: limits.catalogMapBytes, metaSync: false }),
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
}

/** What can be read of a store, by its writer or beside it. */
export interface StoreReading {
  /** The catalog as it is now; a reader takes a new snapshot. Not to be held across an await. */
  catalog(): Catalog;
  /** The message behind an entry. @throws {StoreError} corrupt */
  open(entry: Entry): Promise<StoredMessage>;
  readonly heap: Heap;
  /** Octets read from the heap so far, among others: metadata reads must not move it. */
  readonly heapCounters: HeapCounters;
  close(): Promise<void>;
}

const heapDirectory = (directory: string): string => `${directory}/heap`;
export const catalogDirectory = (directory: string): string => `${directory}/catalog`;

/** Makes a new, empty store; durable on return. @throws {StoreError} storeExists, ioError, diskFull */
export async function createStore(directory: string, options: StoreOptions = {}): Promise<void> {
  const ports = options.ports ?? machinePorts;
  await ports.fs.makeDirectory(directory);
  const lock = takeLock(ports, directory);
  try {
    const heap = await Heap.create(heapPorts(ports), directory, ports.random(16), heapOptions(options));
    await heap.close();
    for (const name of ['run', 'lost+found']) await ports.fs.makeDirectory(`${directory}/${name}`);
    const generation = await nextGeneration(ports.fs, catalogDirectory(directory));
    const kv = ports.openKv(generationPath(catalogDirectory(directory), generation), false);
    await initializeCatalog(kv, heap);
    await kv.close();
    await setCurrentGeneration(ports.fs, catalogDirectory(directory), generation);
    await ports.fs.syncDirectory(directory);
  } finally {
    lock.release();
  }
}

/** Writes the state row of a catalog that has nothing applied. */
export async function initializeCatalog(kv: Kv, heap: Heap): Promise<void> {
  const first = heap.segments()[0];
  invariant(first !== undefined, 'a heap has a segment');
  const state: StateRow = {
    format: catalogFormat,
    storeId: heap.storeId,
    epoch: heap.epoch,
    appliedLsn: brandNumber<Lsn>(first.baseLsn),
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

/** A store opened by its one writer. */
export class Store extends Writer implements StoreReading {
  readonly heap: Heap;
  readonly directory: string;
  readonly #ports: StorePorts;
  readonly #kv: Kv;
  readonly #lock: FileLock;
  readonly #head: HeadState;
  readonly #committer: Committer;
  #idleTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  private constructor(directory: string, parts: OpenParts, options: StoreOptions) {
    const { heap, kv, lock, ports } = parts;
    const head = new HeadState(kv);
    const feed = new Feed();
    const committer = new Committer(heap, head, feed, ports.clock);
    super(heap, head, committer, feed, { messageBytes: options.messageBytes ?? limits.messageBytes });
    this.heap = heap;
    this.directory = directory;
    this.#ports = ports;
    this.#kv = kv;
    this.#lock = lock;
    this.#head = head;
    this.#committer = committer;
    const idleMs = options.idleCommitMs ?? limits.idleCommitMs;
    if (idleMs > 0) this.#watchIdle(idleMs);
  }

  /** Takes the lock, recovers, and is the writer. @throws {StoreError} noStore, locked, newerFormat, corrupt, lostLog,
   *  catalogMissing, ioError */
  static async open(directory: string, options: StoreOptions = {}): Promise<Store> {
    const ports = options.ports ?? machinePorts;
    if (!(await isStore(ports.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
    const lock = takeLock(ports, directory);
    let heap: Heap | undefined;
    let kv: Kv | undefined;
    try {
      heap = await Heap.openForWriting(heapPorts(ports), directory, heapOptions(options));
      kv = await openCatalog(ports, directory, heap, false);
      await recover(heap, kv);
      return new Store(directory, { heap, kv, lock, ports }, options);
    } catch (error) {
      await kv?.close();
      await heap?.close();
      lock.release();
      throw error;
    }
  }

  catalog(): Catalog {
    return new Catalog(this.#head.view());
  }

  open(entry: Entry): Promise<StoredMessage> {
    return openMessage(this.heap, this.catalog(), entry);
  }

  get heapCounters(): HeapCounters {
    return this.heap.counters;
  }

  /** Resolves when everything asked so far is durable and in the catalog. */
  settle(): Promise<void> {
    return this.#committer.settle();
  }

  /** Somebody is about to deliver: the next batch may wait for them, one flush time at most. */
  expectDelivery(): () => void {
    return this.#committer.expect();
  }

  /** Finishes what was asked, writes a clean stop, lets the lock go. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#idleTimer);
    try {
      await this.#committer.close();
      await this.#committer.commitEmpty('cleanStop');
    } finally {
      await this.#kv.close();
      await this.heap.close();
      this.#lock.release();
    }
  }

  /** After a while without work, an empty COMMIT proves the last batch. */
  #watchIdle(idleMs: number): void {
    let seen = this.#committer.batches;
    let proved = seen;
    const look = (): void => {
      const { batches, isIdle } = this.#committer;
      if (isIdle && batches === seen && batches !== proved && this.#closing === undefined) {
        proved = batches + 1;
        seen = proved;
        this.#committer.commitEmpty('idle').catch(() => undefined);
      } else seen = batches;
      this.#idleTimer = setTimeout(look, idleMs).unref();
    };
    this.#idleTimer = setTimeout(look, idleMs).unref();
  }

  protected get ports(): StorePorts {
    return this.#ports;
  }
}

interface OpenParts {
  readonly heap: Heap;
  readonly kv: Kv;
  readonly lock: FileLock;
  readonly ports: StorePorts;
}

/** A store opened for reading, beside its writer or without one. */
export class StoreReader implements StoreReading {
  readonly heap: Heap;
  readonly #kv: Kv;

  private constructor(heap: Heap, kv: Kv) {
    this.heap = heap;
    this.#kv = kv;
  }

  /** @throws {StoreError} noStore, newerFormat, corrupt, catalogMissing, ioError */
  static async open(directory: string, options: StoreOptions = {}): Promise<StoreReader> {
    const ports = options.ports ?? machinePorts;
    if (!(await isStore(ports.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
    const heap = await Heap.openForReading(heapPorts(ports), directory);
    try {
      return new StoreReader(heap, await openCatalog(ports, directory, heap, true));
    } catch (error) {
      await heap.close();
      throw error;
    }
  }

  catalog(): Catalog {
    this.#kv.refresh();
    return new Catalog(new View(this.#kv));
  }

  async open(entry: Entry): Promise<StoredMessage> {
    try {
      return await openMessage(this.heap, this.catalog(), entry);
    } catch (error) {
      if (!isSegmentGone(error)) throw error;
      await this.heap.refresh();
      return openMessage(this.heap, this.catalog(), entry);
    }
  }

  get heapCounters(): HeapCounters {
    return this.heap.counters;
  }

  async close(): Promise<void> {
    await this.#kv.close();
    await this.heap.close();
  }
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

async function isStore(fs: FileSystem, directory: string): Promise<boolean> {
  try {
    return (await fs.list(heapDirectory(directory))).some((name) => name.endsWith('.seg'));
  } catch {
    return false;
  }
}

/** Opens the current generation and makes sure that it belongs to this heap. */
async function openCatalog(ports: StorePorts, directory: string, heap: Heap, readOnly: boolean): Promise<Kv> {
  const catalogs = catalogDirectory(directory);
  const generation = await currentGeneration(ports.fs, catalogs);
  if (generation === undefined) throw new StoreError('catalogMissing', `${catalogs} names no catalog; run mstore rebuild`);
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

/** Applies what is durable in the log and not yet in the catalog. */
async function recover(heap: Heap, kv: Kv): Promise<void> {
  const state = new View(kv).read(stateTable);
  invariant(state !== undefined, 'a catalog has a state row');
  if (state.appliedLsn > heap.durableLsn) {
    throw new StoreError(
      'lostLog',
      `the catalog knows the log up to ${state.appliedLsn}, the heap ends at ${heap.durableLsn}: heap octets were lost`,
      { applied: state.appliedLsn, durable: heap.durableLsn },
    );
  }
  await replay(heap, kv, state.appliedLsn);
}
