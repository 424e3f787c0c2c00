/** Listings are shared by sessions for as long as they are true, and kept in bounded numbers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Listing, Listings } from '@mstore/pop3d/internal/listing';
import { inbox, type MailboxId, type Store, UidSet } from '@mstore/store';
import { tempStore } from '../support/temp-store.ts';

/** A mailbox with so many messages. */
async function mailboxOf(store: Store, name: string, messages: number): Promise<MailboxId> {
  const { account } = await store.createAccount(name);
  const mailbox = store.catalog().mailboxNamed(account, inbox)?.id;
  assert.ok(mailbox !== undefined);
  for (let n = 0; n < messages; n += 1) {
    await store.append(mailbox, [
      { message: await store.take(Buffer.from(`Subject: ${n}\r\n\r\n`)), flags: 0, keywords: [] },
    ]);
  }
  return mailbox;
}

async function listingOf(listings: Listings, store: Store, mailbox: MailboxId): Promise<Listing> {
  const catalog = store.catalog();
  const row = catalog.mailbox(mailbox);
  assert.ok(row !== undefined);
  return listings.of(catalog, mailbox, row);
}

test('a listing is read again when the mailbox has changed, and only then', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const mailbox = await mailboxOf(store, 'a@example.org', 3);
  const listings = new Listings(store);
  const first = await listingOf(listings, store, mailbox);
  assert.equal(await listingOf(listings, store, mailbox), first);
  await store.expunge(mailbox, UidSet.range(2, 2), false);
  const second = await listingOf(listings, store, mailbox);
  assert.deepEqual([first.count, second.count], [3, 2]);
  assert.deepEqual([second.uid(0), second.uid(1)], [1, 3]);
  assert.equal(await listingOf(listings, store, mailbox), second);
});

test('what was not asked for the longest leaves first, by number and by size', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const [a, b, c] = [
    await mailboxOf(store, 'a@example.org', 1),
    await mailboxOf(store, 'b@example.org', 1),
    await mailboxOf(store, 'c@example.org', 4),
  ];
  const byNumber = new Listings(store, 2, 100);
  const ofA = await listingOf(byNumber, store, a);
  const ofB = await listingOf(byNumber, store, b);
  assert.equal(await listingOf(byNumber, store, a), ofA);
  await listingOf(byNumber, store, c);
  assert.equal(await listingOf(byNumber, store, a), ofA);
  assert.notEqual(await listingOf(byNumber, store, b), ofB);
  const bySize = new Listings(store, 100, 5);
  const small = await listingOf(bySize, store, a);
  const large = await listingOf(bySize, store, c);
  assert.equal(await listingOf(bySize, store, a), small);
  await listingOf(bySize, store, b);
  assert.equal(await listingOf(bySize, store, a), small);
  assert.notEqual(await listingOf(bySize, store, c), large);
});
