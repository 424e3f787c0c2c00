/** Backups: taken while mail comes in, incremental, verified, restored; and no number is given twice after a restore. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { backup, isStoreError, machinePorts, rebuild, restoreStore, Store, UidSet, verifyBackup } from '@mstore/store';
import { writeManifest } from '@mstore/store/internal/upkeep/backup/manifest';
import { bringGolden } from '../format/golden.ts';
import { toldNumbers } from '../support/backups.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean, tempStore } from '../support/temp-store.ts';
import { Journal, Traffic } from '../support/traffic.ts';

const small = { segmentBytes: 65_536, idleCommitMs: 0 };

async function some(traffic: Traffic, steps: number): Promise<void> {
  for (let n = 0; n < steps; n++) await traffic.step();
}

function trafficOn(store: Store, random: Random, journal?: Journal): Traffic {
  return new Traffic(store, store, random, new MessageSource(random.fork()), journal);
}

/** Findings of a full verification. */
async function verified(target: string, folder: string): Promise<string[]> {
  const scratch = await mkdtemp(join(folder, 'scratch-'));
  const { findings } = await verifyBackup(target, { scratch });
  await rm(scratch, { recursive: true });
  return findings.map(({ area, text }) => `${area}: ${text}`);
}

/** All but counters and times that a restore raises. */
function content(store: Pick<Store, 'catalog'>): string[] {
  const raised =
    / (?:appliedLsn|batch|other|sequence|epoch|mailbox|message|thread|account|uidValidity|lastSequence)=\d+/g;
  return dumpStore(store)
    .filter((line) => !/^segment |^due | expunged \d+ at /.test(line))
    .map((line) => (line.startsWith('state ') ? line.replace(raised, '') : line))
    .map((line) => line.replace(/ (?:uidNext|highestModSeq|expungeFloor|modSeqFloor)=\d+/g, ''));
}

test('a backup beside the writer holds what was there, and a restore of it is that store again', async (t) => {
  t.diagnostic(`MSTORE_TEST_SEED=${testSeed()}`);
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  const random = seededRandom(testSeed());
  const traffic = trafficOn(temp.store, random);
  await traffic.request('createAccount');
  await traffic.everything();
  await some(traffic, counts(120, 1_000));
  await temp.store.settle();
  const wanted = content(temp.store);
  const target = `${folder.path}/backup`;
  const report = await backup(temp.directory, target, temp.store);
  assert.equal(report.number, 1);
  assert.deepEqual(report.notes, []);
  assert.ok(report.segments > 1 && report.checkpointLsn !== undefined);
  assert.deepEqual(await verified(target, folder.path), []);
  const restored = await restoreStore(target, `${folder.path}/new`, small);
  assert.deepEqual(restored.findings, []);
  assert.equal(restored.restores, 1);
  assert.equal(restored.rebuilt.checkpoint, report.checkpointLsn);
  const store = await Store.open(`${folder.path}/new`, small);
  assert.deepEqual(difference(content(store), wanted), []);
  assert.equal(store.heap.epoch, 2);
  await some(trafficOn(store, random), 20);
  await store.settle();
  await assertClean(store);
  const live = dumpStore(store);
  await store.close();
  // The event that began it anew is applied alike from the checkpoint that came along, and from the start of the log.
  for (const full of [false, true]) {
    const report = await rebuild(`${folder.path}/new`, { ...small, full });
    assert.equal(report.checkpoint === undefined, full);
    const again = await Store.open(`${folder.path}/new`, small);
    const without = (lines: readonly string[]): string[] =>
      lines.map((line) => line.replace(/ (?:appliedLsn|batch|other)=\d+/g, ''));
    assert.deepEqual(difference(without(dumpStore(again)), without(live)), []);
    await again.close();
  }
});

test('a backup of an earlier format becomes a store of the one of today', async () => {
  await using folder = await tempDirectory();
  const source = `${folder.path}/v1`;
  await bringGolden(1, source);
  const names = (await readdir(`${source}/heap`)).sort();
  const segments = await Promise.all(
    names.map(async (name) => {
      const octets = await readFile(`${source}/heap/${name}`);
      const sha256 = createHash('sha256').update(octets).digest('hex');
      const headerCrc = crc32(octets.subarray(0, 152));
      return { number: Number(name.slice(0, 16)), headerCrc, pieces: [{ bytes: octets.length, sha256 }] };
    }),
  );
  const last = await readFile(`${source}/heap/${names.at(-1)}`);
  const epoch = last.readUInt32LE(40);
  const store = last.toString('hex', 16, 32);
  const rest = { checkpoint: null, files: [], time: 1, number: 1, durableLsn: 0 };
  await writeManifest(machinePorts.fs, source, { store, epoch, segments, ...rest });
  assert.deepEqual(await verified(source, folder.path), []);
  const restored = await restoreStore(source, `${folder.path}/new`, small);
  assert.deepEqual([restored.findings, restored.rebuilt.damage], [[], []]);
  const opened = await Store.open(`${folder.path}/new`, small);
  assert.equal(opened.heap.epoch, epoch + 1);
  assert.ok((opened.catalog().state()?.totals.entries ?? 0) > 0);
  await assertClean(opened);
  await opened.close();
});

test('a second backup copies what is new, and leaves what there was of use until it is whole', async () => {
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  const random = seededRandom(testSeed());
  const traffic = trafficOn(temp.store, random);
  await traffic.request('createAccount');
  await some(traffic, 150);
  const target = `${folder.path}/backup`;
  const first = await backup(temp.directory, target, temp.store);
  const again = await backup(temp.directory, target, temp.store);
  assert.equal(again.number, 2);
  assert.ok(again.writtenBytes < first.writtenBytes / 10, `${again.writtenBytes} of ${first.writtenBytes} octets`);
  const before = await stat(`${target}/heap/0000000000000001.seg`);
  await some(traffic, 60);
  await temp.store.settle();
  const third = await backup(temp.directory, target, temp.store);
  assert.ok(third.writtenBytes > 0 && third.writtenBytes < third.bytes);
  const after = await stat(`${target}/heap/0000000000000001.seg`);
  assert.equal(after.mtimeMs, before.mtimeMs, 'a closed segment is copied once');
  assert.deepEqual((await readdir(`${target}/checkpoint`)).length, 1);
  assert.deepEqual(await verified(target, folder.path), []);
  const wanted = content(temp.store);
  await restoreStore(target, `${folder.path}/new`, small);
  const store = await Store.open(`${folder.path}/new`, small);
  assert.deepEqual(difference(content(store), wanted), []);
  await assertClean(store);
  await store.close();
});

test('deliveries during a backup are wholly in it or wholly out, and it is clean', async () => {
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  const random = seededRandom(testSeed());
  const journal = new Journal();
  const traffic = trafficOn(temp.store, random, journal);
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  let isOver = false;
  const load = Array.from({ length: 4 }, async (_, at) => {
    const mine = trafficOn(temp.store, seededRandom(testSeed() + at), journal);
    while (!isOver) await mine.step();
  });
  const target = `${folder.path}/backup`;
  for (let round = 0; round < counts(4, 40); round++) {
    const told = journal.snapshot();
    await backup(temp.directory, target, temp.store);
    assert.deepEqual(await verified(target, folder.path), []);
    const directory = `${folder.path}/new-${round}`;
    await restoreStore(target, directory, small);
    const store = await Store.open(directory, small);
    await assertClean(store);
    assert.ok((store.catalog().state()?.sequence ?? 0) > told.sequence, 'what was answered before it began is in it');
    await store.close();
    await rm(directory, { recursive: true });
  }
  isOver = true;
  await Promise.all(load);
  await temp.store.settle();
});

/** Serves a store for a while, and notes every number that a client saw. */
async function live(store: Store, random: Random, told: Map<string, string>, modSeqs: Set<string>): Promise<void> {
  store.subscribeFeed((changes) => {
    for (const { sequence, mailbox, kind } of changes) modSeqs.add(`${sequence} ${mailbox} ${kind}`);
  });
  const traffic = trafficOn(store, random);
  for (let n = 0; n < counts(8, 30); n++) {
    await some(traffic, 10);
    await store.settle();
    for (const [number, what] of toldNumbers(store)) {
      const known = told.get(number);
      assert.ok(known === undefined || known === what, `${number} was ${known}, and is ${what}`);
      told.set(number, what);
    }
  }
}

/** A client that knows MODSEQs of the lost history changes nothing by them: it has to look again (RFC 7162). */
async function assertOldModSeqs(store: Store, unchangedSince: number): Promise<void> {
  const filled = [...store.catalog().allMailboxes()].find(({ row }) => !row.deleted && row.messages > 0);
  assert.ok(filled !== undefined);
  const request = { mailbox: filled.id, uids: UidSet.range(1, 100), mode: 'add', flags: 4, keywords: [] } as const;
  const answer = await store.setFlags({ ...request, unchangedSince });
  assert.deepEqual([answer.changed.size, answer.modified.size], [0, filled.row.messages]);
}

test('no UID, MODSEQ or id that a client saw is given to something else after a restore, however often', async (t) => {
  t.diagnostic(`MSTORE_TEST_SEED=${testSeed()}`);
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  const random = seededRandom(testSeed());
  const traffic = trafficOn(temp.store, random);
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  await some(traffic, 60);
  await temp.store.settle();
  const told = new Map(toldNumbers(temp.store));
  const sequenceAt = (store: Store): number => store.catalog().state()?.sequence ?? 0;
  const target = `${folder.path}/backup`;
  await backup(temp.directory, target, temp.store);
  const modSeqs = new Set<string>();
  await live(temp.store, random.fork(), told, modSeqs);
  let highest = sequenceAt(temp.store);
  let highestLsn: number = temp.store.heap.durableLsn;
  let lastSegment = temp.store.heap.segments().at(-1)?.number ?? 0;
  for (let round = 1; round <= counts(4, 12); round++) {
    const directory = `${folder.path}/new-${round}`;
    const report = await restoreStore(target, directory, small);
    assert.equal(report.restores, round);
    const store = await Store.open(directory, small);
    const first = sequenceAt(store);
    assert.ok(first > highest, `sequence ${first} after ${highest}`);
    for (const { id, row } of store.catalog().allMailboxes()) {
      assert.ok(row.highestModSeq >= first && row.expungeFloor >= first && row.modSeqFloor >= first, `mailbox ${id}`);
    }
    await assertOldModSeqs(store, highest);
    assert.ok((store.heap.segments().at(-1)?.number ?? 0) > lastSegment);
    assert.ok((store.heap.segments().at(-1)?.baseLsn ?? 0) > highestLsn);
    const seen = new Set<string>();
    await live(store, random.fork(), told, seen);
    for (const one of seen) assert.ok(!modSeqs.has(one), `MODSEQ ${one} was told before`);
    for (const one of seen) modSeqs.add(one);
    highest = sequenceAt(store);
    highestLsn = store.heap.durableLsn;
    lastSegment = store.heap.segments().at(-1)?.number ?? 0;
    await assertClean(store);
    await store.close();
  }
});

test('a restored store that was backed up elsewhere and restored again goes on above, and so does the first backup then', async () => {
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  const random = seededRandom(testSeed());
  const traffic = trafficOn(temp.store, random);
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  await some(traffic, 40);
  await temp.store.settle();
  const told = new Map(toldNumbers(temp.store));
  const first = `${folder.path}/first`;
  await backup(temp.directory, first, temp.store);
  await live(temp.store, random.fork(), told, new Set());
  let epochAbove = 1;
  for (let round = 1; round <= 3; round++) {
    const [one, other] = [`${folder.path}/one-${round}`, `${folder.path}/other-${round}`];
    await restoreStore(first, one, { ...small, epochAbove });
    let store = await Store.open(one, small);
    assert.ok(store.heap.epoch > epochAbove);
    await live(store, random.fork(), told, new Set());
    const second = `${folder.path}/second-${round}`;
    await backup(one, second, store);
    await live(store, random.fork(), told, new Set());
    const { epoch } = store.heap;
    await store.close();
    await restoreStore(second, other, small);
    store = await Store.open(other, small);
    assert.equal(store.heap.epoch, epoch + 1);
    epochAbove = store.heap.epoch;
    await live(store, random.fork(), told, new Set());
    await assertClean(store);
    await store.close();
  }
});

test('verify names each file that is not what it was, and restore brings back what is left of it', async () => {
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  const random = seededRandom(testSeed());
  const traffic = trafficOn(temp.store, random);
  await traffic.request('createAccount');
  await some(traffic, 150);
  const target = `${folder.path}/backup`;
  await backup(temp.directory, target, temp.store, {
    files: [{ name: 'note.txt', write: (path) => writeFile(path, 'a note').then(() => true) }],
  });
  const files = ['heap/0000000000000001.seg', 'heap/0000000000000002.seg', 'files/1.note.txt'];
  files.push(`checkpoint/${(await readdir(`${target}/checkpoint`))[0]}`);
  for (const [at, name] of files.entries()) {
    const good = await readFile(`${target}/${name}`);
    const bad = Buffer.from(good);
    const place = Math.floor(bad.length / 2);
    bad[place] = (bad[place] ?? 0) ^ 1;
    for (const [how, octets] of [
      ['changed', bad],
      ['cut', good.subarray(0, place)],
    ] as const) {
      await writeFile(`${target}/${name}`, octets);
      const found = await verified(target, folder.path);
      assert.ok(
        found.some((text) => text.includes(name)),
        `${name} ${how}: ${found.join('; ')}`,
      );
      const directory = `${folder.path}/new-${at}-${how}`;
      const report = await restoreStore(target, directory, small);
      assert.ok(report.findings.length > 0, `${name} ${how}`);
      const store = await Store.open(directory, small);
      assert.ok((store.catalog().state()?.totals.entries ?? 0) > 0);
      await store.close();
    }
    await writeFile(`${target}/${name}`, good);
  }
  assert.deepEqual(await verified(target, folder.path), []);
  const manifest = await readFile(`${target}/backup.manifest`);
  manifest[40] = (manifest[40] ?? 0) ^ 1;
  await writeFile(`${target}/backup.manifest`, manifest);
  await assert.rejects(verified(target, folder.path), (error) => isStoreError(error, 'corrupt'));
  const mended = await backup(temp.directory, target, temp.store);
  assert.equal(mended.notes.length, 1);
  assert.deepEqual(await verified(target, folder.path), []);
});

test('a checkpoint that the backup lost is written again, though nothing was logged since', async () => {
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  await temp.store.createAccount('a@example.org');
  const target = `${folder.path}/backup`;
  await backup(temp.directory, target, temp.store);
  const [name = ''] = await readdir(`${target}/checkpoint`);
  await rm(`${target}/checkpoint/${name}`);
  await backup(temp.directory, target, temp.store);
  assert.deepEqual(await readdir(`${target}/checkpoint`), [name]);
  assert.deepEqual(await verified(target, folder.path), []);
});

test('a folder that holds something else is not made a backup, and a backup is no store', async () => {
  await using temp = await tempStore(small);
  await using other = await tempStore(small);
  await using folder = await tempDirectory();
  for (const { store } of [temp, other]) await store.createAccount('a@example.org');
  const target = `${folder.path}/backup`;
  await assert.rejects(backup(temp.directory, other.directory, temp.store), (error) =>
    isStoreError(error, 'storeExists'),
  );
  await backup(temp.directory, target, temp.store);
  await assert.rejects(backup(other.directory, target, other.store), (error) => isStoreError(error, 'storeExists'));
  await assert.rejects(Store.open(target), (error) => isStoreError(error, 'noStore'));
  await assert.rejects(restoreStore(target, other.directory), (error) => isStoreError(error, 'storeExists'));
  await assert.rejects(restoreStore(folder.path, `${folder.path}/new`), (error) => isStoreError(error, 'noBackup'));
  assert.deepEqual(await verified(target, folder.path), []);
});

test('what somebody keeps in the folder of a backup or of a restore stays there', async () => {
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  await temp.store.createAccount('a@example.org');
  const target = `${folder.path}/backup`;
  const directory = `${folder.path}/restored`;
  const theirs = ['heap/notes.txt', 'heap/lost+found/one', 'checkpoint/model.ckpt', 'files/thesis.txt'];
  const beside = [...theirs, 'catalog/of/books'];
  const putThere = async (into: string, names: readonly string[]): Promise<void> => {
    for (const name of names) {
      await mkdir(dirname(`${into}/${name}`), { recursive: true });
      await writeFile(`${into}/${name}`, name);
    }
  };
  const areThere = async (into: string, names: readonly string[]): Promise<void> => {
    for (const name of names) assert.equal(await readFile(`${into}/${name}`, 'utf8'), name);
  };
  await putThere(target, theirs);
  await backup(temp.directory, target, temp.store);
  await temp.store.createAccount('b@example.org');
  await backup(temp.directory, target, temp.store);
  await areThere(target, theirs);
  assert.deepEqual(await verified(target, folder.path), []);
  await putThere(directory, beside);
  await restoreStore(target, directory, small);
  await areThere(directory, beside);
  const store = await Store.open(directory, small);
  await assertClean(store);
  await store.close();
});

test('a copy of a heap is not written over by a backup', async () => {
  await using temp = await tempStore(small);
  await using other = await tempStore(small);
  await using folder = await tempDirectory();
  for (const { store } of [temp, other]) await store.createAccount('a@example.org');
  const copy = `${folder.path}/rescued`;
  await cp(`${other.directory}/heap`, `${copy}/heap`, { recursive: true });
  const name = `${copy}/heap/0000000000000001.seg`;
  const before = await readFile(name);
  await assert.rejects(backup(temp.directory, copy, temp.store), (error) => isStoreError(error, 'storeExists'));
  assert.deepEqual(await readFile(name), before);
});

test('the original store, after a restore of its backup went its own way, is not mixed with it', async () => {
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  const random = seededRandom(testSeed());
  const traffic = trafficOn(temp.store, random);
  await traffic.request('createAccount');
  await some(traffic, 40);
  const target = `${folder.path}/backup`;
  await backup(temp.directory, target, temp.store);
  await restoreStore(target, `${folder.path}/new`, small);
  await cp(target, `${folder.path}/copy`, { recursive: true });
  await some(traffic, 40);
  await temp.store.settle();
  await backup(temp.directory, target, temp.store);
  const store = await Store.open(`${folder.path}/new`, small);
  await some(trafficOn(store, random), 40);
  await store.settle();
  await assert.rejects(backup(`${folder.path}/new`, target, store), (error) => isStoreError(error, 'storeExists'));
  assert.deepEqual(await verified(target, folder.path), []);
  await backup(`${folder.path}/new`, `${folder.path}/copy`, store);
  assert.deepEqual(await verified(`${folder.path}/copy`, folder.path), []);
  await store.close();
});

test('stores that went apart between two segments are told from each other', async () => {
  await using temp = await tempStore(small);
  await using folder = await tempDirectory();
  const random = seededRandom(testSeed());
  const { account } = await temp.store.createAccount('a@example.org');
  const inbox = temp.store.catalog().mailboxNamed(account, 'INBOX')?.id;
  assert.ok(inbox !== undefined);
  // Fills the segment: what comes next goes to another one.
  const large = await temp.store.take(random.bytes(small.segmentBytes));
  await temp.store.append(inbox, [{ message: large, internalDate: 0, flags: 0, keywords: [] }]);
  await temp.store.settle();
  const target = `${folder.path}/backup`;
  await backup(temp.directory, target, temp.store);
  await restoreStore(target, `${folder.path}/new`, small);
  await temp.store.createAccount('original@example.org');
  await backup(temp.directory, target, temp.store);
  const store = await Store.open(`${folder.path}/new`, small);
  await store.createAccount('restored@example.org');
  await assert.rejects(backup(`${folder.path}/new`, target, store), (error) => isStoreError(error, 'storeExists'));
  assert.deepEqual(await verified(target, folder.path), []);
  await store.close();
});

test('backups beside compaction are clean, whatever goes away under them, and so is what is restored', async () => {
  const eager = { ...small, retiredFileMs: 0 };
  await using temp = await tempStore(eager);
  await using folder = await tempDirectory();
  const traffic = trafficOn(temp.store, seededRandom(testSeed()));
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  await some(traffic, 150);
  let isOver = false;
  let retired = 0;
  const compacting = (async () => {
    while (!isOver) {
      await some(traffic, 10);
      retired += (await temp.store.compact({ minGarbage: 0, maxRate: 0 })).segments.length;
      await temp.store.dropRetired(true);
    }
  })();
  const target = `${folder.path}/backup`;
  try {
    for (let round = 0; round < counts(5, 50); round++) {
      await backup(temp.directory, target, temp.store);
      assert.deepEqual(await verified(target, folder.path), []);
      const directory = `${folder.path}/new-${round}`;
      await restoreStore(target, directory, small);
      const store = await Store.open(directory, small);
      await assertClean(store);
      await store.close();
      await rm(directory, { recursive: true });
    }
  } finally {
    isOver = true;
    await compacting;
  }
  assert.ok(retired > 0, 'segments went away');
});
