import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackOff } from './back-off.ts';
import { limits } from './limits.ts';

test('the first start is at once, the next ones wait twice as long each, up to five seconds', () => {
  const backOff = new BackOff();
  const waits = Array.from({ length: 9 }, () => backOff.after(10));
  assert.deepEqual(waits, [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

test('a run of a minute makes its end the first again', () => {
  const backOff = new BackOff();
  for (let run = 0; run < 5; run++) backOff.after(0);
  assert.equal(backOff.after(limits.steadyMs - 1), 1_600);
  assert.equal(backOff.after(limits.steadyMs), 0);
  assert.equal(backOff.after(0), 100);
});
