/**
 * Rebuild: a new catalog generation from the heap alone. Content first (PART, MESSAGE), then everything else in the order of
 * the log, by the same `apply` that wrote the lost one; messages that nothing names in the end are dropped. The generation
 * becomes current when it is whole; a crash before leaves the old one, or none, as it was.
 */
import { Catalog } from '../catalog/catalog.ts';
import { generationPath, nextGeneration, setCurrentGeneration } from '../catalog/generations.ts';
import type { Kv } from '../catalog/kv.ts';
import type { StateRow } from '../catalog/rows.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import { invariant, StoreError } from '../errors.ts';
import { commitBytes, type Damage, Heap, type ScannedRecord } from '../heap/heap.ts';
import { Applier } from '../log/apply.ts';
import { decodeRecord, encodeEvent, recordType } from '../log/records.ts';
import type { SegmentOf } from '../log/references.ts';
import { brandNumber, type Lsn } from '../types.ts';
import {
  catalogDirectory,
  heapOptions,
  heapPorts,
  initializeCatalog,
  machinePorts,
  making,
  refuseOlder,
  type StoreOptions,
  type StorePorts,
  sealCatalog,
  takeLock,
} from '../writer/store-directory.ts';

export interface RebuildReport {
  readonly generation: number;
  readonly records: number;
  readonly messages: number;
  readonly entries: number;
  /** Bad places that were passed over. */
  readonly damage: readonly Damage[];
}

export interface RebuildOptions extends StoreOptions {
  /** Segments that are listed and cannot be read are listed no more. */
  readonly retireLost?: boolean;
  /** Acknowledged history may be missing, whether damage is met or not. */
  readonly historyLost?: boolean;
  /** Told of octets of log read so far, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
}

const start = brandNumber<Lsn>(0);
const rowsPerWrite = 20_000;
/** A lost log cannot have given more sequences than this in a second. */
const sequencesPerSecond = 2 ** 20;

/** @throws {StoreError} locked, noStore, olderFormat, newerFormat, ioError, diskFull */
export function rebuild(directory: string, options: RebuildOptions = {}): Promise<RebuildReport> {
  return making(directory, () => rebuildCatalog(directory, options));
}

async function rebuildCatalog(directory: string, options: RebuildOptions): Promise<RebuildReport> {
  const lock = takeLock(options.ports ?? machinePorts, directory);
  try {
    return await rebuildLocked(directory, options);
  } finally {
    lock.release();
  }
}

export interface MakeOptions {
  /** Damage met so far, to which what is met here is added. */
  readonly damage: Damage[];
  /** Whether a log with damage, which then tells of a lost history, will do. */
  readonly mayLose: boolean;
  readonly onProgress: RebuildOptions['onProgress'] | undefined;
  /** As in `RebuildOptions`. */
  readonly retireLost?: boolean;
  readonly historyLost?: boolean;
}

/** A new generation of the catalog, and what it says of itself. */
export interface MadeCatalog {
  readonly generation: number;
  readonly records: number;
  readonly state: StateRow;
}

/**
 * Makes a generation from the log of a heap opened for writing; durable on return, and not yet current. Undefined when there is
 * damage, and may not be. One that was begun in vain is removed again. @throws {StoreError} corrupt, ioError, diskFull
 */
export async function makeCatalog(
  ports: StorePorts,
  directory: string,
  heap: Heap,
  { damage, mayLose, onProgress, retireLost = false, historyLost = false }: MakeOptions,
): Promise<MadeCatalog | undefined> {
  const catalogs = catalogDirectory(directory);
  const generation = await nextGeneration(ports.fs, catalogs);
  const path = generationPath(catalogs, generation);
  const kv = ports.openKv(path, false);
  let made: MadeCatalog | undefined;
  try {
    await initializeCatalog(kv, heap);
    const replayer = new Rebuilder(heap, kv, onProgress);
    const records = await replayer.run((found) => damage.push(found));
    if (damage.length > 0 && !mayLose) return undefined;
    if (retireLost) for (const lost of heap.lostSegments()) heap.retire(lost.damage.segment);
    if (damage.length > 0 || historyLost) await replayer.loseHistory(ports.clock.now());
    await sealCatalog(kv);
    const state = new Catalog(new View(kv)).state();
    invariant(state !== undefined, 'a catalog has a state row');
    made = { generation, records, state };
    return made;
  } finally {
    await kv.close();
    if (made === undefined) await ports.removeKv?.(path).catch(() => undefined);
  }
}

/**
 * `rebuild`, for who holds the lock.
 * @throws {StoreError} newerFormat, olderFormat, ioError, diskFull; corrupt where it is to pass over no damage
 */
export async function rebuildLocked(
  directory: string,
  options: RebuildOptions & { readonly onlyWhole?: boolean },
): Promise<RebuildReport> {
  const ports = options.ports ?? machinePorts;
  const damage: Damage[] = [];
  const onDamage = (found: Damage): void => {
    damage.push(found);
  };
  const heap = await Heap.openForWriting(heapPorts(ports), directory, { ...heapOptions(options), onDamage });
  try {
    await refuseOlder(ports, directory, heap);
    const { onProgress, onlyWhole = false, retireLost, historyLost } = options;
    const made = await makeCatalog(ports, directory, heap, {
      damage,
      mayLose: !onlyWhole,
      onProgress,
      ...(retireLost !== undefined && { retireLost }),
      ...(historyLost !== undefined && { historyLost }),
    });
    if (made === undefined) throw damaged(damage.length);
    await setCurrentGeneration(ports.fs, catalogDirectory(directory), made.generation);
    const { generation, records, state } = made;
    return { generation, records, messages: state.totals.messages, entries: state.totals.entries, damage };
  } finally {
    await heap.close();
  }
}

function damaged(places: number): StoreError {
  const text = `${places} bad places in the heap: the catalog is not made again without them by itself`;
  return new StoreError('corrupt', `${text}; \`mstore fsck\` names them, \`mstore rebuild\` passes them over`);
}

class Rebuilder {
  readonly #heap: Heap;
  readonly #kv: Kv;
  #segmentOf: SegmentOf;
  readonly #onProgress: RebuildOptions['onProgress'];
  readonly #total: number;
  #set = new WriteSet();
  #below: readonly WriteSet[] = [];
  #writing: Promise<void> = Promise.resolve();
  #applier: Applier;
  #records = 0;
  #read = 0;

  constructor(heap: Heap, kv: Kv, onProgress: RebuildOptions['onProgress']) {
    this.#heap = heap;
    this.#kv = kv;
    this.#segmentOf = (lsn) => heap.segmentOf(lsn);
    this.#onProgress = onProgress;
    this.#total = 2 * heap.segments().reduce((sum, segment) => sum + (segment.endLsn - segment.baseLsn), 0);
    this.#applier = this.#begin();
  }

  async run(onDamage: (damage: Damage) => void): Promise<number> {
    const wantContent = (type: number): boolean => type === recordType.message;
    for await (const scanned of this.#heap.scan({ from: start, wantPayload: wantContent, onDamage })) {
      await this.#seen(scanned);
      if (isContent(scanned.type)) this.#apply(scanned, onDamage);
    }
    // The second pass counts message ids anew, as the live path did: an event that makes the counter jump adds to what was then.
    const highestMessage = this.#applier.refs.state.message;
    this.#applier.refs.state.message = 0;
    const wantRest = (type: number): boolean => !isContent(type);
    // The first pass named all damage but that of payloads it did not want.
    const onPayload = (found: Damage): void => {
      if (found.kind === 'payload') onDamage(found);
    };
    for await (const scanned of this.#heap.scan({ from: start, wantPayload: wantRest, onDamage: onPayload })) {
      await this.#seen(scanned);
      if (scanned.commit !== undefined) {
        this.#applier.close(scanned.location, scanned.commit.number, scanned.commit.epoch);
      } else if (!isContent(scanned.type)) this.#apply(scanned, onDamage);
    }
    await this.#dropUnnamed();
    this.#raiseCounters(highestMessage);
    await this.#settle();
    return this.#records;
  }

  /**
   * Acknowledged history may be missing: the log says so in a new segment of a higher epoch, which is the newest from then on,
   * so that a damaged one is not looked at when the store is opened.
   */
  async loseHistory(now: number): Promise<void> {
    await this.#heap.raiseEpoch();
    const { refs } = this.#applier;
    const batch = this.#heap.begin(refs.state);
    this.#segmentOf = (lsn) => (lsn >= batch.firstLsn ? batch.segment : this.#heap.segmentOf(lsn));
    this.#applier = this.#begin();
    const time = Math.floor(now / 1000);
    const sequence = Math.max(refs.state.sequence + 1, time * sequencesPerSecond);
    const body = { kind: 'historyLost', epoch: batch.epoch } as const;
    this.#applier.apply({ type: 'event', sequence, time, body }, batch.add(encodeEvent(sequence, time, body)));
    this.#applier.close({ lsn: batch.nextLsn(), bytes: commitBytes }, batch.number, batch.epoch);
    await this.#heap.commit(batch, { cleanStop: true });
    await this.#settle();
  }

  #apply(scanned: ScannedRecord, onDamage: (damage: Damage) => void): void {
    this.#records++;
    try {
      this.#applier.apply(decodeRecord(scanned), scanned.location);
    } catch (error) {
      if (!(error instanceof RangeError) && !(error instanceof Error && error.name === 'DecodeError')) throw error;
      const { lsn, bytes } = scanned.location;
      onDamage({ kind: 'payload', segment: scanned.segment, offset: 0, lsn, bytes });
    }
  }

  async #seen(scanned: ScannedRecord): Promise<void> {
    this.#read += scanned.location.bytes;
    if (this.#set.size < rowsPerWrite) return;
    this.#onProgress?.(this.#read, this.#total);
    await this.#write();
  }

  /** Begins to write what was applied, and goes on above it: one write set is on its way while the next one fills. */
  async #write(): Promise<void> {
    await this.#writing;
    this.#below = [this.#set];
    this.#set = new WriteSet();
    this.#applier = this.#begin();
    this.#writing = this.#kv.write(WriteSet.encode(this.#below));
    // Whoever awaits it hears of an error.
    this.#writing.catch(() => undefined);
  }

  /** Everything applied is in the catalog. */
  async #settle(): Promise<void> {
    await this.#write();
    await this.#writing;
    this.#below = [];
    this.#applier = this.#begin();
  }

  #begin(): Applier {
    return new Applier(new View(this.#kv, this.#below, this.#set), this.#segmentOf);
  }

  /** Messages that were stored, and whose entries are all gone, or were never logged. */
  async #dropUnnamed(): Promise<void> {
    await this.#settle();
    const unnamed: number[] = [];
    for (const [id, row] of new Catalog(new View(this.#kv)).messages()) if (row.refs === 0) unnamed.push(id);
    for (const number of unnamed) {
      const { refs } = this.#applier;
      const id = brandNumber<Parameters<typeof refs.dropMessage>[0]>(number);
      const row = new Catalog(refs.view).message(id);
      if (row !== undefined) refs.dropMessage(id, row);
      if (this.#set.size >= rowsPerWrite) await this.#write();
    }
  }

  /** No id that a header says was given is given again. */
  #raiseCounters(highestMessage: number): void {
    const { state } = this.#applier.refs;
    state.message = Math.max(state.message, highestMessage);
    const high = this.#heap.newestHighWater;
    for (const key of ['sequence', 'account', 'mailbox', 'message', 'thread', 'uidValidity'] as const) {
      state[key] = Math.max(state[key], high[key]);
    }
    if (state.appliedLsn > this.#heap.durableLsn) {
      throw new StoreError('corrupt', 'the log ends before a batch that it holds');
    }
  }
}

function isContent(type: number): boolean {
  return type === recordType.part || type === recordType.message;
}
