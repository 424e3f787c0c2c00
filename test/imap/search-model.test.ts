/**
 * SEARCH against a plain model: random trees of keys are asked of a mailbox whose UIDs span pages and gaps, some of whose messages
 * another session expunged, and each message is judged one by one from what was put there.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flag } from '@mstore/store';
import fc from 'fast-check';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { counts } from '../support/long.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';

const user = 'ann@example.org';
const words = ['apple', 'birne', 'Grün', 'ßharp', 'dattel', 'elder', 'fig nut', 'grape'];
const flags = ['\\Seen', '\\Answered', '\\Flagged', '\\Draft', '$Work', '$Home'];
const months = ['Jan', 'Feb', 'Mar'];

interface Message {
  readonly uid: number;
  readonly subject: string;
  readonly from: string;
  readonly tag: string;
  readonly body: string;
  /** Days of January to March 2024. */
  readonly sent: number;
  readonly received: number;
  readonly size: number;
  readonly flags: ReadonlySet<string>;
  readonly modSeq: number;
}

type Written = Omit<Message, 'uid' | 'size' | 'flags' | 'modSeq'>;

/** A key as it is written, and whether a message satisfies it; `number` is that of the message. */
interface Key {
  readonly text: string;
  holds(message: Message, number: number): boolean;
}

function dateText(day: number): string {
  const date = new Date(Date.UTC(2024, 0, 1 + day));
  return `${date.getUTCDate()}-${months[date.getUTCMonth()]}-2024`;
}

function fold(text: string): string {
  return text.toUpperCase().replace(/\s+/g, ' ');
}

const quoted = (text: string): string => `"${Buffer.from(text).toString('latin1')}"`;

function octetsOf(random: Random, message: Written): Buffer {
  const isEncoded = random.next() < 0.5;
  const word = (text: string): string => `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`;
  const date = new Date(Date.UTC(2024, 0, 1 + message.sent)).toUTCString();
  const body = isEncoded ? `${Buffer.from(message.body).toString('base64')}\r\n` : message.body;
  return Buffer.from(
    [
      `From: ${word(message.from)} <x@y.z>`,
      `Subject: ${isEncoded ? word(message.subject) : message.subject}`,
      `Date: ${date}`,
      `X-Tag: ${message.tag}`,
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Transfer-Encoding: ${isEncoded ? 'base64' : '8bit'}`,
      '',
      body,
    ].join('\r\n'),
  );
}

/** Appends messages of which most are expunged again, so that UIDs reach beyond a page. */
async function fill(client: ImapClient, random: Random, count: number): Promise<Map<number, Written>> {
  const made = new Map<number, Written>();
  const append = async (): Promise<number> => {
    const text = (): string => `${random.pick(words)} ${random.pick(words)}`;
    const [sent, received] = [random.int(90), random.int(90)];
    const message = {
      subject: text(),
      from: text(),
      tag: random.pick(words),
      body: `${text()}\r\n${text()}`,
      sent,
      received,
    };
    const octets = octetsOf(random, message);
    const command = `APPEND INBOX "${dateText(received).padStart(11, ' ')} 12:00:00 +0000" {${octets.length}+}\r\n`;
    const { status } = await client.ask(Buffer.concat([Buffer.from(command), octets]));
    const uid = Number(/APPENDUID \d+ (\d+)/.exec(status)?.[1]);
    assert.ok(uid > 0, status);
    made.set(uid, message);
    return uid;
  };
  for (let at = 0; at < count; at += 1) await append();
  await client.ok('SELECT INBOX');
  for (let last = count; last < 8_300; ) {
    const { status } = await client.ask('UID COPY 1:400 INBOX');
    const [, from = '', to = ''] = /COPYUID \d+ (\S+) (\S+)\]/.exec(status) ?? [];
    const [sources, copies] = [numbersOf(from), numbersOf(to)];
    for (const [index, uid] of copies.entries()) {
      const source = made.get(sources[index] ?? 0);
      if (source !== undefined) made.set(uid, source);
      last = uid;
    }
  }
  await client.ok(`UID STORE 400:8100 +FLAGS.SILENT (\\Deleted)`);
  await client.ok('EXPUNGE');
  return made;
}

function numbersOf(set: string): number[] {
  return set.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split(':').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

function setKey(by: 'uid' | 'sequence', ranges: readonly (readonly [number, number])[]): Key {
  const text = ranges.map(([one, other]) => `${one}:${other}`).join(',');
  const isIn = (value: number): boolean => ranges.some(([a, b]) => value >= Math.min(a, b) && value <= Math.max(a, b));
  return {
    text: by === 'uid' ? `UID ${text}` : text,
    holds: (message, number) => isIn(by === 'uid' ? message.uid : number),
  };
}

const word = fc.constantFrom(...words, 'no such', ' ', 'A');
const day = fc.integer({ min: 0, max: 90 });
const range = (max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max }));

function leaf(modSeqs: readonly number[]): fc.Arbitrary<Key> {
  const texts = (name: string, of: (message: Message) => string[]): fc.Arbitrary<Key> =>
    word.map((text) => ({
      text: `${name} ${quoted(text)}`,
      holds: (message) => of(message).some((field) => fold(field).includes(fold(text))),
    }));
  const dates = (prefix: string, of: (message: Message) => number): fc.Arbitrary<Key> =>
    fc.tuple(fc.constantFrom('BEFORE', 'ON', 'SINCE'), day).map(([relation, at]) => ({
      text: `${prefix}${relation} ${dateText(at)}`,
      holds: (message) =>
        relation === 'BEFORE' ? of(message) < at : relation === 'ON' ? of(message) === at : of(message) >= at,
    }));
  const head = (message: Message): string[] => [
    `Subject: ${message.subject}`,
    `From: ${message.from} <x@y.z>`,
    `X-Tag: ${message.tag}`,
  ];
  return fc.oneof(
    fc.constant<Key>({ text: 'ALL', holds: () => true }),
    fc
      .constantFrom(...flags.slice(0, 4))
      .map((name) => ({ text: name.slice(1).toUpperCase(), holds: ({ flags: all }: Message) => all.has(name) })),
    fc
      .constantFrom(...flags.slice(0, 4))
      .map((name) => ({ text: `UN${name.slice(1)}`, holds: ({ flags: all }: Message) => !all.has(name) })),
    fc
      .constantFrom(...flags.slice(4))
      .map((name) => ({ text: `KEYWORD ${name}`, holds: ({ flags: all }: Message) => all.has(name) })),
    fc.array(range(500), { minLength: 1, maxLength: 3 }).map((ranges) => setKey('sequence', ranges)),
    fc.array(range(9_000), { minLength: 1, maxLength: 3 }).map((ranges) => setKey('uid', ranges)),
    fc
      .integer({ min: 180, max: 320 })
      .map((bytes) => ({ text: `LARGER ${bytes}`, holds: ({ size }: Message) => size > bytes })),
    fc
      .integer({ min: 180, max: 320 })
      .map((bytes) => ({ text: `SMALLER ${bytes}`, holds: ({ size }: Message) => size < bytes })),
    fc
      .constantFrom(...modSeqs)
      .map((least) => ({ text: `MODSEQ ${least}`, holds: ({ modSeq }: Message) => modSeq >= least })),
    dates('', ({ received }) => received),
    dates('SENT', ({ sent }) => sent),
    texts('SUBJECT', ({ subject }) => [subject]),
    texts('FROM', ({ from }) => [`${from} <x@y.z>`]),
    texts('HEADER X-Tag', ({ tag }) => [tag]),
    texts('BODY', ({ body }) => [body]),
    // What stands in the other fields is none of the words but a blank and an A.
    texts('TEXT', (message) => [...head(message), message.body, 'Content-Type: text/plain']),
  );
}

function keysOver(modSeqs: readonly number[]): fc.Arbitrary<Key> {
  const { key } = fc.letrec<{ key: Key }>((tie) => ({
    key: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf(modSeqs),
      tie('key').map(
        (one): Key => ({ text: `NOT ${one.text}`, holds: (message, number) => !one.holds(message, number) }),
      ),
      fc.tuple(tie('key'), tie('key')).map(
        ([one, other]): Key => ({
          text: `OR ${one.text} ${other.text}`,
          holds: (message, number) => one.holds(message, number) || other.holds(message, number),
        }),
      ),
      fc.array(tie('key'), { minLength: 1, maxLength: 3 }).map(
        (all): Key => ({
          text: `(${all.map(({ text }) => text).join(' ')})`,
          holds: (message, number) => all.every((one) => one.holds(message, number)),
        }),
      ),
    ),
  }));
  return key;
}

test('any tree of keys finds what a plain look at each message finds', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const random = seededRandom(testSeed());
  const writer = await ImapClient.logIn(daemons.address('imap'), user);
  const made = await fill(writer, random, counts(100, 300));
  for (const name of flags) {
    const uids = [...made.keys()].filter((uid) => (uid < 400 || uid > 8_100) && random.next() < 0.4);
    await writer.ok(`UID STORE ${uids.join()} +FLAGS.SILENT (${name})`);
  }
  const reader = await ImapClient.logIn(daemons.address('imap'), user);
  await reader.ok('SELECT INBOX');
  // The reader is not told of these before the end.
  const mailbox = await daemons.mailbox(user);
  const kept = [...daemons.store.catalog().entries(mailbox)].map(({ uid }) => uid);
  await writer.ok(`UID STORE ${kept.filter(() => random.next() < 0.1).join()} +FLAGS.SILENT (\\Deleted)`);
  await writer.ok('EXPUNGE');
  await writer.ok('NOOP');
  await daemons.store.settle();
  const messages = await truth(daemons, made);
  assert.ok(messages.length > 200 && messages.some(({ uid }) => uid > 8_192));
  const modSeqs = [...new Set(messages.map(({ modSeq }) => modSeq))].slice(-20);
  await fc.assert(
    fc.asyncProperty(keysOver(modSeqs), async (key) => {
      const lines = await reader.ok(`SEARCH CHARSET UTF-8 ${key.text}`);
      const found = /^\* SEARCH([ \d]*)/.exec(lines.find((line) => line.startsWith('* SEARCH')) ?? '')?.[1] ?? '?';
      const wanted = messages.flatMap((message, index) => (key.holds(message, index + 1) ? [` ${index + 1}`] : []));
      assert.equal(found.trimEnd(), wanted.join(''), key.text);
    }),
    { seed: testSeed(), numRuns: counts(80, 3_000) },
  );
  writer.close();
  reader.close();
});

/** Every message of the reader's view, those that are retained among them. */
async function truth(daemons: Daemons, made: ReadonlyMap<number, Written>): Promise<Message[]> {
  const mailbox = await daemons.mailbox(user);
  const catalog = daemons.store.catalog();
  const keywords = catalog.keywords(mailbox);
  const system = ['\\Seen', '\\Answered', '\\Flagged', '\\Draft', '\\Deleted'];
  const bits = [flag.seen, flag.answered, flag.flagged, flag.draft, flag.deleted];
  const retained = [...catalog.retained(mailbox)]
    .map(({ entry }) => entry)
    .filter(({ uid }) => uid < 400 || uid > 8_100);
  return [...catalog.entries(mailbox), ...retained]
    .sort((a, b) => a.uid - b.uid)
    .map((entry) => {
      const message = made.get(entry.uid);
      assert.ok(message !== undefined, `UID ${entry.uid}`);
      const all = system.filter((_, at) => (entry.flags & (bits[at] ?? 0)) !== 0);
      const own = entry.keywords.map((number) => keywords[number] ?? '');
      return { ...message, uid: entry.uid, size: entry.size, flags: new Set([...all, ...own]), modSeq: entry.modSeq };
    });
}
