/** FETCH of bodies: whatever a message holds comes out octet for octet, whole, in sections and in windows (RFC 9051 §6.4.5). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { skipWithoutCorpus } from '../support/corpus.ts';
import { Daemons } from '../support/daemons.ts';
import { ImapClient, sectionOf } from '../support/imap-client.ts';
import { counts } from '../support/long.ts';
import { MessageSource, wrapped } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { fetchItems, partsOf, plainStructure } from './lists.ts';

const user = 'ann@example.org';

/** What IMAP shows of stored octets: no literal may hold NUL. */
const shown = (octets: Buffer): string => octets.toString('latin1').replaceAll('\0', '\x80');

async function fetched(client: ImapClient, uid: number, items: string): Promise<string> {
  const [line = ''] = await client.ok(`UID FETCH ${uid} (${items})`);
  return line;
}

/** All ways to a message's octets lead to the same. */
async function assertComesOut(client: ImapClient, uid: number, stored: Buffer, random: Random): Promise<void> {
  const whole = shown(stored);
  const line = await fetched(client, uid, 'BODY.PEEK[] RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT]');
  assert.ok(sectionOf(line, 'BODY[]') === whole, 'BODY[] is the message');
  assert.equal(/RFC822.SIZE (\d+)/.exec(line.slice(whole.length))?.[1] ?? '', `${whole.length}`);
  assert.ok(
    sectionOf(line.slice(whole.length), 'BODY[HEADER]') + sectionOf(line.slice(whole.length), 'BODY[TEXT]') === whole,
  );
  const offset = random.int(whole.length + 2);
  const bytes = 1 + random.int(whole.length + 2);
  const window = await fetched(client, uid, `BODY.PEEK[]<${offset}.${bytes}>`);
  assert.ok(
    sectionOf(window, `BODY[]<${offset}>`) === whole.slice(offset, offset + bytes),
    `window ${offset}.${bytes}`,
  );
}

/** Each part is as large as the structure says, and lies in the message. */
async function assertParts(client: ImapClient, uid: number, stored: Buffer): Promise<void> {
  const items = fetchItems(await fetched(client, uid, 'BODYSTRUCTURE BODY'));
  const structure = items.get('BODYSTRUCTURE');
  assert.deepEqual(items.get('BODY'), plainStructure(structure));
  for (const { path, bytes } of partsOf(structure).slice(0, 20)) {
    const content = sectionOf(await fetched(client, uid, `BODY.PEEK[${path}]`), `BODY[${path}]`);
    assert.equal(content.length, bytes, `BODY[${path}]`);
    assert.ok(shown(stored).includes(content), `BODY[${path}] is in the message`);
  }
}

const peculiar: readonly string[] = [
  'x',
  '\r\n',
  'no blank line',
  'Subject: header only\r\n\r\n',
  'Subject: no last line end\r\n\r\ntext',
  '\r\nno header\r\n',
  'Subject: bare CR\r\n\r\na\rb\r.\rc\r\r\n.\r\n',
  'Subject: NUL\r\n\r\na\0b\0\r\n\0.\r\n',
  'Subject: 8 bit \xe9\r\n\r\n\xff\xfe\x80\r\n',
  `Subject: long line\r\n\r\n${'x'.repeat(700_000)}`,
  `Subject: many empty lines\r\n\r\n${'\r\n'.repeat(70_000)}`,
  'Subject: literal {10}\r\n\r\n)\r\nt1 OK\r\n{3}\r\n',
  `Subject: NULs\r\n\r\n${'\0'.repeat(600_000)}`,
  `${Array.from({ length: 3_000 }, (_, at) => `X-Field-${at}: ${at}\r\n`).join('')}\r\nmany fields\r\n`,
  `Content-Type: multipart/mixed; boundary=b\r\n\r\n${Array.from({ length: 500 }, (_, at) => `--b\r\n\r\n${at}\r\n`).join('')}--b--`,
];

test('peculiar messages come out octet for octet', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  for (const text of peculiar) await daemons.deliver(user, Buffer.from(text, 'latin1'));
  const stored = await daemons.messages(user);
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('EXAMINE INBOX');
  for (const [uid, octets] of stored) {
    await assertComesOut(client, uid, octets, random);
    await assertParts(client, uid, octets);
  }
  client.close();
});

test('messages of many parts come out octet for octet, attachments that are stored apart too', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const source = new MessageSource(random);
  for (let at = 0; at < counts(20, 300); at += 1) await daemons.deliver(user, source.next());
  const large = wrapped(random.bytes(3_000_000), 76);
  const head = 'Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n';
  await daemons.deliver(
    user,
    Buffer.from(`${head}Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n${large}--b--\r\n`, 'latin1'),
  );
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  for (const [uid, octets] of await daemons.messages(user)) {
    await assertComesOut(client, uid, octets, random);
    await assertParts(client, uid, octets);
  }
  client.close();
});

test('every message of the corpus comes out octet for octet, appended by IMAP', async (t) => {
  const files = skipWithoutCorpus(t);
  if (files === undefined) return;
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  const every = counts(20, 1);
  const chosen = files.filter(({ kind }, at) => kind === 'message' && at % every === 0);
  for (const { path, name } of chosen) {
    const octets = readFileSync(path);
    if (octets.length === 0) continue;
    const command = Buffer.concat([Buffer.from(`APPEND INBOX {${octets.length}+}\r\n`), octets]);
    const { status } = await client.ask(command);
    assert.match(status, /^OK \[APPENDUID \d+ \d+\]/, name);
  }
  for (const [uid, octets] of await daemons.messages(user)) {
    await assertComesOut(client, uid, octets, random);
    await assertParts(client, uid, octets);
  }
  client.close();
});
