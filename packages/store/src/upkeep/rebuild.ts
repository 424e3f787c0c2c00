/**
 * Rebuild: a new catalog generation from the newest good checkpoint and the log behind it, or from the heap alone
 * (`rebuilder.ts`). The generation becomes current when it is whole; a crash before leaves the old one, or none, as it was.
 *
 * The old catalog is asked one thing, where it can be: how much of the log it knows. If the log ends before that, octets that were
 * promised are gone, though nothing in the heap shows it: numbers, LSNs and segments then go on above what the old one knew.
 */
import { Catalog } from '../catalog/catalog.ts';
import { generationPath, nextGeneration, setCurrentGeneration } from '../catalog/generations.ts';
import type { Kv } from '../catalog/kv.ts';
import type { StateRow } from '../catalog/rows.ts';
import { View } from '../catalog/write-set.ts';
import { errorText, invariant, StoreError } from '../errors.ts';
import { type Damage, Heap } from '../heap/heap.ts';
import type { FileSystem } from '../sys/fs.ts';
import type { Lsn } from '../types.ts';
import {
  catalogDirectory,
  checkFinished,
  heapOptions,
  heapPorts,
  initializeCatalog,
  knownLog,
  lostEnd,
  machinePorts,
  making,
  refuseOlder,
  type StoreOptions,
  type StorePorts,
  sealCatalog,
  takeLock,
} from '../writer/store-directory.ts';
import {
  checkpointDirectory,
  type FoundCheckpoint,
  isUnusable,
  isWholeFrom,
  listCheckpoints,
  loadCheckpoint,
} from './checkpoint/read.ts';
import { isWholeLog, logStart, Rebuilder, type Restoring } from './rebuilder.ts';

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
  const { damage, restoring, onProgress, contentFirst } = options;
  const { fs } = ports;
  const catalogs = catalogDirectory(directory);
  const checkpoints = options.full === true ? [] : await listCheckpoints(fs, checkpointDirectory(directory));
  let generation = 0;
  const open = async (): Promise<Kv> => {
    generation = await nextGeneration(fs, catalogs);
    return ports.openKv(generationPath(catalogs, generation), false);
  };
  const discard = (): Promise<void> => removeGeneration(ports, directory, generation);
  const onDamage = (found: Damage): void => void damage.push(found);
  const filled = await fillCatalog(heap, { fs, checkpoints, open, discard, onDamage, onProgress, contentFirst });
  const { kv, rebuilder, records, checkpoint, passedOver } = filled;
  let made: MadeCatalog | undefined;
  try {
    if (damage.length > 0 && options.onlyWhole === true) return undefined;
    if (options.retireLost === true) for (const lost of heap.lostSegments()) heap.retire(lost.damage.segment);
    if (restoring !== undefined) await rebuilder.restore(restoring);
    else if (damage.length > 0 || options.historyLost === true) await rebuilder.loseHistory(ports.clock.now());
    await sealCatalog(kv);
    const state = new Catalog(new View(kv)).state();
    invariant(state !== undefined, 'a catalog has a state row');
    made = { generation, records, state, checkpoint, passedOver };
    return made;
  } finally {
    await kv.close();
    if (made === undefined) await discard();
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
  // A restore counts as a loss anyway; a catalog whose device failed is not touched.
  const isAsked = restoring === undefined && options.newCatalog !== true;
  const known = isAsked ? await knownLog(ports, directory) : undefined;
  const beyond = known === undefined ? {} : { beyond: { lsn: known.appliedLsn, segment: known.segment } };
  const heap = await Heap.openForWriting(heapPorts(ports), directory, { ...beyond, ...heapOptions(options), onDamage });
  try {
    // What is restored from a backup of an earlier format is one of today's: its catalog is new, and so is its next segment.
    if (restoring === undefined) await refuseOlder(ports, directory, heap);
    if (known?.storeId.equals(heap.storeId) === true) damage.push(...lostEnd(heap, known.appliedLsn));
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

/** What a catalog is filled from, and where it lies. */
export interface Filling {
  readonly fs: FileSystem;
  /** Newest first. */
  readonly checkpoints: readonly FoundCheckpoint[];
  /** Makes an empty catalog; another one each time. */
  readonly open: () => Promise<Kv>;
  /** Removes the one that was opened last and is closed: it was begun in vain. */
  readonly discard: () => Promise<void>;
  readonly onDamage: (damage: Damage) => void;
  readonly onProgress: RebuildOptions['onProgress'];
  readonly contentFirst?: boolean | undefined;
}

export interface Filled {
  readonly kv: Kv;
  readonly rebuilder: Rebuilder;
  readonly records: number;
  readonly checkpoint: Lsn | undefined;
  readonly passedOver: readonly string[];
}

/** Fills a catalog from the newest checkpoint that is good and the log behind it, or from the log alone. */
export async function fillCatalog(heap: Heap, filling: Filling): Promise<Filled> {
  const { kv, checkpoint, passedOver } = await beginCatalog(heap, filling);
  try {
    const rebuilder = new Rebuilder(heap, kv, filling.onProgress);
    const { onDamage } = filling;
    const inOrder = filling.contentFirst !== true && isWholeLog(heap.segments());
    const from = checkpoint ?? (inOrder ? logStart : undefined);
    const records = await (from === undefined ? rebuilder.run(onDamage) : rebuilder.follow(from, onDamage));
    return { kv, rebuilder, records, checkpoint, passedOver };
  } catch (error) {
    await kv.close();
    await filling.discard();
    throw error;
  }
}

/** A catalog that holds the newest checkpoint that is good, or nothing. */
async function beginCatalog(
  heap: Heap,
  { fs, checkpoints, open, discard }: Filling,
): Promise<Pick<Filled, 'kv' | 'checkpoint' | 'passedOver'>> {
  const passedOver: string[] = [];
  for (const { path, lsn } of checkpoints) {
    if (!isWholeFrom(heap.segments(), lsn)) {
      passedOver.push(`checkpoint ${path}: the log does not go on from it without a gap`);
      continue;
    }
    const kv = await open();
    try {
      await loadCheckpoint(fs, path, heap.storeId, kv);
      return { kv, checkpoint: lsn, passedOver };
    } catch (error) {
      await kv.close();
      await discard();
      if (!isUnusable(error)) throw error;
      passedOver.push(errorText(error));
    }
  }
  const kv = await open();
  await initializeCatalog(kv, heap);
  return { kv, checkpoint: undefined, passedOver };
}
