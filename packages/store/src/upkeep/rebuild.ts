/**
 * Rebuild: a new catalog generation from the heap alone. First content (PART, MESSAGE) and what compaction said again of mailboxes
 * and accounts, then everything else in the order of the log, by the same `apply` that wrote the lost one. What nothing names in
 * the end is dropped, and what follows from other rows (names, an account's counts) is made last (`rebuild-end.ts`).
 *
 * Why mailboxes and accounts first: a record about an entry can be older than the RESTATE of its mailbox, where the mailbox's creation
 * is gone with its segment. Each row knows the LSN of its RESTATE, and older records about it change nothing.
 *
 * The generation becomes current when it is whole; a crash before leaves the old one, or none, as it was.
 */
import { Catalog } from '../catalog/catalog.ts';
import { generationPath, nextGeneration, setCurrentGeneration } from '../catalog/generations.ts';
import type { Kv } from '../catalog/kv.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import { StoreError } from '../errors.ts';
import { commitBytes, type Damage, Heap, type ScannedRecord } from '../heap/heap.ts';
import { Applier } from '../log/apply.ts';
import { decodeRecord, encodeEvent, type LogRecord, recordType } from '../log/records.ts';
import type { SegmentOf } from '../log/references.ts';
import { brandNumber, type Lsn } from '../types.ts';
import {
  catalogDirectory,
  heapOptions,
  heapPorts,
  initializeCatalog,
  machinePorts,
  making,
  type StoreOptions,
  sealCatalog,
  takeLock,
} from '../writer/store-directory.ts';
import { lastSteps } from './rebuild-end.ts';

export interface RebuildReport {
  readonly generation: number;
  readonly records: number;
  readonly messages: number;
  readonly entries: number;
  /** Bad places that were passed over. */
  readonly damage: readonly Damage[];
}

export interface RebuildOptions extends StoreOptions {
  /** Told of octets of log read so far, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
}

const start = brandNumber<Lsn>(0);
const rowsPerWrite = 20_000;
/** A lost log cannot have given more sequences than this in a second. */
const sequencesPerSecond = 2 ** 20;

/** @throws {StoreError} locked, noStore, newerFormat, ioError, diskFull */
export function rebuild(directory: string, options: RebuildOptions = {}): Promise<RebuildReport> {
  return making(directory, () => rebuildCatalog(directory, options));
}

async function rebuildCatalog(directory: string, options: RebuildOptions): Promise<RebuildReport> {
  const ports = options.ports ?? machinePorts;
  const lock = takeLock(ports, directory);
  const damage: Damage[] = [];
  try {
    const onDamage = (found: Damage): void => {
      damage.push(found);
    };
    const heap = await Heap.openForWriting(heapPorts(ports), directory, { ...heapOptions(options), onDamage });
    try {
      const catalogs = catalogDirectory(directory);
      const generation = await nextGeneration(ports.fs, catalogs);
      const kv = ports.openKv(generationPath(catalogs, generation), false);
      try {
        await initializeCatalog(kv, heap);
        const replayer = new Rebuilder(heap, kv, options.onProgress);
        const records = await replayer.run(onDamage);
        if (damage.length > 0) await replayer.loseHistory(ports.clock.now());
        await sealCatalog(kv);
        const totals = new Catalog(new View(kv)).state()?.totals;
        await kv.close();
        await setCurrentGeneration(ports.fs, catalogs, generation);
        return { generation, records, messages: totals?.messages ?? 0, entries: totals?.entries ?? 0, damage };
      } catch (error) {
        await kv.close();
        throw error;
      }
    } finally {
      await heap.close();
    }
  } finally {
    lock.release();
  }
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
    const wantContent = (type: number): boolean => type === recordType.message || type === recordType.restate;
    for await (const scanned of this.#heap.scan({ from: start, wantPayload: wantContent, onDamage })) {
      await this.#seen(scanned);
      if (isContent(scanned.type) || scanned.type === recordType.restate) this.#apply(scanned, isFirst, onDamage);
    }
    const wantRest = (type: number): boolean => !isContent(type);
    // The first pass named all damage but that of payloads it did not want.
    const onPayload = (found: Damage): void => {
      if (found.kind === 'payload') onDamage(found);
    };
    for await (const scanned of this.#heap.scan({ from: start, wantPayload: wantRest, onDamage: onPayload })) {
      await this.#seen(scanned);
      if (scanned.commit !== undefined) {
        this.#applier.close(scanned.location, scanned.commit.number, scanned.commit.epoch);
      } else if (!isContent(scanned.type)) this.#apply(scanned, (record) => !isFirst(record), onDamage);
    }
    await this.#dropUnnamed();
    await this.#makeLast();
    this.#raiseCounters();
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

  /** Applies a record, if it is one of this pass. */
  #apply(scanned: ScannedRecord, isWanted: (record: LogRecord) => boolean, onDamage: (damage: Damage) => void): void {
    try {
      const record = decodeRecord(scanned);
      if (!isWanted(record)) return;
      this.#records++;
      this.#applier.apply(record, scanned.location);
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
    return new Applier(new View(this.#kv, this.#below, this.#set), this.#segmentOf, true);
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

  /** What follows from the rest. */
  async #makeLast(): Promise<void> {
    await this.#settle();
    for (const step of lastSteps(this.#heap)) {
      for (let from: Buffer | undefined = step.start(); from !== undefined; ) {
        from = step.go(this.#applier.refs, from);
        if (this.#set.size >= rowsPerWrite) await this.#settle();
      }
      await this.#settle();
    }
  }

  /** No id that a header says was given is given again. */
  #raiseCounters(): void {
    const { state } = this.#applier.refs;
    const high = this.#heap.newestHighWater;
    for (const key of ['sequence', 'account', 'mailbox', 'message', 'thread', 'uidValidity'] as const) {
      state[key] = Math.max(state[key], high[key]);
    }
    if (state.appliedLsn > this.#heap.durableLsn) {
      throw new StoreError('corrupt', 'the log ends before a batch that it holds');
    }
  }
}

/** Records of the first pass, beyond content: what stands for all older records of its thing. */
function isFirst(record: LogRecord): boolean {
  if (record.type !== 'restate') return record.type !== 'entry' && record.type !== 'event';
  const { kind } = record.body;
  return kind === 'mailbox' || kind === 'account' || kind === 'details';
}

function isContent(type: number): boolean {
  return type === recordType.part || type === recordType.message;
}
