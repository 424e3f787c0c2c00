/** A checkpoint of a store beside whoever works on it, and whether one is due. */
import { currentGeneration, isSuspect } from '../../catalog/generations.ts';
import type { Kv } from '../../catalog/kv.ts';
import { stateTable } from '../../catalog/schema.ts';
import { View } from '../../catalog/write-set.ts';
import { StoreError } from '../../errors.ts';
import { Heap } from '../../heap/heap.ts';
import {
  catalogDirectory,
  checkFinished,
  heapPorts,
  isStore,
  machinePorts,
  making,
  openCatalog,
  type StoreOptions,
  type StorePorts,
} from '../../writer/store-directory.ts';
import { checkpointDirectory, isUnusable, listCheckpoints, pruneCheckpoints, readCheckpointHeader } from './read.ts';
import { type MadeCheckpoint, type OnRows, writeCheckpoint } from './write.ts';

export interface CheckpointOptions extends StoreOptions {
  /** Told of rows written so far. */
  readonly onRows?: OnRows;
}

/**
 * Writes a checkpoint of the store as its catalog shows it now, and removes all but the newest ones; durable on return. Reads
 * only, and keeps nobody from anything.
 * @throws {StoreError} noStore, unfinished, locked while another is being made, limitExceeded, diskFull, ioError
 */
export function checkpoint(directory: string, options: CheckpointOptions = {}): Promise<MadeCheckpoint> {
  const ports = options.ports ?? machinePorts;
  return making(directory, () =>
    reading(directory, options, async (kv) => {
      const checkpoints = checkpointDirectory(directory);
      await ports.fs.makeDirectory(checkpoints);
      const lock = ports.lock(`${checkpoints}/lock`);
      if (lock === undefined) throw new StoreError('locked', `a checkpoint of ${directory} is being made already`);
      try {
        await refuseSuspect(ports, directory);
        const made = await writeCheckpoint(ports, kv, checkpoints, options.onRows);
        await ports.fs.syncDirectory(directory);
        await pruneCheckpoints(ports.fs, checkpoints);
        return made;
      } finally {
        lock.release();
      }
    }),
  );
}

/** What a failed device left of a catalog may be wrong, and would go on in what is made of it. @throws {StoreError} ioError */
export async function refuseSuspect({ fs }: Pick<StorePorts, 'fs'>, directory: string): Promise<void> {
  const catalogs = catalogDirectory(directory);
  const generation = await currentGeneration(fs, catalogs);
  if (generation === undefined || !(await isSuspect(fs, catalogs, generation))) return;
  throw new StoreError(
    'ioError',
    `the device of ${catalogs} failed: no checkpoint before the writer made the catalog again`,
  );
}

/** Runs `work` with the store's catalog, open for reading. */
async function reading<T>(directory: string, options: StoreOptions, work: (kv: Kv) => Promise<T>): Promise<T> {
  const ports = options.ports ?? machinePorts;
  await checkFinished(ports.fs, directory);
  if (!(await isStore(ports.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
  const heap = await Heap.openForReading(heapPorts(ports), directory);
  try {
    const kv = await openCatalog(ports, directory, heap, true);
    try {
      return await work(kv);
    } finally {
      await kv.close();
    }
  } finally {
    await heap.close();
  }
}

/** When the next checkpoint is due; 0 for never for this reason. */
export interface DueSettings {
  readonly ageSeconds: number;
  readonly logBytes: number;
}

/**
 * True when something was logged since the newest checkpoint and that is too old, or the log behind it too long.
 * @throws {StoreError} noStore, unfinished, catalogMissing, ioError
 */
export function isCheckpointDue(
  directory: string,
  settings: DueSettings,
  options: StoreOptions = {},
): Promise<boolean> {
  const ports = options.ports ?? machinePorts;
  return reading(directory, options, async (kv) => {
    const state = new View(kv).read(stateTable);
    const [newest] = await listCheckpoints(ports.fs, checkpointDirectory(directory));
    if (state === undefined || settings.ageSeconds + settings.logBytes === 0) return false;
    if (newest === undefined) return state.sequence > 0;
    const header = await readCheckpointHeader(ports.fs, newest.path).catch((error: unknown) => {
      if (!isUnusable(error)) throw error;
    });
    if (header === undefined) return true;
    if (header.sequence >= state.sequence) return false;
    const isOld = settings.ageSeconds > 0 && ports.clock.now() - header.time >= settings.ageSeconds * 1_000;
    return isOld || (settings.logBytes > 0 && state.appliedLsn - header.lsn >= settings.logBytes);
  });
}
