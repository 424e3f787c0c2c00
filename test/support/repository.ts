/** Where this checkout is, and which files in it people wrote. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder, with a slash at its end; this module runs from `test/dist/support`. */
export const repositoryRoot: string = fileURLToPath(new URL('../../../', import.meta.url));

const generated = new Set(['node_modules', 'dist', 'var', '.git']);

/** Paths below `folder`, relative to the root and sorted, without what a build or an install made; none when it is absent. */
export function filesBelow(folder: string): string[] {
  const from = join(repositoryRoot, folder);
  if (!existsSync(from)) return [];
  const found: string[] = [];
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (generated.has(entry.name)) continue;
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) found.push(...filesBelow(path));
    else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/** True when `path`, relative to the root, names a file or folder of the checkout. */
export function inRepository(path: string): boolean {
  return existsSync(join(repositoryRoot, path));
}

/** The text of a file, by its path from the root. */
export function readRepositoryFile(path: string): string {
  return readFileSync(join(repositoryRoot, path), 'utf8');
}
