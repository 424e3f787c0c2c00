import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Returns } from './returns.ts';

/** A clock that is put forward by hand, and whether a wait is over. */
function scene(): { readonly returns: Returns; at(ms: number): void; isWorth(): Promise<boolean> } {
  let ms = 0;
  const returns = new Returns({ now: () => 0, monotonic: () => ms });
  return {
    returns,
    at: (then) => {
      ms = then;
    },
    isWorth: async () => {
      let isOver = false;
      const waiting = returns.wait().then(() => {
        isOver = true;
      });
      await Promise.resolve();
      await Promise.resolve();
      const isWorth = !isOver;
      const back = ms;
      ms = Number.POSITIVE_INFINITY;
      // The clock has passed them: the next question ends the wait.
      returns.asked();
      await waiting;
      ms = back;
      return isWorth;
    },
  };
}

test('who was just answered is waited for, until all are back', async () => {
  const { returns, at, isWorth } = scene();
  assert.equal(await isWorth(), false);
  returns.answered(3, 10);
  at(1);
  assert.equal(await isWorth(), true);
  for (let back = 0; back < 3; back += 1) returns.asked();
  assert.equal(await isWorth(), false);
});

test('who does not come back in time is waited for no longer', async () => {
  const { returns, at, isWorth } = scene();
  returns.answered(3, 10);
  at(10);
  assert.equal(await isWorth(), false);
});

test('where hardly anybody comes back, nobody is waited for, until they do again', async () => {
  const { returns, at, isWorth } = scene();
  for (let round = 0; round < 5; round += 1) {
    at(round * 100);
    returns.answered(4, 10);
  }
  assert.equal(await isWorth(), false);
  for (let round = 5; round < 12; round += 1) {
    at(round * 100);
    returns.answered(4, 10);
    for (let back = 0; back < 4; back += 1) returns.asked();
  }
  at(1_200);
  returns.answered(4, 10);
  assert.equal(await isWorth(), true);
});

test('a store that closes waits for nobody', async () => {
  const { returns } = scene();
  returns.answered(1, 60_000);
  const waiting = returns.wait();
  returns.end();
  await waiting;
});
