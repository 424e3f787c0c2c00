/**
 * Power loss at every moment (`power-loss.ts` says what is done), in processes of their own: at least 10,000 states. And power
 * loss while a store is made, and while its catalog is made again.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createStore, errorText, isStoreError, rebuild, type Store } from '@mstore/store';
import { aside } from '../support/aside.ts';
import { Camera, type CrashImage } from '../support/camera.ts';
import { type Lineage, lineageOf } from '../support/lineage.ts';
import { counts } from '../support/long.ts';
import { seededRandom } from '../support/random.ts';
import { isReplay, testSeed, testSeeds } from '../support/seed.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Journal } from '../support/traffic.ts';
import { film, noTally, openOn, type Round, storeOptions, verify } from './power-loss.ts';

const roundsAtOnce = 2;

/**
 * Runs rounds with seeds of their own, and more of them until there were `statesMin` states; with MSTORE_TEST_SEED, the one that failed.
 * Tells and returns what was looked at.
 */
async function rounds(
  t: TestContext,
  count: number,
  how: Omit<Round, 'seed'>,
  statesMin: number = 0,
): Promise<Record<string, number>> {
  const { kind, perMoment, onDisk } = how;
  const tally: Record<string, number> = {};
  do {
    const seeds = testSeeds(tally.states === undefined ? count : roundsAtOnce);
    const runs = seeds.map((seed) => [kind, seed, perMoment, onDisk].map(String));
    const some = await aside(new URL('./power-loss-round.js', import.meta.url), runs, roundsAtOnce);
    for (const [name, value] of Object.entries(some)) tally[name] = (tally[name] ?? 0) + value;
    t.diagnostic(`MSTORE_TEST_SEED=${seeds[0]}: ${JSON.stringify(some)}`);
  } while (!isReplay && (tally.states ?? 0) < statesMin);
  return isReplay ? {} : tally;
}

test('after power loss at any moment the store is whole, and all that was answered is there', async (t) => {
  const how = { kind: 'requests', perMoment: 2, onDisk: 0.08 } as const;
  const tally = await rounds(t, counts(12, 50), how, counts(10_000, 35_000));
  assert.ok((tally.onDisk ?? Number.POSITIVE_INFINITY) >= 200);
});

test('power loss while what was deleted goes, or comes back, leaves each step whole', async (t) => {
  await rounds(t, counts(1, 4), { kind: 'retention', perMoment: counts(0.2, 1), onDisk: 0.02 });
});

test('power loss while requests and compactions go on leaves what was answered, and a log that says it', async (t) => {
  await rounds(t, counts(1, 4), { kind: 'compaction', perMoment: counts(0.1, 1), onDisk: 0.05 });
});

test('power loss while large parts flow leaves whole messages only', async (t) => {
  await rounds(t, counts(1, 4), { kind: 'largeParts', perMoment: counts(1, 5), onDisk: 0.05 });
});

test('power loss while a store is made leaves none, an empty one, or one to rebuild', async () => {
  const random = seededRandom(testSeed());
  for (let n = 0; n < counts(10, 100); n++) {
    const camera = new Camera(random.fork());
    const machine = new SimMachine(camera.options);
    camera.start(machine, new Journal(), 1);
    await createStore(simDirectory, storeOptions(machine));
    camera.stop();
    for (const image of camera.images) await finishMaking(image);
  }
});

async function finishMaking({ machine, moment }: CrashImage): Promise<void> {
  let store: Store;
  try {
    store = await openOn(machine);
  } catch (error) {
    if (isStoreError(error, 'noStore')) await createStore(simDirectory, storeOptions(machine));
    else if (isStoreError(error, 'catalogMissing')) await rebuild(simDirectory, storeOptions(machine));
    else throw new Error(`power lost ${moment}: ${errorText(error)}`, { cause: error });
    store = await openOn(machine);
  }
  await store.createAccount('a@example.org');
  await assertClean(store);
  await store.close();
}

test('power loss while a catalog is rebuilt leaves the old one, or none', async () => {
  const random = seededRandom(testSeed());
  const camera = new Camera(random.fork());
  const machine = new SimMachine(camera.options);
  await createStore(simDirectory, storeOptions(machine));
  const scene = { machine, camera, journal: new Journal(), random };
  await film(scene, 0, async (traffic) => {
    for (let n = 0; n < 40; n++) await traffic.step();
  });
  const should = await lineageOf(machine.ports, simDirectory);
  for (const withOld of [true, false]) {
    if (!withOld) await machine.loseCatalog();
    camera.start(machine, scene.journal, counts(5, 30));
    await rebuild(simDirectory, storeOptions(machine));
    camera.stop();
    for (const image of camera.images.splice(0)) {
      const missing = await openOn(image.machine).then(
        (store) => store.close().then(() => false),
        (error: unknown) => isStoreError(error, 'catalogMissing'),
      );
      assert.ok(!(missing && withOld), `power lost ${image.moment}: the old catalog is gone`);
      if (missing) await rebuild(simDirectory, storeOptions(image.machine));
      await verify({ ...image, told: scene.journal.snapshot() }, await withClose(image.machine, should), random, {
        tally: noTally(),
        depth: 0,
        onDisk: 0,
      });
    }
  }
});

/** The lineage of the machine's own log: opening and closing it may have added a clean stop. */
async function withClose(machine: SimMachine, should: Lineage): Promise<Lineage> {
  const own = await lineageOf(machine.ports, simDirectory);
  assert.ok(own.lastBatch >= should.lastBatch);
  return own;
}
