/** What a client lists comes from the catalog alone: not one octet of the heap is read for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AccountId,
  flag,
  inbox,
  type MailboxId,
  type Store,
  StoreReader,
  type StoreReading,
  UidSet,
} from '@mstore/store';
import type { Catalog } from '@mstore/store/internal/catalog/catalog';
import { partsOf } from '@mstore/store/internal/log/references';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { tempStore } from '../support/temp-store.ts';

const messages = 50;
const expunged = 3;

async function fill(store: Store): Promise<{ account: AccountId; mailbox: MailboxId }> {
  const { account } = await store.createAccount('a@example.org');
  const mailbox = store.catalog().mailboxNamed(account, inbox)?.id;
  assert.ok(mailbox !== undefined);
  const source = new MessageSource(seededRandom(21));
  for (let n = 0; n < messages; n++) {
    const keywords = n % 5 === 0 ? ['Work'] : [];
    const octets = n === 0 ? Buffer.from('Subject: the first\r\nFrom: a@example.org\r\n\r\ntext\r\n') : source.next();
    const message = await store.take(octets);
    await store.append(mailbox, [{ message, flags: n % 2 === 0 ? flag.seen : 0, keywords }]);
  }
  await store.expunge(mailbox, UidSet.range(10, 10 + expunged - 1), false);
  await store.settle();
  return { account, mailbox };
}

/** Reads all there is of a mailbox's messages; how many entries, and the octets of what was derived from headers. */
function readEntries(catalog: Catalog, mailbox: MailboxId): { entries: number; derivedBytes: number } {
  let entries = 0;
  let derivedBytes = 0;
  const words = catalog.keywords(mailbox);
  for (const entry of catalog.entries(mailbox)) {
    entries++;
    assert.deepEqual(catalog.entry(mailbox, entry.uid), entry);
    assert.ok(entry.keywords.every((number) => words[number] === 'Work'));
    const row = catalog.message(entry.message);
    assert.ok(row?.derived);
    assert.ok(row.envelope.length > 0 && row.bodyStructure.length > 0);
    derivedBytes += row.envelope.length + row.bodyStructure.length + row.listedFields.length;
    assert.equal(catalog.messageWithHash(row.sha), entry.message);
    for (const sha of partsOf(row)) assert.ok((catalog.part(sha)?.refs ?? 0) > 0);
  }
  return { entries, derivedBytes };
}

function readEverything(catalog: Catalog, account: AccountId, mailbox: MailboxId): void {
  assert.ok(catalog.state() !== undefined);
  assert.equal(catalog.accountNamed('A@example.org')?.id, account);
  assert.equal([...catalog.accounts()].length, 1);
  assert.equal([...catalog.mailboxes(account)].length, [...catalog.allMailboxes()].length);
  assert.ok(catalog.subscriptions(account).every((name) => catalog.isSubscribed(account, name)));
  assert.equal(catalog.mailbox(mailbox)?.messages, messages - expunged);
  assert.deepEqual(catalog.keywords(mailbox), ['Work']);
  const uids = [...catalog.uidPages(mailbox)].flatMap(([number, page]) => [...page.uids(number)]);
  assert.equal(uids.length, messages - expunged);
  assert.equal([...catalog.retained(mailbox)].length, expunged);
  const { entries, derivedBytes } = readEntries(catalog, mailbox);
  assert.equal(entries, messages - expunged);
  assert.ok(derivedBytes > 0);
  assert.ok(
    [...catalog.messages()].length > 0 && [...catalog.parts()].length > 0 && [...catalog.segments()].length > 0,
  );
}

async function assertNoHeapReads(reading: StoreReading, account: AccountId, mailbox: MailboxId): Promise<void> {
  const { readBytes, readCalls } = reading.heapCounters;
  readEverything(reading.catalog(), account, mailbox);
  assert.deepEqual([reading.heapCounters.readBytes, reading.heapCounters.readCalls], [readBytes, readCalls]);
  // The counter is alive: a message's text is in the heap.
  const entry = reading.catalog().entry(mailbox, 1);
  assert.ok(entry !== undefined);
  await (await reading.open(entry)).whole();
  assert.ok(reading.heapCounters.readBytes > readBytes);
}

test('accounts, mailboxes, entries, envelopes and body structures are read without an octet of the heap', async () => {
  await using temp = await tempStore();
  const { account, mailbox } = await fill(temp.store);
  await assertNoHeapReads(temp.store, account, mailbox);
  await temp.reopen();
  await assertNoHeapReads(temp.store, account, mailbox);
  const reader = await StoreReader.open(temp.directory);
  try {
    await assertNoHeapReads(reader, account, mailbox);
  } finally {
    await reader.close();
  }
});
