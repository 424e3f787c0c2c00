import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError } from '../errors.ts';
import type { Heap } from './heap.ts';
import { append, highWater, newHeap, openToWrite, texts } from './heap-support.test.ts';
import { errnoError, type MemoryFs } from './memory-fs.test.ts';

/** Repeatable randomness (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides);
  };
}

/** What may be in the log, batch by batch: the acknowledged ones, and failed ones that no later header has voided. */
interface History {
  acknowledged: string[][];
  doubtful: string[][];
}

async function appendSome(heap: Heap, roll: (sides: number) => number, history: History, round: number): Promise<void> {
  const batch = Array.from({ length: roll(4) }, (_, index) => `${round}.${index}`.padEnd(8 + roll(900), '.'));
  try {
    await append(heap, ...batch);
    history.acknowledged.push(batch);
    history.doubtful = [];
  } catch (error) {
    assert.ok(isStoreError(error));
    if (batch.length > 0) history.doubtful.push(batch);
  }
}

/** Commits a clean stop; false when the heap cannot. */
async function stopped(heap: Heap): Promise<boolean> {
  try {
    await heap.commit(heap.begin(highWater), { cleanStop: true });
    return true;
  } catch (error) {
    assert.ok(isStoreError(error));
    return false;
  }
}

/** Every acknowledged batch in order, then at most one doubtful one whole; what was found counts from now on. */
function settle(found: string[], history: History, seed: number): void {
  const sure = history.acknowledged.flat();
  assert.deepEqual(found.slice(0, sure.length), sure, `seed ${seed}`);
  const rest = found.slice(sure.length);
  if (rest.length > 0) {
    const whole = history.doubtful.some((batch) => JSON.stringify(batch) === JSON.stringify(rest));
    assert.ok(whole, `seed ${seed}: ${rest.length} records that no batch explains`);
    history.acknowledged.push(rest);
  }
  history.doubtful = [];
}

test('through random errors, power cuts and reopenings: acknowledged or absent, never half', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const roll = dice(seed);
    const history: History = { acknowledged: [], doubtful: [] };
    let { fs, heap } = await newHeap();
    for (let round = 0; round < 25; round++) {
      const failing = roll(5) === 0 ? fs.calls.length + roll(5) : -1;
      const code = roll(2) === 0 ? 'EIO' : 'ENOSPC';
      fs.tornBytes = roll(600);
      fs.fault = (index) => (index === failing ? errnoError(code) : undefined);
      await appendSome(heap, roll, history, round);
      fs.fault = () => undefined;
      if (roll(6) > 0) continue;
      const end = roll(4);
      if (end === 0) {
        // Power fails in the middle of a batch.
        fs.fault = (_index, call) => (call === 'datasync' ? errnoError('EIO') : undefined);
        await appendSome(heap, roll, history, round + 1000);
        const odds = roll(5);
        fs = fs.powerCut(64, () => roll(4) < odds);
      } else if (end === 1) {
        if (await stopped(heap)) history.doubtful = [];
        fs = fs.copy();
      } else {
        fs = end === 2 ? fs.copy() : fs.powerCut(64, () => false);
      }
      heap = await openToWrite(fs, `${seed}.${round}`);
      settle(await texts(heap), history, seed);
      assert.deepEqual(heap.report.missing, []);
      assert.deepEqual(heap.report.damaged, []);
    }
    assert.deepEqual(await texts(heap), history.acknowledged.flat());
  }
});

test('octets turned over anywhere open as they were, or shorter in the tail, or are refused: never as something else', async () => {
  const { fs, heap } = await newHeap();
  for (let round = 0; round < 12; round++) await append(heap, `${round}`.padEnd(700, '.'), `${round}!`);
  const whole = await texts(heap);
  const paths = [...fs.files.keys()];
  for (let seed = 1; seed <= 600; seed++) {
    const roll = dice(seed);
    const copy: MemoryFs = fs.copy();
    const { octets } = copy.file(paths[roll(paths.length)]!);
    const from = roll(octets.length);
    for (let at = from; at < Math.min(octets.length, from + 1 + roll(200)); at++) octets[at] = roll(256);
    try {
      const again = await openToWrite(copy, 'again');
      const found = await texts(again);
      assert.deepEqual(found, whole.slice(0, found.length), `seed ${seed}`);
    } catch (error) {
      assert.ok(isStoreError(error, 'corrupt') || isStoreError(error, 'newerFormat'), `seed ${seed}: ${error}`);
    }
  }
});
