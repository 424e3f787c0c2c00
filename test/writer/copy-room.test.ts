/** What a target has no room for is refused as a whole, and looking for that holds nobody up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError, UidSet } from '@mstore/store';
import { newAccount } from '../support/account.ts';
import { simStore } from '../support/temp-store.ts';

test('a COPY of a large mailbox over quota is refused before its first slice, and not in one turn', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id, inbox } = await newAccount(store);
  const { mailbox } = await store.createMailbox(id, 'large');
  const message = await store.take(Buffer.from('Subject: one\r\n\r\n'));
  await store.append(mailbox, [{ message, flags: 0, keywords: [] }]);
  let count = 1;
  for (; count < 8_192; count *= 2) await store.copy(mailbox, UidSet.range(1, count), mailbox);
  await store.setQuota(id, 0, 2 * count - 1);
  let turns = 0;
  let next = setImmediate(function turn() {
    turns++;
    next = setImmediate(turn);
  });
  await assert.rejects(store.copy(mailbox, UidSet.range(1, count), inbox), (error) => isStoreError(error, 'overQuota'));
  clearImmediate(next);
  assert.ok(turns >= 2, `${turns} turns`);
  assert.equal(store.catalog().mailbox(inbox)?.messages, 0);
  const { pairs } = await store.copy(mailbox, UidSet.range(2, count), inbox);
  assert.equal(pairs.length, count - 1);
});
