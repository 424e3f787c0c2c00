/**
 * A store, opened: by its writer, or for reading beside one. This is the face of the package; who calls `deliver` never
 * learns that segments, hashes or reference counts exist.
 */
import { dirname } from 'node:path';
import { Catalog } from './catalog/catalog.ts';
import { generationPath, nextGeneration, setCurrentGeneration } from './catalog/generations.ts';
import type { EntryPlace } from './catalog/index-chunk.ts';
import type { Kv } from './catalog/kv.ts';
import type { MessageRow } from './catalog/rows.ts';
import { isStoreError, StoreError } from './errors.ts';
import { Heap, type HeapCounters, isSegmentGone } from './heap/heap.ts';
import { limits } from './limits.ts';
import { recover } from './log/recover.ts';
import { openMessage, type StoredMessage } from './mail/assemble.ts';
import { type Margins, messageAtHand } from './mail/at-hand.ts';
import type { Clock } from './sys/clock.ts';
import type { FileLock } from './sys/file-lock.ts';
import type { AutoCompactionRules, CompactionObserver } from './upkeep/auto-compaction.ts';
import { Compaction } from './upkeep/compaction.ts';
import { noteFailure, removeOld, replaceSuspect } from './upkeep/suspect.ts';
import { Committer } from './writer/batch.ts';
import { CatalogReader } from './writer/catalog-reader.ts';
import { Feed } from './writer/feed.ts';
import { HeadState } from './writer/head-state.ts';
import { Health } from './writer/health.ts';
import type { StoreHealth } from './writer/notices.ts';
import { type PinnedLog, Pins } from './writer/pins.ts';
import { giveReserve, Reserve } from './writer/reserve.ts';
import { Room, type SpaceLevel } from './writer/room.ts';
import { SegmentUse } from './writer/segment-use.ts';
import {
  catalogDirectory,
  checkFinished,
  heapOptions,
  heapPorts,
  initializeCatalog,
  isStore,
  machinePorts,
  making,
  openCatalog,
  type StoreOptions,
  type StorePorts,
  sealCatalog,
  takeLock,
} from './writer/store-directory.ts';
import type { CompactProgress, CompactReport, CompactRequest, StoreWriter } from './writer/store-writer.ts';
import type { Turn } from './writer/turn.ts';
import { Writer } from './writer/writer.ts';

/** What can be read of a store, by its writer or beside it. */
export interface StoreReading {
  /** The catalog as it is now; a reader takes a new snapshot. Not to be held across an await. */
  catalog(): Catalog;
  /** Resolves when `catalog` shows what was answered before this was asked. */
  catchUp(): Promise<void>;
  /** The message behind an entry. @throws {StoreError} corrupt */
  open(entry: EntryPlace): Promise<StoredMessage>;
  /**
   * The whole message behind an entry, in a buffer with the free octets that the margins ask for: when it is small and all of it is
   * at hand; its row is looked up unless it is given. Otherwise undefined, whatever the reason, which `open` says.
   */
  atHand(entry: EntryPlace, margins: Margins, row?: MessageRow): Buffer | undefined;
  readonly heap: Heap;
  /** Octets read from the heap so far, among others: metadata reads must not move it. */
  readonly heapCounters: HeapCounters;
  close(): Promise<void>;
}

/** Makes a new, empty store; durable on return. @throws {StoreError} storeExists, ioError, diskFull */
export async function createStore(directory: string, options: StoreOptions = {}): Promise<void> {
  await making(directory, () => makeStore(directory, options.ports ?? machinePorts, options));
}

async function makeStore(directory: string, ports: StorePorts, options: StoreOptions): Promise<void> {
  await ports.fs.makeDirectory(directory);
  await checkFinished(ports.fs, directory);
  const lock = takeLock(ports, directory);
  try {
    const heap = await Heap.create(heapPorts(ports), directory, ports.random(16), heapOptions(options));
    // A clean stop: the first writer goes on in this segment.
    const none = { sequence: 0, account: 0, mailbox: 0, message: 0, thread: 0, uidValidity: 0 };
    await heap.commit(heap.begin(none), { cleanStop: true });
    await heap.close();
    for (const name of ['run', 'lost+found']) await ports.fs.makeDirectory(`${directory}/${name}`);
    const generation = await nextGeneration(ports.fs, catalogDirectory(directory));
    const kv = await ports.openKv(generationPath(catalogDirectory(directory), generation), false);
    await initializeCatalog(kv, heap);
    await sealCatalog(kv);
    await kv.close();
    await setCurrentGeneration(ports.fs, catalogDirectory(directory), generation);
    await ports.fs.syncDirectory(directory);
    await ports.fs.syncDirectory(dirname(directory));
  } finally {
    lock.release();
  }
}

/** A store opened by its one writer. */
export class Store extends Writer implements StoreReading, StoreWriter {
  readonly heap: Heap;
  /** Segments whose files somebody needs: to be asked before one is unlinked. */
  readonly directory: string;
  readonly #ports: StorePorts;
  readonly #kv: Kv;
  readonly #lock: FileLock;
  readonly #head: HeadState;
  readonly #committer: Committer;
  readonly #health: Health;
  readonly pins: Pins = new Pins();
  readonly #compaction: Compaction;
  #idleTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  /** Resolves when the store can take nothing any more, with the reason: it is to be opened again, which recovers. */
  readonly failed: Promise<StoreError>;

  private constructor(directory: string, parts: OpenParts, options: StoreOptions) {
    const { heap, kv, lock, ports, reserve } = parts;
    const { tell = () => undefined } = options;
    const head = new HeadState(kv);
    const feed = new Feed();
    const { space, clock } = ports;
    const changed = (level: SpaceLevel, freeBytes: number): void => tell({ kind: 'space', level, freeBytes });
    const room = space === undefined ? undefined : new Room(() => space(directory), clock, options.space, changed);
    const use = new SegmentUse(heap);
    const committer = new Committer(heap, head, feed, clock, use, room);
    super(
      { heap, head, committer, feed, use },
      { messageBytes: options.messageBytes ?? limits.messageBytes, ...(room !== undefined && { room }) },
    );
    this.heap = heap;
    this.directory = directory;
    this.#ports = ports;
    this.#kv = kv;
    this.#lock = lock;
    this.#head = head;
    this.#committer = committer;
    this.#health = new Health({ heap, committer, clock, room, reserve, tell });
    this.failed = committer.failed.then((error) => noteFailure(error, ports, directory));
    const catalog = (): Catalog => this.catalog();
    const delayMs = options.retiredFileMs ?? limits.retiredFileMs;
    const { segmentBytes } = heapOptions(options);
    const { pins } = this;
    this.#compaction = new Compaction({ heap, catalog, committer, use, pins, clock, segmentBytes, delayMs });
    const idleMs = options.idleCommitMs ?? limits.idleCommitMs;
    if (idleMs === 0) return;
    this.#watchIdle(idleMs);
    this.#health.start(limits.lookMs);
    // What may be asked in the first second shall know, too.
    void room?.refresh();
  }

  /** Takes the lock, makes the catalog again where its device failed, recovers, and is the writer.
   *  @throws {StoreError} noStore, unfinished, locked, newerFormat, corrupt, lostLog, catalogMissing, diskFull, ioError */
  static async open(directory: string, options: StoreOptions = {}): Promise<Store> {
    try {
      return await Store.#openNow(directory, options);
    } catch (error) {
      // A store that cannot recover cannot make space either.
      if (!isStoreError(error, 'diskFull') || !(await giveReserve(directory, options))) throw error;
      return Store.#openNow(directory, options);
    }
  }

  static async #openNow(directory: string, options: StoreOptions): Promise<Store> {
    const ports = options.ports ?? machinePorts;
    await checkFinished(ports.fs, directory);
    if (!(await isStore(ports.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
    const lock = takeLock(ports, directory);
    let heap: Heap | undefined;
    let kv: Kv | undefined;
    try {
      const reserve = new Reserve(ports.fs, directory, ports.random);
      await reserve.open();
      await replaceSuspect(directory, options);
      heap = await Heap.openForWriting(heapPorts(ports), directory, heapOptions(options));
      kv = await openCatalog(ports, directory, heap, false);
      await recover(heap, kv, options.despite !== undefined).catch(async (error: unknown) => {
        throw isStoreError(error) ? await noteFailure(error, ports, directory) : error;
      });
      await removeOld(ports, catalogDirectory(directory));
      const store = new Store(directory, { heap, kv, lock, ports, reserve }, options);
      // A repair may still find in a retired segment what is damaged elsewhere.
      if (options.despite === undefined) await store.#compaction.adopt();
      return store;
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

  /** The writer's own catalog shows everything it answered. */
  async catchUp(): Promise<void> {}

  open(entry: EntryPlace): Promise<StoredMessage> {
    return openMessage(this.heap, () => this.catalog(), entry);
  }

  atHand(entry: EntryPlace, margins: Margins, row?: MessageRow): Buffer | undefined {
    return messageAtHand(this.heap, this.catalog(), entry, margins, row);
  }

  get heapCounters(): HeapCounters {
    return this.heap.counters;
  }

  /** Resolves when everything asked so far is durable and in the catalog. */
  settle(): Promise<void> {
    return this.#committer.settle();
  }

  /** Decides in the order of all intents; for upkeep. Readers see what was decided on return. */
  decide<Answer>(decide: (turn: Turn) => Answer): Promise<Answer> {
    return this.#committer.submit({ answerAfter: 'catalog', decide });
  }

  /** How the disk leaves us now, and what is taken of that reason. */
  get health(): StoreHealth {
    return this.#health.state;
  }

  /** Looks at disk, device and catalog now, as the writer does about once a second. */
  look(): Promise<void> {
    return this.#health.look();
  }

  async pinLog(): Promise<PinnedLog> {
    const release = this.pins.pin(this.heap.segments().map(({ number }) => number));
    return { durableLsn: this.heap.durableLsn, release: async () => release() };
  }

  /** Compacts what is worth it now. @throws {StoreError} closed, ioError, diskFull, readOnly */
  compact(options: CompactRequest): Promise<CompactReport> {
    return this.#compaction.run(options);
  }

  /** How far the run of compaction is; undefined when there is none. */
  async compactProgress(): Promise<CompactProgress | undefined> {
    return this.#compaction.progress;
  }

  /** From now on compacts by itself, until it is closed. */
  compactAlone(rules: AutoCompactionRules, observer: CompactionObserver): void {
    this.#compaction.runAlone(rules, observer);
  }

  /** Unlinks files of retired segments whose time has come; of all of them when `now`. @throws {StoreError} ioError */
  dropRetired(now = false): Promise<void> {
    return this.#compaction.dropRetired(now);
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
    await this.#health.stop();
    try {
      await this.#compaction.close();
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
  readonly reserve: Reserve;
}

/** A store opened for reading, beside its writer or without one. */
export class StoreReader implements StoreReading {
  readonly heap: Heap;
  readonly #catalog: CatalogReader;
  readonly #clock: Clock;
  readonly #forgetTimer: NodeJS.Timeout;
  /** Where octets of the log end that nobody will apply. */
  #voidLsn: number | undefined;

  private constructor(heap: Heap, catalog: CatalogReader, clock: Clock) {
    this.heap = heap;
    this.#catalog = catalog;
    this.#clock = clock;
    this.#forgetTimer = setInterval(() => {
      heap.forgetUnlinked().catch(() => undefined);
    }, limits.compactLookMs).unref();
  }

  /** @throws {StoreError} noStore, unfinished, newerFormat, corrupt, catalogMissing, ioError */
  static async open(directory: string, options: StoreOptions = {}): Promise<StoreReader> {
    const ports = options.ports ?? machinePorts;
    await checkFinished(ports.fs, directory);
    if (!(await isStore(ports.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
    const heap = await Heap.openForReading(heapPorts(ports), directory);
    try {
      return new StoreReader(heap, await CatalogReader.open(ports, directory, heap), ports.clock);
    } catch (error) {
      await heap.close();
      throw error;
    }
  }

  catalog(): Catalog {
    return this.#catalog.now();
  }

  /**
   * Waits for what the log held when this was asked: deliveries are answered before the catalog shows them. For
   * `limits.catchUpMs` at most, since the end of a log can be void.
   */
  async catchUp(): Promise<void> {
    const following = this.#catalog.follow();
    if (following !== undefined) await following;
    const applied = (): number => this.catalog().state()?.appliedLsn ?? 0;
    let written = await this.heap.writtenLsn();
    if (applied() > written) {
      await this.heap.refresh();
      written = await this.heap.writtenLsn();
    }
    const deadline = this.#clock.monotonic() + limits.catchUpMs;
    while (written !== this.#voidLsn && applied() < written) {
      if (this.#clock.monotonic() > deadline) this.#voidLsn = written;
      else await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async open(entry: EntryPlace): Promise<StoredMessage> {
    try {
      return await openMessage(this.heap, () => this.catalog(), entry);
    } catch (error) {
      if (!isSegmentGone(error)) throw error;
      await this.#catalog.follow();
      await this.heap.refresh();
      return openMessage(this.heap, () => this.catalog(), entry);
    }
  }

  /** From the snapshot that was taken last: what a listed entry names was there then, and its octets never change. */
  atHand(entry: EntryPlace, margins: Margins, row?: MessageRow): Buffer | undefined {
    return messageAtHand(this.heap, this.#catalog.last(), entry, margins, row);
  }

  get heapCounters(): HeapCounters {
    return this.heap.counters;
  }

  async close(): Promise<void> {
    clearInterval(this.#forgetTimer);
    await this.#catalog.close();
    await this.heap.close();
  }
}
