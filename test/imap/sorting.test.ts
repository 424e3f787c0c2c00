/** SORT and THREAD of a large mailbox: right to the last message, from the catalog alone, and while the daemon does other things. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { counts } from '../support/long.ts';
import { LongestTurn } from '../support/longest-turn.ts';
import { deliverList, type ListMail, listMail } from '../support/mailing-list.ts';
import type { Peer } from '../support/peer.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';

const user = 'ann@example.org';
const count = counts(3_000, 300_000);

/** Message numbers, sorted by what `compare` says of their mail; those that are alike by number. */
function ordered(mail: readonly ListMail[], compare: (one: ListMail, other: ListMail) => number): number[] {
  const indexes = mail.map((_, index) => index);
  const at = (index: number): ListMail => mail[index] ?? assert.fail();
  return indexes.sort((one, other) => compare(at(one), at(other)) || one - other).map((index) => index + 1);
}

const byDate = (one: ListMail, other: ListMail): number => one.sentAt - other.sentAt;

function bySubject(one: ListMail, other: ListMail): number {
  const [left, right] = [one, other].map(({ subject }) => Buffer.from(subject.toUpperCase().normalize('NFKD')));
  return Buffer.compare(left ?? Buffer.alloc(0), right ?? Buffer.alloc(0));
}

/** Threads by who answers whom; nothing is missing, and no two threads have one subject. */
function threads(mail: readonly ListMail[]): string {
  const children = new Map<number | undefined, number[]>();
  for (const number of ordered(mail, byDate)) {
    const answered = mail[number - 1]?.answers;
    children.set(answered, [...(children.get(answered) ?? []), number]);
  }
  const told = (number: number): string => {
    const below = children.get(number - 1) ?? [];
    const [only = 0] = below;
    if (below.length === 0) return `${number}`;
    return `${number} ${below.length === 1 ? told(only) : below.map((child) => `(${told(child)})`).join('')}`;
  };
  return (children.get(undefined) ?? []).map((root) => `(${told(root)})`).join('');
}

/** Threads by subject, the first message with all others below it. */
function subjectThreads(mail: readonly ListMail[]): string {
  const groups = new Map<string, number[]>();
  for (const number of ordered(mail, byDate)) {
    const { subject } = mail[number - 1] ?? assert.fail();
    const group = groups.get(subject);
    if (group === undefined) groups.set(subject, [number]);
    else group.push(number);
  }
  return [...groups.values()]
    .map(([first, ...others]) => {
      if (others.length < 2) return `(${[first, ...others].join(' ')})`;
      return `(${first} ${others.map((number) => `(${number})`).join('')})`;
    })
    .join('');
}

test(`SORT and THREAD of ${count} messages tell each of them, and read nothing of the heap`, async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const mail: ListMail[] = [];
  for (const { octets, ...facts } of listMail(count, seededRandom(seed)))
    mail.push({ octets: Buffer.alloc(0), ...facts });
  await deliverList(daemons, user, listMail(count, seededRandom(seed)));
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('EXAMINE INBOX');
  const { heapCounters } = daemons.imapReading;
  const before = [heapCounters.readBytes, heapCounters.readCalls];
  const expected: readonly (readonly [string, string])[] = [
    ['SORT (DATE) UTF-8 ALL', `* SORT ${ordered(mail, byDate).join(' ')}`],
    ['UID SORT (REVERSE DATE) UTF-8 ALL', `* SORT ${ordered(mail, (one, other) => byDate(other, one)).join(' ')}`],
    [
      'SORT (SUBJECT DATE) UTF-8 ALL',
      `* SORT ${ordered(mail, (one, other) => bySubject(one, other) || byDate(one, other)).join(' ')}`,
    ],
    ['THREAD ORDEREDSUBJECT UTF-8 ALL', `* THREAD ${subjectThreads(mail)}`],
    ['UID THREAD REFERENCES UTF-8 ALL', `* THREAD ${threads(mail)}`],
  ];
  for (const [command, line] of expected) {
    const turns = new LongestTurn();
    const answer = await client.ok(command);
    t.diagnostic(`${command}: longest turn ${turns.stop().toFixed(1)} ms, of which some is the client's`);
    assert.ok(answer.filter((text) => !text.startsWith('* OK')).join('\n') === line, command);
  }
  for (const command of ['SORT (FROM TO CC SIZE ARRIVAL) UTF-8 ALL', 'SORT (SIZE) UTF-8 UID 1:*']) {
    const answer = (await client.ok(command)).at(-1) ?? '';
    assert.equal(new Set(answer.split(' ').slice(2)).size, count, command);
  }
  assert.deepEqual([heapCounters.readBytes, heapCounters.readCalls], before);
  client.close();
});

test('a message whose rows are too large to be kept is sorted by its header all the same', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const many = Array.from({ length: 3_000 }, (_, at) => `"Somebody ${at}" <somebody${at}@example.org>`).join(',\r\n ');
  const message = (day: number, more: string): Buffer =>
    Buffer.from(
      `Subject: ${more === '' ? 'Re: ' : ''}plums ${day % 2}\r\nDate: ${day} Feb 1994 12:00:00 +0000\r\nMessage-ID: <${day}@example.org>\r\n` +
        `References: <${day - 1}@example.org>\r\n${more}\r\nA line.\r\n`,
    );
  await daemons.deliver(user, message(3, ''));
  await daemons.deliver(user, message(2, `To: ${many}\r\n`));
  await daemons.deliver(user, message(1, ''));
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  const { heapCounters } = daemons.imapReading;
  const before = heapCounters.readCalls;
  assert.deepEqual(await client.ok('SORT (DATE) UTF-8 ALL'), ['* SORT 3 2 1']);
  assert.ok(heapCounters.readCalls > before);
  assert.deepEqual(await client.ok('SORT (REVERSE TO DATE) UTF-8 ALL'), ['* SORT 2 3 1']);
  assert.deepEqual(await client.ok('THREAD REFERENCES UTF-8 ALL'), ['* THREAD (3 2 1)']);
  assert.deepEqual(await client.ok('THREAD ORDEREDSUBJECT UTF-8 ALL'), ['* THREAD (3 1)(2)']);
  client.close();
});

test('messages that others expunged are sorted as long as the session counts them', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  await deliverList(daemons, user, listMail(10, seededRandom(1)));
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  const other = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  await other.ok('SELECT INBOX');
  await other.ok('STORE 3:5 +FLAGS.SILENT (\\Deleted)');
  await other.ok('EXPUNGE');
  const numbers = async (command: string): Promise<number> => {
    const lines = await client.ok(command);
    return (
      lines
        .find((line) => line.startsWith('* SORT'))
        ?.split(' ')
        .slice(2).length ?? 0
    );
  };
  assert.equal(await numbers('SORT (SUBJECT) UTF-8 ALL'), 10);
  await client.ok('NOOP');
  assert.equal(await numbers('SORT (SUBJECT) UTF-8 ALL'), 7);
  client.close();
  other.close();
});

/** A session with its INBOX selected that was asked for threads, and has begun to look for them. */
async function asking(daemons: Daemons): Promise<Peer> {
  const peer = await daemons.connect('imap');
  await peer.write(`a LOGIN ${user} secret\r\nb SELECT INBOX\r\n`);
  await peer.through('\r\nb OK');
  await peer.line();
  await peer.write('c THREAD REFERENCES UTF-8 ALL\r\n');
  for (let turns = 0; turns < 5; turns += 1) await turn();
  return peer;
}

test('a THREAD ends when its client leaves, and when the daemon stops', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  await deliverList(daemons, user, listMail(2_000, seededRandom(1)));
  (await asking(daemons)).kill();
  const peer = await asking(daemons);
  daemons.drain();
  // Either the answer was whole by then, or there is none.
  const rest = (await peer.rest()).toString('latin1');
  assert.match(rest, /^(?:\* THREAD \(.*\)\r\nc OK .*\r\n)?\* BYE .*\r\n$/);
  peer.kill();
});
