/** Rebuild of a heap with a bad record: it is named, the rest is there, and no number that it held is given again. */
import assert from 'node:assert/strict';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type AccountId,
  brandNumber,
  createStore,
  inbox,
  type Lsn,
  rebuild,
  Store,
  StoreReader,
  type Uid,
} from '@mstore/store';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';

interface Place {
  readonly type: number;
  readonly offset: number;
  readonly bytes: number;
}

const headBytes = 32;

async function deliver(store: Store, account: AccountId, subject: string): Promise<Uid> {
  const text = 'a line of some length that makes this part one of its own\r\n'.repeat(100);
  const message = await store.take(Buffer.from(`Subject: ${subject}\r\n\r\n${subject}\r\n${text}`));
  const [result] = await store.deliver(message, [{ account, trace: Buffer.from('Return-Path: <>\r\n') }]);
  assert.ok(result?.ok === true);
  return result.placed.uid;
}

/** The records of segment 1, in order. */
async function places(store: Store): Promise<Place[]> {
  const [segment] = store.heap.segments();
  assert.ok(segment !== undefined);
  const found: Place[] = [];
  for await (const { type, location } of store.heap.scan({ from: brandNumber<Lsn>(0) })) {
    found.push({ type, offset: location.lsn - segment.baseLsn, bytes: location.bytes });
  }
  return found;
}

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const octet = Buffer.alloc(1);
  await file.read(octet, 0, 1, at);
  await file.write(Buffer.of((octet[0] ?? 0) ^ 4), 0, 1, at);
  await file.close();
}

interface Cut {
  readonly account: AccountId;
  /** Of the last message, which is gone. */
  readonly uid: Uid;
  readonly appliedLsn: number;
  readonly dataFile: string;
}

/** A store whose log ends cleanly before what its catalog knows: cut behind a COMMIT. */
async function cutStore(directory: string): Promise<Cut> {
  await createStore(directory);
  const store = await Store.open(directory, { idleCommitMs: 0 });
  const { account } = await store.createAccount('ann@example.org');
  await deliver(store, account, 'first');
  await store.settle();
  const segment = store.heap.segments().at(-1);
  assert.ok(segment !== undefined);
  const uid = await deliver(store, account, 'second');
  await store.close();
  const appliedLsn = await appliedOf(directory);
  await truncate(join(directory, 'heap', '0000000000000001.seg'), segment.endLsn - segment.baseLsn);
  return { account, uid, appliedLsn, dataFile: join(directory, 'catalog', '1', 'data.mdb') };
}

async function appliedOf(directory: string): Promise<number> {
  const reader = await StoreReader.open(directory);
  const applied = reader.catalog().state()?.appliedLsn ?? 0;
  await reader.close();
  return applied;
}

test('where the old catalog knows more of the log than there is, history is lost, and no number of it comes again', async () => {
  await using temp = await tempDirectory();
  const directory = join(temp.path, 'store');
  const { account, uid, appliedLsn } = await cutStore(directory);
  const report = await rebuild(directory);
  assert.deepEqual(
    report.damage.map(({ kind }) => kind),
    ['lostEnd'],
  );
  const store = await Store.open(directory);
  assert.equal(store.heap.epoch, 2);
  assert.ok((await deliver(store, account, 'third')) > uid);
  await store.settle();
  assert.ok((store.heap.segments().at(-1)?.baseLsn ?? 0) >= appliedLsn, 'nor an LSN');
  await assertClean(store);
  await store.close();
  assert.deepEqual((await rebuild(directory)).damage, []);
});

const spoilings: readonly (readonly [string, (dataFile: string) => Promise<void>])[] = [
  ['cut behind its first pages', (dataFile) => truncate(dataFile, 8_192)],
  ['empty', (dataFile) => truncate(dataFile, 0)],
  [
    'full of other octets behind its first pages',
    async (dataFile) => {
      const octets = await readFile(dataFile);
      await writeFile(dataFile, octets.fill(0xa5, 16_384));
    },
  ],
];
for (const [what, spoil] of spoilings) {
  test(`an old catalog that is ${what} is not asked, and does not keep a rebuild from being made`, async () => {
    await using temp = await tempDirectory();
    const directory = join(temp.path, 'store');
    const { account, dataFile } = await cutStore(directory);
    await spoil(dataFile);
    assert.deepEqual((await rebuild(directory)).damage, []);
    const store = await Store.open(directory);
    await deliver(store, account, 'third');
    await store.settle();
    await assertClean(store);
    await store.close();
  });
}

const kinds = [
  ['PART', 1, 'head'],
  ['MESSAGE', 2, 'head'],
  ['MESSAGE', 2, 'payload'],
  ['ENTRY', 3, 'head'],
  ['ENTRY', 3, 'payload'],
  ['EVENT', 4, 'head'],
  ['EVENT', 4, 'payload'],
  ['COMMIT', 6, 'head'],
] as const;

for (const [name, type, where] of kinds) {
  test(`a bad ${where} of ${name === 'ENTRY' || name === 'EVENT' ? 'an' : 'a'} ${name} is named, and numbers go on above it`, async () => {
    await using temp = await tempDirectory();
    const directory = join(temp.path, 'store');
    await createStore(directory);
    let store = await Store.open(directory);
    const { account } = await store.createAccount('ann@example.org');
    const other = (await store.createAccount('bob@example.org')).account;
    const last = [await deliver(store, account, 'first'), await deliver(store, account, 'second')].at(-1) ?? 0;
    await store.settle();
    const told = store.catalog().state()?.sequence ?? 0;
    const all = await places(store);
    await store.close();
    const target = all.filter((place) => place.type === type).at(-1);
    assert.ok(target !== undefined);
    const at = target.offset + (where === 'head' ? 12 : headBytes + Math.min(20, target.bytes - headBytes - 9));
    await flip(join(directory, 'heap', '0000000000000001.seg'), at);

    const report = await rebuild(directory);
    assert.ok(report.damage.length >= 1, 'damage is named');
    store = await Store.open(directory);
    assert.equal(store.heap.epoch, 2);
    const mine = store.catalog().accountNamed('ann@example.org')?.id ?? other;
    assert.ok((await deliver(store, other, 'to bob alone')) > last, 'UIDs go on above');
    assert.ok((await deliver(store, mine, 'third')) > last);
    await store.settle();
    assert.ok((store.catalog().state()?.sequence ?? 0) > told, 'MODSEQ goes on above');
    const box = store.catalog().mailboxNamed(mine, inbox)?.id;
    assert.ok(box !== undefined);
    for (const entry of [...store.catalog().entries(box)]) {
      const octets = await store
        .open(entry)
        .then((message) => message.whole())
        .catch(() => Buffer.alloc(0));
      assert.ok(!octets.includes('to bob alone'), "nobody reads another's mail");
    }
    await store.close();
  });
}
