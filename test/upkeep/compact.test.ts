/** Compaction changes nothing that clients see, leaves a store that can be rebuilt without what went, and gives space back. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { assertRebuildsAlike, compactAll, seen } from '../support/compacted.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { sumOfRuns, testSeeds } from '../support/seed.ts';
import { assertClean, simStore } from '../support/temp-store.ts';
import { Traffic } from '../support/traffic.ts';

test('random work, compacted again and again, is seen as it was and rebuilt as it is', async (t: TestContext) => {
  const seeds = testSeeds(counts(12, 200));
  const segments = await sumOfRuns(seeds, history);
  t.diagnostic(`MSTORE_TEST_SEED=${seeds[0]}: ${segments} segments retired`);
  assert.ok(segments > 0);
});

async function history(seed: number): Promise<number> {
  const random = seededRandom(seed);
  await using temp = await simStore({ segmentBytes: random.pick([8_192, 32_768, 262_144]) }, { seed });
  const source = new MessageSource(random.fork());
  let retired = 0;
  for (let round = 0; round < 6; round++) {
    const traffic = new Traffic(temp.store, temp.store, random, source);
    for (let n = 0; n < 3; n++) await traffic.request('createAccount');
    for (let n = 0; n < 60; n++) await traffic.step();
    await temp.store.settle();
    const before = seen(dumpStore(temp.store));
    const report = await temp.store.compact({ minGarbage: random.pick([0, 0.2, 0.5]), maxRate: 0 });
    assert.deepEqual(report.kept, []);
    retired += report.segments.length;
    await temp.store.settle();
    assert.deepEqual(difference(seen(dumpStore(temp.store)), before), [], `round ${round}`);
    await assertClean(temp.store);
    if (random.chance(0.5)) await temp.store.dropRetired(true);
    await temp.store.settle();
    await assertClean(temp.store);
    if (random.chance(0.6)) await assertRebuildsAlike(temp);
    assert.deepEqual(difference(seen(dumpStore(temp.store)), before), [], `round ${round}, rebuilt`);
  }
  await compactAll(temp.store);
  await assertRebuildsAlike(temp);
  return retired;
}
