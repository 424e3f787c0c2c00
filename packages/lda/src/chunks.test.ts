import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MailWriter, StoreError } from '@mstore/store';
import { ChunkedMessage } from './chunks.ts';
import { limits } from './limits.ts';

const chunk = Buffer.alloc(limits.heldBytes, 'x');

test('a message that the store refuses before it has looked at it is not waited for', async () => {
  const full = new StoreError('diskFull', 'no room for new mail');
  const writer: Pick<MailWriter, 'take'> = { take: () => Promise.reject(full) };
  const message = new ChunkedMessage(writer);
  for (let count = 0; count < 3; count += 1) await message.push(chunk);
  await assert.rejects(message.end(), full);
  assert.equal(message.bytes, 3 * chunk.length);
});
