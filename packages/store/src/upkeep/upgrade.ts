/**
 * Upgrade: a stopped store of an earlier format becomes one of today's. A store's format is its catalog's; segments of every
 * format from 1 on stay as they are and are read beside newer ones. So an upgrade makes a catalog from the log, as a rebuild does,
 * and names it in `CURRENT`. The first batch written afterwards begins a segment of today's format.
 *
 * The crash argument. The steps, and what is there after a crash between any two:
 *
 *   1. take the lock, find the end of the log   what recovery may do at any open: the unproved octets, written once more
 *   2. make a generation, and seal it           the store of before; beside it a generation that nothing names, which the next
 *                                               attempt passes over (it takes a number of its own)
 *   3. name it in CURRENT, by rename            the store of before, or the upgraded one as a whole
 *
 * A log with damage is upgraded only when that is asked for: between 2 and 3 a segment of today's format then says that history
 * was lost. A crash after it leaves the catalog of before beside a newer heap; both releases refuse that, and the upgrade is
 * done again.
 *
 * The way back is the step 3 of before, as long as the heap has no segment of today's format: the old catalog is as it was, and
 * stands for all of the log.
 */
import { type CatalogSums, formatOf, sumsOfFormat1 } from '../catalog/earlier-format.ts';
import { currentGeneration, generationPath, generationsIn, setCurrentGeneration } from '../catalog/generations.ts';
import type { Kv } from '../catalog/kv.ts';
import { catalogFormat } from '../catalog/schema.ts';
import { errnoOf, isStoreError, StoreError } from '../errors.ts';
import { type Damage, Heap, heapFormat } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import { recordType } from '../log/records.ts';
import { brandNumber, type Lsn } from '../types.ts';
import {
  catalogDirectory,
  heapOptions,
  heapPorts,
  lostEnd,
  machinePorts,
  making,
  ofCurrent,
  type StoreOptions,
  type StorePorts,
  takeLock,
} from '../writer/store-directory.ts';
import { makeCatalog } from './rebuild.ts';

export interface UpgradeOptions extends StoreOptions {
  /** Tells what would be done, and what is damaged, and changes nothing; also beside a running writer. */
  readonly dryRun?: boolean;
  /** Goes on where octets of the log are damaged or lost: the log then says that history was lost. */
  readonly despiteDamage?: boolean;
  /** Told of octets of log read so far, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface UpgradeReport {
  /** The format found, and today's; equal when there is nothing to do. */
  readonly from: number;
  readonly to: number;
  /** Whether the store is of today's format now. */
  readonly done: boolean;
  /** The catalog made, when one was; the one in use before, when there was one. */
  readonly generation: number | undefined;
  readonly previous: number | undefined;
  readonly entries: number;
  readonly messages: number;
  /** Octets of log that are read, that the new catalog takes at most by a guess, and that are free (when that can be told). */
  readonly logBytes: number;
  readonly neededBytes: number;
  readonly freeBytes: number | undefined;
  /** Bad places in the log: unless `despiteDamage`, they kept the store from being upgraded. */
  readonly damage: readonly Damage[];
}

/**
 * Upgrades a store that nobody writes; does nothing to one of today's format.
 * @throws {StoreError} locked, noStore, newerFormat, corrupt, diskFull, ioError
 */
export function upgrade(directory: string, options: UpgradeOptions = {}): Promise<UpgradeReport> {
  return making(directory, async () => {
    const ports = options.ports ?? machinePorts;
    if (options.dryRun === true) return new Upgrade(ports, directory, options).plan();
    const lock = takeLock(ports, directory);
    try {
      return await new Upgrade(ports, directory, options).run();
    } finally {
      lock.release();
    }
  });
}

class Upgrade {
  readonly #ports: StorePorts;
  readonly #directory: string;
  readonly #options: UpgradeOptions;
  readonly #damage: Damage[] = [];

  constructor(ports: StorePorts, directory: string, options: UpgradeOptions) {
    this.#ports = ports;
    this.#directory = directory;
    this.#options = options;
  }

  async plan(): Promise<UpgradeReport> {
    const { onDamage } = this;
    const heap = await Heap.openForReading(heapPorts(this.#ports), this.#directory, { onDamage });
    try {
      const report = await this.#look(heap);
      if (report.from === report.to) return report;
      const wantPayload = (type: number): boolean => type !== recordType.part;
      for await (const { location } of heap.scan({ from: brandNumber<Lsn>(0), wantPayload, onDamage })) {
        this.#options.onProgress?.(location.lsn - (heap.segments()[0]?.baseLsn ?? 0), report.logBytes);
      }
      return { ...report, damage: this.#damage };
    } finally {
      await heap.close();
    }
  }

  async run(): Promise<UpgradeReport> {
    const { onDamage } = this;
    const heap = await Heap.openForWriting(heapPorts(this.#ports), this.#directory, {
      ...heapOptions(this.#options),
      onDamage,
    });
    try {
      const report = await this.#look(heap);
      if (report.from === report.to) return report;
      refuseShort(report);
      return await this.#make(heap, report);
    } finally {
      await heap.close();
    }
  }

  readonly onDamage = (found: Damage): void => {
    this.#damage.push(found);
  };

  /** What there is, and what it takes. @throws {StoreError} newerFormat */
  async #look(heap: Heap): Promise<UpgradeReport> {
    const from = (await ofCurrent(this.#ports, this.#directory, formatOf)) ?? heap.format;
    if (from > catalogFormat) {
      throw new StoreError('newerFormat', `the catalog has format ${from}, and this release reads ${catalogFormat}`);
    }
    const catalogs = catalogDirectory(this.#directory);
    const previous = await currentGeneration(this.#ports.fs, catalogs);
    const logBytes = heap.segments().reduce((sum, { baseLsn, endLsn }) => sum + (endLsn - baseLsn), 0);
    const before = previous === undefined ? undefined : await fileBytes(this.#ports, catalogs, previous);
    return {
      from,
      to: catalogFormat,
      done: from === catalogFormat,
      generation: undefined,
      previous,
      entries: 0,
      messages: 0,
      logBytes,
      neededBytes: catalogBytesGuess(before, logBytes) + limits.changesFreeBytes,
      freeBytes: (await this.#ports.space?.(this.#directory))?.freeBytes,
      damage: this.#damage,
    };
  }

  async #make(heap: Heap, report: UpgradeReport): Promise<UpgradeReport> {
    const { onProgress } = this.#options;
    const mayLose = this.#options.despiteDamage === true;
    const before = await ofCurrent(this.#ports, this.#directory, sumsOfFormat1);
    if (before !== undefined && !before.storeId.equals(heap.storeId)) {
      throw new StoreError('corrupt', 'the catalog belongs to another store');
    }
    this.#damage.push(...lostEnd(heap, before?.appliedLsn));
    if (this.#damage.length > 0 && !mayLose) return report;
    const made = await makeCatalog(this.#ports, this.#directory, heap, {
      damage: this.#damage,
      onlyWhole: !mayLose,
      full: true,
      ...(onProgress !== undefined && { onProgress }),
    });
    if (made === undefined) return report;
    const { generation, state } = made;
    if (!mayLose && before !== undefined) refuseDifferent(before, state);
    await setCurrentGeneration(this.#ports.fs, catalogDirectory(this.#directory), generation);
    return { ...report, done: true, generation, entries: state.totals.entries, messages: state.totals.messages };
  }
}

/** Octets of a generation's file; undefined when there is none. */
async function fileBytes(ports: StorePorts, catalogs: string, generation: number): Promise<number | undefined> {
  try {
    const file = await ports.fs.open(`${generationPath(catalogs, generation)}/data.mdb`, 'read');
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Room for a new catalog: half as much again as the old one has, as rows come in another order; else a share of the log. */
function catalogBytesGuess(before: number | undefined, logBytes: number): number {
  return Math.ceil(before === undefined ? logBytes / 4 : before * 1.5);
}

function refuseShort({ neededBytes, freeBytes }: UpgradeReport): void {
  if (freeBytes === undefined || freeBytes >= neededBytes) return;
  const text = `the new catalog stands beside the old one and may take ${neededBytes} octets, of which ${freeBytes} are free`;
  throw new StoreError('diskFull', text, { neededBytes, freeBytes });
}

/** @throws {StoreError} corrupt: of the same log, the catalog made anew does not say what the one in use says */
function refuseDifferent(before: CatalogSums, after: CatalogSums): void {
  if (before.appliedLsn !== after.appliedLsn) return;
  const found: string[] = [];
  const compare = (name: string, old: number, made: number): void => {
    if (old !== made) found.push(`${name} ${made} for ${old}`);
  };
  compare('sequence', before.sequence, after.sequence);
  for (const key of ['entries', 'entryBytes', 'retained', 'messages', 'messageBytes', 'parts', 'partBytes'] as const) {
    compare(key, before.totals[key], after.totals[key]);
  }
  if (found.length === 0) return;
  const text = `the catalog made from the log differs from the one in use (${found.join(', ')})`;
  throw new StoreError('corrupt', `${text}: check the store with the release that wrote it`);
}

/** What became of an attempt to go back: the catalog in use again, or why there is no way. */
export type UndoReport = { readonly generation: number } | { readonly refused: string };

/**
 * Makes the catalog of before an upgrade the current one again, while nothing of today's format was written to the heap.
 * @throws {StoreError} locked, noStore, newerFormat, ioError
 */
export function undoUpgrade(directory: string, options: StoreOptions = {}): Promise<UndoReport> {
  return making(directory, async () => {
    const ports = options.ports ?? machinePorts;
    const lock = takeLock(ports, directory);
    try {
      const onDamage = (): void => undefined;
      const heap = await Heap.openForReading(heapPorts(ports), directory, { onDamage });
      try {
        return await goBack(ports, directory, heap);
      } finally {
        await heap.close();
      }
    } finally {
      lock.release();
    }
  });
}

async function goBack(ports: StorePorts, directory: string, heap: Heap): Promise<UndoReport> {
  const catalogs = catalogDirectory(directory);
  const current = await currentGeneration(ports.fs, catalogs);
  if (heap.format >= heapFormat) {
    const newest = heap.segments().at(-1)?.number ?? 0;
    return {
      refused: `segment ${newest} of the heap is of format ${heap.format}: this release has written to the store`,
    };
  }
  if (current === undefined || (await ofCurrent(ports, directory, formatOf)) !== catalogFormat) {
    return { refused: 'this store was not upgraded' };
  }
  const earlier = (await generationsIn(ports.fs, catalogs)).filter((number) => number < current).reverse();
  for (const generation of earlier) {
    if (!(await isCatalogOf(ports, generationPath(catalogs, generation), heap))) continue;
    await setCurrentGeneration(ports.fs, catalogs, generation);
    return { generation };
  }
  return { refused: 'the catalog of the earlier release is gone: with that release, run mstore rebuild' };
}

/** True when the catalog there is one of format 1, and of this heap as it is or as it was. */
async function isCatalogOf(ports: StorePorts, path: string, heap: Heap): Promise<boolean> {
  let kv: Kv | undefined;
  try {
    kv = await ports.openKv(path, true);
    if (formatOf(kv) !== 1) return false;
    const { storeId, appliedLsn } = sumsOfFormat1(kv);
    return storeId.equals(heap.storeId) && appliedLsn <= heap.durableLsn;
  } catch (error) {
    if (isStoreError(error) || (error instanceof Error && error.name === 'DecodeError')) return false;
    throw error;
  } finally {
    await kv?.close();
  }
}
