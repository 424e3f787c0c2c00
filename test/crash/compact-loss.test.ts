/**
 * Power loss at every moment of a compaction: whatever is found is clean, shows what clients saw, gives the same catalog when that
 * is made again, and goes on being compacted.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStore, errorText, rebuild, Store } from '@mstore/store';
import { Camera, type CrashImage } from '../support/camera.ts';
import { compactAll, seen, told } from '../support/compacted.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Journal, Traffic } from '../support/traffic.ts';

const optionsFor = (machine: SimMachine) => ({ ports: machine.ports, segmentBytes: 8_192, idleCommitMs: 0 });
const openOn = (machine: SimMachine): Promise<Store> => Store.open(simDirectory, optionsFor(machine));

const roundsMax = 200;

async function furnish(store: Store, random: Random, journal: Journal): Promise<void> {
  const traffic = new Traffic(store, store, random, new MessageSource(random.fork()), journal);
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  await traffic.everything();
  for (let n = 0; n < 60; n++) await traffic.step();
  await store.settle();
}

/** Opens what the crash left: as before for clients, clean, and made again the same. */
async function verify({ machine, moment }: CrashImage, before: readonly string[], random: Random): Promise<void> {
  try {
    let store = await openOn(machine);
    assert.deepEqual(difference(seen(dumpStore(store)), before), []);
    await assertClean(store);
    if (random.chance(0.5)) await compactAll(store);
    await store.settle();
    await assertClean(store, { content: random.chance(0.3) });
    await store.close();
    store = await openOn(machine);
    const live = told(dumpStore(store));
    await store.close();
    await machine.loseCatalog();
    const { damage } = await rebuild(simDirectory, optionsFor(machine));
    assert.deepEqual(damage, []);
    store = await openOn(machine);
    assert.deepEqual(difference(told(dumpStore(store)), live), []);
    assert.deepEqual(difference(seen(dumpStore(store)), before), []);
    await assertClean(store, { content: random.chance(0.3) });
    await store.close();
  } catch (error) {
    throw new Error(`power lost ${moment}: ${errorText(error)}`, { cause: error });
  }
}

test('power loss at any moment of a compaction leaves what clients saw, and a log that says it', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  let states = 0;
  const statesMin = counts(40, 2_000);
  // A history leaves now much to compact, now next to nothing: then there are more of them.
  for (let round = 0; round < counts(2, 30) || (states < statesMin && round < roundsMax); round++) {
    const camera = new Camera(random.fork());
    const machine = new SimMachine(camera.options);
    await createStore(simDirectory, optionsFor(machine));
    const store = await openOn(machine);
    const journal = new Journal();
    await furnish(store, random, journal);
    const before = seen(dumpStore(store));
    camera.start(machine, journal, counts(0.7, 1));
    await store.compact({ minGarbage: random.pick([0, 0.3]), maxRate: 0 });
    await store.dropRetired(true);
    await store.close();
    camera.stop();
    const images = camera.images.splice(0);
    states += images.length;
    for (const image of images) await verify(image, before, random);
  }
  t.diagnostic(`${states} states`);
  assert.ok(states >= statesMin);
});
