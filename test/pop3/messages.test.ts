/** RETR and TOP: messages come out octet for octet, whatever they hold (RFC 1939 §3, §5, §7). */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { netLimits } from '@mstore/net';
import { limits } from '@mstore/pop3d/internal/limits';
import { counts } from '../support/long.ts';
import { MessageSource, wrapped } from '../support/messages.ts';
import { type PopClient, PopSite } from '../support/pop3.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';

const trace = 'Return-Path: <>\r\nDelivered-To: a\r\n';

/** What POP3 sends of stored octets: they end with CRLF. */
function ended(octets: Buffer): Buffer {
  return octets.subarray(-2).toString('latin1') === '\r\n' ? octets : Buffer.concat([octets, Buffer.from('\r\n')]);
}

/** The same by the rule of TOP, line by line. */
function topOf(octets: Buffer, lines: number): Buffer {
  const text = octets.toString('latin1');
  const blank = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') === -1 ? -1 : text.indexOf('\r\n\r\n') + 2;
  if (blank === -1) return ended(octets);
  const body = text.slice(blank + 2).match(/[\s\S]*?\r\n|[\s\S]+$/g) ?? [];
  return ended(Buffer.from(text.slice(0, blank + 2) + body.slice(0, lines).join(''), 'latin1'));
}

async function assertComesOut(client: PopClient, number: number, stored: Buffer): Promise<void> {
  client.say(`RETR ${number}\r\n`);
  assert.equal(await client.line(), `+OK ${stored.length} octets`);
  assert.deepEqual(await client.undotted(), ended(stored));
  for (const lines of [0, 1, 2, 1_000_000]) {
    assert.deepEqual(await client.message(`TOP ${number} ${lines}`), topOf(stored, lines), `TOP ${number} ${lines}`);
  }
}

const peculiar = [
  '',
  '\r\n',
  'no blank line',
  'no blank line\r\n',
  'Subject: header only\r\n\r\n',
  'Subject: no last line end\r\n\r\ntext',
  'Subject: ends with CR\r\n\r\ntext\r',
  '\r\nno header\r\n',
  '.\r\n.\r\n..\r\n.dots in the header\r\n',
  'Subject: dots\r\n\r\n.\r\n..\r\n...\r\n.a\r\na.\r\n.',
  'Subject: bare CR\r\n\r\na\rb\r.\rc\r\r\n.\r\n',
  'Subject: NUL\r\n\r\na\0b\0\r\n\0.\r\n',
  'Subject: 8 bit \xe9\r\n\r\n\xff\xfe\x80\r\n',
  `Subject: long line\r\n\r\n${'x'.repeat(70_000)}`,
  `Subject: many empty lines\r\n\r\n${'\r\n'.repeat(70_000)}`,
  `Subject: many dots\r\n\r\n${'.\r\n'.repeat(100_000)}`,
  'Subject: -ERR\r\n\r\n+OK\r\n-ERR\r\n.\r\n+OK\r\n',
];

test('peculiar messages come out octet for octet, whole and from the top', async () => {
  await using site = await PopSite.start();
  await site.deliver(peculiar, trace);
  const client = await site.logIn();
  for (const [index, message] of peculiar.entries()) {
    await assertComesOut(client, index + 1, Buffer.from(trace + message, 'latin1'));
  }
});

const tokens = ['\r\n', '\r\n.', '.', '\r', '\0', 'a', ':', '\r\n\r\n', '--=-b\r\n', ' ', '\xff', 'Subject: s\r\n'];

function scrambled(random: Random): Buffer {
  let text = '';
  for (let count = random.int(40); count > 0; count -= 1) text += random.pick(tokens);
  return Buffer.from(text.replace(/\n(?<!\r\n)/g, ''), 'latin1');
}

test('messages of any shape come out octet for octet', async () => {
  const random = seededRandom(testSeed());
  const source = new MessageSource(random);
  const messages: Buffer[] = [];
  for (let n = 0; n < counts(150, 2_000); n += 1) {
    const message = source.next();
    messages.push(message, scrambled(random), message.subarray(0, random.int(message.length)));
  }
  const clean = messages.map((message) => (message.at(-1) === 13 ? message.subarray(0, -1) : message));
  await using site = await PopSite.start();
  await site.deliver(clean, trace);
  const client = await site.logIn();
  for (const [index, message] of clean.entries()) {
    await assertComesOut(client, index + 1, Buffer.concat([Buffer.from(trace), message]));
  }
});

test('large messages come out whole, through windows and chunks', async () => {
  const random = seededRandom(testSeed());
  const head = 'Subject: large\r\nMIME-Version: 1.0\r\n';
  const base64 = `${head}Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n`;
  const messages = [
    Buffer.from(base64 + wrapped(random.bytes(3_000_000), 76)),
    Buffer.from(`${head}\r\n${'.dotted line\r\n'.repeat(150_000)}`),
    Buffer.from(`${head}\r\n${'x'.repeat(limits.gatherBytes - 100)}\r\n.\r\n${'.'.repeat(netLimits.writeGroupBytes)}`),
  ];
  await using site = await PopSite.start();
  await site.deliver(messages, trace);
  const client = await site.logIn();
  for (const [index, message] of messages.entries()) {
    await assertComesOut(client, index + 1, Buffer.concat([Buffer.from(trace), message]));
  }
});

test('NUL goes out as 0x80 where that is configured', async () => {
  await using site = await PopSite.start({ config: { nul: 'replace' } });
  const message = 'Subject: NUL \0\r\n\r\na\0\0b\r\n\0';
  await site.deliver([message], trace);
  const client = await site.logIn();
  const expected = Buffer.from(`${trace}${message}\r\n`.replaceAll('\0', '\x80'), 'latin1');
  assert.deepEqual(await client.message('RETR 1'), expected);
  assert.deepEqual(await client.message('TOP 1 9'), expected);
});

test('the end of a message comes in one piece', async () => {
  await using site = await PopSite.start();
  const head = 'Subject: s\r\n\r\n';
  // The end of the message would lie across the bound of what is written at once.
  const text = netLimits.writeGroupBytes - trace.length - head.length - 1;
  await site.deliver([`${head}${'x'.repeat(text)}\r\n`, `${head}short\r\n`], trace);
  const client = await site.logIn();
  const pieces: Buffer[] = [];
  client.socket.on('data', (octets) => pieces.push(octets));
  for (const number of [1, 2]) {
    await client.message(`RETR ${number}`);
    const last = pieces.at(-1)?.subarray(-5).toString('latin1');
    assert.equal(last, '\r\n.\r\n');
  }
});

test('a reader that does not read holds little memory, and gets everything when it reads', async () => {
  const random = seededRandom(testSeed());
  const message = Buffer.from(`Subject: large\r\n\r\n${wrapped(random.bytes(8_000_000), 76)}`);
  await using site = await PopSite.start();
  await site.deliver([message], trace);
  const client = await site.logIn();
  await client.message('TOP 1 0');
  global.gc?.();
  const before = process.memoryUsage.rss();
  client.socket.pause();
  const times = 8;
  for (let n = 0; n < times; n += 1) client.say('RETR 1\r\n');
  // The daemon has stopped sending when the kernel's buffers are full.
  let seen = -1;
  for (let still = 0; still < 10; ) {
    const { readBytes } = site.reading.heapCounters;
    still = readBytes === seen ? still + 1 : 0;
    seen = readBytes;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(seen < message.length * 2, `${seen} octets were read ahead of the reader`);
  assert.ok(process.memoryUsage.rss() - before < message.length * 4);
  client.socket.resume();
  const stored = Buffer.concat([Buffer.from(trace), message]);
  for (let n = 0; n < times; n += 1) {
    assert.equal(await client.line(), `+OK ${stored.length} octets`);
    assert.ok((await client.undotted()).equals(stored));
  }
});

test('a damaged message is refused by name, or its connection broken off; all others can be read', async () => {
  await using site = await PopSite.start();
  const small = 'Subject: small\r\n\r\ntext\r\n';
  const random = seededRandom(testSeed());
  // Nothing that could be compressed.
  const content = random.bytes(3_000_000).map((octet) => (octet < 32 ? octet + 32 : octet));
  const large = Buffer.concat([Buffer.from('Subject: large\r\n\r\n'), content, Buffer.from('\r\n')]);
  await site.deliver([small, large, small.replace('small', 'whole')], trace);
  const restore = await damage(site, [Buffer.from('Subject: small'), large.subarray(-3_000, -2_900)]);
  const client = await site.logIn();
  assert.match(await client.ask('RETR 1'), /^-ERR \[SYS\/PERM\] this message is damaged/);
  assert.match(await client.ask('TOP 1 0'), /^-ERR \[SYS\/PERM\]/);
  assert.match(String(await client.message('RETR 3')), /whole/);
  assert.match(await client.ask('RETR 2'), /^\+OK/);
  client.socket.end();
  assert.doesNotMatch(await client.ended(), /\r\n\.\r\n/);
  const again = await site.logIn();
  assert.match(await again.ask('RETR 2'), /^-ERR \[SYS\/PERM\]/);
  assert.match(String(await again.message('RETR 3')), /whole/);
  await restore();
});

/** Flips an octet in the heap within each of these texts, which are stored as they are; returns what flips it back. */
async function damage(site: PopSite, texts: readonly Buffer[]): Promise<() => Promise<void>> {
  const path = join(site.temp.directory, 'heap', '0000000000000001.seg');
  const file = await open(path, 'r+');
  const places: number[] = [];
  const flip = async (): Promise<void> => {
    for (const place of places) {
      const octet = Buffer.alloc(1);
      await file.read(octet, 0, 1, place);
      octet[0] = (octet[0] ?? 0) ^ 1;
      await file.write(octet, 0, 1, place);
    }
  };
  const octets = await file.readFile();
  for (const text of texts) {
    const at = octets.indexOf(text);
    assert.notEqual(at, -1, 'the text stands in the heap as it is');
    places.push(at + 3);
  }
  await flip();
  return async () => {
    await flip();
    await file.close();
  };
}
