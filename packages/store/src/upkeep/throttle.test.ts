import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Throttle } from './throttle.ts';

/** A clock that each look moves on by so many ms. */
function steppingClock(stepMs: number) {
  let ms = 0;
  return { now: () => ms, monotonic: () => (ms += stepMs) };
}

test('short work with octets to spare goes on at once', () => {
  const throttle = new Throttle(steppingClock(0.1), Number.POSITIVE_INFINITY, () => true);
  throttle.work(() => undefined);
  assert.equal(throttle.spend(1_000_000), undefined);
});

test('after a slice of work others get a turn, and a longer one while they work', async () => {
  for (const [isBusy, least, most] of [
    [false, 0, 8],
    [true, 15, 1_000],
  ] as const) {
    const throttle = new Throttle(steppingClock(5), Number.POSITIVE_INFINITY, () => isBusy);
    throttle.work(() => undefined);
    const rest = throttle.spend(0);
    assert.ok(rest !== undefined);
    const start = performance.now();
    await rest;
    const waited = performance.now() - start;
    assert.ok(waited >= least, `${waited} ms`);
    // A busy machine may take its time; the rest itself is short.
    assert.ok(waited < most + 1_000, `${waited} ms`);
  }
});

test('octets beyond the rate are waited for', async () => {
  let ms = 0;
  const clock = { now: () => ms, monotonic: () => ms };
  const throttle = new Throttle(clock, 1_000, () => false);
  assert.equal(throttle.spend(1), undefined);
  const start = performance.now();
  const rest = throttle.spend(50);
  assert.ok(rest !== undefined);
  await rest;
  assert.ok(performance.now() - start >= 45);
  ms = 10_000;
  assert.equal(throttle.spend(1), undefined, 'what was not used in time is not saved up for long');
});
