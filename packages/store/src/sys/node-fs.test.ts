import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Quickness } from './node-fs.ts';

/** Calls on a clock in hand; gives whether the next one would be made here. */
function calls(): { make: (ms: number, count?: number) => boolean; wait: (ms: number) => boolean } {
  let now = 0;
  const quickness = new Quickness(() => now);
  const make = (ms: number, count: number = 1): boolean => {
    const call = (): void => {
      now += ms;
    };
    for (let left = count; left > 0; left -= 1) quickness.timed(call);
    return quickness.isQuick;
  };
  const wait = (ms: number): boolean => {
    now += ms;
    return quickness.isQuick;
  };
  return { make, wait };
}

test('calls that others kept from the processor now and then leave the rest where they are', () => {
  const { make } = calls();
  for (let round = 0; round < 100; round += 1) {
    assert.equal(make(4), true);
    assert.equal(make(0.02, 20), true);
  }
});

test('several slow calls close together send the next second elsewhere, and then one more does', () => {
  const { make, wait } = calls();
  assert.deepEqual([make(5), make(0.02, 5), make(5), make(5)], [true, true, true, false]);
  assert.deepEqual([wait(999), wait(1)], [false, true]);
  assert.equal(make(5), false);
  assert.equal(wait(1_000), true);
  assert.equal(make(0.02, 40), true);
  assert.equal(make(5), true);
});

test('one very slow call is enough, and so is one that fails', () => {
  assert.equal(calls().make(60), false);
  let now = 0;
  const quickness = new Quickness(() => now);
  const failing = (): never => {
    now += 100;
    throw new Error('EIO');
  };
  assert.throws(() => quickness.timed(failing), /EIO/);
  assert.equal(quickness.isQuick, false);
});
