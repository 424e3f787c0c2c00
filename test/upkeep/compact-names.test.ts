/** Names that mailboxes lost are remembered behind a rebuild, whichever of the records about the mailbox went with their segments. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountId, inbox, type Store, UidSet } from '@mstore/store';
import { assertRebuildsAlike } from '../support/compacted.ts';
import { seededRandom } from '../support/random.ts';
import { simStore } from '../support/temp-store.ts';

const segmentBytes = 32_768;

/** Goes on in a new segment, which holds little else than this message; returns its UID. */
async function fill(store: Store, account: AccountId, seed: number): Promise<number> {
  const octets = Buffer.from(`Subject: ${seed}\r\n\r\n${seededRandom(seed).bytes(36_000).toString('hex')}\r\n`);
  const [result] = await store.deliver(await store.take(octets), [{ account, trace: Buffer.alloc(0) }]);
  assert.ok(result?.ok);
  return result.placed.uid;
}

test('the name of a mailbox that is gone is remembered when its creation goes before its deletion does', async () => {
  await using temp = await simStore({ segmentBytes });
  const { store } = temp;
  const { account } = await store.createAccount('a@example.org');
  const { account: other } = await store.createAccount('b@example.org');
  await fill(store, account, 1);
  const { mailbox } = await store.createMailbox(account, 'name');
  const garbage = await fill(store, other, 2);
  await fill(store, account, 3);
  await store.deleteMailbox(mailbox);
  await fill(store, account, 4);
  await store.purgeRetained(mailbox);
  await fill(store, account, 5);
  const inboxId = store.catalog().mailboxNamed(other, inbox)?.id;
  assert.ok(inboxId !== undefined);
  await store.expunge(inboxId, UidSet.of([garbage]), false);
  await store.purgeRetained(inboxId);
  await fill(store, account, 6);
  const { segments } = await store.compact({ minGarbage: 0.4, maxRate: 0 });
  assert.deepEqual(segments, [2]);
  await store.dropRetired(true);
  await assertRebuildsAlike(temp);
});
