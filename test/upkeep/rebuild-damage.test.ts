/** Rebuild of a heap with a bad record: it is named, the rest is there, and no number that it held is given again. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AccountId, brandNumber, createStore, inbox, type Lsn, rebuild, Store, type Uid } from '@mstore/store';
import { tempDirectory } from '../support/temp.ts';

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
