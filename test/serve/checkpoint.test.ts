/** A service makes checkpoints by itself, in a process of its own, and ends it with itself. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Checkpoints } from '@mstore/cli/internal/supervisor/checkpoints';
import { openLog } from '@mstore/net';
import { tempStore } from '../support/temp-store.ts';
import { until } from './service.ts';

test('a checkpoint is made when one is due, and again only after news', async () => {
  await using temp = await tempStore();
  await temp.store.createAccount('a@example.org');
  const lines: string[] = [];
  const log = openLog({ name: 'test', to: { write: (line: string) => void lines.push(line) } });
  const checkpoints = new Checkpoints({ directory: temp.directory, log, lookMs: 20 });
  const folder = join(temp.directory, 'checkpoint');
  const made = (): Promise<string[]> =>
    readdir(folder).then(
      (names) => names.filter((name) => name.endsWith('.ckp')),
      () => [],
    );
  try {
    await until('a checkpoint', async () => (await made()).length === 1);
    await until('a line of the log', () => lines.some((line) => line.includes('checkpoint made')));
    await temp.store.createAccount('b@example.org');
    // Neither a day nor 4 GiB of log have passed.
    await checkpoints.looked();
    await checkpoints.looked();
    assert.equal((await made()).length, 1);
  } finally {
    checkpoints.stop();
  }
  assert.equal(lines.filter((line) => line.includes('checkpoint made')).length, 1);
  assert.deepEqual(
    lines.filter((line) => line.includes('no checkpoint')),
    [],
  );
});

test('a checkpoint that fails is told in the log, and what stops the service stops it', async () => {
  const lines: string[] = [];
  const log = openLog({ name: 'test', to: { write: (line: string) => void lines.push(line) } });
  const checkpoints = new Checkpoints({ directory: '/nonexistent', log, lookMs: 20 });
  await until('a line of the log', () => lines.some((line) => line.includes('no store in /nonexistent')));
  checkpoints.stop();
  await checkpoints.looked();
});

test('a process that the system refuses for a checkpoint costs that checkpoint alone', async () => {
  const lines: string[] = [];
  const log = openLog({ name: 'test', to: { write: (line: string) => void lines.push(line) } });
  // More than the system takes for one argument: spawn throws, as it does where there is no memory.
  const checkpoints = new Checkpoints({ directory: `/${'x'.repeat(1_048_576)}`, log, lookMs: 20 });
  await until('two looks', () => lines.filter((line) => line.includes('E2BIG')).length >= 2);
  checkpoints.stop();
  await checkpoints.looked();
});
