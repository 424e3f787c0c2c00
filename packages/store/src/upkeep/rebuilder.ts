/**
 * Applying a log to a catalog that nobody else uses yet, and the event that ends it where history is missing. Which catalog, and
 * what becomes of it, is `rebuild.ts`'s.
 *
 * From a checkpoint, and from the start of a log of which no segment is gone, records are applied in the order of the log, as
 * recovery does. Else what a record names may stand behind it: first come content (PART, MESSAGE) and what compaction said again of
 * mailboxes and accounts, then everything else in order. What follows from other rows (names, an account's counts) is made last
 * then (`rebuild-end.ts`). Messages that nothing names in the end are dropped.
 *
 * Why mailboxes and accounts first: a record about an entry can be older than the RESTATE of its mailbox, where the mailbox's creation
 * is gone with its segment. Each row knows the LSN of its RESTATE, and older records about it change nothing.
 */
import { Catalog } from '../catalog/catalog.ts';
import { messageOfKey } from '../catalog/keys.ts';
import type { Kv } from '../catalog/kv.ts';
import { isUnreferenced } from '../catalog/row-codecs.ts';
import { messageTable } from '../catalog/schema.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import { StoreError } from '../errors.ts';
import {
  commitBytes,
  type Damage,
  type Heap,
  type HighWater,
  type ScannedRecord,
  type SegmentState,
} from '../heap/heap.ts';
import { Applier } from '../log/apply.ts';
import type { EventBody } from '../log/events.ts';
import { decodeRecord, encodeEvent, type LogRecord, recordType } from '../log/records.ts';
import type { SegmentOf } from '../log/references.ts';
import { brandNumber, type Lsn, type MessageId } from '../types.ts';
import { remakeDue } from './due-rows.ts';
import { lastSteps } from './rebuild-end.ts';

/** A restore, as the log will know it. */
export interface Restoring {
  /** Which restore of its backup this is, from 1. */
  readonly restores: number;
  /** No store that came out of the backup had it before. */
  readonly epoch: number;
  /** Seconds since 1970, above those of any restore before. */
  readonly seconds: number;
}

/** Told of octets of log read so far, of so many. */
export type OnLogRead = (done: number, total: number) => void;

/** Where to begin for all of it. */
export const logStart: Lsn = brandNumber<Lsn>(0);
const rowsPerWrite = 20_000;
/** Keys of eight octets, none of them as high as the end. */
const everyMessage = { from: Buffer.alloc(0), to: Buffer.alloc(9, 0xff) };
/** A lost log cannot have given more sequences than this in a second. */
const sequencesPerSecond = 2 ** 20;

const counters = ['sequence', 'account', 'mailbox', 'message', 'thread', 'uidValidity'] as const;
type Counter = (typeof counters)[number];

export class Rebuilder {
  readonly #heap: Heap;
  readonly #kv: Kv;
  #segmentOf: SegmentOf;
  readonly #onProgress: OnLogRead | undefined;
  #total: number;
  #set = new WriteSet();
  #below: readonly WriteSet[] = [];
  #writing: Promise<void> = Promise.resolve();
  #applier: Applier;
  /** True while the log is gone through from its start: then accounts are counted at the end. */
  #begins = false;
  #records = 0;
  #read = 0;
  /** The segment whose records are applied. */
  #segment = 0;
  /** What had been given when each segment was begun. */
  readonly #given: ReadonlyMap<number, HighWater>;

  constructor(heap: Heap, kv: Kv, onProgress: OnLogRead | undefined) {
    this.#heap = heap;
    this.#kv = kv;
    this.#segmentOf = (lsn) => heap.segmentOf(lsn);
    this.#onProgress = onProgress;
    this.#given = new Map(heap.segments().map(({ number, highWater }) => [number, highWater]));
    this.#total = heap.segments().reduce((sum, segment) => sum + (segment.endLsn - segment.baseLsn), 0);
    this.#applier = this.#begin();
  }

  /** Applies all of a log from which segments are gone. */
  async run(onDamage: (damage: Damage) => void): Promise<number> {
    this.#begins = true;
    this.#applier = this.#begin();
    this.#total *= 2;
    const wantContent = (type: number): boolean => type === recordType.message || type === recordType.restate;
    for await (const scanned of this.#heap.scan({ from: logStart, wantPayload: wantContent, onDamage })) {
      await this.#seen(scanned);
      if (isContent(scanned.type) || scanned.type === recordType.restate) this.#apply(scanned, isFirst, onDamage);
    }
    // The second pass counts ids anew, as the live path did: an event that makes counters jump adds to what was then.
    const highest = this.#resetIds();
    const wantRest = (type: number): boolean => !isContent(type);
    // The first pass named all damage but that of payloads it did not want.
    const onPayload = (found: Damage): void => {
      if (found.kind === 'payload' && found.record?.type !== recordType.restate) onDamage(found);
    };
    for await (const scanned of this.#heap.scan({ from: logStart, wantPayload: wantRest, onDamage: onPayload })) {
      await this.#seen(scanned);
      this.#enter(scanned.segment);
      if (scanned.commit !== undefined) {
        this.#applier.close(scanned.location, scanned.commit.number, scanned.commit.epoch);
      } else if (!isContent(scanned.type)) this.#apply(scanned, (record) => !isFirst(record), onPayload);
    }
    await this.#dropUnnamed();
    await this.#makeLast();
    this.#raiseCounters(highest);
    await this.#settle();
    return this.#records;
  }

  /** Applies what the log holds from `from` on, without a gap, to the catalog as it was there. */
  async follow(from: Lsn, onDamage: (damage: Damage) => void): Promise<number> {
    const wantPayload = (type: number): boolean => type !== recordType.part;
    for await (const scanned of this.#heap.scan({ from, wantPayload, onDamage })) {
      await this.#seen(scanned);
      this.#enter(scanned.segment);
      if (scanned.commit !== undefined) {
        this.#applier.close(scanned.location, scanned.commit.number, scanned.commit.epoch);
      } else this.#apply(scanned, () => true, onDamage);
    }
    await this.#dropUnnamed();
    this.#raiseCounters({});
    await this.#settle();
    return this.#records;
  }

  /** Acknowledged history may be missing. */
  async loseHistory(now: number): Promise<void> {
    await this.#heap.raiseEpoch();
    await this.#logLoss(Math.floor(now / 1000), (epoch) => ({ kind: 'historyLost', epoch }));
  }

  /** What came after the backup is missing, and what came after each restore of it before. */
  async restore({ restores, epoch: wanted, seconds }: Restoring): Promise<void> {
    await this.#heap.raiseEpoch(restores, wanted);
    // What was restored within a second of its own restore has a sequence of that second already.
    const least = Math.floor(this.#applier.refs.state.sequence / sequencesPerSecond) + 1;
    await this.#logLoss(Math.max(seconds, least), (epoch) => ({ kind: 'restored', epoch, restores }));
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
      const record = { type: scanned.type, fields: scanned.fields };
      onDamage({ kind: 'payload', segment: scanned.segment, offset: 0, lsn, bytes, record });
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
    return new Applier(new View(this.#kv, this.#below, this.#set), this.#segmentOf, this.#begins);
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
    await remakeDue(new View(this.#kv), async () => {
      if (this.#set.size >= rowsPerWrite) await this.#write();
      return this.#set;
    });
    this.#begins = false;
    await this.#settle();
  }

  /** Begins to count ids anew; returns what they were. */
  #resetIds(): Partial<Record<Counter, number>> {
    const { state } = this.#applier.refs;
    const { account, mailbox, message, uidValidity } = state;
    Object.assign(state, { account: 0, mailbox: 0, message: 0, uidValidity: 0 });
    return { account, mailbox, message, uidValidity };
  }

  /**
   * At a segment's first record, counts from what had been given when it was begun: who gave it may be gone, and an event that makes
   * counters jump must not begin lower than it did.
   */
  #enter(segment: number): void {
    if (segment === this.#segment) return;
    this.#segment = segment;
    this.#raise(this.#given.get(segment) ?? {});
  }

  #raise(to: Partial<Record<Counter, number>>): void {
    const { state } = this.#applier.refs;
    for (const key of counters) state[key] = Math.max(state[key], to[key] ?? 0);
  }

  /** No id that a header says was given, or that a record bore, is given again. */
  #raiseCounters(highest: Partial<Record<Counter, number>>): void {
    this.#raise(this.#heap.newestHighWater);
    this.#raise(highest);
    const { state } = this.#applier.refs;
    if (state.appliedLsn > this.#heap.durableLsn) {
      throw new StoreError('corrupt', 'the log ends before a batch that it holds');
    }
  }
}

/** True when no segment was ever retired and none is lost: then what a record names stands before it. */
export function isWholeLog(segments: readonly SegmentState[]): boolean {
  return segments.every(({ predecessor }, at) => predecessor === (segments[at - 1]?.number ?? 0));
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
