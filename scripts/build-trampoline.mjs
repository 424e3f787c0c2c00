/**
 * Builds the native `mstore-lda`, which costs a mail server a hundredth of what starting Node does. It lies beside the
 * TypeScript program, which it runs when no daemon answers. Without a C compiler that program does the whole job.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './process.mjs';

const source = join(root, 'packages/lda/native/mstore-lda.c');
export const trampoline = join(root, 'packages/lda/dist/mstore-lda');

/** ms since 1970; 0 where there is no such file. */
function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Compiles it to `output`, for this Node unless another is given; `words` are the compiler's, or why it did not run. */
export function compileTrampoline(output, { node = process.execPath, options = [] } = {}) {
  mkdirSync(dirname(output), { recursive: true });
  const made = `${output}.${process.pid}`;
  const args = [
    '-std=c11',
    '-O2',
    '-Wall',
    '-Wextra',
    `-DNODE=${JSON.stringify(node)}`,
    ...options,
    '-o',
    made,
    source,
  ];
  const [compiler, ...own] = (process.env.CC || 'cc').split(' ');
  const { error, status, stderr } = spawnSync(compiler, [...own, ...args], { encoding: 'utf8' });
  if (error !== undefined) return { isBuilt: false, words: 'there is no C compiler' };
  if (status !== 0) return { isBuilt: false, words: stderr.trim() };
  // By rename: the old one may be running, and nobody may start half a program.
  renameSync(made, output);
  return { isBuilt: true, words: stderr.trim() };
}

/** Builds it where it is missing or older than its source; returns whether it is there. */
export function buildTrampoline() {
  if (modifiedMs(trampoline) >= modifiedMs(source)) return true;
  const { isBuilt, words } = compileTrampoline(trampoline);
  if (!isBuilt) console.error(`mstore-lda: the slower TypeScript program is used (${words.split('\n', 1)})`);
  return isBuilt;
}
