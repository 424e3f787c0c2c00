/** Small JSON files that upkeep leaves for later runs and for people: replaced as a whole, by rename. */
import { dirname } from 'node:path';
import type { z } from 'zod';
import { errnoOf } from '../errors.ts';
import { limits } from '../limits.ts';
import type { FileSystem } from '../sys/fs.ts';

/** What the file holds; undefined when it is not there, or not what is expected: whoever wrote it can do without. */
export async function readKept<T>(fs: FileSystem, path: string, shape: z.ZodType<T>): Promise<T | undefined> {
  try {
    const file = await fs.open(path, 'read');
    try {
      const octets = Buffer.alloc(Math.min(await file.size(), limits.keptFileBytes));
      const length = await file.read(octets, 0, octets.length, 0);
      const parsed = shape.safeParse(JSON.parse(octets.toString('utf8', 0, length)));
      return parsed.success ? parsed.data : undefined;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Replaces the file; durable on return. Its directory is made when it is missing. */
export async function writeKept(fs: FileSystem, path: string, value: object): Promise<void> {
  const directory = dirname(path);
  await fs.makeDirectory(directory);
  const temporary = `${path}.new`;
  await removeKept(fs, temporary);
  const file = await fs.open(temporary, 'create');
  try {
    await file.write([Buffer.from(`${JSON.stringify(value)}\n`)], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, path);
  await fs.syncDirectory(directory);
}

/** Removes the file, where it is there. */
export async function removeKept(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
