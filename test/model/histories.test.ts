/** Any history of requests leaves what the model says, through reopening and rebuilding the catalog. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { StoreOptions } from '@mstore/store';
import { assertRebuildsAlike } from '../support/compacted.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { isReplay, sumOfRuns, testSeeds } from '../support/seed.ts';
import { StoreModel } from '../support/store-model.ts';
import { assertClean, simStore, type TempStore, tempStore } from '../support/temp-store.ts';
import { Traffic } from '../support/traffic.ts';
import { compareAll } from './compare.ts';
import { ModelRun } from './model-run.ts';
import { passRetention } from './retained-run.ts';

/** Runs histories, each with a seed of its own that a failure names. */
async function histories(t: TestContext, count: number, one: (random: Random) => Promise<number>): Promise<void> {
  const seeds = testSeeds(count);
  const requests = await sumOfRuns(seeds, (seed) => one(seededRandom(seed)));
  t.diagnostic(`MSTORE_TEST_SEED=${seeds[0]}: ${seeds.length} histories, ${requests} requests`);
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
    if (temp.machine !== undefined && random.chance(0.01)) {
      await passRetention(run, temp.machine);
      await adoptSequence(temp, model);
    }
    if (random.chance(0.01)) {
      await temp.reopen();
      await adoptSequence(temp, model);
      run = run.goOnWith(temp.store);
    }
    if (random.chance(0.03)) {
      await temp.store.compact({ minGarbage: random.pick([0, 0.3, 0.6]), maxRate: 0 });
      // Not due before time passes or the store is opened again.
      if (random.chance(0.5)) takeSequence(temp, model);
      else await adoptSequence(temp, model);
    }
    if (random.chance(counts(0.01, 0.002))) {
      await assertRebuildsAlike(temp);
      await adoptSequence(temp, model);
      run = run.goOnWith(temp.store);
    }
  }
  await compareAll(temp.store, model, true);
  await assertRebuildsAlike(temp);
  await adoptSequence(temp, model);
  await compareAll(temp.store, model, true);
  return run.requests;
}

/** Nothing is left for the store to do by itself at some later time, which would be an event too. */
async function adoptSequence(temp: TempStore, model: StoreModel): Promise<void> {
  await temp.store.dropRetired(true);
  takeSequence(temp, model);
}

/** Upkeep logs events of its own, which clients do not see; a closing store does too. */
function takeSequence({ store }: TempStore, model: StoreModel): void {
  const sequence = store.catalog().state()?.sequence ?? 0;
  assert.ok(sequence >= model.sequence && sequence - model.sequence < 1_000);
  model.sequence = sequence;
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

test('callers that go on side by side leave a clean store whose catalog can be made again', async (t) => {
  let retired = 0;
  await histories(t, counts(6, 60), async (random) => {
    await using temp = await simStore({ segmentBytes: 16_384 }, { seed: random.int(2 ** 31) });
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
    let working = callers.length;
    const compacting = (async () => {
      while (working > 0) {
        const { segments } = await store.compact({ minGarbage: 0.1, maxRate: 0 });
        retired += segments.length;
        await store.dropRetired(random.chance(0.5));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await Promise.all(
      callers.map(async (caller) => {
        for (let n = 0; n < counts(40, 100); n++) await caller.step();
        working--;
      }),
    );
    await compacting;
    await store.settle();
    assertNothingTwice(callers.flatMap(({ journal }) => journal.given));
    await assertClean(store);
    await assertRebuildsAlike(temp);
    return callers.length * counts(40, 100);
  });
  // One history alone may be over before a segment is worth it.
  assert.ok(retired > 0 || isReplay, 'nothing was compacted meanwhile');
});

function assertNothingTwice(given: readonly string[]): void {
  assert.deepEqual(given.length, new Set(given).size, 'a UID was given twice');
}
