/**
 * The grammar of IMAP against commands that are wrong in every way: real ones with anything changed in them, and octets without any
 * sense. Whatever comes, a parser takes it or names what it expected; it never throws, and its time and memory follow the length
 * of the command.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectQuotaRoot, expectSetQuota } from '@mstore/imapd/internal/commands/quotas';
import { Decoder, type Segment } from '@mstore/imapd/internal/wire/decoder';
import { expectFetchArguments, expectStoreArguments } from '@mstore/imapd/internal/wire/fetch-items';
import { expectListArguments, expectStatusItems } from '@mstore/imapd/internal/wire/list-arguments';
import { announcedLiteral } from '@mstore/imapd/internal/wire/literal';
import {
  expectAppendItem,
  expectCreateArguments,
  expectRenameArguments,
  expectSelectArguments,
} from '@mstore/imapd/internal/wire/mailbox-arguments';
import { expectMailbox, expectPattern } from '@mstore/imapd/internal/wire/mailbox-name';
import {
  expectSearchArguments,
  expectSortArguments,
  expectThreadArguments,
} from '@mstore/imapd/internal/wire/search-arguments';
import { expectMessageSet } from '@mstore/imapd/internal/wire/sequence-set';
import { liveBytes } from '../support/live-bytes.ts';
import { counts } from '../support/long.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { mutated } from './mutate.ts';

const parsers: Readonly<Record<string, (decoder: Decoder) => unknown>> = {
  FETCH: expectFetchArguments,
  STORE: expectStoreArguments,
  LIST: expectListArguments,
  STATUS: (decoder) => {
    expectMailbox(decoder);
    decoder.expectSpace('status items');
    return expectStatusItems(decoder);
  },
  SELECT: expectSelectArguments,
  CREATE: expectCreateArguments,
  RENAME: expectRenameArguments,
  GETQUOTA: expectQuotaRoot,
  SETQUOTA: expectSetQuota,
  APPEND: expectAppendItem,
  SEARCH: expectSearchArguments,
  SORT: expectSortArguments,
  THREAD: expectThreadArguments,
  COPY: (decoder) => {
    expectMessageSet(decoder);
    decoder.expectSpace('a mailbox');
    return expectMailbox(decoder);
  },
  PATTERN: expectPattern,
};

/** As mail programs send them, without tag. */
const commands: readonly string[] = [
  'FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)\r\n',
  'FETCH 1,3:5,7:* (UID BODY.PEEK[HEADER.FIELDS (DATE FROM {2+}\r\nTO "CC" SUBJECT)] BODY[1.2.MIME]<0.2048>)\r\n',
  'FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)\r\n',
  'FETCH $ FULL\r\n',
  'FETCH 7 (BINARY.PEEK[1.2]<0.100> BINARY.SIZE[3] RFC822.HEADER MODSEQ EMAILID)\r\n',
  'STORE 1:5 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Seen $Forwarded Junk)\r\n',
  'STORE 7 FLAGS \\Deleted\r\n',
  'LIST (SUBSCRIBED RECURSIVEMATCH) "" ("INBOX" "Entw&APw-rfe/%") RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES UNSEEN))\r\n',
  'LIST "" "*"\r\n',
  'STATUS "&U,BTFw-/&ZeVnLIqe-" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE)\r\n',
  'STATUS {5}\r\nINBOX (RECENT)\r\n',
  'SELECT INBOX (QRESYNC (67890007 20050715194045 41,43:211 (1,5,7 41,44,50)))\r\n',
  'SELECT "Q&-A" (CONDSTORE)\r\n',
  'CREATE Sent (USE (\\Sent))\r\n',
  'RENAME "a b" {3+}\r\na/b\r\n',
  'GETQUOTA ""\r\n',
  'SETQUOTA "" (STORAGE 512 MESSAGE 9007199254740991)\r\n',
  'APPEND (\\Seen) "17-Jul-1996 02:44:25 -0700" {310}\r\n',
  'SEARCH RETURN (MIN COUNT SAVE) CHARSET UTF-8 OR FROM "ann" (NOT SUBJECT {5}\r\ngr\xc3\xbcn UNSEEN) SINCE 1-Feb-1994\r\n',
  'SEARCH NOT (OR (OR LARGER 10 SMALLER 20) KEYWORD $Junk) UID 1:*,7 HEADER X-Spam "" MODSEQ "/flags/\\\\draft" all 62\r\n',
  'SORT (REVERSE DATE SUBJECT) UTF-8 UNDELETED 2:4,9\r\n',
  'THREAD REFERENCES UTF-8 OLDER 3600 YOUNGER 7 EMAILID M1 THREADID T2\r\n',
  'COPY 2:4 "Arch\\"ive\\\\"\r\n',
  'PATTERN Lists/*\r\n',
];

/** The octets of a command, cut at what look like its literals. The end of the octets cuts everything. */
function segmentsOf(octets: Buffer): Segment[] {
  const segments: Segment[] = [];
  for (let at = 0; ; ) {
    const end = octets.indexOf('\r\n', at);
    const line = octets.subarray(at, end === -1 ? undefined : end);
    const announced = end === -1 ? undefined : announcedLiteral(line);
    if (announced === undefined) return [...segments, { line }];
    const from = end + 2;
    if (from + announced.bytes > octets.length) return [...segments, { line, literal: 'unread' }];
    segments.push({ line, literal: octets.subarray(from, from + announced.bytes) });
    at = from + announced.bytes;
  }
}

/** Parses; true when the command was taken. */
function parse(name: string, octets: Buffer, isUtf8: boolean): boolean {
  const decoder = new Decoder(segmentsOf(octets), isUtf8);
  parsers[name]?.(decoder);
  const isWhole = decoder.expectEnd();
  assert.equal(isWhole, decoder.failure === undefined);
  if (decoder.failure !== undefined) assert.match(decoder.failure.why, /^[ -~]{3,200}$/);
  return isWhole;
}

function seeded(t: { diagnostic(text: string): void }): Random {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  return seededRandom(seed);
}

function cut(command: string): readonly [string, string] {
  const at = command.indexOf(' ');
  return [command.slice(0, at), command.slice(at + 1)];
}

/** ms that this process has worked: on a busy machine the clock says how long it had to wait. */
function ranMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** ms of our own that a command may take, whatever it holds: a slice of the event loop. */
const parseMsMax = 100;

test('real commands are taken as they are', () => {
  for (const command of commands) {
    const [name, rest] = cut(command);
    assert.ok(parse(name, Buffer.from(rest, 'latin1'), false), command);
  }
});

test('commands with anything changed in them are taken or refused, in little time and memory', (t) => {
  const random = seeded(t);
  const before = liveBytes();
  let taken = 0;
  const rounds = counts(20_000, 500_000);
  for (let round = 0; round < rounds; round += 1) {
    const [name, rest] = cut(random.pick(commands));
    const octets = Buffer.from(mutated([rest], 0, random), 'latin1');
    const start = ranMs();
    if (parse(name, octets, random.chance(0.5))) taken += 1;
    const ms = ranMs() - start;
    assert.ok(ms < parseMsMax, `${ms} ms for ${name} ${JSON.stringify(octets.subarray(0, 500).toString('latin1'))}`);
  }
  assert.ok(taken > rounds / 100, `${taken} of ${rounds} were taken: the changes are too many to say anything`);
  assert.ok(taken < rounds);
  assert.ok(liveBytes() - before < 16 * 2 ** 20);
});

test('octets without sense are refused', (t) => {
  const random = seeded(t);
  const pieces = [
    '(',
    ')',
    '"',
    '\\',
    '{3}',
    '{9+}\r\n',
    '*',
    ':',
    ',',
    ' ',
    '[',
    ']',
    '<',
    '>',
    '&',
    '-',
    '1',
    'OR',
    'NOT',
    '$',
    '\0',
    '\xff',
  ];
  for (let round = 0; round < counts(5_000, 200_000); round += 1) {
    const noise = Array.from({ length: random.int(60) }, () => random.pick(pieces)).join(random.chance(0.5) ? '' : ' ');
    for (const name of Object.keys(parsers)) parse(name, Buffer.from(noise, 'latin1'), random.chance(0.5));
  }
});

test('the longest lines of the most awkward kind take no time', () => {
  const long = (piece: string): string => piece.repeat(Math.floor(65_000 / piece.length));
  const awkward: readonly (readonly [string, string])[] = [
    ['SEARCH', long('(')],
    ['SEARCH', long('NOT ')],
    ['SEARCH', long('OR ')],
    ['SEARCH', long('OR ALL ')],
    ['SEARCH', `${long('ALL ')}ALL`],
    ['SEARCH', `${long('(ALL) ')}ALL`],
    ['SEARCH', `1${long(',1')}`],
    ['FETCH', `1:*${long(',9:*')} FLAGS`],
    ['FETCH', `1 BODY[${long('1.')}`],
    ['FETCH', `1 BODY[${long('1')}]`],
    ['FETCH', `1 (${long('FLAGS ')}`],
    ['FETCH', `1 BODY[HEADER.FIELDS (${long('a ')}a)]`],
    ['STORE', `1 FLAGS (${long('a ')}a)`],
    ['STORE', `1 FLAGS (${long('\\')})`],
    ['LIST', `"" ${long('*')}`],
    ['SETQUOTA', `"" (${long('A 1 ')}A 1)`],
    ['LIST', `"" (${long('% ')}%)`],
    ['SELECT', `"${long('\\"')}"`],
    ['SELECT', long('&-')],
    ['SELECT', long('&')],
    ['SELECT', `&${long('A')}-`],
    ['SELECT', long('&AOQ-')],
    ['SELECT', long('&AOQ-x')],
    ['SORT', `(${long('DATE ')}DATE) UTF-8 ALL`],
    ['STATUS', `INBOX (${long('MESSAGES ')}MESSAGES)`],
  ];
  for (const [name, text] of awkward) {
    const start = ranMs();
    parse(name, Buffer.from(text, 'latin1'), false);
    const ms = ranMs() - start;
    assert.ok(ms < parseMsMax, `${ms} ms for ${name} ${text.slice(0, 40)}…`);
  }
});
