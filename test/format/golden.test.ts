/** Today's code reads what earlier releases wrote: golden stores, and what they were recorded to hold. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import {
  brandNumber,
  isStoreError,
  type Lsn,
  machinePorts,
  readFrom,
  rebuild,
  Store,
  StoreReader,
  upgrade,
} from '@mstore/store';
import { Heap } from '@mstore/store/internal/heap/heap';
import { eventNumbers } from '@mstore/store/internal/log/events';
import { decodeRecord } from '@mstore/store/internal/log/records';
import type { RestateKind } from '@mstore/store/internal/log/restate';
import { difference } from '../support/dump-store.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';
import { bringGolden, goldenContents } from './golden.ts';
import { contentsOf } from './golden-contents.ts';

/** Every kind of record, RESTATE and event in a heap, by name. */
async function kindsIn(directory: string): Promise<Set<string>> {
  const kinds = new Set<string>();
  const heap = await Heap.openForReading(machinePorts, directory);
  try {
    for await (const scanned of heap.scan({ from: brandNumber<Lsn>(0) })) {
      if (scanned.commit !== undefined) continue;
      const record = decodeRecord(scanned);
      kinds.add('body' in record ? `${record.type} ${record.body.kind}` : record.type);
    }
  } finally {
    await heap.close();
  }
  return kinds;
}

/** The kinds of event up to a number. */
function eventsUpTo(last: number): string[] {
  return Object.entries(eventNumbers).flatMap(([kind, number]) => (number <= last ? [`event ${kind}`] : []));
}

test('the golden store of version 1 has every record and every event of its format', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const wanted = ['part', 'chunk', 'closing', 'message', 'entry', ...eventsUpTo(17)];
  assert.deepEqual([...(await kindsIn(temp.path))].sort(), wanted.sort());
});

/** A name for each kind of RESTATE: one that is missing here does not compile. */
const restates: Readonly<Record<RestateKind, string>> = {
  entry: 'restate entry',
  flags: 'restate flags',
  retained: 'restate retained',
  vanished: 'restate vanished',
  gone: 'restate gone',
  mailbox: 'restate mailbox',
  mailboxGone: 'restate mailboxGone',
  account: 'restate account',
  details: 'restate details',
  accountGone: 'restate accountGone',
};

test('the golden store of version 2 has every record, every RESTATE and every event of its format', async () => {
  await using temp = await tempDirectory();
  await bringGolden(2, temp.path);
  const wanted = ['part', 'chunk', 'closing', 'message', 'entry', ...Object.values(restates), ...eventsUpTo(24)];
  assert.deepEqual([...(await kindsIn(temp.path))].sort(), wanted.sort());
  const contents = (await goldenContents(2)).join('\n');
  assert.match(contents, /^account \d+ mailbox 0 metadata mstore\/retention /m);
  assert.match(contents, /^mailbox \d+ expunged at \d+, kept: /m);
  assert.match(contents, /^mailbox \d+ expunged modseq=/m);
});

/** Everything is well in a store of today's format, and it holds what was recorded. */
async function assertHolds(directory: string, version: number): Promise<void> {
  const store = await Store.open(directory);
  try {
    await assertClean(store);
    assert.deepEqual(difference(await contentsOf(store), await goldenContents(version)), []);
  } finally {
    await store.close();
  }
}

test('a store of version 1 holds after its upgrade what it was recorded to hold', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const report = await upgrade(temp.path);
  assert.deepEqual([report.from, report.to, report.done, report.damage], [1, 2, true, []]);
  await assertHolds(temp.path, 1);
});

test('a store of version 1 without a catalog is upgraded from its heap alone', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  await rm(`${temp.path}/catalog`, { recursive: true });
  assert.equal((await upgrade(temp.path)).done, true);
  await assertHolds(temp.path, 1);
});

test('a store of version 2 is opened as it is, and holds what it was recorded to hold', async () => {
  await using temp = await tempDirectory();
  await bringGolden(2, temp.path);
  await assertHolds(temp.path, 2);
});

test('a store of version 2 is rebuilt in either way to hold what it was recorded to hold', async () => {
  for (const contentFirst of [false, true]) {
    await using temp = await tempDirectory();
    await bringGolden(2, temp.path);
    await rm(`${temp.path}/catalog`, { recursive: true });
    assert.deepEqual((await rebuild(temp.path, { contentFirst })).damage, []);
    await assertHolds(temp.path, 2);
  }
});

test('a store of version 1 is opened, read and rebuilt by nobody before its upgrade', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const isOlder = (error: unknown): boolean =>
    isStoreError(error, 'olderFormat') && /mstore upgrade/.test(error.message);
  for (const open of [Store.open, StoreReader.open, readFrom, rebuild]) await assert.rejects(open(temp.path), isOlder);
  await rm(`${temp.path}/catalog`, { recursive: true });
  for (const open of [Store.open, StoreReader.open, readFrom, rebuild]) await assert.rejects(open(temp.path), isOlder);
});
