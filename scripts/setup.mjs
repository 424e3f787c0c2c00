/** Makes a checkout ready to run: installs when the lock file says so, then builds what changed. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { linkCommands } from './link-commands.mjs';
import { outputFolders, removeOrphans } from './orphans.mjs';
import { root, run } from './process.mjs';

function modifiedMs(path) {
  return statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** npm writes its hidden lock file last, so an install that was cut short counts as none. */
function isInstalled() {
  return modifiedMs('node_modules/.package-lock.json') >= Math.max(modifiedMs('package-lock.json'), 1);
}

/** Installs and builds; resolves to 0, or to the exit code of the step that failed. */
export async function setup() {
  if (!isInstalled()) {
    // The compiler and the test tools are development dependencies: NODE_ENV=production must not leave them out.
    const code = await run('npm', ['ci', '--include=dev']);
    if (code !== 0) return code;
  }
  for (const folders of outputFolders(root)) removeOrphans(folders);
  const code = await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b']);
  if (code !== 0) return code;
  linkCommands();
  return 0;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = await setup();
