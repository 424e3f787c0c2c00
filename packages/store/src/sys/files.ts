/** What is done with small files again and again, over the port of `fs.ts`. Errors are the port's. */
import { dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { FileSystem } from './fs.ts';

export async function removeIfThere(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Names in a directory, sorted; none where there is no such directory. */
export async function listIfThere(fs: FileSystem, directory: string): Promise<string[]> {
  try {
    return await fs.list(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

export async function isFileThere(fs: FileSystem, path: string): Promise<boolean> {
  try {
    const file = await fs.open(path, 'read');
    await file.close();
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}

/** A file's octets; undefined where there is none. */
export async function readIfThere(fs: FileSystem, path: string): Promise<Buffer | undefined> {
  if (!(await isFileThere(fs, path))) return undefined;
  const file = await fs.open(path, 'read');
  try {
    const octets = Buffer.allocUnsafe(await file.size());
    let done = 0;
    while (done < octets.length) {
      const got = await file.read(octets, done, octets.length - done, done);
      if (got === 0) break;
      done += got;
    }
    return octets.subarray(0, done);
  } finally {
    await file.close();
  }
}

/** Puts a file with these octets in the place of the one there is, as a whole; durable on return. */
export async function replaceFile(fs: FileSystem, path: string, octets: Buffer): Promise<void> {
  const temporary = `${path}.new`;
  await removeIfThere(fs, temporary);
  const file = await fs.open(temporary, 'create');
  try {
    await file.write([octets], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await fs.rename(temporary, path);
  await fs.syncDirectory(dirname(path));
}
