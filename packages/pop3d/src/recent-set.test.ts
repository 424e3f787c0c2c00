import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentSet } from './recent-set.ts';

test('a thing is there for its time, counted from when it was last added', () => {
  let now = 0;
  const set = new RecentSet<string>({ now: () => now, monotonic: () => now }, 100, 10);
  set.add('a');
  now = 60;
  set.add('a');
  now = 159;
  assert.equal(set.has('a'), true);
  now = 160;
  assert.equal(set.has('a'), false);
});

test('the oldest makes room', () => {
  const set = new RecentSet<number>({ now: () => 0, monotonic: () => 0 }, Number.POSITIVE_INFINITY, 3);
  for (const thing of [1, 2, 1, 3, 4]) set.add(thing);
  assert.deepEqual(
    [1, 2, 3, 4].map((thing) => set.has(thing)),
    [true, false, true, true],
  );
});
