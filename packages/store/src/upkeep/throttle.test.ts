import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Throttle } from './throttle.ts';

/** A clock that moves when it is told to, and by what is slept. */
function handClock() {
  let ms = 0;
  const slept: number[] = [];
  return {
    slept,
    clock: { now: () => ms, monotonic: () => ms },
    pass: (some: number): void => {
      ms += some;
    },
    sleep: async (some: number): Promise<void> => {
      slept.push(some);
      ms += some;
    },
  };
}

test('short work with octets to spare goes on at once', () => {
  const { clock, sleep, pass } = handClock();
  const throttle = new Throttle(clock, Number.POSITIVE_INFINITY, () => true, sleep);
  throttle.work(() => pass(0.1));
  assert.equal(throttle.spend(1_000_000), undefined);
});

test('after a slice of work others get a turn, and four times as long while they work', async () => {
  for (const [isBusy, rests] of [
    [false, []],
    [true, [20]],
  ] as const) {
    const { clock, sleep, pass, slept } = handClock();
    const throttle = new Throttle(clock, Number.POSITIVE_INFINITY, () => isBusy, sleep);
    throttle.work(() => pass(5));
    let hadTurn = false;
    setImmediate(() => {
      hadTurn = true;
    });
    const rest = throttle.spend(0);
    assert.ok(rest !== undefined);
    await rest;
    assert.deepEqual(slept, rests);
    if (!isBusy) assert.ok(hadTurn, 'what waits in the event loop comes first');
    assert.equal(throttle.spend(0), undefined, 'one rest for one slice');
  }
});

test('time in which others worked is not held against upkeep', () => {
  const { clock, sleep, pass } = handClock();
  const throttle = new Throttle(clock, Number.POSITIVE_INFINITY, () => true, sleep);
  throttle.work(() => pass(1));
  pass(1_000);
  assert.equal(throttle.spend(0), undefined);
});

test('octets beyond the rate are waited for', async () => {
  const { clock, sleep, pass, slept } = handClock();
  const throttle = new Throttle(clock, 1_000, () => false, sleep);
  assert.equal(throttle.spend(1), undefined);
  await throttle.spend(50);
  assert.deepEqual(slept, [51]);
  pass(10_000);
  assert.equal(throttle.spend(1_001), undefined, 'what was not used for a second may be made good');
  await throttle.spend(50);
  assert.deepEqual(slept, [51, 51], 'what was not used for longer is not saved up');
});
