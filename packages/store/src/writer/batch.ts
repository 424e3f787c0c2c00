/**
 * Group commit: intents in, durable answers out.
 *
 * The steps of one batch, and what a crash between any two leaves:
 *
 *  1. assemble   each intent is decided against the head state and appended to a batch in memory; the batch's changes go
 *                to a write set. Crash: nothing was written, nobody was answered.
 *  2. write      records and COMMIT in one write. Crash: any part of it may be on disk. Recovery takes the batch when it is
 *                complete (nobody was told otherwise) and drops it when it is not.
 *  3. datasync   the batch is durable. Deliveries are answered. Crash: recovery finds the batch behind `appliedLsn` and
 *                applies it: what was answered is there.
 *  4. catalog    one transaction writes the write sets of some batches and `appliedLsn`. Crash before it commits: as
 *                3. After: the catalog is at the batch. The catalog is never ahead of the durable log.
 *  5. answer     all other intents are answered, the feed speaks.
 *
 * Steps 1 to 3 of a batch run only when the one before has left 3, so at most one batch is undurable. Step 4 of older batches
 * runs beside 1 to 3 of newer ones; `batchesAhead` and `bytesAhead` bound the distance.
 *
 * After a failed write or datasync the heap ends the segment at its last durable LSN; the batch's write set is dropped, so the
 * head state is what it was, and its intents are decided again in a new segment, once. A second failure is answered to them.
 * After two in a row every intent is refused, until a probe, an empty batch in a new segment, gets through (health.ts).
 * A full disk is answered at once, without a second try. A failed catalog transaction ends the writer: recovery replays.
 */

import { WriteSet } from '../catalog/write-set.ts';
import { errorText, invariant, isStoreError, StoreError } from '../errors.ts';
import { type BatchBuilder, commitBytes, type Heap } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import { Applier } from '../log/apply.ts';
import type { SegmentOf } from '../log/references.ts';
import type { Clock } from '../sys/clock.ts';
import { isTooFar, shareOf, type Weight } from './ahead.ts';
import { Expectations } from './expectations.ts';
import type { Change, Feed } from './feed.ts';
import type { HeadState } from './head-state.ts';
import { type Intent, type Waiting, waitingFor } from './intent.ts';
import { Linger } from './linger.ts';
import { Returns } from './returns.ts';
import type { Room } from './room.ts';
import { type Places, Turn } from './turn.ts';

interface Decided extends Weight {
  readonly intents: readonly Waiting[];
  readonly changes: readonly Change[];
}

/** Batches that are worth a catalog transaction of their own. */
const lingerBatches = 6;
/** ms of a flush that others are waited for at most, and of their own delay after which they are not. */
const flushMsMax = 50;
/** ms of a flush from which on those just answered are waited for, and the share of a flush that they are. */
const slowFlushMs = 2;
const returnShare = 0.5;

/** ms of deciding after which a batch takes no further intent. */
const assembleMs = 4;

export class Committer {
  readonly #heap: Heap;
  readonly #head: HeadState;
  readonly #feed: Feed;
  readonly #clock: Clock;
  readonly #places: Places;
  #queue: Waiting[] = [];
  #background: Waiting[] = [];
  /** What is to be done between two batches; before the next one, however many intents wait. */
  #errands: (() => Promise<void>)[] = [];
  #lastWorkAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #catalogRun: Promise<void> | undefined;
  /** Batches that are durable and not yet in the catalog, oldest first; one per layer of the head state. */
  #ahead: Decided[] = [];
  #wake: (() => void) | undefined;
  readonly #linger: Linger;
  readonly #expected: Expectations;
  readonly #returns: Returns;
  readonly #room: Room | undefined;
  #flushMs = 0.3;
  #failed: StoreError | undefined;
  #tellFailed: (error: StoreError) => void = () => undefined;
  /** Resolves with why the writer can take no more intents. */
  readonly failed: Promise<StoreError> = new Promise((resolve) => {
    this.#tellFailed = resolve;
  });
  #closed = false;
  #isWriting = false;
  /** Batches committed since open; what the idle timer looks at. */
  batches = 0;
  /** Catalog transactions begun since open. */
  catalogWrites = 0;

  constructor(heap: Heap, head: HeadState, feed: Feed, clock: Clock, places: Places, room?: Room) {
    this.#places = places;
    this.#heap = heap;
    this.#head = head;
    this.#feed = feed;
    this.#clock = clock;
    this.#room = room;
    this.#expected = new Expectations(clock, flushMsMax);
    this.#linger = new Linger(clock);
    this.#returns = new Returns(clock);
  }

  /** Why the writer can take no more intents; undefined while it can. */
  get failure(): StoreError | undefined {
    return this.#failed;
  }

  /** A catalog transaction is under way. */
  get isWritingCatalog(): boolean {
    return this.#isWriting;
  }

  /** ms since an intent came that is not upkeep. */
  get quietMs(): number {
    return this.#clock.monotonic() - this.#lastWorkAt;
  }

  get isIdle(): boolean {
    return (
      this.#queue.length === 0 &&
      this.#background.length === 0 &&
      this.#errands.length === 0 &&
      this.#running === undefined &&
      this.#ahead.length === 0
    );
  }

  /** Decides the intent in its turn. Resolves with its answer when that is durable (and visible, for `catalog`).
   *  @throws {StoreError} what decide refused with; diskFull, ioError, readOnly, closed */
  submit<Answer>(intent: Intent<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      // What these throw rejects.
      if (this.#failed !== undefined || this.#closed)
        throw this.#failed ?? new StoreError('closed', 'the store is closing');
      const { answerAfter, background = false, givesSpace = background } = intent;
      this.#room?.admit(givesSpace);
      if (!background) this.#lastWorkAt = this.#clock.monotonic();
      (background ? this.#background : this.#queue).push(waitingFor(intent, resolve, reject));
      if (answerAfter === 'heap') this.#returns.asked();
      this.#start();
    });
  }

  /** Somebody is mid-message: a batch may wait for them, one flush time at most. Returns what says they are done. */
  expect(): () => void {
    return this.#expected.add();
  }

  /** Resolves when everything submitted so far is durable and in the catalog, or the writer has failed; also while others submit. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#failed !== undefined) {
        resolve();
        return;
      }
      const nothing = { answerAfter: 'catalog', decide: () => undefined } as const;
      const waiting = waitingFor(nothing, resolve, () => resolve());
      // Behind the last of those before it.
      (this.#background.length > 0 ? this.#background : this.#queue).push(waiting);
      this.#start();
    });
  }

  /** Takes no more intents, finishes those it has. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#returns.end();
    this.#linger.hurry();
    while (this.#running !== undefined || this.#catalogRun !== undefined) {
      await this.#running;
      await this.#catalogRun;
    }
  }

  /** The next batch goes to a new segment. */
  beginSegment(): Promise<void> {
    return this.#between(() => this.#heap.endSegment());
  }

  /** Appends an empty COMMIT: everything before it is proved durable. Intents that come meanwhile wait for it. A `probe` tries
   *  it also after device errors. @throws {StoreError} readOnly, ioError, diskFull */
  async commitEmpty(kind: 'idle' | 'cleanStop' | 'probe'): Promise<void> {
    await this.#between(async () => {
      if (this.#failed === undefined) await this.#empty(kind);
    });
    await this.settle();
  }

  async #empty(kind: 'idle' | 'cleanStop' | 'probe'): Promise<void> {
    const builder = this.#heap.begin(this.#head.highWater(), kind === 'probe');
    const set = new WriteSet();
    const applier = this.#applier(builder, set);
    await this.#flush(builder, applier, kind === 'cleanStop' ? { cleanStop: true } : { idle: true });
    this.#take({ intents: [], changes: [], bytes: builder.octets, rows: set.size }, set);
  }

  /** Begins to work on the queue, unless somebody does: whoever does looks at the queue again when done. */
  #start(): void {
    if (this.#running !== undefined || !this.#hasWork) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      this.#start();
    });
  }

  /** Does `work` between two batches. */
  #between(work: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#errands.push(() => work().then(resolve, reject));
      this.#start();
    });
  }

  async #run(): Promise<void> {
    if (this.#errands.length === 0) await this.#expected.gather(this.#flushMs);
    while (this.#hasWork) {
      for (const errand of this.#errands.splice(0)) await errand();
      if (this.#failed !== undefined) {
        this.#refuseAll(this.#failed);
        return;
      }
      if (this.#queue.length + this.#background.length === 0) continue;
      await this.#catalogNear();
      if (this.#flushMs >= slowFlushMs) await this.#returns.wait();
      await this.#batch();
    }
  }

  get #hasWork(): boolean {
    return this.#queue.length + this.#background.length + this.#errands.length > 0;
  }

  /** Waits until the catalog is near enough. */
  async #catalogNear(): Promise<void> {
    while (isTooFar(this.#ahead) && this.#failed === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #batch(): Promise<void> {
    const taken: Waiting[] = [];
    for (let attempt = 1; ; attempt++) {
      let builder: BatchBuilder;
      try {
        builder = this.#heap.begin(this.#head.highWater());
      } catch (error) {
        if (!isStoreError(error, 'readOnly')) this.fail(error);
        for (const waiting of taken) waiting.refuse(error);
        this.#refuseAll(error);
        return;
      }
      const set = new WriteSet();
      const applier = this.#applier(builder, set);
      const turn = new Turn(applier, builder, Math.floor(this.#clock.now() / 1000), this.#places);
      let decided: Waiting[];
      try {
        decided = this.#assemble(turn, builder, taken);
      } catch (error) {
        // Our bug: nobody knows what the batch holds. Nothing of it is written, and the writer ends.
        this.#heap.abandon(builder);
        this.fail(error);
        for (const waiting of taken) waiting.refuse(this.#failed);
        return;
      }
      if (builder.records === 0) {
        this.#heap.abandon(builder);
        this.#answerUnchanged(decided);
        return;
      }
      try {
        await this.#flush(builder, applier, {});
      } catch (error) {
        if (attempt === 1 && !isStoreError(error, 'diskFull')) continue;
        for (const waiting of decided) waiting.refuse(error);
        return;
      }
      const now = decided.filter((waiting) => waiting.answerAfter === 'heap');
      for (const waiting of now) waiting.answer();
      this.#returns.answered(now.length, this.#flushMs * returnShare);
      const later = decided.filter((waiting) => waiting.answerAfter === 'catalog');
      this.#take({ intents: later, changes: turn.changes, bytes: builder.octets, rows: set.size }, set);
      return;
    }
  }

  /** Decides intents from the queue; `taken` keeps them for a second attempt, which decides the same ones again. */
  #assemble(turn: Turn, builder: BatchBuilder, taken: Waiting[]): Waiting[] {
    const decided: Waiting[] = [];
    const start = this.#clock.monotonic();
    const again = taken.splice(0);
    let upkeep = again.length > 0 ? 0 : 1;
    for (;;) {
      let waiting = again.shift() ?? this.#next(builder, decided.length, start);
      if (waiting === undefined && upkeep-- > 0 && builder.octets < limits.batchBytes)
        waiting = this.#background.shift();
      if (waiting === undefined) return decided;
      const before = builder.records;
      try {
        waiting.decide(turn);
        taken.push(waiting);
        decided.push(waiting);
      } catch (error) {
        waiting.refuse(error);
        invariant(builder.records === before, `an intent refused after it appended: ${errorText(error)}`);
      }
    }
  }

  #next(builder: BatchBuilder, count: number, start: number): Waiting | undefined {
    if (count >= limits.batchIntents || builder.octets >= limits.batchBytes) return undefined;
    if (count > 0 && this.#clock.monotonic() - start > assembleMs) return undefined;
    return this.#queue.shift();
  }

  #applier(builder: BatchBuilder, set: WriteSet): Applier {
    const segmentOf: SegmentOf = (lsn) => (lsn >= builder.firstLsn ? builder.segment : this.#heap.segmentOf(lsn));
    return new Applier(this.#head.view(set), segmentOf);
  }

  async #flush(builder: BatchBuilder, applier: Applier, options: { idle?: true; cleanStop?: true }): Promise<void> {
    applier.close({ lsn: builder.nextLsn(), bytes: commitBytes }, builder.number, builder.epoch);
    const start = this.#clock.monotonic();
    await this.#heap.commit(builder, options);
    this.#flushMs = 0.8 * this.#flushMs + 0.2 * Math.min(flushMsMax, this.#clock.monotonic() - start);
    this.batches++;
  }

  #take(batch: Decided, set: WriteSet): void {
    this.#head.push(set);
    this.#ahead.push(batch);
    this.#linger.batch();
    if (this.#ahead.length >= lingerBatches || batch.intents.length > 0) this.#linger.hurry();
    this.#startCatalog();
  }

  /** As `#start`: what came after the last look is looked at when the run is over. */
  #startCatalog(): void {
    if (this.#catalogRun !== undefined || this.#ahead.length === 0) return;
    this.#catalogRun = this.#writeCatalog().finally(() => {
      this.#catalogRun = undefined;
      this.#startCatalog();
    });
  }

  /** Intents that changed nothing are answered when readers can see what they saw. */
  #answerUnchanged(decided: readonly Waiting[]): void {
    const last = this.#ahead[this.#ahead.length - 1];
    if (last === undefined) for (const waiting of decided) waiting.answer();
    else {
      this.#ahead[this.#ahead.length - 1] = { ...last, intents: [...last.intents, ...decided] };
      this.#linger.hurry();
    }
  }

  async #writeCatalog(): Promise<void> {
    while (this.#ahead.length > 0) {
      if (!this.#isDue) await this.#linger.wait();
      const count = shareOf(this.#ahead);
      this.catalogWrites++;
      this.#isWriting = true;
      try {
        await this.#head.write(count);
      } catch (error) {
        this.fail(error);
        return;
      } finally {
        this.#isWriting = false;
      }
      const done = this.#ahead.splice(0, count);
      this.#wake?.();
      this.#wake = undefined;
      for (const batch of done) for (const waiting of batch.intents) waiting.answer();
      this.#feed.publish(done.flatMap((batch) => batch.changes));
    }
  }

  /** Whether the next transaction has reasons to begin at once. */
  get #isDue(): boolean {
    const isAwaited = this.#ahead.some((batch) => batch.intents.length > 0);
    return isAwaited || this.#closed || this.#ahead.length >= lingerBatches;
  }

  /** Ends all work: who waits for the catalog is refused, and so is whatever is asked from now on. */
  fail(error: unknown): void {
    this.#failed ??= isStoreError(error)
      ? error
      : new StoreError('ioError', `the writer failed: ${errorText(error)}`, {}, error);
    this.#wake?.();
    for (const batch of this.#ahead.splice(0)) for (const waiting of batch.intents) waiting.refuse(this.#failed);
    this.#tellFailed(this.#failed);
  }

  #refuseAll(error: unknown): void {
    for (const waiting of [...this.#queue.splice(0), ...this.#background.splice(0)]) waiting.refuse(error);
  }
}
