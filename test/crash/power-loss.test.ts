/**
 * Power loss at every moment: before and after each call that changes the disk or the catalog, with several survivals of what
 * was not synced. Each state found must be the log's state after a whole batch, not before what callers were told, and clean;
 * then work goes on from it, and sometimes the power fails again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  brandNumber,
  createStore,
  errorText,
  isStoreError,
  type MailboxId,
  rebuild,
  Store,
  type StoreReading,
  UidSet,
} from '@mstore/store';
import { Camera, type CrashImage } from '../support/camera.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { digestOf, type Lineage, lineageOf } from '../support/lineage.ts';
import { counts } from '../support/long.ts';
import { openOnDisk } from '../support/materialise.ts';
import { MessageSource, multipart, wrapped } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { passDays } from '../support/retention.ts';
import { testSeed } from '../support/seed.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Journal, Traffic } from '../support/traffic.ts';

const segmentBytes = 32_768;

const storeOptions = (machine: SimMachine) => ({ ports: machine.ports, segmentBytes, idleCommitMs: 0 });
const openOn = (machine: SimMachine): Promise<Store> => Store.open(simDirectory, storeOptions(machine));

interface Scene {
  readonly machine: SimMachine;
  readonly camera: Camera;
  readonly journal: Journal;
  readonly random: Random;
}

/** Opens the store, works on it and closes it, with the camera on from the first call. */
async function film(
  scene: Scene,
  perMoment: number,
  work: (traffic: Traffic, store: Store) => Promise<void>,
): Promise<void> {
  const { machine, camera, journal, random } = scene;
  camera.start(machine, journal, perMoment);
  const store = await openOn(machine);
  store.subscribeFeed((changes) => journal.feed(changes));
  await work(new Traffic(store, store, random, new MessageSource(random.fork()), journal), store);
  await store.close();
  camera.stop();
}

async function newScene(random: Random): Promise<Scene> {
  const camera = new Camera(random.fork());
  const machine = new SimMachine(camera.options);
  await createStore(simDirectory, storeOptions(machine));
  return { machine, camera, journal: new Journal(), random };
}

/** Tallies what was looked at. */
const seen = { states: 0, again: 0, onDisk: 0 };

interface Verification {
  /** How deep crashes in the work after a crash go. */
  readonly depth: number;
  /** Share of states that are also looked at on a real disk. */
  readonly onDisk: number;
}

async function verifyAll(scene: Scene, how: Verification): Promise<void> {
  const lineage = await lineageOf(scene.machine.ports, simDirectory);
  for (const image of scene.camera.images.splice(0)) {
    try {
      await verify(image, lineage, scene.random, how);
    } catch (error) {
      throw new Error(`power lost ${image.moment}: ${errorText(error)}`, { cause: error });
    }
  }
}

async function verify(image: CrashImage, lineage: Lineage, random: Random, how: Verification): Promise<void> {
  const { machine, camera, told } = image;
  seen.states++;
  if (random.chance(how.onDisk)) {
    seen.onDisk++;
    await openOnDisk(machine.kill(), { segmentBytes }, (store) => assertState(store, lineage, told));
  }
  const again = how.depth > 0 && random.chance(0.06);
  const journal = new Journal();
  journal.heard(told.sequence);
  for (const [place, sha] of told.placed) journal.placed.set(place, sha);
  if (again) camera.start(machine, journal, 0.3);
  const store = await openOn(machine);
  await assertState(store, lineage, told);
  store.subscribeFeed((changes) => journal.feed(changes));
  const traffic = new Traffic(store, store, random, new MessageSource(random.fork()), journal);
  const before = told.sequence;
  for (let n = 0; n < (again ? 6 : 2); n++) await traffic.step();
  await traffic.deliver();
  assert.ok(journal.sequence >= before);
  await store.settle();
  await assertClean(store, { content: random.chance(0.2) });
  await store.close();
  camera.stop();
  if (!again) return;
  seen.again++;
  await verifyAll({ machine, camera, journal, random }, { depth: how.depth - 1, onDisk: 0 });
}

/** The store is what its log was after a whole batch, and holds all that was told. */
async function assertState(store: StoreReading, lineage: Lineage, told: CrashImage['told']): Promise<void> {
  const catalog = store.catalog();
  const state = catalog.state();
  assert.ok(state !== undefined);
  const dump = dumpStore(store);
  if (digestOf(dump) !== lineage.digests.get(state.batch)) {
    const others = difference(dump, lineage.dump(state.batch)).slice(0, 20).join('\n');
    assert.fail(`batch ${state.batch} of ${[...lineage.digests.keys()].join(' ')}: ${others}`);
  }
  assert.ok(state.sequence >= told.sequence, `sequence ${state.sequence}, told was ${told.sequence}`);
  for (const [place, sha] of told.placed) {
    const [mailbox = 0, uid = 0] = place.split(':').map(Number);
    const id = brandNumber<MailboxId>(mailbox);
    const row = catalog.mailbox(id);
    if (row === undefined) continue;
    assert.ok(row.uidNext > uid, `UID ${uid} of mailbox ${id} would be given again`);
    for (const entry of catalog.entries(id, UidSet.range(uid, uid))) {
      assert.equal(catalog.message(entry.message)?.sha.toString('hex'), sha);
    }
  }
  await assertClean(store);
}

test('after power loss at any moment the store is whole, and all that was answered is there', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  Object.assign(seen, { states: 0, again: 0, onDisk: 0 });
  const rounds = counts(2, 5);
  for (let round = 0; round < rounds; round++) {
    const scene = await newScene(random.fork());
    await film(scene, counts(2, 3), async (traffic) => {
      for (let n = 0; n < 3; n++) await traffic.request('createAccount');
      await traffic.everything();
      for (let n = 0; n < 25; n++) await traffic.step();
      // Several at once: batches with many intents, and answers from two stages.
      for (let n = 0; n < 4; n++) await Promise.all(Array.from({ length: 5 }, () => traffic.step()));
    });
    await verifyAll(scene, { depth: 2, onDisk: 0.08 });
  }
  t.diagnostic(`${seen.states} states, ${seen.onDisk} of them on a real disk, ${seen.again} crashed again`);
  assert.ok(seen.states >= counts(1_000, 10_000));
});

test('power loss while what was deleted goes, or comes back, leaves each step whole', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  Object.assign(seen, { states: 0, again: 0, onDisk: 0 });
  for (let round = 0; round < counts(1, 4); round++) {
    const scene = await newScene(random.fork());
    await film(scene, counts(0.3, 1), async (traffic, store) => {
      for (let n = 0; n < 4; n++) await traffic.request('createAccount');
      for (let n = 0; n < 12; n++) await traffic.request(random.chance(0.6) ? 'deliver' : 'append');
      for (let days = 0; days < 3; days++) {
        const [{ id } = { id: undefined }] = store.catalog().accounts();
        // More mailboxes than one turn deletes.
        for (let n = 0; id !== undefined && n < 60; n++)
          await store.createMailbox(id, `m${days} ${n}`).catch(() => undefined);
        for (const name of [
          'expunge',
          'expunge',
          'deleteMailbox',
          'undelete',
          'deleteAccount',
          'restoreAccount',
        ] as const) {
          await traffic.request(name);
        }
        await traffic.request('restoreMailbox');
        await passDays(store, scene.machine, 4);
      }
      await passDays(store, scene.machine, 45);
    });
    await verifyAll(scene, { depth: 1, onDisk: 0.02 });
  }
  t.diagnostic(`${seen.states} states, ${seen.onDisk} of them on a real disk, ${seen.again} crashed again`);
});

test('power loss while large parts flow leaves whole messages only', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  Object.assign(seen, { states: 0, again: 0, onDisk: 0 });
  const scene = await newScene(random.fork());
  const content = random.bytes(1_300_000);
  const spilled = random.bytes(4_600_000);
  const mail = (octets: Buffer, columns: number): Buffer =>
    multipart(['Subject: large'], 'text', [{ encoding: 'base64', body: wrapped(octets, columns) }]);
  await film(scene, counts(1, 5), async (traffic) => {
    await traffic.request('createAccount');
    await traffic.append([mail(content, 76)]);
    await traffic.append([mail(spilled, 76)]);
    await Promise.all([traffic.append([mail(spilled, 60)]), traffic.deliver(), traffic.append([mail(content, 57)])]);
    await traffic.request('expunge');
    await traffic.request('purge');
    await traffic.request('move');
  });
  await verifyAll(scene, { depth: 0, onDisk: 0.05 });
  t.diagnostic(`${seen.states} states, ${seen.onDisk} of them on a real disk`);
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
