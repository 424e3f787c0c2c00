/**
 * Catalog generations: `catalog/<n>/` holds one LMDB environment, `catalog/CURRENT` names the one in use. A new one becomes
 * current by rename, after it is whole and durable; an old one is removed only by name, never truncated under a reader's map.
 */
import { errnoOf, StoreError } from '../errors.ts';
import { replaceFile } from '../sys/files.ts';
import type { FileSystem } from '../sys/fs.ts';

const currentName = 'CURRENT';

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
    throw new StoreError('ioError', `cannot read ${directory}/${currentName}`, {}, error);
  }
}

/** A number above every generation there is or was named. */
export async function nextGeneration(fs: FileSystem, directory: string): Promise<number> {
  await fs.makeDirectory(directory);
  const numbers = (await fs.list(directory)).filter((name) => /^[1-9][0-9]*$/.test(name)).map(Number);
  return Math.max(0, (await currentGeneration(fs, directory)) ?? 0, ...numbers) + 1;
}

export function generationPath(directory: string, generation: number): string {
  return `${directory}/${generation}`;
}

/** Makes a generation current; durable on return. */
export async function setCurrentGeneration(fs: FileSystem, directory: string, generation: number): Promise<void> {
  await replaceFile(fs, `${directory}/${currentName}`, Buffer.from(`${generation}\n`));
}
