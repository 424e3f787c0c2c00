/** After a build: puts the project's commands into `node_modules/.bin`, where `npx` and a PATH entry find them. */
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildTrampoline, trampoline } from './build-trampoline.mjs';
import { root } from './process.mjs';

const commands = [
  { name: 'mstore', program: () => join(root, 'packages/cli/dist/main.js') },
  {
    name: 'mstore-lda',
    program: () => (buildTrampoline() ? trampoline : join(root, 'packages/lda/dist/main.js')),
  },
];

/** Links every command whose program was built; removes the link of one that was not. */
export function linkCommands() {
  const bin = join(root, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  for (const { name, program } of commands) {
    const link = join(bin, name);
    const target = program();
    rmSync(link, { force: true });
    if (!existsSync(target)) continue;
    chmodSync(target, 0o755);
    symlinkSync(relative(bin, target), link);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) linkCommands();
