import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots } from './slots.ts';

test('so many at a time, the others in order, and a failure gives its slot back', async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  const ends = new Map<number, (fails: boolean) => void>();
  const work = (number: number): Promise<void> =>
    slots.run(async () => {
      begun.push(number);
      const fails = await new Promise<boolean>((resolve) => ends.set(number, resolve));
      if (fails) throw new Error(`${number}`);
    });
  const running = [1, 2, 3, 4, 5].map(work);
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  assert.deepEqual([begun, slots.waiting], [[1, 2], 3]);
  ends.get(2)?.(true);
  await assert.rejects(running[1] ?? Promise.resolve(), /2/);
  await turn();
  assert.deepEqual([begun, slots.waiting], [[1, 2, 3], 2]);
  for (const number of [1, 3]) ends.get(number)?.(false);
  await turn();
  assert.deepEqual(begun, [1, 2, 3, 4, 5]);
  for (const number of [4, 5]) ends.get(number)?.(false);
  await Promise.all([running[0], running[2], running[3], running[4]]);
  assert.equal(slots.waiting, 0);
});
