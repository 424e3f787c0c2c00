/** Checkpoints: what is rebuilt from one is what the log gives, a bad one is passed over, and nobody waits for one. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  backup,
  checkpoint,
  createStore,
  isCheckpointDue,
  isStoreError,
  rebuild,
  restoreStore,
  Store,
} from '@mstore/store';
import { markSuspect } from '@mstore/store/internal/catalog/generations';
import { Camera } from '../support/camera.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean, simStore, type TempStore, tempStore } from '../support/temp-store.ts';
import { Journal, Traffic } from '../support/traffic.ts';

const small = { segmentBytes: 32_768, idleCommitMs: 0 };

function trafficOn(temp: TempStore, random = seededRandom(testSeed())): Traffic {
  return new Traffic(temp.store, temp.store, random, new MessageSource(random.fork()));
}

async function some(traffic: Traffic, steps: number): Promise<void> {
  for (let n = 0; n < steps; n++) await traffic.step();
}

/** All but the COMMITs: a store that was closed and opened has one more. */
function assertSame(found: readonly string[], wanted: readonly string[]): void {
  const without = (lines: readonly string[]): string[] =>
    lines.map((line) => line.replace(/ (?:appliedLsn|batch|other)=\d+/g, ''));
  assert.deepEqual(difference(without(found), without(wanted)), []);
}

/** Something is logged for sure. */
async function news(temp: TempStore, bytes: number): Promise<void> {
  const live = [...temp.store.catalog().accounts()].find(({ row }) => !row.deleted);
  const account = live?.id ?? (await temp.store.createAccount('news@example.org')).account;
  await temp.store.setQuota(account, 1_000_000 + bytes, 0);
}

test('a rebuild from a checkpoint gives what the live catalog was, and what a full rebuild gives', async (t) => {
  t.diagnostic(`MSTORE_TEST_SEED=${testSeed()}`);
  await using temp = await simStore(small);
  await trafficOn(temp).request('createAccount');
  await trafficOn(temp).everything();
  for (let round = 0; round < counts(4, 40); round++) {
    await some(trafficOn(temp, seededRandom(testSeed() + round)), 40);
    const made = await checkpoint(simDirectory, temp.options);
    await some(trafficOn(temp, seededRandom(round)), 40);
    await temp.store.settle();
    const live = dumpStore(temp.store);
    const report = await temp.rebuild();
    assert.equal(report.checkpoint, made.lsn);
    assert.deepEqual(report.passedOver, []);
    const fromCheckpoint = dumpStore(temp.store);
    await temp.store.close();
    const full = await rebuild(simDirectory, { ...temp.options, full: true });
    assert.equal(full.checkpoint, undefined);
    assert.ok(full.records > report.records, 'the log was read from its start');
    await temp.reopen();
    assertSame(dumpStore(temp.store), fromCheckpoint);
    assertSame(fromCheckpoint, live);
    await assertClean(temp.store);
  }
});

test('the newest two checkpoints are kept, and what a crash left is removed', async () => {
  await using temp = await tempStore(small);
  const traffic = trafficOn(temp);
  await traffic.request('createAccount');
  const folder = `${temp.directory}/checkpoint`;
  const made: string[] = [];
  for (let n = 0; n < 4; n++) {
    await news(temp, n);
    if (n === 2) await writeFile(`${folder}/0000000000000001.ckp.new`, 'left');
    made.push((await checkpoint(temp.directory)).path);
  }
  const names = (await readdir(folder)).filter((name) => name !== 'lock');
  assert.deepEqual(
    names.map((name) => `${folder}/${name}`),
    made.slice(-2),
  );
});

test('a checkpoint with any damage is passed over: the one before, and then the log from its start', async () => {
  await using temp = await tempStore(small);
  const traffic = trafficOn(temp);
  await traffic.request('createAccount');
  await some(traffic, 30);
  await temp.store.settle();
  const older = await checkpoint(temp.directory);
  await some(traffic, 30);
  await news(temp, 1);
  const newer = await checkpoint(temp.directory);
  assert.ok(newer.lsn > older.lsn);
  await news(temp, 2);
  await temp.rebuild();
  const wanted = dumpStore(temp.store);
  const good = await readFile(newer.path);
  const random = seededRandom(testSeed());
  for (let n = 0; n < counts(25, 400); n++) {
    const bad = Buffer.from(good);
    const at = random.int(bad.length);
    bad[at] = (bad[at] ?? 0) ^ (1 << random.int(8));
    await writeFile(newer.path, random.chance(0.2) ? good.subarray(0, at) : bad);
    const report = await temp.rebuild();
    assert.equal(report.checkpoint, older.lsn, `octet ${at}`);
    assert.equal(report.passedOver.length, 1);
    assert.deepEqual(report.damage, []);
    assertSame(dumpStore(temp.store), wanted);
  }
  await writeFile(older.path, good.subarray(0, 79));
  const report = await temp.rebuild();
  assert.equal(report.checkpoint, undefined);
  assert.equal(report.passedOver.length, 2);
  assertSame(dumpStore(temp.store), wanted);
});

test('a checkpoint of another store, or of a log that ends before it, is not used', async () => {
  await using one = await tempStore(small);
  await using other = await tempStore(small);
  for (const temp of [one, other]) {
    await some(trafficOn(temp), 20);
    await temp.store.settle();
  }
  const { path } = await checkpoint(other.directory);
  const name = path.slice(path.lastIndexOf('/') + 1);
  await checkpoint(one.directory);
  for (const old of await readdir(`${one.directory}/checkpoint`)) await rm(`${one.directory}/checkpoint/${old}`);
  await writeFile(`${one.directory}/checkpoint/${name}`, await readFile(path));
  await writeFile(`${one.directory}/checkpoint/9000000000000000.ckp`, await readFile(path));
  const report = await one.rebuild();
  assert.equal(report.checkpoint, undefined);
  assert.equal(report.passedOver.length, 2);
});

test('a checkpoint is of one moment, however much is written meanwhile, and delays nothing', async () => {
  await using temp = await tempStore(small);
  const traffic = trafficOn(temp);
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  await some(traffic, counts(100, 1_000));
  let isOver = false;
  const writing = (async () => {
    const more = trafficOn(temp, seededRandom(3));
    while (!isOver) await more.step();
  })();
  for (let n = 0; n < counts(5, 50); n++) {
    await checkpoint(temp.directory);
    await some(traffic, 5);
  }
  isOver = true;
  await writing;
  await temp.store.settle();
  const report = await temp.rebuild();
  assert.notEqual(report.checkpoint, undefined);
  const live = dumpStore(temp.store);
  await temp.store.close();
  await rebuild(temp.directory, { full: true });
  await temp.reopen();
  assertSame(dumpStore(temp.store), live);
});

test('one is due where none is, after its time, after so much log, and not without news', async () => {
  await using temp = await simStore(small);
  const due = (ageSeconds: number, logBytes: number): Promise<boolean> =>
    isCheckpointDue(simDirectory, { ageSeconds, logBytes }, temp.options);
  assert.equal(await due(1, 1), false, 'nothing was ever logged');
  const traffic = trafficOn(temp);
  await traffic.request('createAccount');
  assert.equal(await due(0, 0), false);
  assert.equal(await due(3_600, 0), true);
  await checkpoint(simDirectory, temp.options);
  temp.machine?.passMs(7_200_000);
  assert.equal(await due(3_600, 1), false, 'no news');
  await news(temp, 1);
  assert.equal(await due(3_600, 0), true);
  assert.equal(await due(36_000, 2 ** 30), false);
  assert.equal(await due(0, 1), true);
});

test('power loss while a checkpoint is made leaves the store as it was, and a good checkpoint or none', async () => {
  const random = seededRandom(testSeed());
  const camera = new Camera(random.fork());
  const machine = new SimMachine(camera.options);
  const options = { ...small, ports: machine.ports };
  await createStore(simDirectory, options);
  const store = await Store.open(simDirectory, options);
  const journal = new Journal();
  const traffic = new Traffic(store, store, random, new MessageSource(random.fork()), journal);
  await some(traffic, 60);
  await store.settle();
  await checkpoint(simDirectory, options);
  await some(traffic, 20);
  await store.settle();
  camera.start(machine, journal, counts(4, 30));
  await checkpoint(simDirectory, options);
  camera.stop();
  await store.close();
  let used = 0;
  for (const { machine: found, moment } of camera.images) {
    const again = { ...small, ports: found.ports };
    const report = await rebuild(simDirectory, again).catch((error: unknown) => {
      throw new Error(`power lost ${moment}`, { cause: error });
    });
    if (report.checkpoint !== undefined) used++;
    const opened = await Store.open(simDirectory, again);
    assert.ok((opened.catalog().state()?.sequence ?? 0) >= journal.sequence, moment);
    await assertClean(opened);
    await opened.close();
    const next = await checkpoint(simDirectory, again);
    assert.ok(next.rows > 0);
  }
  assert.ok(used > camera.images.length / 2, 'the one before is there all the time');
});

test('a checkpoint that cannot be written says so, at any call, and leaves the store working', async () => {
  for (const errno of ['EIO', 'ENOSPC'] as const) {
    for (let call = 1; ; call++) {
      const first = new SimMachine();
      await createStore(simDirectory, { ...small, ports: first.ports });
      const opened = await Store.open(simDirectory, { ...small, ports: first.ports });
      await opened.createAccount('a@example.org');
      await opened.close();
      const machine = first.kill({ disk: { fault: { call, errno } } });
      const options = { ...small, ports: machine.ports };
      const error = await checkpoint(simDirectory, options).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (machine.disk.calls < call) break;
      if (error !== undefined) {
        assert.ok(isStoreError(error, errno === 'EIO' ? 'ioError' : 'diskFull'), String(error));
      }
      const next = machine.kill();
      await checkpoint(simDirectory, { ...small, ports: next.ports });
      const report = await rebuild(simDirectory, { ...small, ports: next.ports });
      assert.notEqual(report.checkpoint, undefined);
      const store = await Store.open(simDirectory, { ...small, ports: next.ports });
      await assertClean(store);
      await store.close();
    }
  }
});

test('no checkpoint is made of a catalog whose device failed', async () => {
  await using temp = await simStore(small);
  await trafficOn(temp).request('createAccount');
  const fs = temp.machine?.ports.fs;
  assert.ok(fs !== undefined);
  await markSuspect(fs, `${simDirectory}/catalog`, 1, 'a test');
  await assert.rejects(checkpoint(simDirectory, temp.options), (error) => isStoreError(error, 'ioError'));
  await temp.reopen();
  await checkpoint(simDirectory, temp.options);
});

test('a checkpoint that takes too long is given up, leaves nothing, and a backup goes without it', async () => {
  await using temp = await simStore(small);
  const traffic = trafficOn(temp);
  await traffic.request('createAccount');
  await some(traffic, 20);
  await temp.store.settle();
  const ports = temp.machine?.ports;
  assert.ok(ports !== undefined);
  let looks = 0;
  const clock = { now: ports.clock.now, monotonic: () => 600_000 * ++looks };
  const slow = { ...small, ports: { ...ports, clock } };
  await assert.rejects(checkpoint(simDirectory, slow), (error) => isStoreError(error, 'limitExceeded'));
  assert.deepEqual(await ports.fs.list(`${simDirectory}/checkpoint`), []);
  const report = await backup(simDirectory, '/backup', temp.store, slow);
  assert.equal(report.checkpointLsn, undefined);
  assert.match(report.notes.join(), /reads the whole log/);
  const restored = await restoreStore('/backup', '/new', { ...small, ports });
  assert.equal(restored.rebuilt.checkpoint, undefined);
  const store = await Store.open('/new', { ...small, ports });
  await assertClean(store);
  await store.close();
});
