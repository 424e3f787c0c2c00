/**
 * Whether a file is there, and the files below a folder. Hidden ones are left out; a link to a file counts as one, a link to a folder
 * is not followed. Paths are octets: a name that is not UTF-8 leads nowhere as text.
 */
import { isUtf8 } from 'node:buffer';
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { errnoOf } from '@mstore/store';

/** Something in a folder. */
export interface Named {
  readonly name: string;
  readonly path: Buffer;
  readonly entry: Dirent<Buffer>;
}

export interface TreeFile {
  readonly path: Buffer;
  readonly folders: readonly string[];
  readonly name: string;
}

/** Whether anything is at a path. @throws what else `stat` fails with */
export async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Numbers in names count as numbers, so that 10.eml comes after 9.eml. */
const order = new Intl.Collator('en', { numeric: true });

/** What is in a folder; names that are not UTF-8 are read as Latin-1. */
export async function namedIn(folder: Buffer): Promise<Named[]> {
  const entries = await readdir(folder, { encoding: 'buffer', withFileTypes: true });
  return entries.map((entry) => ({
    name: entry.name.toString(isUtf8(entry.name) ? 'utf8' : 'latin1'),
    path: below(folder, entry.name),
    entry,
  }));
}

/** The path of a name in a folder. */
export function below(folder: Buffer, name: Buffer | string): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), typeof name === 'string' ? Buffer.from(name) : name]);
}

/** In order of name, a folder's files before its folders. */
export function filesBelow(root: string): Promise<TreeFile[]> {
  return filesIn(Buffer.from(root), []);
}

async function filesIn(folder: Buffer, folders: readonly string[]): Promise<TreeFile[]> {
  const found: TreeFile[] = [];
  const deeper: Named[] = [];
  for (const named of (await namedIn(folder)).sort((a, b) => order.compare(a.name, b.name))) {
    const { name, path, entry } = named;
    if (name.startsWith('.')) continue;
    if (entry.isDirectory()) deeper.push(named);
    else if (entry.isFile() || (entry.isSymbolicLink() && (await stat(path)).isFile())) {
      found.push({ path, folders, name });
    }
  }
  for (const { name, path } of deeper) for (const file of await filesIn(path, [...folders, name])) found.push(file);
  return found;
}
