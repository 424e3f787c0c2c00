/** A COPY is all or none: what a target has no room for is refused before its first slice, and what fails behind that is taken back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError, UidSet } from '@mstore/store';
import { newAccount } from '../support/account.ts';
import { damageInHeap } from '../support/heap-octet.ts';
import { simStore, tempStore } from '../support/temp-store.ts';

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

test('a COPY that meets a damaged entry behind its first slice leaves the target as it was', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const { id, inbox } = await newAccount(store);
  const { mailbox } = await store.createMailbox(id, 'target');
  const count = 450;
  for (let at = 1; at <= count; at++) {
    const trace = Buffer.from(`Return-Path: <m${at}@x>\r\n`);
    await store.deliver(await store.take(Buffer.from('Subject: one\r\n\r\n')), [{ account: id, trace }]);
  }
  await store.settle();
  const before = store.catalog().account(id);
  const mend = await damageInHeap(temp.directory, '<m430@x>');
  const all = UidSet.range(1, count);
  await assert.rejects(store.copy(inbox, all, mailbox), (error) => isStoreError(error, 'corrupt'));
  const row = store.catalog().mailbox(mailbox);
  assert.deepEqual([row?.messages, row?.retainedMessages], [0, 0]);
  assert.deepEqual(store.catalog().account(id), before);
  await mend();
  assert.equal((await store.copy(inbox, all, mailbox)).pairs.length, count);
});
