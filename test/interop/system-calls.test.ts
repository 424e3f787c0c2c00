/** What a delivery asks of the kernel, as strace sees it: no file and no name of its own, and one flush. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Store } from '@mstore/store';
import { requireProgram } from '../support/interop.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('../support/delivering.js', import.meta.url));

/** Calls that make, open or take away names; those an architecture lacks are passed over (`?`). */
const nameCalls = [
  'open',
  'openat',
  'creat',
  'rename',
  'renameat',
  'renameat2',
  'link',
  'linkat',
  'symlink',
  'symlinkat',
]
  .concat(['unlink', 'unlinkat', 'mkdir', 'mkdirat', 'rmdir', 'ftruncate', 'truncate'])
  .map((name) => `?${name}`);
/** More of them than this in ten times as many deliveries are no accident of the runtime. */
const few = 5;

interface Calls {
  readonly names: number;
  readonly heapSyncs: number;
  readonly allSyncs: number;
}

async function callsOf(strace: string, deliveries: number): Promise<Calls> {
  await using temp = await tempDirectory();
  const directory = join(temp.path, 'store');
  const log = join(temp.path, 'calls');
  const traced = [...nameCalls, 'fsync', 'fdatasync'].join(',');
  // -y writes each descriptor's path behind it.
  const args = ['-f', '-y', '-e', `trace=${traced}`, '-o', log, process.execPath, program, directory, `${deliveries}`];
  await run(strace, args);
  const store = await Store.open(directory);
  try {
    assert.equal(store.catalog().state()?.totals.entries, deliveries);
    await assertClean(store);
  } finally {
    await store.close();
  }
  const calls = { names: 0, heapSyncs: 0, allSyncs: 0 };
  for (const line of (await readFile(log, 'latin1')).split('\n')) {
    // A call that was interrupted by another thread's has a second line, `<... name resumed>`, which is not counted.
    const [, name, rest = ''] = /^\d+ +(\w+)\((.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    if (!name.endsWith('sync')) calls.names++;
    else {
      calls.allSyncs++;
      if (/^\d+<[^>]*\.seg>/.test(rest)) calls.heapSyncs++;
    }
  }
  return calls;
}

test('deliveries make, open and remove no files, and flush the heap once each', async (t) => {
  const strace = requireProgram(t, 'strace');
  if (strace === undefined) return;
  const deliveries = 50;
  const one = await callsOf(strace, deliveries);
  const ten = await callsOf(strace, 10 * deliveries);
  t.diagnostic(`${deliveries} deliveries: ${JSON.stringify(one)}; ${10 * deliveries}: ${JSON.stringify(ten)}`);
  assert.ok(one.names > 0 && one.heapSyncs >= deliveries, 'strace saw nothing');
  assert.ok(ten.names - one.names <= few, `${ten.names - one.names} more files and names`);
  // What is beyond the deliveries is making, opening and closing the store: the same for both.
  assert.ok(one.heapSyncs <= deliveries + 10, `${one.heapSyncs} flushes`);
  assert.ok(ten.heapSyncs - one.heapSyncs <= 9 * deliveries + few, `${ten.heapSyncs} flushes`);
});
