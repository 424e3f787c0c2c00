/** Small messages that are had in one turn are octet for octet what the way that waits gives. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inbox, type MailboxId, type Store, StoreReader } from '@mstore/store';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { tempStore } from '../support/temp-store.ts';

const margins = { before: 10, behind: 5, bytesMax: 131_072 };

async function fill(store: Store, messages: readonly Buffer[]): Promise<MailboxId> {
  const { account } = await store.createAccount('a@example.org');
  for (const octets of messages) {
    const [result] = await store.deliver(await store.take(octets), [
      { account, trace: Buffer.from('Delivered-To: a\r\n') },
    ]);
    assert.ok(result?.ok);
  }
  await store.settle();
  const mailbox = store.catalog().mailboxNamed(account, inbox)?.id;
  assert.ok(mailbox !== undefined);
  return mailbox;
}

test('whatever is at hand is what opening the message gives, by the writer and beside it', async (t) => {
  const random = seededRandom(testSeed());
  const source = new MessageSource(random, [5_000, 9_001, 4_096, 30_000, 90_000, 200_000]);
  await using temp = await tempStore();
  const messages = Array.from({ length: counts(200, 2_000) }, () => source.next());
  const mailbox = await fill(temp.store, messages);
  const reader = await StoreReader.open(temp.directory);
  for (const reading of [temp.store, reader]) {
    const kept: { readonly octets: Buffer; readonly whole: Buffer }[] = [];
    for (const entry of [...reading.catalog().entries(mailbox)]) {
      const whole = await (await reading.open(entry)).whole();
      const octets = reading.atHand(entry, margins);
      const isSmall = whole.length - 'Delivered-To: a\r\n'.length <= margins.bytesMax;
      if (!isSmall) assert.equal(octets, undefined);
      if (octets !== undefined) kept.push({ octets, whole });
    }
    // Nothing that came later changed what was given before.
    for (const { octets, whole } of kept) assert.ok(octets.subarray(10, -5).equals(whole));
    t.diagnostic(`${kept.length} of ${messages.length} at hand`);
    assert.ok(kept.length > messages.length / 2, `${kept.length} messages at hand`);
  }
  await reader.close();
});

test('a damaged message is not at hand, and opening it says why', async () => {
  await using temp = await tempStore();
  const mailbox = await fill(temp.store, [Buffer.from('Subject: a\r\n\r\nsome text\r\n')]);
  const [entry] = temp.store.catalog().entries(mailbox);
  assert.ok(entry !== undefined);
  await temp.store.open(entry);
  assert.ok(temp.store.atHand(entry, margins) !== undefined);
  const file = await open(join(temp.directory, 'heap', '0000000000000001.seg'), 'r+');
  const octets = await file.readFile();
  const place = octets.indexOf('some text');
  assert.ok(place !== -1);
  await file.write('S', place);
  assert.equal(temp.store.atHand(entry, margins), undefined);
  await assert.rejects(temp.store.open(entry), /payload|corrupt|damaged/i);
  await file.write('s', place);
  await file.close();
});
