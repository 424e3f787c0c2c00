import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { LongestTurn } from './longest-turn.ts';

const skip = existsSync('/proc/self/schedstat') ? false : 'the kernel does not tell how long a thread ran';
const turns = async (count: number): Promise<void> => {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
};

test('a turn that computes is as long as it computes', async () => {
  const longest = new LongestTurn();
  await turns(3);
  const from = process.cpuUsage();
  let used = 0;
  // Of all threads; the others have nothing to do.
  while (used < 60_000) {
    const { user, system } = process.cpuUsage(from);
    used = user + system;
  }
  await turns(3);
  assert.ok(longest.stop() >= 30);
});

test('a turn that has to wait for the processor is not long', { skip }, async () => {
  const longest = new LongestTurn();
  await turns(3);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
  await turns(3);
  assert.ok(longest.stop() < 30);
});
