/**
 * POP3 spoken by peers that get it wrong, on purpose or not: whatever they send, the daemon answers in the forms of RFC 1939 §3, keeps
 * its memory, and deletes nothing that no QUIT asked for.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemons } from '../support/daemons.ts';
import { keptSince, liveBytes } from '../support/live-bytes.ts';
import { counts } from '../support/long.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { mutated, say } from './mutate.ts';

const user = 'ann@example.org';
const plain = Buffer.from(`\0${user}\0secret`).toString('base64');

/** Octets that may stay behind any number of sessions: caches, not sessions. */
const keptBytesMax = 32 * 2 ** 20;

/** None has a line that begins like a status, so that an answer's form shows without knowing the question. */
const messages: readonly string[] = [
  'Subject: one\r\n\r\nA body.\r\n.\r\n..\r\n',
  'no header\r\nat all',
  '',
  `Subject: long\r\n\r\n${'x'.repeat(50_000)}\r\n${'line\r\n'.repeat(2_000)}`,
  'Subject: odd\0\xff\r\n\r\n\r.\r\r\n.\r',
];

const work = [
  'STAT\r\n',
  'LIST\r\n',
  'LIST 2\r\n',
  'UIDL\r\n',
  'UIDL 1\r\n',
  'RETR 1\r\n',
  'RETR 4\r\n',
  'TOP 1 0\r\n',
  'TOP 4 10\r\n',
  'DELE 1\r\n',
  'NOOP\r\n',
  'RSET\r\n',
  'DELE 2\r\n',
];

const dialogues: readonly (readonly string[])[] = [
  ['CAPA\r\n', 'UTF8\r\n', `USER ${user}\r\n`, 'PASS secret\r\n', ...work, 'QUIT\r\n'],
  ['AUTH\r\n', 'AUTH PLAIN\r\n', `${plain}\r\n`, ...work, 'CAPA\r\n'],
  ['AUTH LOGIN\r\n', `${Buffer.from(user).toString('base64')}\r\n`, 'c2VjcmV0\r\n', 'RETR 5\r\n', 'TOP 3 1\r\n'],
  [`AUTH PLAIN ${plain}\r\n`, 'RETR 2\r\n', 'RETR 3\r\n', 'DELE 3\r\n', 'QUIT\r\n'],
];

/** Lines of status, of a challenge, or blocks that a single dot ends; what comes behind none of them is nothing. */
function assertAnswers(text: string, isWhole: boolean): void {
  const end = text.lastIndexOf('\r\n') + 2;
  if (isWhole) assert.equal(text.length, end, 'the last line has its end');
  else if (end < 2) return;
  let isOpen = false;
  let last = '';
  for (const line of text.slice(0, end - 2).split('\r\n')) {
    const isStatus = /^(?:\+OK|-ERR)(?: [ -~]*)?$|^\+ [A-Za-z0-9+/=]*$/.test(line);
    if (line === '.') {
      assert.ok(isOpen || last.startsWith('+OK'), 'a dot ends a block');
      isOpen = false;
    } else if (!isStatus) {
      assert.ok(isOpen || last.startsWith('+OK'), `no answer: ${JSON.stringify(line)} behind ${JSON.stringify(last)}`);
      isOpen = true;
    } else assert.ok(!isOpen, `within a block: ${JSON.stringify(line)}`);
    last = line;
  }
  if (isWhole) assert.ok(!isOpen, 'a block has its dot');
}

async function started(): Promise<Daemons> {
  const daemons = await Daemons.start();
  await daemons.addUser(user);
  return daemons;
}

/** Puts back what sessions deleted: the maildrop has at least as many messages as at first. */
async function fill(daemons: Daemons): Promise<number> {
  for (let at = await daemons.count(user); at < messages.length; at += 1) {
    await daemons.deliver(user, Buffer.from(messages[at] ?? '', 'latin1'));
  }
  return daemons.count(user);
}

async function assertServes(daemons: Daemons): Promise<void> {
  const peer = await daemons.connect('pop3');
  await peer.write(`USER ${user}\r\nPASS secret\r\nSTAT\r\nQUIT\r\n`);
  assert.match((await peer.rest()).toString(), /^(?:\+OK[^\r]*\r\n){3}\+OK \d+ \d+\r\n\+OK[^\r]*\r\n$/);
  peer.kill();
}

function seeded(t: { diagnostic(text: string): void }): Random {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  return seededRandom(seed);
}

test('dialogues with anything changed in them are answered as POP3 answers, and only a QUIT deletes', async (t) => {
  const random = seeded(t);
  await using daemons = await started();
  await fill(daemons);
  await assertServes(daemons);
  const before = liveBytes();
  for (let round = 0; round < counts(250, 3_000); round += 1) {
    const held = await fill(daemons);
    const dialogue = random.pick(dialogues);
    const text = mutated(dialogue, random.int(dialogue.length), random);
    const heard = await say(daemons.address('pop3'), text, 'half-close', random);
    assertAnswers(heard, true);
    const gone = held - (await daemons.count(user));
    const isAllowed = /^ *QUIT *\r?$/im.test(text) && /DELE/i.test(text);
    assert.ok(gone === 0 || isAllowed, `${gone} deleted by ${JSON.stringify(text)}`);
  }
  await assertServes(daemons);
  const kept = await keptSince(before, keptBytesMax);
  assert.ok(kept < keptBytesMax, `${Math.round(kept / 1_024)} KiB stay behind`);
});

test('peers that break off at any moment leave a daemon that serves, and nothing half deleted', async (t) => {
  const random = seeded(t);
  await using daemons = await started();
  for (let round = 0; round < counts(30, 300); round += 1) {
    await fill(daemons);
    const sessions = Array.from({ length: 8 }, async () => {
      const dialogue = random.pick(dialogues);
      const text = random.chance(0.5) ? mutated(dialogue, 0, random) : dialogue.join('');
      assertAnswers(await say(daemons.address('pop3'), text, 'reset', random), false);
    });
    await Promise.all(sessions);
  }
  await assertServes(daemons);
});
