/**
 * Power loss at every moment of a backup and of a restore. A backup that was there stays good until the new one is whole; a restore that
 * was cut leaves a folder that is no store, and can be repeated without a number being given twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backup, createStore, errorText, isStoreError, restoreStore, Store, verifyBackup } from '@mstore/store';
import { readManifest } from '@mstore/store/internal/upkeep/backup/manifest';
import { Camera } from '../support/camera.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Journal, Traffic } from '../support/traffic.ts';

let scratches = 0;

const optionsOn = (machine: SimMachine) => ({ ports: machine.ports, segmentBytes: 32_768, idleCommitMs: 0 });

interface Scene {
  readonly machine: SimMachine;
  readonly camera: Camera;
  readonly store: Store;
  readonly traffic: Traffic;
  readonly random: Random;
}

async function newScene(random: Random): Promise<Scene> {
  const camera = new Camera(random.fork());
  const machine = new SimMachine(camera.options);
  await createStore(simDirectory, optionsOn(machine));
  const store = await Store.open(simDirectory, optionsOn(machine));
  const traffic = new Traffic(store, store, random, new MessageSource(random.fork()));
  await traffic.request('createAccount');
  for (let n = 0; n < 50; n++) await traffic.step();
  return { machine, camera, store, traffic, random };
}

function fileOf(machine: SimMachine) {
  const write = async (path: string): Promise<boolean> => {
    const file = await machine.ports.fs.open(path, 'create');
    await file.write([Buffer.from('settings')], 0);
    await file.close();
    return true;
  };
  return { name: 'mstore.toml', write };
}

const backUp = (machine: SimMachine, store: Store) =>
  backup(simDirectory, '/backup', store, { ...optionsOn(machine), files: [fileOf(machine)] });

async function assertGood(machine: SimMachine, moment: string): Promise<void> {
  const { findings } = await verifyBackup('/backup', { ...optionsOn(machine), scratch: `/scratch/${++scratches}` });
  assert.deepEqual(
    findings.map(({ text }) => text),
    [],
    moment,
  );
}

async function openClean(machine: SimMachine, directory: string): Promise<Store> {
  const store = await Store.open(directory, optionsOn(machine));
  await assertClean(store);
  return store;
}

test('power loss at any moment of a backup leaves the one before, or the new one, whole', async (t) => {
  t.diagnostic(`MSTORE_TEST_SEED=${testSeed()}`);
  const scene = await newScene(seededRandom(testSeed()));
  const { machine, camera, store, traffic, random } = scene;
  await backUp(machine, store);
  for (let n = 0; n < 40; n++) await traffic.step();
  camera.start(machine, new Journal(), counts(1, 20));
  await backUp(machine, store);
  camera.stop();
  await store.close();
  const numbers = new Set<number>();
  for (const { machine: found, moment } of camera.images) {
    const manifest = await readManifest(found.ports.fs, '/backup');
    assert.ok(manifest !== undefined, moment);
    numbers.add(manifest.number);
    await assertGood(found, moment);
    if (random.chance(0.3)) {
      await restoreStore('/backup', '/new', optionsOn(found));
      await (await openClean(found, '/new')).close();
    }
    // The store is as it was, and the next backup makes up for this one.
    const again = await openClean(found, simDirectory);
    await backUp(found, again);
    assert.equal((await readManifest(found.ports.fs, '/backup'))?.number, manifest.number + 1);
    await assertGood(found, `after power was lost ${moment}`);
    await again.close();
  }
  assert.deepEqual([...numbers].sort(), [1, 2]);
  t.diagnostic(`${camera.images.length} states`);
});

test('power loss at any moment of a first backup leaves none or a whole one, and it can be done again', async () => {
  const { machine, camera, store } = await newScene(seededRandom(testSeed() + 1));
  camera.start(machine, new Journal(), counts(1, 20));
  await backUp(machine, store);
  camera.stop();
  await store.close();
  for (const { machine: found, moment } of camera.images) {
    if ((await readManifest(found.ports.fs, '/backup')) !== undefined) await assertGood(found, moment);
    const again = await openClean(found, simDirectory);
    await backUp(found, again);
    await assertGood(found, `after power was lost ${moment}`);
    await again.close();
  }
});

test('power loss at any moment of a restore leaves no store or a whole one, and the next one goes on above', async (t) => {
  const { machine, camera, store, traffic } = await newScene(seededRandom(testSeed() + 2));
  await backUp(machine, store);
  for (let n = 0; n < 20; n++) await traffic.step();
  await store.settle();
  const highest = store.catalog().state()?.sequence ?? 0;
  await store.close();
  camera.start(machine, new Journal(), counts(1, 20));
  await restoreStore('/backup', '/new', optionsOn(machine));
  camera.stop();
  let [whole, cut] = [0, 0];
  for (const { machine: found, moment } of camera.images) {
    try {
      let sequence = highest;
      let epoch = 1;
      const opened = await openClean(found, '/new').catch((error: unknown) => {
        assert.ok(isStoreError(error, 'unfinished') || isStoreError(error, 'noStore'), errorText(error));
      });
      if (opened === undefined) {
        cut++;
        await restoreStore('/backup', '/new', optionsOn(found));
      } else {
        whole++;
        sequence = opened.catalog().state()?.sequence ?? 0;
        epoch = opened.heap.epoch;
        assert.ok(sequence > highest);
        await opened.close();
        await assert.rejects(restoreStore('/backup', '/new', optionsOn(found)), (error) =>
          isStoreError(error, 'storeExists'),
        );
        await restoreStore('/backup', '/newer', optionsOn(found));
      }
      const next = await openClean(found, opened === undefined ? '/new' : '/newer');
      assert.ok((next.catalog().state()?.sequence ?? 0) > sequence);
      assert.ok(next.heap.epoch > epoch);
      await next.close();
    } catch (error) {
      throw new Error(`power lost ${moment}: ${errorText(error)}`, { cause: error });
    }
  }
  assert.ok(whole > 0 && cut > whole, `${whole} whole, ${cut} cut`);
  t.diagnostic(`${camera.images.length} states`);
});
