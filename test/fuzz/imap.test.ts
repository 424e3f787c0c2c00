/**
 * IMAP spoken by peers that get it wrong, on purpose or not: whatever they send in whatever state, the daemon answers in the forms of
 * RFC 9051 §7, goes on serving, and keeps its memory.
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

const login = `a LOGIN ${user} secret\r\n`;

const work = [
  'b1 LIST "" *\r\n',
  'b2 LIST (SUBSCRIBED RECURSIVEMATCH) "" ("%" "a/*") RETURN (CHILDREN STATUS (UNSEEN))\r\n',
  'b3 LSUB "" %\r\n',
  'b4 CREATE "x/&AOQ-"\r\n',
  'b5 CREATE {3+}\r\ny z (USE (\\Junk))\r\n',
  'b6 RENAME "x/&AOQ-" x/b\r\n',
  'b7 SUBSCRIBE x/b\r\n',
  'b8 STATUS {5}\r\n',
  'INBOX (MESSAGES RECENT UIDNEXT SIZE)\r\n',
  'b9 SELECT INBOX (CONDSTORE)\r\n',
  'c0 FETCH 1:* (FLAGS UID ENVELOPE BODYSTRUCTURE BODY[HEADER.FIELDS (FROM "To")] BODY[1]<0.20>)\r\n',
  'd0 UID FETCH 1:* FULL\r\n',
  'd1 STORE 1 +FLAGS.SILENT (\\Seen $Label)\r\n',
  'd2 APPEND INBOX (\\Seen) "17-Jul-1996 02:44:25 -0700" {20+}\r\nSubject: x\r\n\r\nbody\r\n () {3+}\r\nabc\r\n',
  'd3 COPY * INBOX\r\n',
  'd4 UID MOVE 2 Archive\r\n',
  'd5 UID EXPUNGE 1:3\r\n',
  'd6 IDLE\r\n',
  'DONE\r\n',
  'd7 EXPUNGE\r\n',
  'c1 NOOP\r\n',
  'c2 CHECK\r\n',
  'c3 UNSELECT\r\n',
  'c4 EXAMINE x/b\r\n',
  'c5 CLOSE\r\n',
  'c6 DELETE x/b\r\n',
  'c7 UNSUBSCRIBE x/b\r\n',
  'c8 NAMESPACE\r\n',
  'c9 ENABLE CONDSTORE QRESYNC\r\n',
  'e0 FETCH 1:* (BINARY.SIZE[1] BINARY[1]<0.20> BINARY.PEEK[])\r\n',
  'e1 APPEND INBOX ~{3+}\r\na\0b\r\n',
  'e2 GETQUOTAROOT {5+}\r\nINBOX\r\n',
  'e3 GETQUOTA ""\r\n',
  'e4 SETQUOTA "" (STORAGE 512 MESSAGE 10)\r\n',
  'e5 ENABLE IMAP4rev2 UTF8=ACCEPT\r\n',
  'e6 CREATE "x/\xc3\xa4"\r\n',
  'e7 RENAME "x/\xc3\xa4" "x/A\xcc\x88"\r\n',
  'e8 APPEND INBOX UTF8 (~{3+}\r\nabc) (\\Seen) UTF8 (~{3+}\r\nabc)\r\n',
  'e9 SELECT inbox\r\n',
  'e10 STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)\r\n',
];

const dialogues: readonly (readonly string[])[] = [
  ['a0 CAPABILITY\r\n', 'a1 ID ("name" "x" "version" NIL)\r\n', login, ...work, 'd LOGOUT\r\n'],
  ['a AUTHENTICATE PLAIN\r\n', `${plain}\r\n`, ...work],
  [
    'a AUTHENTICATE LOGIN\r\n',
    `${Buffer.from(user).toString('base64')}\r\n`,
    'c2VjcmV0\r\n',
    'b SELECT INBOX\r\n',
    ...work,
  ],
  [`a AUTHENTICATE PLAIN ${plain}\r\n`, 'b EXAMINE INBOX\r\n', 'c NOOP\r\n', 'd LOGOUT\r\n'],
  [`a LOGIN {${user.length}}\r\n`, `${user} {6+}\r\nsecret\r\n`, ...work],
];

/** The lines of what was heard, each with its literals taken out; the last one may be cut where the peer broke off. */
function linesOf(text: string, isWhole: boolean): string[] {
  const lines: string[] = [];
  let line = '';
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\r\n', at);
    if (end === -1) {
      assert.ok(!isWhole, 'the last line has its end');
      return lines;
    }
    line += text.slice(at, end);
    at = end + 2;
    const literal = /\{(\d+)\}$/.exec(line);
    if (literal === null) {
      lines.push(line);
      line = '';
      continue;
    }
    at += Number(literal[1]);
    line = line.slice(0, literal.index);
  }
  assert.ok(!isWhole || line === '', 'the last line has its end');
  return lines;
}

const untagged =
  /^\* (?:(?:OK|NO|BAD|BYE) (?:\[[^\]]+\] )?[ -~]+|(?:CAPABILITY|ID|NAMESPACE|FLAGS|LIST|LSUB|STATUS|ENABLED|QUOTA|QUOTAROOT)\b[ -~\x80-\xff]*|\d+ (?:EXISTS|RECENT|EXPUNGE)|\d+ FETCH \(.*\))$/s;
const tagged = /^[!#-'),-[\]-z|}~]+ (?:OK|NO|BAD) (?:\[[^\]]+\] )?[ -~]+$/;

/** Every line is an untagged answer, a continuation, or a tagged completion. */
function assertAnswers(text: string, isWhole: boolean): void {
  for (const line of linesOf(text, isWhole)) {
    assert.ok(
      untagged.test(line) || tagged.test(line) || /^\+ [ -~]*$/.test(line),
      `no answer: ${JSON.stringify(line)}`,
    );
  }
}

async function started(): Promise<Daemons> {
  const daemons = await Daemons.start();
  await daemons.addUser(user);
  await daemons.deliver(user, Buffer.from('Subject: one\r\n\r\nA body.\r\n'));
  return daemons;
}

async function assertServes(daemons: Daemons): Promise<void> {
  const peer = await daemons.connect('imap');
  await peer.write(`${login}b EXAMINE INBOX\r\nc LOGOUT\r\n`);
  const heard = (await peer.rest()).toString('latin1');
  assert.match(heard, /\r\na OK .*\r\n\* \d+ EXISTS\r\n.*\r\nb OK .*\r\nc OK [^\r]*\r\n$/s);
  peer.kill();
}

function seeded(t: { diagnostic(text: string): void }): Random {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  return seededRandom(seed);
}

test('dialogues with anything changed in them are answered as IMAP answers', async (t) => {
  const random = seeded(t);
  await using daemons = await started();
  await assertServes(daemons);
  const before = liveBytes();
  for (let round = 0; round < counts(250, 3_000); round += 1) {
    const dialogue = random.pick(dialogues);
    const text = mutated(dialogue, random.int(dialogue.length), random);
    assertAnswers(await say(daemons.address('imap'), text, 'half-close', random), true);
  }
  await assertServes(daemons);
  const kept = await keptSince(before, keptBytesMax);
  assert.ok(kept < keptBytesMax, `${Math.round(kept / 1_024)} KiB stay behind`);
});

test('peers that break off at any moment leave a daemon that serves', async (t) => {
  const random = seeded(t);
  await using daemons = await started();
  for (let round = 0; round < counts(30, 300); round += 1) {
    const sessions = Array.from({ length: 8 }, async () => {
      const dialogue = random.pick(dialogues);
      const text = random.chance(0.5) ? mutated(dialogue, 0, random) : dialogue.join('');
      assertAnswers(await say(daemons.address('imap'), text, 'reset', random), false);
    });
    await Promise.all(sessions);
  }
  await assertServes(daemons);
});
