/**
 * A catalog whose device failed, or that lost a transaction: it is marked when its writer ends, and made again before the next one
 * writes. Why it must not be written again stands at the head of catalog/generations.ts.
 */
import { currentGeneration, generationPath, isSuspect, markSuspect, oldGenerations } from '../catalog/generations.ts';
import { suspect } from '../catalog/kv.ts';
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import {
  catalogDirectory,
  machinePorts,
  making,
  type StoreOptions,
  type StorePorts,
} from '../writer/store-directory.ts';
import { rebuildLocked } from './rebuild.ts';

/** True for a failure after which the catalog has to be made again. */
export function isSuspectFailure(error: StoreError): boolean {
  return error.details.suspect === suspect.suspect;
}

/** Notes down what the next writer has to know of a failure; gives the failure as it is to be told. Never waits long for the disk. */
export async function noteFailure(error: StoreError, ports: StorePorts, directory: string): Promise<StoreError> {
  if (!isSuspectFailure(error)) return error;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<StoreError>((resolve) => {
    timer = setTimeout(() => resolve(error), limits.markMs);
  });
  const noted = mark(error, ports, directory).catch(() => error);
  return Promise.race([noted, late]).finally(() => clearTimeout(timer));
}

async function mark(error: StoreError, ports: StorePorts, directory: string): Promise<StoreError> {
  const space = await ports.space?.(directory).catch(() => undefined);
  // A write that comes short on a full disk is reported as a failed one.
  if (space !== undefined && space.freeBytes < limits.shortWriteBytes) {
    return new StoreError('diskFull', `${error.message}, with ${space.freeBytes} octets free`, {}, error);
  }
  const catalogs = catalogDirectory(directory);
  const generation = await currentGeneration(ports.fs, catalogs);
  if (generation !== undefined) await markSuspect(ports.fs, catalogs, generation, error.message);
  return error;
}

/** Makes the catalog again from the heap where its device failed. Who calls this holds the lock. */
export async function replaceSuspect(directory: string, options: StoreOptions): Promise<void> {
  const ports = options.ports ?? machinePorts;
  const catalogs = catalogDirectory(directory);
  const current = await currentGeneration(ports.fs, catalogs);
  if (current === undefined) return;
  const isMarked = await isSuspect(ports.fs, catalogs, current);
  if (!isMarked && options.newCatalog !== true) return;
  const why = isMarked
    ? `writing catalog ${current} failed, as catalog/SUSPECT.${current} says`
    : `catalog ${current} failed the last writer`;
  options.tell?.({ kind: 'rebuilding', why });
  const rebuilding = { ...options, onlyWhole: true };
  const { generation, entries } = await making(directory, () => rebuildLocked(directory, rebuilding));
  options.tell?.({ kind: 'rebuilt', generation, entries });
}

/** Removes catalogs that are no longer in use, and their marks. What cannot be removed now is removed another time. */
export async function removeOld(ports: StorePorts, catalogs: string): Promise<void> {
  try {
    const current = await currentGeneration(ports.fs, catalogs);
    if (current === undefined) return;
    for (const number of await oldGenerations(ports.fs, catalogs, current)) {
      await ports.removeKv?.(generationPath(catalogs, number));
    }
  } catch {
    // Nothing depends on it.
  }
}
