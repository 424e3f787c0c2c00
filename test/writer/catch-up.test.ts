/** What was acknowledged is seen by those who ask a reader to catch up, in another process's place: a handle of its own. */
import assert from 'node:assert/strict';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inbox, limits, StoreReader } from '@mstore/store';
import { segmentName } from '@mstore/store/internal/heap/names';
import { tempStore } from '../support/temp-store.ts';

test('a reader that catches up sees every delivery that was answered', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const { account } = await store.createAccount('ann@example.org');
  await store.settle();
  const reader = await StoreReader.open(temp.directory);
  for (let n = 1; n <= 200; n++) {
    const message = await store.take(Buffer.from(`Subject: ${n}\r\n\r\n${n}\r\n`));
    await store.deliver(message, [{ account, trace: Buffer.alloc(0) }]);
    await reader.catchUp();
    assert.equal(reader.catalog().mailboxNamed(account, inbox)?.row.messages, n);
  }
  await reader.close();
});

test('void octets at the end of the log are waited for once, and not for long', async () => {
  await using temp = await tempStore();
  await temp.store.settle();
  const number = temp.store.heap.segments().at(-1)?.number ?? 0;
  const file = await openFile(join(temp.directory, 'heap', segmentName(number)), 'a');
  await file.write(Buffer.alloc(4_096, 7));
  await file.close();
  const reader = await StoreReader.open(temp.directory);
  const start = performance.now();
  await reader.catchUp();
  assert.ok(performance.now() - start >= limits.catchUpMs);
  const again = performance.now();
  await reader.catchUp();
  assert.ok(performance.now() - again < limits.catchUpMs);
  await reader.close();
});
