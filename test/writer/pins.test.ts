/** Pinned segments: kept as long as somebody needs them, in the writer's process and over its socket. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError } from '@mstore/store';
import { WriterClient } from '@mstore/store/internal/writer/client';
import { Pins } from '@mstore/store/internal/writer/pins';
import { WriterServer } from '@mstore/store/internal/writer/server';
import { tempStore } from '../support/temp-store.ts';

test('a segment is pinned until the last of those who pinned it let it go, and each lets go once', () => {
  const pins = new Pins();
  const first = pins.pin([1, 2]);
  const second = pins.pin([2, 3]);
  assert.deepEqual(
    [1, 2, 3, 4].map((number) => pins.has(number)),
    [true, true, true, false],
  );
  first();
  first();
  assert.deepEqual(
    [1, 2, 3].map((number) => pins.has(number)),
    [false, true, true],
  );
  second();
  assert.deepEqual(
    [1, 2, 3].map((number) => pins.has(number)),
    [false, false, false],
  );
});

test('a pin over the socket names the durable log, and ends when it is released or its connection does', async () => {
  await using temp = await tempStore({ idleCommitMs: 0 });
  const { store } = temp;
  const path = `${temp.directory}/run/writer.sock`;
  const server = await WriterServer.listen(store, path);
  const client = await WriterClient.connect(path);
  const number = store.heap.segments().at(-1)?.number ?? 0;
  await store.createAccount('a@example.org');
  const pinned = await client.pinLog();
  assert.equal(pinned.durableLsn, store.heap.durableLsn);
  assert.equal(store.pins.has(number), true);
  await pinned.release();
  await pinned.release();
  assert.equal(store.pins.has(number), false);
  for (let n = 0; n < 16; n++) await client.pinLog();
  await assert.rejects(client.pinLog(), (error) => isStoreError(error, 'limitExceeded'));
  assert.equal(store.pins.has(number), true);
  await client.close();
  const deadline = process.uptime() + 10;
  while (store.pins.has(number)) {
    assert.ok(process.uptime() < deadline, 'the pins of a closed connection stay');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await server.close();
});
