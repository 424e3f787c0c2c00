/**
 * `fsck --repair`: what is done about each finding, in the order in which the least is lost.
 *
 *  1. names      a file that holds a segment of another number gets that segment's name back.
 *  2. octets     a flipped bit is turned back; what a backup of this heap holds is put in its place, the same octets. Nothing is
 *                lost by 1 and 2, and no number changes.
 *  3. catalog    one that contradicts itself, or is missing, is made again from the heap. One that is sound knows what the log
 *                can no longer say, and is kept.
 *  4. log        segments that are lost are listed no more; where acknowledged history may be missing, the log says so in a new
 *                segment of a higher epoch, before any number is given.
 *  5. content    parts and messages that lie elsewhere (in a backup, in an old segment) are written once more.
 *  6. mail       what still cannot be read is replaced by a message that says so (`upkeep/mend/explanation.ts`).
 *  7. account    bad places that are left are noted as passed over, and a checkpoint says what the log no longer does. Old segments
 *                that nothing needs go to `lost+found/`.
 *
 * Each step is durable before the next begins and leaves a store that is no worse; after a crash the repair is run again, and finds
 * what is left to do. The writer's lock is held from the first step to the last.
 */
import type { Catalog } from './catalog/catalog.ts';
import { invariant, isStoreError, StoreError } from './errors.ts';
import type { Damage } from './heap/heap.ts';
import { SegmentSurvey, segmentName } from './heap/survey.ts';
import { limits } from './limits.ts';
import { Store } from './store.ts';
import { checkpoint } from './upkeep/checkpoint/make.ts';
import { miscounted } from './upkeep/count-segments.ts';
import { examine, isUnreadable, openExamined } from './upkeep/examine.ts';
import type { Finding, FindingState } from './upkeep/findings.ts';
import { HeapMending, placeKey } from './upkeep/mend/heap-mending.ts';
import { type Look, lookAt, usable } from './upkeep/mend/look.ts';
import { moveAway } from './upkeep/mend/lost-and-found.ts';
import { MailMending } from './upkeep/mend/mail.ts';
import { FirstSource, type RecordSource, SurveySource } from './upkeep/mend/record-source.ts';
import { passOver } from './upkeep/passed-over.ts';
import type { BadPlace } from './upkeep/read-through.ts';
import { rebuild } from './upkeep/rebuild.ts';
import { forgetScrub } from './upkeep/scrub.ts';
import { readFrom } from './work.ts';
import { decideCounts, decideHistoryLost } from './writer/intents/mend.ts';
import {
  isStore,
  machinePorts,
  making,
  refuseDeadly,
  type StoreOptions,
  type StorePorts,
  takeLock,
} from './writer/store-directory.ts';

export interface RepairOptions extends StoreOptions {
  /** A backup, or the directory of another store: content is taken from its `heap/`. */
  readonly from?: string;
  /** Only says what would be done. */
  readonly dryRun?: boolean;
  readonly onStep?: (step: RepairStep) => void;
}

/** One thing that is done, or would be. */
export interface RepairStep {
  readonly state: FindingState;
  /** What is wrong. */
  readonly what: string;
  readonly action: string;
}

export interface RepairReport {
  readonly dryRun: boolean;
  /** Steps in order; a list of a thousand may not be all. */
  readonly steps: readonly RepairStep[];
  readonly stepCount: number;
  /** What a check of everything finds afterwards; in a dry run, before. */
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
}

/** @throws {StoreError} locked beside a writer; noStore, newerFormat, ioError, diskFull */
export function repair(directory: string, options: RepairOptions = {}): Promise<RepairReport> {
  return making(directory, () => repairStore(directory, options));
}

async function repairStore(directory: string, options: RepairOptions): Promise<RepairReport> {
  const ports = options.ports ?? machinePorts;
  if (!(await isStore(ports.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
  if (options.dryRun === true) return new Repair(directory, options, ports).run();
  const lock = takeLock(ports, directory);
  try {
    // What opens the store within asks for the lock that is held already.
    const path = `${directory}/writer.lock`;
    const held = {
      ...ports,
      lock: (wanted: string) => (wanted === path ? { release: () => undefined } : ports.lock(wanted)),
    };
    return await new Repair(directory, { ...options, ports: held }, held).run();
  } finally {
    lock.release();
  }
}

class Repair {
  readonly #directory: string;
  readonly #options: RepairOptions;
  readonly #ports: StorePorts;
  readonly #steps: RepairStep[] = [];
  #stepCount = 0;
  #backup: SegmentSurvey | undefined;

  constructor(directory: string, options: RepairOptions, ports: StorePorts) {
    this.#directory = directory;
    this.#options = options;
    this.#ports = ports;
  }

  get #isDry(): boolean {
    return this.#options.dryRun === true;
  }

  async run(): Promise<RepairReport> {
    const { from } = this.#options;
    if (from !== undefined) this.#backup = await SegmentSurvey.open(this.#ports.fs, from);
    try {
      if (this.#backup?.segments.length === 0) throw new StoreError('noStore', `no segments in ${from}/heap`);
      const mending = new HeapMending(this.#directory, this.#ports.fs, this.#backup, {
        isDry: this.#isDry,
        look: () => this.#look(),
        step: (...step) => this.#step(...step),
      });
      await mending.names();
      await mending.headers();
      await this.#finish();
      if (await this.#canBeOpened()) {
        await this.#rest(await mending.octets());
        if (!this.#isDry) await forgetScrub(this.#ports.fs, this.#directory);
      }
      const { findings, notes } = await examine(this.#directory, this.#options);
      return { dryRun: this.#isDry, steps: this.#steps, stepCount: this.#stepCount, findings, notes };
    } finally {
      await this.#backup?.close();
    }
  }

  /** What the last writer, or a repair that was interrupted, left undone is finished, where nothing is in the way. */
  async #finish(): Promise<void> {
    if (this.#isDry) return;
    try {
      await refuseDeadly(this.#ports, this.#directory);
      await (await readFrom(this.#directory, { ...this.#options, idleCommitMs: 0 })).close();
    } catch (error) {
      const isDamaged = (['corrupt', 'lostLog', 'catalogMissing', 'noStore'] as const).some((code) =>
        isStoreError(error, code),
      );
      if (!isDamaged && !isUnreadable(error)) throw error;
    }
  }

  #step(state: FindingState, what: string, action: string): void {
    const step = { state, what, action };
    this.#stepCount++;
    if (this.#steps.length < limits.repairSteps) this.#steps.push(step);
    this.#options.onStep?.(step);
  }

  /** False, and said so, where no header of a heap is left that it could be opened by. */
  async #canBeOpened(): Promise<boolean> {
    try {
      const opened = await openExamined(this.#directory, this.#options);
      await opened.close();
      return true;
    } catch (error) {
      if (!isStoreError(error, 'noStore') && !isStoreError(error, 'corrupt')) throw error;
      this.#step(
        'corruptLog',
        error.message,
        'nothing can be done from what is here: name a backup with --from, or restore one',
      );
      return false;
    }
  }

  #look(): Promise<Look> {
    return lookAt(this.#directory, this.#options);
  }

  async #rest(mended: ReadonlySet<string>): Promise<void> {
    const look = await this.#look();
    const { unsound, interrupted } = look;
    const isLeft = (bad: BadPlace): boolean => !mended.has(placeKey(bad));
    const bad = look.bad.filter(isLeft);
    const tail = look.tail.filter(isLeft);
    const catalog = usable(look.opened);
    const wrong = catalog === undefined || unsound.length > 0 ? [] : await miscounted(catalog, look.opened.heap);
    if (tail.length === 0) {
      for (const { number } of wrong) {
        this.#step('wrongCount', `octets of segment ${number}`, 'they are counted anew');
      }
    }
    if (this.#isDry && unsound.length === 0) await this.#mendMail(look, bad, tail);
    await look.opened.close();
    if (unsound.length > 0) await this.#rebuild(look, tail.length > 0);
    if (this.#isDry) {
      if (unsound.length > 0) {
        const what = 'mail that the heap does not hold';
        this.#step('danglingReference', what, 'it is replaced by a message that says so');
      }
      this.#tellLog(bad, tail);
    } else if (bad.length + tail.length + unsound.length + wrong.length > 0 || interrupted) {
      await this.#mendStore(look, bad, tail);
    }
    if (bad.length + tail.length > 0) {
      // The log alone does not say any more what the catalog knows: this does, for the next rebuild.
      this.#step('corruptLog', 'the log has gaps', 'a checkpoint of the catalog is made, from which a rebuild goes on');
      if (!this.#isDry) await checkpoint(this.#directory, this.#options);
    }
    await this.#unlisted();
  }

  async #rebuild({ unsound, applied, lastSegment }: Look, historyLost: boolean): Promise<void> {
    const action = 'the catalog is made again from the heap';
    for (const { state, area, text } of unsound) this.#step(state, `${area}: ${text}`, action);
    if (this.#isDry) return;
    const beyond = { lsn: applied, segment: lastSegment };
    const despite = { beyond, onDamage: () => undefined };
    const rebuilding = { ...this.#options, despite, retireLost: true, historyLost };
    await rebuild(this.#directory, rebuilding);
    // A checkpoint may hold the contradiction already.
    const again = await this.#look();
    await again.opened.close();
    const states: readonly FindingState[] = ['wrongCount', 'orphan', 'noCatalog'];
    if (!again.unsound.some(({ state }) => states.includes(state))) return;
    await rebuild(this.#directory, { ...rebuilding, full: true });
  }

  /** Opens the store in spite of what is left, closes the account of the log, and replaces what cannot be read. */
  async #mendStore(before: Look, bad: readonly BadPlace[], tail: readonly BadPlace[]): Promise<void> {
    const rebuilt = before.unsound.length > 0;
    const despite = {
      onDamage: (_: Damage) => undefined,
      beyond: { lsn: before.applied, segment: before.lastSegment },
    };
    const store = await Store.open(this.#directory, { ...this.#options, idleCommitMs: 0, despite });
    try {
      const look = { ...before, opened: { ...before.opened, heap: store.heap } };
      const left = rebuilt ? bad.filter(({ state }) => state !== 'missingSegment') : bad;
      this.#tellLog(left, rebuilt ? [] : tail);
      const lost = store.heap.lostSegments().map(({ damage }) => damage.segment);
      if (lost.length > 0 || before.interrupted || (!rebuilt && tail.length > 0)) await this.#loseHistory(store, lost);
      await this.#mendMail(look, left, rebuilt ? [] : tail, store);
      await store.settle();
      const wrong = await miscounted(store.catalog(), store.heap);
      if (wrong.length + lost.length > 0) await store.decide((turn) => decideCounts(turn, lost, wrong));
      const listed = new Set(store.heap.segments().map(({ number }) => number));
      const passed = left.filter(({ place }) => place.bytes > 0 && listed.has(place.segment)).map(({ place }) => place);
      await passOver(this.#ports.fs, this.#directory, store.heap, passed);
    } finally {
      await store.close();
    }
  }

  async #mendMail(look: Look, bad: readonly BadPlace[], tail: readonly BadPlace[], store?: Store): Promise<void> {
    const { opened } = look;
    const catalog = (): Catalog => {
      const now = store === undefined ? usable(opened) : store.catalog();
      invariant(now !== undefined, 'a sound catalog is there');
      return now;
    };
    const heap = store?.heap ?? opened.heap;
    const tell = (what: string, action: string): void => this.#step('badChecksum', what, action);
    const mending = new MailMending(
      { catalog, heap, ...(store !== undefined && { writer: store }) },
      this.#ports.clock,
      tell,
    );
    const own = await SegmentSurvey.open(this.#ports.fs, this.#directory);
    try {
      await mending.run([...bad, ...tail], async (wanted) => {
        const sources: RecordSource[] = [new SurveySource(own, wanted)];
        if (this.#backup !== undefined) sources.unshift(new SurveySource(this.#backup, wanted));
        return new FirstSource(sources);
      });
    } finally {
      await own.close();
    }
  }

  /** What becomes of the log itself. */
  #tellLog(bad: readonly BadPlace[], tail: readonly BadPlace[]): void {
    for (const { state, text, place } of bad) {
      const isContent = ['PART', 'MESSAGE', 'ENTRY'].includes(place.record);
      const action =
        state === 'missingSegment'
          ? 'it is given up: the heap lists it no more, and the epoch rises'
          : `it is passed over from now on${isContent ? '' : '; the catalog has what it said'}`;
      this.#step(state, text, action);
    }
    for (const { state, text } of tail) this.#step(state, text, 'the log goes on behind it, and the epoch rises');
  }

  /**
   * Segments that are lost are listed no more, and the log says that something may be missing: before anything is decided that gives
   * numbers. A crash right behind it leaves rows that lead into no segment, which the next repair takes for a lost end.
   */
  async #loseHistory(store: Store, lost: readonly number[]): Promise<void> {
    const { heap } = store;
    for (const number of lost) {
      const path = `${this.#directory}/heap/${segmentName(number)}`;
      await moveAway(this.#ports.fs, this.#directory, path, `segment-${number}`);
      heap.retire(number);
    }
    await heap.raiseEpoch();
    await store.decide(decideHistoryLost);
    for (const number of lost) await heap.drop(number);
  }

  /** An old segment goes when everything that is named was read without it. A retired one is the writer's to remove. */
  async #unlisted(): Promise<void> {
    const opened = await openExamined(this.#directory, this.#options);
    const unlisted = await opened.foreign().finally(() => opened.close());
    if (unlisted.length === 0) return;
    const { findings } = this.#isDry ? { findings: [] } : await examine(this.#directory, this.#options);
    const isNeeded = findings.some(({ state }) => state !== 'unlistedSegment');
    for (const number of unlisted) {
      const action = isNeeded ? 'it stays: something is still missing' : 'nothing needs it: it goes to lost+found';
      this.#step('unlistedSegment', `segment ${number} has a file and is listed nowhere`, action);
      if (this.#isDry || isNeeded) continue;
      const path = `${this.#directory}/heap/${segmentName(number)}`;
      await moveAway(this.#ports.fs, this.#directory, path, `segment-${number}`);
    }
  }
}
