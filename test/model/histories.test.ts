/** Any history of requests leaves what the model says, through reopening and rebuilding the catalog. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { errorText, type StoreOptions } from '@mstore/store';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { StoreModel } from '../support/store-model.ts';
import { assertClean, simStore, type TempStore, tempStore } from '../support/temp-store.ts';
import { Traffic } from '../support/traffic.ts';
import { compareAll } from './compare.ts';
import { ModelRun } from './model-run.ts';
import { passRetention } from './retained-run.ts';

/** Runs histories, each with a seed of its own that a failure names. */
async function histories(t: TestContext, count: number, one: (random: Random) => Promise<number>): Promise<void> {
  const first = testSeed();
  const isReplay = process.env.MSTORE_TEST_SEED !== undefined;
  const seeds = Array.from({ length: isReplay ? 1 : count }, (_, n) => (first + n) % 2 ** 31);
  let requests = 0;
  for (const seed of seeds) {
    try {
      requests += await one(seededRandom(seed));
    } catch (error) {
      throw new Error(`MSTORE_TEST_SEED=${seed}: ${errorText(error)}`, { cause: error });
    }
  }
  t.diagnostic(`MSTORE_TEST_SEED=${first}: ${seeds.length} histories, ${requests} requests`);
}

/** The catalog made again from the heap, in either way, says what the live one said. */
async function rebuildsAlike(temp: TempStore): Promise<void> {
  await temp.reopen();
  const before = withoutStop(dumpStore(temp.store));
  for (const contentFirst of [false, true]) {
    const { damage } = await temp.rebuild({ contentFirst });
    assert.deepEqual(damage, []);
    assert.deepEqual(difference(withoutStop(dumpStore(temp.store)), before), []);
  }
}

/** Without what the clean stop between the two dumps moves. */
function withoutStop(dump: readonly string[]): string[] {
  return dump.map((line) => line.replace(/ appliedLsn=\d+ batch=\d+| other=\d+/g, ''));
}

/** Steps between two comparisons with the model; one of five looks at content too. */
const compareEvery = counts(10, 50);

async function history(random: Random, temp: TempStore, steps: number): Promise<number> {
  const model = new StoreModel();
  const source = new MessageSource(random.fork());
  let run = new ModelRun(temp.store, model, random, source);
  for (let n = 0; n < 4; n++) await run.burst(1);
  for (let n = 0; n < steps; n++) {
    if (random.chance(0.2)) await run.burst(2 + random.int(12));
    else await run.step();
    if (n % compareEvery === 0) await compareAll(temp.store, model, n % (5 * compareEvery) === 0);
    if (temp.machine !== undefined && random.chance(0.01)) await passRetention(run, temp.machine);
    if (random.chance(0.01)) {
      await temp.reopen();
      run = run.goOnWith(temp.store);
    }
    if (random.chance(counts(0.01, 0.002))) {
      await rebuildsAlike(temp);
      run = run.goOnWith(temp.store);
    }
  }
  await compareAll(temp.store, model, true);
  await rebuildsAlike(temp);
  await compareAll(temp.store, model, true);
  return run.requests;
}

test('any history of requests leaves what the model says', (t) =>
  histories(t, counts(25, 10), async (random) => {
    const options: StoreOptions = { segmentBytes: random.pick([16_384, 65_536, 134_217_728]) };
    await using temp = await simStore(options, { seed: random.int(2 ** 31) });
    return await history(random, temp, counts(150, 10_000));
  }));

test('any history of requests leaves what the model says, on a real disk', (t) =>
  histories(t, counts(2, 2), async (random) => {
    await using temp = await tempStore({ segmentBytes: 65_536, idleCommitMs: 5 });
    return await history(random, temp, counts(100, 10_000));
  }));

test('callers that go on side by side leave a clean store whose catalog can be made again', (t) =>
  histories(t, counts(6, 60), async (random) => {
    await using temp = await simStore({ segmentBytes: 65_536 }, { seed: random.int(2 ** 31) });
    const { store } = temp;
    let fed = 0;
    store.subscribeFeed((changes) => {
      for (const { sequence } of changes) {
        assert.ok(sequence >= fed, `the feed tells ${sequence} after ${fed}`);
        fed = sequence;
      }
    });
    const callers = Array.from(
      { length: 8 },
      () => new Traffic(store, store, random.fork(), new MessageSource(random.fork())),
    );
    for (let n = 0; n < 3; n++) await callers[0]?.request('createAccount');
    await Promise.all(
      callers.map(async (caller) => {
        for (let n = 0; n < counts(40, 100); n++) await caller.step();
      }),
    );
    await store.settle();
    assertNothingTwice(callers.flatMap(({ journal }) => journal.given));
    await assertClean(store);
    await rebuildsAlike(temp);
    return callers.length * counts(40, 100);
  }));

function assertNothingTwice(given: readonly string[]): void {
  assert.deepEqual(given.length, new Set(given).size, 'a UID was given twice');
}
