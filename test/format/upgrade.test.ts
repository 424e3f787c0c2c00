/** An upgrade is whole or not at all, can be repeated, and can be undone until something was written. */
import assert from 'node:assert/strict';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import {
  errorText,
  isStoreError,
  limits,
  machinePorts,
  rebuild,
  Store,
  StoreReader,
  type UpgradeReport,
  undoUpgrade,
  upgrade,
} from '@mstore/store';
import { formatOf } from '@mstore/store/internal/catalog/earlier-format';
import { tableNames } from '@mstore/store/internal/catalog/kv';
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';
import { Heap } from '@mstore/store/internal/heap/heap';
import { encodeEvent, recordType } from '@mstore/store/internal/log/records';
import { Camera } from '../support/camera.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { type SimMachine, simDirectory } from '../support/sim-machine.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';
import { Journal } from '../support/traffic.ts';
import { bringGolden, goldenContents, goldenMachine, goldenRows } from './golden.ts';
import { contentsOf } from './golden-contents.ts';

/** A segment's file. */
const segmentPath = (directory: string, number: number): string =>
  `${directory}/heap/${String(number).padStart(16, '0')}.seg`;

/** One octet of an entry becomes another. */
async function damageHeap(directory: string): Promise<void> {
  const heap = await Heap.openForReading(machinePorts, directory);
  const [segment] = heap.segments();
  assert.ok(segment !== undefined);
  let offset = 0;
  for await (const { type, location } of heap.scan({ from: segment.baseLsn })) {
    if (type !== recordType.entry) continue;
    offset = location.lsn - segment.baseLsn + 40;
    break;
  }
  await heap.close();
  const octets = await readFile(segmentPath(directory, segment.number));
  octets[offset] = (octets[offset] ?? 0) ^ 1;
  await writeFile(segmentPath(directory, segment.number), octets);
}

/** The catalog in use is still the one that was brought, row by row. */
async function assertUntouched(directory: string): Promise<void> {
  assert.equal(await readFile(`${directory}/catalog/CURRENT`, 'latin1'), '1\n');
  const kv = await openLmdbKv(`${directory}/catalog/1`, { readOnly: true, mapBytes: limits.catalogMapBytes });
  const rows = tableNames.flatMap((table) =>
    [...kv.range(table, { from: Buffer.alloc(0), to: Buffer.alloc(limits.mailboxNameBytes, 0xff) })].map(
      ([key, value]) => `${table} ${key.toString('hex')} ${value.toString('hex')}`,
    ),
  );
  await kv.close();
  const brought = (await goldenRows(1)).map(
    ({ table, key, value }) => `${table} ${key.toString('hex')} ${value?.toString('hex')}`,
  );
  assert.deepEqual(rows, brought);
}

async function contentsIn(directory: string, ports = machinePorts): Promise<string[]> {
  const reader = await StoreReader.open(directory, { ports });
  try {
    await assertClean(reader);
    return await contentsOf(reader);
  } finally {
    await reader.close();
  }
}

test('power loss while a store is upgraded leaves the old store, or the upgraded one', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  const wanted = await goldenContents(1);
  let old = 0;
  let upgraded = 0;
  for (let round = 0; round < counts(2, 30); round++) {
    const camera = new Camera(random.fork());
    const machine = await goldenMachine(1, camera.options);
    camera.start(machine, new Journal(), 3);
    const report = await upgrade(simDirectory, { ports: machine.ports });
    camera.stop();
    assert.equal(report.done, true);
    assert.deepEqual(difference(await contentsIn(simDirectory, machine.ports), wanted), []);
    const reader = await StoreReader.open(simDirectory, { ports: machine.ports });
    const catalog = dumpStore(reader);
    await reader.close();
    for (const image of camera.images.splice(0)) {
      const isOld = await assertWholeOrOld(image.machine, catalog).catch((error: unknown) => {
        throw new Error(`power lost ${image.moment}: ${errorText(error)}`, { cause: error });
      });
      if (isOld) old++;
      else upgraded++;
    }
  }
  t.diagnostic(`${old} times the old store, ${upgraded} times the upgraded one`);
  assert.ok(old > 0 && upgraded > 0);
});

/** True when the store is the old one. Upgraded once more, the catalog says what it should, and work goes on. */
async function assertWholeOrOld(machine: SimMachine, catalog: readonly string[]): Promise<boolean> {
  const { ports } = machine;
  const heap = await Heap.openForReading(ports, simDirectory);
  assert.equal(heap.format, 1);
  await heap.close();
  const isOld = formatOf(await machine.catalog()) === 1;
  if (isOld) {
    await assert.rejects(Store.open(simDirectory, { ports }), (error) => isStoreError(error, 'olderFormat'));
    assert.deepEqual(
      await currentRows(machine),
      (await goldenRows(1)).map(({ key }) => key.toString('hex')),
    );
  }
  const again = await upgrade(simDirectory, { ports });
  assert.deepEqual([again.from, again.done], [isOld ? 1 : 2, true]);
  const reader = await StoreReader.open(simDirectory, { ports });
  assert.deepEqual(difference(dumpStore(reader), catalog), []);
  await reader.close();
  const store = await Store.open(simDirectory, { ports, idleCommitMs: 0 });
  await store.createAccount('new');
  await assertClean(store, { content: false });
  assert.equal(store.heap.format, 2);
  await store.close();
  return isOld;
}

async function currentRows(machine: SimMachine): Promise<string[]> {
  return [...(await machine.catalog()).entries()].map(([, key]) => key.toString('hex'));
}

test('a dry run tells what an upgrade takes, and changes nothing', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const report = await upgrade(temp.path, { dryRun: true });
  assert.deepEqual([report.from, report.to, report.done, report.damage], [1, 2, false, []]);
  assert.ok(report.logBytes > 30_000 && report.neededBytes > 0 && (report.freeBytes ?? 0) > 0);
  await assertUntouched(temp.path);
  await damageHeap(temp.path);
  assert.notDeepEqual((await upgrade(temp.path, { dryRun: true })).damage, []);
  await assertUntouched(temp.path);
});

test('an upgrade without room is refused before it writes', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const ports = { ...machinePorts, space: () => Promise.resolve({ totalBytes: 1e9, freeBytes: 1_000 }) };
  await assert.rejects(upgrade(temp.path, { ports }), (error) => isStoreError(error, 'diskFull'));
  await assertUntouched(temp.path);
});

test('an upgrade of a store with damage changes nothing, unless it may lose history', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  await damageHeap(temp.path);
  const refused = await upgrade(temp.path);
  assert.equal(refused.done, false);
  assert.notDeepEqual(refused.damage, []);
  await assertUntouched(temp.path);
  const done = await upgrade(temp.path, { despiteDamage: true });
  assert.equal(done.done, true);
  await assertLostHistory(temp.path, 2);
});

test('an upgrade notices that the heap ends before what its catalog knows', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  // The last segment without its last batches: cut where a batch ended, it looks as if it had ended there.
  const ends = await batchEnds(temp.path);
  const cut = ends.at(-4) ?? 0;
  await truncate(segmentPath(temp.path, 4), cut);
  const refused = await upgrade(temp.path);
  assert.deepEqual([refused.done, refused.damage.map(({ kind }) => kind)], [false, ['lostEnd']]);
  await assertUntouched(temp.path);
  assert.equal((await upgrade(temp.path, { despiteDamage: true })).done, true);
  await assertLostHistory(temp.path, 2);
});

/** Offsets in the last segment behind each of its COMMITs. */
async function batchEnds(directory: string): Promise<number[]> {
  const heap = await Heap.openForReading(machinePorts, directory);
  const last = heap.segments().at(-1);
  assert.ok(last !== undefined);
  const ends: number[] = [];
  for await (const { commit, location } of heap.scan({ from: last.baseLsn })) {
    if (commit !== undefined) ends.push(location.lsn + location.bytes - last.baseLsn);
  }
  await heap.close();
  return ends;
}

/** The store is sound, its epoch rose above `epoch`, and UIDs go on far above those that may have been lost. */
async function assertLostHistory(directory: string, epoch: number): Promise<void> {
  const store = await Store.open(directory);
  try {
    const catalog = store.catalog();
    assert.ok((catalog.state()?.epoch ?? 0) > epoch);
    for (const { row } of catalog.allMailboxes()) assert.ok(row.uidNext > 2 ** 20);
    assert.equal(store.heap.format, 2);
  } finally {
    await store.close();
  }
  assert.deepEqual(await undoUpgrade(directory).then((report) => 'refused' in report), true);
}

test('an upgrade can be undone until the new release has written', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  assert.ok('refused' in (await undoUpgrade(temp.path)));
  await upgrade(temp.path);
  // To look is not to write.
  assert.deepEqual(difference(await contentsIn(temp.path), await goldenContents(1)), []);
  assert.deepEqual(await undoUpgrade(temp.path), { generation: 1 });
  await assertUntouched(temp.path);
  await assert.rejects(Store.open(temp.path), (error) => isStoreError(error, 'olderFormat'));
  const again: UpgradeReport = await upgrade(temp.path);
  assert.deepEqual([again.previous, again.generation, again.done], [1, 3, true]);
  await (await Store.open(temp.path)).close();
  const report = await undoUpgrade(temp.path);
  assert.ok('refused' in report && /segment 5 .* format 2/.test(report.refused), JSON.stringify(report));
  assert.deepEqual(difference(await contentsIn(temp.path), await goldenContents(1)), []);
});

test('an upgraded store whose catalog was lost before anything was written is upgraded again', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  await upgrade(temp.path);
  // With its catalog, it is one to rebuild.
  assert.deepEqual((await rebuild(temp.path)).damage, []);
  await rm(`${temp.path}/catalog`, { recursive: true });
  await assert.rejects(rebuild(temp.path), (error) => isStoreError(error, 'olderFormat'));
  assert.equal((await upgrade(temp.path)).done, true);
  assert.deepEqual(difference(await contentsIn(temp.path), await goldenContents(1)), []);
});

test('a store of today has nothing to upgrade', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  await upgrade(temp.path);
  const report = await upgrade(temp.path);
  assert.deepEqual([report.from, report.to, report.done, report.generation], [2, 2, true, undefined]);
});

test('what came with format 2 is damage in a segment of format 1', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  await upgrade(temp.path);
  const heap = await Heap.openForWriting(machinePorts, temp.path, { segmentBytes: limits.segmentBytes });
  const { kind: _kind, ...none } = {
    kind: 0,
    sequence: 0,
    account: 0,
    mailbox: 0,
    message: 0,
    thread: 0,
    uidValidity: 0,
  };
  const batch = heap.begin(none);
  const event = encodeEvent(1, 0, { kind: 'historyLost', epoch: 1 });
  batch.add({ ...event, type: recordType.restate });
  const later = Buffer.from(event.payload);
  later[0] = 18;
  batch.add({ ...event, payload: later });
  await heap.commit(batch, { cleanStop: true });
  const number = heap.segments().at(-1)?.number ?? 0;
  await heap.close();
  // The same segment, as if format 1 had written it.
  await rewriteVersion(segmentPath(temp.path, number), 1);
  const { damage } = await rebuild(temp.path);
  assert.deepEqual(
    damage.filter(({ segment }) => segment === number).map(({ kind }) => kind),
    ['payload', 'payload'],
  );
});

/** Gives a segment's header another version, with the checksum that belongs to it. */
async function rewriteVersion(path: string, version: number): Promise<void> {
  const octets = await readFile(path);
  octets.writeUInt16LE(version, 8);
  octets.writeUInt32LE(crc32(octets.subarray(0, 148)), 148);
  await writeFile(path, octets);
}

test('a segment of a later format is refused by name', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  await upgrade(temp.path);
  await (await Store.open(temp.path)).close();
  await rewriteVersion(segmentPath(temp.path, 5), 3);
  const isNewer = (error: unknown): boolean =>
    isStoreError(error, 'newerFormat') && /segment 5 has format 3.*later/.test(error.message);
  for (const open of [Store.open, StoreReader.open, rebuild, upgrade, undoUpgrade]) {
    await assert.rejects(open(temp.path), isNewer);
  }
});
