/** What changed in a mailbox after a MODSEQ (RFC 7162): found without a look at what did not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brandNumber, Catalog, type Entry, flag, limits, type MailboxId, type ModSeq, UidSet } from '@mstore/store';
import { chunkSlots, IndexChunk } from '@mstore/store/internal/catalog/index-chunk';
import { indexTable, mailboxTable } from '@mstore/store/internal/catalog/schema';
import { View, WriteSet } from '@mstore/store/internal/catalog/write-set';
import { newAccount } from '../support/account.ts';
import { MemoryKv } from '../support/memory-kv.ts';
import { tempStore } from '../support/temp-store.ts';

const mailbox = brandNumber<MailboxId>(7);

function entryOf(uid: number, modSeq: number): Entry {
  const numbers = {
    lsn: 8,
    bytes: 9,
    flags: 0,
    internalDate: 1,
    saveDate: 1,
    size: 1,
    message: 1,
    thread: 1,
    email: 1,
  };
  const branded = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, brandNumber(value)]));
  return { ...(branded as never as Entry), uid: brandNumber(uid), modSeq: brandNumber(modSeq), keywords: [], uidl: '' };
}

function chunkOf(number: number, modSeqOf: (uid: number) => number): IndexChunk {
  const chunk = new IndexChunk();
  for (let slot = 0; slot < chunkSlots; slot += 1) {
    const uid = number * chunkSlots + slot;
    if (uid > 0) chunk.set(entryOf(uid, modSeqOf(uid)));
  }
  return chunk;
}

/** All that changed, and in how many looks. */
function changedIn(
  catalog: Catalog,
  uids: UidSet,
  since: number,
): { readonly found: number[]; readonly looks: number } {
  const found: number[] = [];
  let looks = 0;
  for (let from: number | undefined = 1; from !== undefined; looks += 1) {
    const least: number = from;
    const rest = UidSet.ofRanges(uids.ranges.map(({ first, last }) => ({ first: Math.max(first, least), last })));
    const { entries, next } = catalog.changedEntries(mailbox, rest, since);
    found.push(...entries.map(({ uid }) => uid));
    from = next;
  }
  return { found, looks };
}

test('three changes among 100,000 messages are found with three chunks decoded', async () => {
  const changed = new Map([
    [70, 12],
    [64_000, 11],
    [99_999, 13],
  ]);
  const modSeq = (uid: number): number => changed.get(uid) ?? 5;
  const kv = new MemoryKv();
  const numbers = Array.from({ length: Math.ceil(100_000 / chunkSlots) }, (_, number) => number);
  const rows = new WriteSet();
  for (const number of numbers) {
    const key = indexTable.key(mailbox, number);
    rows.put('index', key, indexTable.codec, chunkOf(number, modSeq));
  }
  const decoded = new Set([...changed.keys()].map((uid) => Math.floor(uid / chunkSlots)));
  const octets = WriteSet.encode([rows]).map((change) => {
    // Whoever decodes one of the others fails: only its first octets are what they should be.
    if (!decoded.has(change.key.readUInt32BE(4))) change.value?.fill(0xff, 16);
    return change;
  });
  await kv.write(octets);
  const catalog = new Catalog(new View(kv));
  const all = UidSet.range(1, 4_294_967_295);
  const { found, looks } = changedIn(catalog, all, 10);
  assert.deepEqual(found, [70, 64_000, 99_999]);
  assert.equal(looks, Math.ceil((numbers.length + 4 * limits.decodedChunkSteps) / limits.chunkSteps), 'in slices');
  assert.deepEqual(changedIn(catalog, all, 11).found, [70, 99_999]);
  assert.deepEqual(changedIn(catalog, all, 13).found, []);
  assert.deepEqual(changedIn(catalog, UidSet.of([1, 69, 71, 64_000, 200_000]), 10).found, [64_000]);
  assert.deepEqual(changedIn(catalog, UidSet.empty, 0), { found: [], looks: 1 });
  const scattered = Array.from({ length: 700 }, (_, at) => 128 * at + 70);
  assert.deepEqual(changedIn(catalog, UidSet.of(scattered), 10).found, [70]);
  assert.throws(() => changedIn(catalog, all, 4), 'the others are no chunks');
  // What is on its way to the catalog is seen.
  const later = new WriteSet();
  later.put(
    'index',
    indexTable.key(mailbox, 3),
    indexTable.codec,
    chunkOf(3, (uid) => (uid === 200 ? 20 : 5)),
  );
  assert.deepEqual(changedIn(new Catalog(new View(kv, [later])), all, 12).found, [200, 99_999]);
});

test('no MODSEQ is below the bound that a lost history left', async () => {
  await using temp = await tempStore();
  const { inbox } = await newAccount(temp.store);
  const row = temp.store.catalog().mailbox(inbox);
  assert.ok(row !== undefined);
  const layer = new WriteSet();
  layer.put('mailboxes', mailboxTable.key(mailbox), mailboxTable.codec, {
    ...row,
    highestModSeq: brandNumber<ModSeq>(31),
    modSeqFloor: 30,
  });
  layer.put(
    'index',
    indexTable.key(mailbox, 0),
    indexTable.codec,
    chunkOf(0, (uid) => (uid === 9 ? 31 : 5)),
  );
  const catalog = new Catalog(new View(new MemoryKv(), [layer]));
  assert.equal(changedIn(catalog, UidSet.range(1, 99), 29).found.length, 63);
  assert.deepEqual(changedIn(catalog, UidSet.range(1, 99), 30).found, [9]);
});

test('the writer says which of the changed entries others had changed, and the catalog what went when', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const { inbox } = await newAccount(store);
  const message = (): Buffer => Buffer.from('Subject: x\r\n\r\n');
  const items = await Promise.all(
    [1, 2, 3, 4].map(async () => ({ message: await store.take(message()), flags: 0, keywords: [] })),
  );
  await store.append(inbox, items);
  const known = store.catalog().mailbox(inbox)?.highestModSeq ?? 0;
  const change = { mailbox: inbox, mode: 'add', keywords: [] } as const;
  const other = await store.setFlags({ ...change, uids: UidSet.of([2, 3]), flags: flag.flagged });
  assert.equal(`${other.surprising}`, '', 'nobody asked');
  const asked = { ...change, uids: UidSet.range(1, 4), flags: flag.seen };
  const own = await store.setFlags({ ...asked, knownModSeq: known, unchangedSince: other.sequence });
  assert.deepEqual([`${own.changed}`, `${own.surprising}`, `${own.modified}`], ['1:4', '2:3', '']);
  const again = await store.setFlags({ ...asked, knownModSeq: known });
  assert.deepEqual([`${again.changed}`, `${again.surprising}`], ['', '']);
  const first = await store.expunge(inbox, UidSet.of([1, 3]), false);
  const second = await store.expunge(inbox, UidSet.of([2]), false);
  const gone = (after: number): unknown[] =>
    [...store.catalog().expunges(inbox, after)].map(([modSeq, uids]: readonly [ModSeq, UidSet]) => [modSeq, `${uids}`]);
  assert.deepEqual(gone(0), [
    [first.sequence, '1,3'],
    [second.sequence, '2'],
  ]);
  assert.deepEqual(gone(first.sequence), [[second.sequence, '2']]);
  assert.deepEqual(gone(second.sequence), []);
});
