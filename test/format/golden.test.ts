/** Today's code reads what earlier releases wrote: golden stores, and what they were recorded to hold. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { brandNumber, type Lsn, machinePorts, rebuild, Store } from '@mstore/store';
import { Heap } from '@mstore/store/internal/heap/heap';
import { eventNumbers } from '@mstore/store/internal/log/events';
import { decodeRecord } from '@mstore/store/internal/log/records';
import { difference } from '../support/dump-store.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';
import { bringGolden, goldenContents } from './golden.ts';
import { contentsOf } from './golden-contents.ts';

/** Every kind of record and event in a heap, by name. */
async function kindsIn(directory: string): Promise<Set<string>> {
  const kinds = new Set<string>();
  const heap = await Heap.openForReading(machinePorts, directory);
  try {
    for await (const scanned of heap.scan({ from: brandNumber<Lsn>(0) })) {
      if (scanned.commit !== undefined) continue;
      const record = decodeRecord(scanned);
      kinds.add(record.type === 'event' ? record.body.kind : record.type);
    }
  } finally {
    await heap.close();
  }
  return kinds;
}

test('the golden store of version 1 has every record and every event of its format', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const events = Object.entries(eventNumbers).filter(([, number]) => number <= 17);
  const wanted = ['part', 'chunk', 'closing', 'message', 'entry', ...events.map(([kind]) => kind)];
  assert.deepEqual([...(await kindsIn(temp.path))].sort(), wanted.sort());
});

test('a store of version 1 holds what it was recorded to hold', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  const store = await Store.open(temp.path);
  try {
    await assertClean(store);
    assert.deepEqual(difference(await contentsOf(store), await goldenContents(1)), []);
  } finally {
    await store.close();
  }
});

test('the catalog of a store of version 1 can be made again from its heap', async () => {
  await using temp = await tempDirectory();
  await bringGolden(1, temp.path);
  await rm(`${temp.path}/catalog`, { recursive: true });
  assert.deepEqual((await rebuild(temp.path)).damage, []);
  const store = await Store.open(temp.path);
  try {
    await assertClean(store);
    assert.deepEqual(difference(await contentsOf(store), await goldenContents(1)), []);
  } finally {
    await store.close();
  }
});
