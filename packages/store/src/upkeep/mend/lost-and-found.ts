/** `lost+found/`: what a repair takes out of use is kept there, for those who know more; nothing reads it. */
import { errnoOf } from '../../errors.ts';
import type { FileSystem } from '../../sys/fs.ts';

const folder = (directory: string): string => `${directory}/lost+found`;

/** A path below lost+found that is free. */
async function freePath(fs: FileSystem, directory: string, name: string): Promise<string> {
  await fs.makeDirectory(folder(directory));
  const taken = new Set(await fs.list(folder(directory)));
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? name : `${name}.${n}`;
    if (!taken.has(candidate)) return `${folder(directory)}/${candidate}`;
  }
}

/** Keeps octets under a name; durable on return. */
export async function keepOctets(fs: FileSystem, directory: string, name: string, octets: Buffer): Promise<void> {
  const file = await fs.open(await freePath(fs, directory, name), 'create');
  try {
    await file.write([octets], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await fs.syncDirectory(folder(directory));
}

/** Moves a file of `heap/` there, if it is there; durable on return. */
export async function moveAway(fs: FileSystem, directory: string, path: string, name: string): Promise<void> {
  const target = await freePath(fs, directory, name);
  try {
    await fs.rename(path, target);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return;
  }
  await fs.syncDirectory(folder(directory));
  await fs.syncDirectory(`${directory}/heap`);
}
