/** A process of its own that makes a store and delivers to it: `node delivering.js <directory> <deliveries>`. */
import assert from 'node:assert/strict';
import { createStore, Store } from '@mstore/store';
import { multipart, wrapped } from './messages.ts';
import { seededRandom } from './random.ts';

const [, , directory = '', deliveries = ''] = process.argv;
const random = seededRandom(1);

await createStore(directory);
const store = await Store.open(directory);
const { account } = await store.createAccount('a@example.org');
for (let n = 0; n < Number(deliveries); n++) {
  // Every message and attachment is new: nothing that could take a file or a name is spared.
  const body = wrapped(random.bytes(6_000), 76);
  const octets = multipart([`Subject: ${n}`], `text ${n}`, [{ encoding: 'base64', body }]);
  const [result] = await store.deliver(await store.take(octets), [
    { account, trace: Buffer.from('Delivered-To: a\r\n') },
  ]);
  assert.ok(result?.ok);
}
await store.close();
