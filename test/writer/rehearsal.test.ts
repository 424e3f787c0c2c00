/** A rehearsal leaves nothing behind, also when mail comes meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inbox } from '@mstore/store';
import { dumpView } from '../support/dump-store.ts';
import { tempStore } from '../support/temp-store.ts';

test('a rehearsal changes nothing, writes nothing and gives out no number', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  await store.createAccount('ann@example.org');
  await store.settle();
  const before = dumpView(store.catalog().view);
  const { writeCalls, syncs } = store.heapCounters;
  await store.rehearse();
  assert.deepEqual(dumpView(store.catalog().view), before);
  assert.deepEqual([store.heapCounters.writeCalls, store.heapCounters.syncs], [writeCalls, syncs]);
});

test('deliveries during a rehearsal are stored as ever', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const { account } = await store.createAccount('ann@example.org');
  const rehearsal = store.rehearse();
  for (let n = 0; n < 50; n++) {
    const message = await store.take(Buffer.from(`Subject: ${n}\r\n\r\n${n}\r\n`));
    const [result] = await store.deliver(message, [{ account, trace: Buffer.alloc(0) }]);
    assert.ok(result?.ok);
  }
  await rehearsal;
  assert.equal(store.catalog().mailboxNamed(account, inbox)?.row.messages, 50);
});
