/** Whether a file is there, and the files below a folder. Hidden ones are left out; a link to a file counts as one, a link to a folder is not followed. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '@mstore/store';

export interface TreeFile {
  readonly path: string;
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

/** In order of name, a folder's files before its folders. */
export async function filesBelow(root: string, folders: readonly string[] = []): Promise<TreeFile[]> {
  const found: TreeFile[] = [];
  const deeper: string[] = [];
  const entries = await readdir(join(root, ...folders), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => order.compare(a.name, b.name))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(root, ...folders, entry.name);
    if (entry.isDirectory()) deeper.push(entry.name);
    else if (entry.isFile() || (entry.isSymbolicLink() && (await stat(path)).isFile())) {
      found.push({ path, folders, name: entry.name });
    }
  }
  for (const name of deeper) for (const file of await filesBelow(root, [...folders, name])) found.push(file);
  return found;
}
