/** LMTP as a client sees it: one session, or several at once, on a real store. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemon } from './daemon.ts';

test('a message is delivered with its trace lines on top', async () => {
  await using daemon = await Daemon.start(['anna@example.net']);
  const client = await daemon.client();
  assert.match(await client.reply(), /^220 mx\.test LMTP/);
  const hello = await client.say('LHLO client.test');
  for (const word of ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 67108864', 'ENHANCEDSTATUSCODES', 'CHUNKING']) {
    assert.ok(hello.includes(word), word);
  }
  const [reply = ''] = await client.deliver(['Anna@Example.NET'], 'Subject: hi\r\n\r\n..dot\r\n');
  assert.match(reply, /^250 2\.1\.5 /);
  assert.match(await client.say('QUIT'), /^221 2\.0\.0 /);
  assert.equal(await client.reply(), '');
  const [message = ''] = await daemon.messages('anna@example.net');
  const expected =
    /^Return-Path: <sender@example\.org>\r\nDelivered-To: Anna@Example\.NET\r\nReceived: from client\.test \(\[127\.0\.0\.1\]\)\r\n\tby mx\.test with LMTP id [0-9a-f]{16}\r\n\tfor <Anna@Example\.NET>; \w{3}, \d{2} \w{3} \d{4} [\d:]{8} \+0000\r\nSubject: hi\r\n\r\n\.dot\r\n$/;
  assert.match(message, expected);
});
