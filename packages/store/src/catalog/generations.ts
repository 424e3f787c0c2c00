/**
 * Catalog generations: `catalog/<n>/` holds one LMDB environment, `catalog/CURRENT` names the one in use. A new one becomes
 * current by rename, after it is whole and durable; an old one is removed only by name, never truncated under a reader's map.
 *
 * `catalog/SUSPECT.<n>` says that the device failed while generation n was written. After a failed sync the kernel may hold pages as
 * clean that the disk never got, and a process that starts then reads them and builds on them. So the next writer makes a new
 * generation from the heap. The file's being there is the mark, so that it needs no free block; its text is for people. Crash
 * before the new generation is current: the mark is there, it is made again. After: the mark is an old generation's, and removed.
 */
import { errnoOf, errorText, StoreError } from '../errors.ts';
import { replaceFile } from '../sys/files.ts';
import type { FileSystem } from '../sys/fs.ts';

const currentName = 'CURRENT';
const suspectPrefix = 'SUSPECT.';

/** The generation in use, or undefined when there is none to be named. */
export async function currentGeneration(fs: FileSystem, directory: string): Promise<number | undefined> {
  try {
    const file = await fs.open(`${directory}/${currentName}`, 'read');
    try {
      const octets = Buffer.alloc(16);
      const length = await file.read(octets, 0, octets.length, 0);
      const text = octets.toString('latin1', 0, length).trim();
      return /^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : undefined;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new StoreError('ioError', `cannot read ${directory}/${currentName}: ${errorText(error)}`, {}, error);
  }
}

/** The file that names the generation in use; another one takes its place with the next generation. */
export function currentPath(directory: string): string {
  return `${directory}/${currentName}`;
}

/** The numbers of the generations that have a directory, rising. */
export async function generationsIn(fs: FileSystem, directory: string): Promise<number[]> {
  const numbers = (await fs.list(directory)).filter(isGeneration).map(Number);
  return numbers.sort((a, b) => a - b);
}

/** Whether a name beside `CURRENT` can be a generation's, or that of its mark. */
export function isGenerationFile(name: string): boolean {
  return isGeneration(name.startsWith(suspectPrefix) ? name.slice(suspectPrefix.length) : name);
}

function isGeneration(name: string): boolean {
  return /^[1-9][0-9]*$/.test(name);
}

/** A number above every generation there is or was named. */
export async function nextGeneration(fs: FileSystem, directory: string): Promise<number> {
  await fs.makeDirectory(directory);
  const highest = (await generationsIn(fs, directory)).at(-1) ?? 0;
  return Math.max(highest, (await currentGeneration(fs, directory)) ?? 0) + 1;
}

export function generationPath(directory: string, generation: number): string {
  return `${directory}/${generation}`;
}

/** Makes a generation current; durable on return. */
export async function setCurrentGeneration(fs: FileSystem, directory: string, generation: number): Promise<void> {
  await replaceFile(fs, `${directory}/${currentName}`, Buffer.from(`${generation}\n`));
}

/** Marks a generation as not to be written again; durable on return. */
export async function markSuspect(fs: FileSystem, directory: string, generation: number, why: string): Promise<void> {
  const path = `${directory}/${suspectPrefix}${generation}`;
  try {
    const file = await fs.open(path, 'create');
    try {
      await file.write([Buffer.from(`${why}\n`)], 0);
    } catch {
      // The name says enough.
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  await fs.syncDirectory(directory);
}

/** True when a generation must not be written again. */
export async function isSuspect(fs: FileSystem, directory: string, generation: number): Promise<boolean> {
  return (await namesIn(fs, directory)).includes(`${suspectPrefix}${generation}`);
}

/** Numbers of the generations that are there beside the one in use; the marks of others than it are removed. */
export async function oldGenerations(fs: FileSystem, directory: string, current: number): Promise<number[]> {
  const names = await namesIn(fs, directory);
  const marks = names.filter((name) => name.startsWith(suspectPrefix) && name !== `${suspectPrefix}${current}`);
  for (const name of marks) await removeIfThere(fs, `${directory}/${name}`);
  const numbers = names.filter(isGeneration).map(Number);
  return numbers.filter((number) => number !== current);
}

async function namesIn(fs: FileSystem, directory: string): Promise<string[]> {
  try {
    return await fs.list(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new StoreError('ioError', `cannot read ${directory}: ${errorText(error)}`, {}, error);
  }
}

async function removeIfThere(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
