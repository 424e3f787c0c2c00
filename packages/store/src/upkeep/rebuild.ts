/**
 * Rebuild: a new catalog generation from the newest good checkpoint and the log behind it, or from the heap alone, by the same
 * `apply` that wrote the lost one. From a checkpoint, and from the start of a log of which no segment is gone, records are applied
 * in their order, as recovery does. Else what a record names may stand behind it: content comes first (PART, MESSAGE), then
 * everything else in the order of the log. Messages that nothing names in the end are dropped. The generation becomes current
 * when it is whole; a crash before leaves the old one, or none, as it was.
 */
import { Catalog } from '../catalog/catalog.ts';
import { generationPath, nextGeneration, setCurrentGeneration } from '../catalog/generations.ts';
import { messageOfKey } from '../catalog/keys.ts';
import type { Kv } from '../catalog/kv.ts';
import { isUnreferenced } from '../catalog/row-codecs.ts';
import type { StateRow } from '../catalog/rows.ts';
import { messageTable } from '../catalog/schema.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import { errorText, invariant, StoreError } from '../errors.ts';
import { commitBytes, type Damage, Heap, type ScannedRecord, type SegmentState } from '../heap/heap.ts';
import { Applier } from '../log/apply.ts';
import type { EventBody } from '../log/events.ts';
import { decodeRecord, encodeEvent, recordType } from '../log/records.ts';
import type { SegmentOf } from '../log/references.ts';
import { brandNumber, type Lsn, type MessageId } from '../types.ts';
import {
  catalogDirectory,
  checkFinished,
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
import { checkpointDirectory, isUnusable, isWholeFrom, listCheckpoints, loadCheckpoint } from './checkpoint/read.ts';

export interface RebuildReport {
  readonly generation: number;
  readonly records: number;
  readonly messages: number;
  readonly entries: number;
  /** Bad places that were passed over. */
  readonly damage: readonly Damage[];
  /** The LSN of the checkpoint that it began from; undefined when it read the log from its start. */
  readonly checkpoint: number | undefined;
  /** Checkpoints that could not be used, and why. */
  readonly passedOver: readonly string[];
}

export interface RebuildOptions extends StoreOptions {
  /** Segments that are listed and cannot be read are listed no more. */
  readonly retireLost?: boolean;
  /** Acknowledged history may be missing, whether damage is met or not. */
  readonly historyLost?: boolean;
  /** Told of octets of log read so far, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Makes nothing of a log with damage. */
  readonly onlyWhole?: boolean;
  /** Reads the log from its start even where a checkpoint is there. */
  readonly full?: boolean;
  /** Reads content first even where no segment is gone; for comparisons. */
  readonly contentFirst?: boolean;
}

/** A restore, as the log will know it. */
export interface Restoring {
  /** Which restore of its backup this is, from 1. */
  readonly restores: number;
  /** Seconds since 1970, above those of any restore before. */
  readonly seconds: number;
}

const start = brandNumber<Lsn>(0);
const rowsPerWrite = 20_000;
/** Keys of eight octets, none of them as high as the end. */
const everyMessage = { from: Buffer.alloc(0), to: Buffer.alloc(9, 0xff) };
/** A lost log cannot have given more sequences than this in a second. */
const sequencesPerSecond = 2 ** 20;

/** @throws {StoreError} locked, noStore, unfinished, olderFormat, newerFormat, ioError, diskFull */
export function rebuild(directory: string, options: RebuildOptions = {}): Promise<RebuildReport> {
  return making(directory, async () => {
    const ports = options.ports ?? machinePorts;
    await checkFinished(ports.fs, directory);
    const lock = takeLock(ports, directory);
    try {
      return await rebuildLocked(directory, options);
    } finally {
      lock.release();
    }
  });
}

/** How a catalog is made: what of it is asked of `makeCatalog`. */
export interface MakeOptions
  extends Pick<RebuildOptions, 'onProgress' | 'retireLost' | 'historyLost' | 'full' | 'contentFirst' | 'onlyWhole'> {
  /** Damage met so far, to which what is met here is added. */
  readonly damage: Damage[];
  /** The heap came out of a backup. */
  readonly restoring?: Restoring | undefined;
}

/** A new generation of the catalog, and what it says of itself. */
export interface MadeCatalog extends Pick<RebuildReport, 'generation' | 'records' | 'checkpoint' | 'passedOver'> {
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
  options: MakeOptions,
): Promise<MadeCatalog | undefined> {
  const { damage, restoring } = options;
  const { kv, generation, checkpoint, passedOver } = await beginCatalog(ports, directory, heap, options.full === true);
  let made: MadeCatalog | undefined;
  try {
    const replayer = new Rebuilder(heap, kv, options.onProgress);
    const onDamage = (found: Damage): number => damage.push(found);
    const inOrder = options.contentFirst !== true && isWholeLog(heap.segments());
    const from = checkpoint ?? (inOrder ? start : undefined);
    const records = await (from === undefined ? replayer.run(onDamage) : replayer.follow(from, onDamage));
    if (damage.length > 0 && options.onlyWhole === true) return undefined;
    if (options.retireLost === true) for (const lost of heap.lostSegments()) heap.retire(lost.damage.segment);
    if (restoring !== undefined) await replayer.restore(restoring);
    else if (damage.length > 0 || options.historyLost === true) await replayer.loseHistory(ports.clock.now());
    await sealCatalog(kv);
    const state = new Catalog(new View(kv)).state();
    invariant(state !== undefined, 'a catalog has a state row');
    made = { generation, records, state, checkpoint, passedOver };
    return made;
  } finally {
    await kv.close();
    if (made === undefined) await removeGeneration(ports, directory, generation);
  }
}

/** One that was begun in vain; what is left of it is in nobody's way. */
async function removeGeneration(ports: StorePorts, directory: string, generation: number): Promise<void> {
  await ports.removeKv?.(generationPath(catalogDirectory(directory), generation)).catch(() => undefined);
}

/**
 * `rebuild`, for who holds the lock; `restoring` when the heap came out of a backup.
 * @throws {StoreError} newerFormat, olderFormat, ioError, diskFull; corrupt where it is to pass over no damage
 */
export async function rebuildLocked(
  directory: string,
  options: RebuildOptions,
  restoring?: Restoring,
): Promise<RebuildReport> {
  const ports = options.ports ?? machinePorts;
  const damage: Damage[] = [];
  const onDamage = (found: Damage): void => {
    damage.push(found);
  };
  const heap = await Heap.openForWriting(heapPorts(ports), directory, { ...heapOptions(options), onDamage });
  try {
    await refuseOlder(ports, directory, heap);
    const made = await makeCatalog(ports, directory, heap, { ...options, damage, restoring });
    if (made === undefined) throw damaged(damage.length);
    await setCurrentGeneration(ports.fs, catalogDirectory(directory), made.generation);
    addLost(heap, damage);
    const { state, ...report } = made;
    return { ...report, messages: state.totals.messages, entries: state.totals.entries, damage };
  } finally {
    await heap.close();
  }
}

function damaged(places: number): StoreError {
  const text = `${places} bad places in the heap: the catalog is not made again without them by itself`;
  return new StoreError('corrupt', `${text}; \`mstore fsck\` names them, \`mstore rebuild\` passes them over`);
}

/** Segments that are lost and lie below the checkpoint: no history is missing, but mail is. */
function addLost(heap: Heap, damage: Damage[]): void {
  for (const { damage: lost } of heap.lostSegments()) {
    if (!damage.some(({ kind, segment }) => kind === lost.kind && segment === lost.segment)) damage.push(lost);
  }
}

interface Begun {
  readonly kv: Kv;
  readonly generation: number;
  readonly checkpoint: Lsn | undefined;
  readonly passedOver: readonly string[];
}

/** A new generation, filled from the newest checkpoint that is good, or with nothing applied. */
async function beginCatalog(ports: StorePorts, directory: string, heap: Heap, full: boolean): Promise<Begun> {
  const catalogs = catalogDirectory(directory);
  const passedOver: string[] = [];
  const open = async (): Promise<Pick<Begun, 'kv' | 'generation'>> => {
    const generation = await nextGeneration(ports.fs, catalogs);
    return { kv: ports.openKv(generationPath(catalogs, generation), false), generation };
  };
  const found = full ? [] : await listCheckpoints(ports.fs, checkpointDirectory(directory));
  for (const { path, lsn } of found) {
    if (!isWholeFrom(heap.segments(), lsn)) {
      passedOver.push(`checkpoint ${path}: the log does not go on from it without a gap`);
      continue;
    }
    const { kv, generation } = await open();
    try {
      await loadCheckpoint(ports.fs, path, heap.storeId, kv);
      return { kv, generation, checkpoint: lsn, passedOver };
    } catch (error) {
      await kv.close();
      await removeGeneration(ports, directory, generation);
      if (!isUnusable(error)) throw error;
      passedOver.push(errorText(error));
    }
  }
  const begun = await open();
  await initializeCatalog(begun.kv, heap);
  return { ...begun, checkpoint: undefined, passedOver };
}

class Rebuilder {
  readonly #heap: Heap;
  readonly #kv: Kv;
  #segmentOf: SegmentOf;
  readonly #onProgress: RebuildOptions['onProgress'];
  #total: number;
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
    this.#total = heap.segments().reduce((sum, segment) => sum + (segment.endLsn - segment.baseLsn), 0);
    this.#applier = this.#begin();
  }

  /** Applies a log from which segments are gone: what a record names may stand behind it, so content comes first. */
  async run(onDamage: (damage: Damage) => void): Promise<number> {
    this.#total *= 2;
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

  /** Applies a log without gaps from `from` on, in the order in which it was written, to the catalog as it was there. */
  async follow(from: Lsn, onDamage: (damage: Damage) => void): Promise<number> {
    const wantPayload = (type: number): boolean => type !== recordType.part;
    for await (const scanned of this.#heap.scan({ from, wantPayload, onDamage })) {
      await this.#seen(scanned);
      if (scanned.commit !== undefined) {
        this.#applier.close(scanned.location, scanned.commit.number, scanned.commit.epoch);
      } else this.#apply(scanned, onDamage);
    }
    await this.#dropUnnamed();
    this.#raiseCounters(0);
    await this.#settle();
    return this.#records;
  }

  /** Acknowledged history may be missing. */
  async loseHistory(now: number): Promise<void> {
    await this.#heap.raiseEpoch();
    await this.#logLoss(Math.floor(now / 1000), (epoch) => ({ kind: 'historyLost', epoch }));
  }

  /** What came after the backup is missing, and what came after each restore of it before. */
  async restore({ restores, seconds }: Restoring): Promise<void> {
    await this.#heap.raiseEpoch(restores);
    await this.#logLoss(seconds, (epoch) => ({ kind: 'restored', epoch, restores }));
  }

  /**
   * The log says so in a new segment of a higher epoch, which is the newest from then on, so that a damaged one is not looked at
   * when the store is opened.
   */
  async #logLoss(time: number, bodyFor: (epoch: number) => EventBody): Promise<void> {
    const { refs } = this.#applier;
    const batch = this.#heap.begin(refs.state);
    this.#segmentOf = (lsn) => (lsn >= batch.firstLsn ? batch.segment : this.#heap.segmentOf(lsn));
    this.#applier = this.#begin();
    const sequence = Math.max(refs.state.sequence + 1, time * sequencesPerSecond);
    const body = bodyFor(batch.epoch);
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
    const unnamed: MessageId[] = [];
    for (const [key, row] of this.#kv.range(messageTable.name, everyMessage)) {
      if (isUnreferenced(row)) unnamed.push(messageOfKey(key));
    }
    for (const id of unnamed) {
      const { refs } = this.#applier;
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

/** True when no segment was ever retired and none is lost: then what a record names stands before it. */
function isWholeLog(segments: readonly SegmentState[]): boolean {
  return segments.every(({ predecessor }, at) => predecessor === (segments[at - 1]?.number ?? 0));
}

function isContent(type: number): boolean {
  return type === recordType.part || type === recordType.message;
}
