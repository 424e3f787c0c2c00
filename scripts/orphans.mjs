/**
 * Compiled files outlive their source: the compiler never removes what it wrote. A test whose source is gone would go on
 * running, so the build starts by removing what no source accounts for.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const compiled = /\.(?:js|js\.map|d\.ts|d\.ts\.map)$/;

/** Each `dist` of the repository with the folder its sources lie in. */
export function outputFolders(root) {
  const folders = [{ source: join(root, 'test'), output: join(root, 'test', 'dist') }];
  const packages = join(root, 'packages');
  if (!existsSync(packages)) return folders;
  for (const name of readdirSync(packages)) {
    folders.push({ source: join(packages, name, 'src'), output: join(packages, name, 'dist') });
  }
  return folders;
}

/** Removes compiled files in `output` whose `.ts` is not in `source`, and folders left empty; returns their paths. */
export function removeOrphans({ source, output }) {
  if (!existsSync(output)) return [];
  const removed = [];
  for (const entry of readdirSync(output, { withFileTypes: true })) {
    const path = join(output, entry.name);
    if (entry.isDirectory()) {
      removed.push(...removeOrphans({ source: join(source, entry.name), output: path }));
      if (readdirSync(path).length === 0) rmdirSync(path);
    } else if (compiled.test(entry.name) && !existsSync(join(source, entry.name.replace(compiled, '.ts')))) {
      rmSync(path);
      removed.push(path);
    }
  }
  return removed;
}
