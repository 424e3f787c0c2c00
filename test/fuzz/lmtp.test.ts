/**
 * LMTP spoken by peers that get it wrong, on purpose or not: whatever they send, the daemon answers in replies, keeps its memory, and
 * a message is there as often as it was said to be.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemons } from '../support/daemons.ts';
import { keptSince, liveBytes } from '../support/live-bytes.ts';
import { counts } from '../support/long.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { mutated, say, sendInPieces } from './mutate.ts';

const recipients = ['ann@example.org', 'bob@example.org'] as const;

/** Octets of our heap that may stay behind any number of sessions: caches, not sessions. */
const keptBytesMax = 32 * 2 ** 20;

const dialogues: readonly (readonly string[])[] = [
  [
    'LHLO client.example.org\r\n',
    'MAIL FROM:<sender@example.net> SIZE=100 BODY=8BITMIME\r\n',
    'RCPT TO:<ann@example.org>\r\n',
    'RCPT TO:<nobody@example.org>\r\n',
    'RCPT TO:<bob+detail@example.org>\r\n',
    'DATA\r\n',
    'Subject: fuzz\r\n',
    'Content-Type: multipart/mixed; boundary=b\r\n',
    '\r\n',
    '--b\r\n',
    '..dots\r\n',
    '--b--\r\n',
    '.\r\n',
    'NOOP\r\n',
    'QUIT\r\n',
  ],
  [
    'LHLO client.example.org\r\n',
    'MAIL FROM:<>\r\n',
    'RCPT TO:<ann@example.org>\r\n',
    'BDAT 15\r\n',
    'Subject: fuzz\r\n',
    'BDAT 0\r\n',
    'BDAT 8 LAST\r\n',
    '\r\nbody\r\n',
    'RSET\r\n',
    'MAIL FROM:<s\xc3\xb6nder@example.net> SMTPUTF8\r\n',
    'RCPT TO:<"bob"@example.org>\r\n',
    'DATA\r\n',
    'no header\r\n',
    '.\r\n',
    'VRFY bob\r\n',
    'QUIT\r\n',
  ],
];

/** Every reply is one of RFC 5321 §4.2: lines with a code, the last of a reply with a blank behind it, printable ASCII only. */
function assertReplies(text: string, isWhole: boolean): void {
  const end = text.lastIndexOf('\r\n') + 2;
  if (isWhole) assert.equal(text.length, end, 'the last line has its end');
  else if (end < 2) return;
  let open: string | undefined;
  for (const line of text.slice(0, end - 2).split('\r\n')) {
    const [, code, more] = /^([245]\d\d|354)([ -])[ -~]*$/.exec(line) ?? [];
    assert.ok(code !== undefined, `no reply: ${JSON.stringify(line)}`);
    if (open !== undefined) assert.equal(code, open, 'the lines of a reply have one code');
    open = more === '-' ? code : undefined;
  }
  if (isWhole) assert.equal(open, undefined, 'a reply has its last line');
}

async function stored(daemons: Daemons): Promise<number> {
  let count = 0;
  for (const address of recipients) count += await daemons.count(address);
  return count;
}

/** Delivers one proper message. */
async function assertServes(daemons: Daemons): Promise<void> {
  const peer = await daemons.connect('lmtp');
  await peer.write(
    'LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nSubject: still there\r\n\r\n.\r\nQUIT\r\n',
  );
  assert.match((await peer.rest()).toString(), /250 2\.1\.5 Delivered[^\r]*\r\n221 [^\r]*\r\n$/);
  peer.kill();
}

function seeded(t: { diagnostic(text: string): void }): Random {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  return seededRandom(seed);
}

async function started(): Promise<Daemons> {
  const daemons = await Daemons.start();
  for (const address of recipients) await daemons.addUser(address);
  return daemons;
}

test('dialogues with anything changed in them are answered in replies, and store what they say they stored', async (t) => {
  const random = seeded(t);
  await using daemons = await started();
  await assertServes(daemons);
  const before = liveBytes();
  let known = await stored(daemons);
  for (let round = 0; round < counts(250, 20_000); round += 1) {
    const dialogue = random.pick(dialogues);
    const text = mutated(dialogue, random.int(dialogue.length), random);
    const heard = await say(daemons.address('lmtp'), text, 'half-close', random);
    assertReplies(heard, true);
    const told = heard.match(/^250 2\.1\.5 Delivered/gm)?.length ?? 0;
    const now = await stored(daemons);
    // Recipients that lead to one mailbox get one copy together.
    assert.ok(now - known <= told, `${now - known} stored, ${told} told: ${JSON.stringify(text)}`);
    assert.ok(told === 0 || now > known, `none stored, ${told} told: ${JSON.stringify(text)}`);
    known = now;
  }
  await assertServes(daemons);
  const kept = await keptSince(before, keptBytesMax);
  assert.ok(kept < keptBytesMax, `${Math.round(kept / 1_024)} KiB stay behind`);
});

test('peers that break off at any moment leave a daemon that serves, and a store that is whole', async (t) => {
  const random = seeded(t);
  await using daemons = await started();
  for (let round = 0; round < counts(40, 2_000); round += 1) {
    const sessions = Array.from({ length: 8 }, async () => {
      const dialogue = random.pick(dialogues);
      const text = random.chance(0.5) ? mutated(dialogue, 0, random) : dialogue.join('');
      assertReplies(await say(daemons.address('lmtp'), text, 'reset', random), false);
    });
    await Promise.all(sessions);
  }
  await assertServes(daemons);
});

/** A transaction for one recipient, by DATA or BDAT, with a message that bears a mark. */
function transaction(to: string, content: Buffer, random: Random): Buffer {
  const head = `MAIL FROM:<a@example.net>\r\nRCPT TO:<${to}>\r\n`;
  if (random.chance(0.5)) {
    const dotted = content.toString('latin1').replace(/^\./gm, '..');
    return Buffer.from(`${head}DATA\r\n${dotted}.\r\n`, 'latin1');
  }
  const cut = random.int(content.length + 1);
  const chunks = [content.subarray(0, cut), content.subarray(cut)];
  return Buffer.concat([
    Buffer.from(head),
    ...chunks.flatMap((chunk, at) => [Buffer.from(`BDAT ${chunk.length}${at === 1 ? ' LAST' : ''}\r\n`), chunk]),
  ]);
}

test('a message is stored as it was sent, once, however its octets were cut on the way', async (t) => {
  const random = seeded(t);
  await using daemons = await started();
  const sent: Buffer[] = [];
  await Promise.all(
    Array.from({ length: counts(12, 200) }, async (_, session) => {
      const own = random.fork();
      const contents = Array.from({ length: 1 + own.int(12) }, (_, at) => {
        const lines = Array.from({ length: own.int(30) }, () =>
          own.pick(['', '.', '..', 'x'.repeat(own.int(200)), '\r', '\0']),
        );
        return Buffer.from([`X-Mark: ${session}.${at}`, '', ...lines, ''].join('\r\n'), 'latin1');
      });
      sent.push(...contents);
      const peer = await daemons.connect('lmtp');
      const all = contents.map((content) => transaction(own.pick(recipients), content, own));
      await sendInPieces(peer, Buffer.concat([Buffer.from('LHLO c\r\n'), ...all, Buffer.from('QUIT\r\n')]), own);
      const heard = (await peer.rest()).toString();
      assert.equal(heard.match(/^250 2\.1\.5 Delivered/gm)?.length, contents.length);
      peer.kill();
    }),
  );
  const there: string[] = [];
  for (const address of recipients) {
    for (const octets of (await daemons.messages(address)).values()) there.push(withoutTrace(octets));
  }
  assert.deepEqual(there.sort(), sent.map((content) => content.toString('latin1')).sort());
});

/** A message as it was sent: behind the first Received line. */
function withoutTrace(octets: Buffer): string {
  return octets
    .toString('latin1')
    .replace(/^Return-Path:[^\n]*\nDelivered-To:[^\n]*\nReceived:[^\n]*\n(?:[ \t][^\n]*\n)*/, '');
}

/** What stands around a dot where a careless server sees the end of a message. */
const borders: readonly string[] = [
  '\r\n',
  '\n',
  '\r',
  '\n\n',
  '\r\r',
  '\n\r',
  '\r\r\n',
  '\0',
  '\r\n\0',
  '\r\0\n',
  '\x85',
  '',
];

test('nothing but CRLF.CRLF ends a message', async () => {
  await using daemons = await started();
  const expected: string[] = [];
  const sent = borders.flatMap((before) =>
    borders.flatMap((after) => {
      const isEnd = before.endsWith('\r\n') && after.startsWith('\r\n');
      if (isEnd) return [];
      const hidden =
        'MAIL FROM:<evil@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: hidden\r\n\r\nhidden\r\n';
      const content = `Subject: carrier\r\n\r\ntext${before}.${after}${hidden}`;
      const taken = content.replace(/\r\n\./g, '\r\n').replace(/(?<!\r)\n/g, '\r\n');
      expected.push(taken);
      return [`MAIL FROM:<a@example.net>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n${content}.\r\n`];
    }),
  );
  const peer = await daemons.connect('lmtp');
  await peer.write(`LHLO c\r\n${sent.join('')}QUIT\r\n`);
  const heard = (await peer.rest()).toString();
  peer.kill();
  assert.equal(heard.match(/^250 2\.1\.5 Delivered/gm)?.length, sent.length);
  const there = [...(await daemons.messages('ann@example.org')).values()].map(withoutTrace);
  assert.deepEqual(there, expected);
  assert.equal((await daemons.messages('bob@example.org')).size, 0);
});
