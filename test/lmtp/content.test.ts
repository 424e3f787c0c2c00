/** What comes in by LMTP comes to lie as it was sent, however it was cut, chunked or ended; and only whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DotEncoder } from '@mstore/net';
import { machinePorts } from '@mstore/store';
import { wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { Daemon, type LmtpClient } from './daemon.ts';

const anna = 'anna@example.net';
const bert = 'bert@example.net';

/** A message behind its trace lines: three of them, Received folded twice. */
function content(message: string): string {
  return message.split('\r\n').slice(5).join('\r\n');
}

/** Content as DATA carries it, the last dot included. */
function dotted(message: string | Buffer): Buffer {
  const encoder = new DotEncoder();
  return Buffer.concat([...encoder.push(Buffer.from(message)), encoder.finish()]);
}

async function begin(client: LmtpClient, ...recipients: readonly string[]): Promise<void> {
  client.send(`MAIL FROM:<>\r\n${recipients.map((recipient) => `RCPT TO:<${recipient}>\r\n`).join('')}`);
  for (const reply of await client.replies(1 + recipients.length)) assert.match(reply, /^250 /);
}

async function data(client: LmtpClient): Promise<void> {
  assert.match(await client.say('DATA'), /^354 /);
}

test('dots and line ends come out as they were, wherever the octets are cut', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  const message = '.\r\n..\r\n.a\r\n\r\n\r.\rx\r\n';
  const sent = dotted(message);
  for (let cut = 1; cut < sent.length; cut++) {
    await begin(client, anna);
    await data(client);
    client.send(sent.subarray(0, cut));
    await nextTurn();
    await nextTurn();
    client.send(sent.subarray(cut));
    assert.match(await client.reply(), /^250 /, `cut at ${cut}`);
  }
  const messages = await daemon.messages(anna);
  assert.equal(messages.length, sent.length - 1);
  for (const text of messages) assert.equal(content(text), message);
});

test('only a dot between CRLFs ends a message: what another server would take for an end is content', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  const ends = ['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r\n.\r', '\r.\r\n', '\n.\r'];
  for (const end of ends) {
    await begin(client, anna);
    await data(client);
    client.send(`before${end}MAIL FROM:<smuggled@example.org>\r\nRSET\r\n\r\n.\r\n`);
    assert.match(await client.reply(), /^250 2\.1\.5 /);
  }
  assert.match(await client.say('NOOP'), /^250 2\.0\.0 /);
  const messages = await daemon.messages(anna);
  assert.equal(messages.length, ends.length);
  for (const text of messages) assert.ok(text.endsWith('\r\nRSET\r\n\r\n'), JSON.stringify(text));
  assert.equal(daemon.logged.of('delivered').length, ends.length);
});

test('NUL, octets beyond ASCII, long lines and nothing at all are kept', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  const random = seededRandom(3);
  const octets = random.bytes(5_000).map((octet) => (octet === 10 ? 11 : octet));
  const contents = [Buffer.alloc(0), Buffer.from('a\0b\r\n'), Buffer.concat([octets, Buffer.from('\r\n')])];
  for (const one of contents) {
    await begin(client, anna);
    await data(client);
    client.send(one.length === 0 ? '.\r\n' : dotted(one));
    assert.match(await client.reply(), /^250 /);
  }
  const texts = (await daemon.messages(anna)).map(content);
  assert.deepEqual(
    texts,
    contents.map((one) => one.toString('latin1')),
  );
});

/** Sizes around what is held whole, and well beyond. */
const sizes = [262_143, 262_144, 262_145, 327_680, 3_000_000];

test('messages below, at and beyond the size that is held come out equal, by DATA and in chunks', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  const random = seededRandom(4);
  const wanted: string[] = [];
  for (const size of sizes) {
    const body = wrapped(random.bytes(size), 76).slice(0, size - 4);
    const message = Buffer.from(
      `A: b\r\n\r\n${body}`
        .slice(0, size - 2)
        .replace(/[\r\n]$/, 'x')
        .concat('\r\n'),
    );
    wanted.push(message.toString('latin1'), message.toString('latin1'));
    await begin(client, anna);
    await data(client);
    client.send(dotted(message));
    assert.match(await client.reply(), /^250 /);
    await begin(client, anna);
    for (let at = 0; at < message.length; at += 100_000) {
      const chunk = message.subarray(at, at + 100_000);
      const isLast = at + chunk.length === message.length;
      client.send(`BDAT ${chunk.length}${isLast ? ' LAST' : ''}\r\n`);
      client.send(chunk);
      assert.match(await client.reply(), isLast ? /^250 2\.1\.5 / : /^250 2\.0\.0 /);
    }
  }
  const texts = (await daemon.messages(anna)).map(content);
  assert.deepEqual(
    texts.map((text) => text.length),
    wanted.map((text) => text.length),
  );
  assert.ok(texts.every((text, index) => text === wanted[index]));
});

test('chunks may be single octets or none, hold dots and commands, and come all at once', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  const client = await daemon.greeted();
  const message = 'A: b\r\n\r\n.\r\nQUIT\r\n.x\r\n';
  const chunks = [...message].map((octet) => `BDAT 1\r\n${octet}`).join('');
  client.send(`MAIL FROM:<>\r\nRCPT TO:<${anna}>\r\nRCPT TO:<${bert}>\r\n${chunks}BDAT 0 LAST\r\nNOOP\r\n`);
  const replies = await client.replies(3 + message.length + 3);
  assert.ok(replies.every((reply) => reply.startsWith('250 ')));
  for (const user of [anna, bert]) assert.deepEqual((await daemon.messages(user)).map(content), [message]);
});

test('chunks without a recipient are read and refused, and no other command comes between chunks', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  client.send('BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n');
  for (const reply of await client.replies(2)) assert.match(reply, /^503 5\.5\.1 /);
  client.send('MAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\n');
  assert.match((await client.replies(2)).join(), /^250 .*,503 5\.5\.1 No valid recipients$/);
  // Whoever came now would get the rest of the message for the whole.
  assert.match(await client.say(`RCPT TO:<${anna}>`), /^503 /);
  await client.say('RSET');
  await begin(client, anna);
  client.send('BDAT 3\r\na\r\n');
  assert.match(await client.reply(), /^250 2\.0\.0 /);
  for (const command of ['DATA', `RCPT TO:<${anna}>`, 'MAIL FROM:<>']) assert.match(await client.say(command), /^503 /);
  assert.match(await client.say('NOOP'), /^250 /);
  assert.match(await client.say('RSET'), /^250 /);
  client.send('BDAT 0 LAST\r\n');
  assert.match(await client.reply(), /^503 /);
  assert.equal(daemon.entries(anna).length, 0);
});

test('a chunk whose size cannot be read ends the session: what follows it is not taken for commands', async () => {
  await using daemon = await Daemon.start([anna]);
  for (const size of ['', 'x', '-1', '5 FIRST', '99999999999999999999', '5LAST']) {
    const client = await daemon.greeted();
    client.send(`BDAT ${size}\r\nQUIT\r\n`);
    assert.match(await client.reply(), /^501 5\.5\.4 /);
    assert.equal(await client.reply(), '');
  }
});

test('a chunk announced in a line that is refused ends the session too', async () => {
  await using daemon = await Daemon.start([anna]);
  const blanks = ' '.repeat(4_096);
  for (const line of [
    'BDAT 6\nx',
    `bdat${blanks}6`,
    `BDAT 6 LAST${blanks}`,
    'RSET\nBDAT 6',
    `NOOP ${blanks}\nBDAT 6 LAST`,
  ]) {
    const client = await daemon.greeted();
    await begin(client, anna);
    client.send(`${line}\r\nNOOP\r\nQUIT\r\n`);
    assert.match(await client.reply(), /^501 5\.5\.4 /);
    assert.equal(await client.reply(), '');
  }
});

test('a message too large is read to its end and refused for each recipient, and the session goes on', async () => {
  await using daemon = await Daemon.start([anna, bert], { messageBytes: 300_000 });
  const client = await daemon.greeted();
  assert.match(await client.say('MAIL FROM:<> SIZE=300001'), /^552 5\.3\.4 /);
  for (const lines of [15_001, 4_000_000 / 20]) {
    await begin(client, anna, bert);
    await data(client);
    client.send(Buffer.alloc(lines * 20, 'just eighteen octet\r\n'.slice(1)));
    client.send('.\r\nNOOP\r\n');
    const replies = await client.replies(3);
    assert.match(replies.join(), /^552 5\.3\.4 [^,]*,552 5\.3\.4 [^,]*,250 2\.0\.0 /);
  }
  await begin(client, anna, bert);
  client.send(`BDAT 200000\r\n${'x'.repeat(200_000)}BDAT 100001\r\n${'y'.repeat(100_001)}`);
  client.send(`BDAT 5\r\nQUIT\nBDAT 2 LAST\r\n\r\nNOOP\r\n`);
  const codes = (await client.replies(6)).map((reply) => reply.slice(0, 9));
  assert.deepEqual(codes, ['250 2.0.0', '552 5.3.4', '503 5.5.1', '552 5.3.4', '552 5.3.4', '250 2.0.0']);
  await begin(client, anna);
  await data(client);
  client.send(Buffer.alloc(300_000, 'just eighteen octet\r\n'.slice(1)));
  client.send('.\r\n');
  assert.match(await client.reply(), /^250 2\.1\.5 /);
  assert.equal(daemon.entries(anna).length, 1);
  assert.equal(daemon.entries(bert).length, 0);
});

test('a full disk is answered for each recipient, nothing is half done, and the session goes on when there is room', async () => {
  const disk = { isFull: false };
  const simulated = {
    disk: {
      onCall: ({ operation }: { operation: string }, moment: string) => {
        if (!disk.isFull || moment !== 'before' || operation !== 'write') return;
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      },
    },
  };
  await using daemon = await Daemon.start([anna, bert], { simulated });
  const client = await daemon.greeted();
  await client.deliver([anna, bert], 'one\r\n');
  disk.isFull = true;
  for (const reply of await client.deliver([anna, bert], 'two\r\n')) assert.match(reply, /^452 4\.3\.1 /);
  await begin(client, anna);
  await data(client);
  client.send(dotted(wrapped(seededRandom(5).bytes(7_000_000), 76)));
  assert.match(await client.reply(), /^452 4\.3\.1 /);
  disk.isFull = false;
  for (const reply of await client.deliver([anna, bert], 'three\r\n')) assert.match(reply, /^250 2\.1\.5 /);
  for (const user of [anna, bert])
    assert.deepEqual((await daemon.messages(user)).map(content), ['one\r\n', 'three\r\n']);
});

test('chunks too large to be held are answered where the disk has no room from the first octet on', async () => {
  const ports = { ...machinePorts, space: async () => ({ totalBytes: 2 ** 40, freeBytes: 0 }) };
  await using daemon = await Daemon.start([anna, bert], { store: { ports } });
  const client = await daemon.greeted();
  await begin(client, anna, bert);
  const octets = wrapped(seededRandom(7).bytes(700_000), 76);
  client.send(`BDAT ${octets.length}\r\n${octets}`);
  assert.match(await client.reply(), /^250 /);
  client.send(`BDAT ${octets.length} LAST\r\n${octets}NOOP\r\n`);
  for (const reply of await client.replies(2)) assert.match(reply, /^452 4\.3\.1 /);
  assert.match(await client.reply(), /^250 2\.0\.0 /);
});

test('two sessions that bring the same new attachment at the same instant store it once', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  const attachment = wrapped(seededRandom(6).bytes(50_000), 76);
  const head = 'Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n';
  const clients = [await daemon.greeted(), await daemon.greeted()] as const;
  await begin(clients[0], anna);
  await begin(clients[1], bert);
  for (const client of clients) await data(client);
  for (const [index, client] of clients.entries()) client.send(dotted(`Subject: ${index}\r\n${head}${attachment}`));
  for (const client of clients) assert.match(await client.reply(), /^250 2\.1\.5 /);
  await daemon.temp.store.settle();
  const totals = daemon.temp.store.catalog().state()?.totals;
  assert.deepEqual([totals?.messages, totals?.parts, totals?.partBytes, totals?.sharedBytes], [2, 1, 50_000, 50_000]);
});
