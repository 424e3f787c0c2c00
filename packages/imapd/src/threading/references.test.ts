import assert from 'node:assert/strict';
import { test } from 'node:test';
import { derive, type Entry, treeOf } from '@mstore/store';
import fc from 'fast-check';
import { baseSubject } from '../sorting/base-subject.ts';
import type { ListedMessage } from '../sorting/listed-messages.ts';
import { sorted } from '../sorting/order.ts';
import { Encoder } from '../wire/encoder.ts';
import { type Forest, none } from './forest.ts';
import { Links } from './links.ts';
import { type PlainMessage, plainReferences } from './plain-references.test.ts';
import { references } from './references.ts';
import { ThreadFacts } from './thread-facts.ts';
import { tellThreads } from './thread-writer.ts';

/** As long as it takes. */
const patient = { isDue: (): boolean => true, turn: (): Promise<void> => Promise.resolve() };

interface Message {
  readonly id: string | undefined;
  readonly references: readonly string[];
  readonly date: number;
  readonly subject: string;
}

function listed({ subject, date }: Message, number: number): ListedMessage {
  const octets = Buffer.from(`Subject: ${subject}\r\n\r\n`);
  const header = derive(treeOf([{ kind: 'literal', bytes: octets.length }], octets));
  return { number, entry: { uid: number, internalDate: date } as Entry, header };
}

async function told(forest: Forest, names: Uint32Array): Promise<string> {
  let text = '';
  const session = {
    encoder: () => new Encoder(),
    say: (octets: string | Buffer): undefined => {
      text += octets.toString('latin1');
    },
  };
  await tellThreads(session, forest, names);
  assert.match(text, /^\* THREAD.*\r\n$/);
  return text.slice('* THREAD '.length, -2);
}

async function threads(messages: readonly Message[]): Promise<string> {
  const links = new Links(messages.length);
  const facts = new ThreadFacts(messages.length);
  for (const [at, message] of messages.entries()) {
    await facts.reserve(1, patient);
    facts.add(listed(message, at + 1), at + 1);
    await links.reserve(message.references.length + 1, patient);
    links.add(message.id, message.references);
  }
  const order = await sorted(facts.count, facts.dates.compare, patient);
  return told(await references(links, facts, order, patient), facts.names);
}

function plain(messages: readonly Message[]): string {
  return plainReferences(
    messages.map(({ id, references: named, date, subject }, at): PlainMessage => {
      const { text, isReply } = baseSubject(subject);
      return { number: at + 1, id, references: named, date, subject: text.toUpperCase(), isReply };
    }),
  );
}

const someId = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'x', 'y', 'z');
const someMessage = fc.record({
  id: fc.option(someId, { nil: undefined }),
  references: fc.oneof(fc.constant([]), fc.array(someId, { maxLength: 5 })),
  date: fc.integer({ min: 0, max: 6 }),
  subject: fc.constantFrom('', '', '', 'plums', 'Re: plums', 'PLUMS (fwd)', 'pears', 'Re: pears', 'Re:'),
});

test('threads are those that the text of the RFC gives, whatever the messages name', async () => {
  const mailbox = fc.array(someMessage, { maxLength: 20, size: 'max' });
  await fc.assert(
    fc.asyncProperty(mailbox, async (messages) => {
      assert.equal(await threads(messages), plain(messages));
    }),
    { numRuns: 500 },
  );
});

test('messages without subjects, where references alone decide', async () => {
  const mailbox = fc.array(
    someMessage.map((message) => ({ ...message, subject: '' })),
    { maxLength: 25, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(mailbox, async (messages) => {
      assert.equal(await threads(messages), plain(messages));
    }),
    { numRuns: 500 },
  );
});

test('threads whose beginnings are missing, and that only their subjects put together', async () => {
  const mailbox = fc.array(
    fc.record({
      id: fc.constant(undefined),
      references: fc.array(fc.constantFrom('x', 'y', 'z'), { maxLength: 1 }),
      date: fc.integer({ min: 0, max: 6 }),
      subject: fc.constantFrom('plums', 'Re: plums', 'Re: pears', 'pears', ''),
    }),
    { maxLength: 12, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(mailbox, async (messages) => {
      assert.equal(await threads(messages), plain(messages));
    }),
    { numRuns: 500 },
  );
});

function chain(count: number, isBackwards: boolean): Message[] {
  const messages = Array.from({ length: count }, (_, at) => ({
    id: `${at}`,
    references: at === 0 ? [] : [`${at - 1}`],
    date: at,
    subject: '',
  }));
  return isBackwards ? messages.reverse() : messages;
}

test('a chain of 10,000 messages is one line of numbers, in whatever order they came', async () => {
  const count = 10_000;
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  assert.equal(await threads(chain(count, false)), `(${numbers.join(' ')})`);
  assert.equal(await threads(chain(count, true)), `(${numbers.reverse().join(' ')})`);
});

test('a thread that branches at each of 10,000 levels is told to its end', async () => {
  const levels = 10_000;
  const messages = chain(levels, false).flatMap((message) => [
    message,
    { id: undefined, references: [message.id ?? ''], date: levels + 1, subject: '' },
  ]);
  const text = await threads(messages);
  assert.ok(text.startsWith('(1 (3 (5 (7 (9 '));
  assert.equal(text.match(/\(/g)?.length, text.match(/\)/g)?.length);
  assert.deepEqual(
    [...text.matchAll(/\d+/g)].map(([number]) => Number(number)).sort((one, other) => one - other),
    Array.from({ length: 2 * levels }, (_, at) => at + 1),
  );
});

test('more missing messages than there may be dummies cost nothing but their links', async () => {
  const messages = Array.from({ length: 300 }, (_, at) => ({
    id: `${at}`,
    references: [...Array.from({ length: 198 }, (__, other) => `missing ${at} ${other}`), `${at - 1}`],
    date: at,
    subject: '',
  }));
  assert.equal(await threads(messages), `(${messages.map((_, at) => at + 1).join(' ')})`);
});

test('threads are told as in the example of the RFC', async () => {
  // The parent of each, as in RFC 5256 §4.
  const parents = [none, none, 1, 2, 3, 2, 5, 6];
  const names = Uint32Array.of(2, 3, 6, 4, 23, 44, 7, 96);
  const firstChild = Int32Array.from(parents, (_, at) => parents.indexOf(at));
  const nextSibling = Int32Array.from(parents, (parent, at) =>
    parent === none ? none : parents.findIndex((other, index) => other === parent && index > at),
  );
  const forest = { roots: Int32Array.of(0, 1), firstChild, nextSibling, messageOf: (node: number) => node };
  assert.equal(await told(forest, names), '(2)(3 6 (4 23)(44 7 96))');
});
