import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from './limits.ts';
import { type LmtpCommand, parseCommand } from './lmtp-command.ts';

const runs = process.env.MSTORE_TEST_LONG === '1' ? 200_000 : 5_000;

const wrong = (why: string): object => ({ verb: 'wrong', why });
const mail = (sender: string, more: object = {}): object => ({
  verb: 'mail',
  sender,
  bytes: undefined,
  utf8: false,
  ...more,
});
const rcpt = (recipient: string): object => ({ verb: 'rcpt', recipient });
const longest = 'x'.repeat(limits.pathBytes - 2);

const commands: readonly (readonly [string, object])[] = [
  ['LHLO client.example', { verb: 'lhlo', name: 'client.example' }],
  ['lhlo [127.0.0.1]  ', { verb: 'lhlo', name: '[127.0.0.1]' }],
  [`LHLO ${'x'.repeat(255)}`, { verb: 'lhlo', name: 'x'.repeat(255) }],
  [`LHLO ${'x'.repeat(256)}`, wrong('syntax')],
  ['LHLO', wrong('syntax')],
  ['LHLO a b', wrong('syntax')],
  ['HELO a', wrong('notLmtp')],
  ['EHLO a', wrong('notLmtp')],
  ['MAIL FROM:<>', mail('')],
  ['MAIL FROM:<> SIZE=12', mail('', { bytes: 12 })],
  ['mail from: <a@b>  BODY=8bitmime size=0 ', mail('a@b', { bytes: 0 })],
  ['MAIL FROM:<a@b> SMTPUTF8', mail('a@b', { utf8: true })],
  ['MAIL FROM:<a@b> SIZE=99999999999999999999', mail('a@b', { bytes: 1e20 })],
  ['MAIL FROM:<a@b> SIZE=999999999999999999999', wrong('parameterValue')],
  ['MAIL FROM:<a@b> SIZE', wrong('parameterValue')],
  ['MAIL FROM:<a@b> SIZE=-1', wrong('parameterValue')],
  ['MAIL FROM:<a@b> SIZE=1 SIZE=1', wrong('parameterSyntax')],
  ['MAIL FROM:<a@b> BODY=BINARYMIME', wrong('parameterValue')],
  ['MAIL FROM:<a@b> SMTPUTF8=yes', wrong('parameterValue')],
  ['MAIL FROM:<a@b> RET=FULL', wrong('parameterUnknown')],
  ['MAIL FROM:<a@b> AUTH=<>', wrong('parameterUnknown')],
  ['MAIL FROM:<a@b> =x', wrong('parameterSyntax')],
  ['MAIL FROM:<a@b> SIZE=', wrong('parameterSyntax')],
  ['MAIL FROM:<a@b>SIZE=1', wrong('parameterSyntax')],
  ['MAIL', wrong('syntax')],
  ['MAIL TO:<a@b>', wrong('syntax')],
  ['MAIL FROM a@b', wrong('syntax')],
  ['MAIL FROM:a@b', wrong('badSender')],
  ['MAIL FROM:<a@b', wrong('badSender')],
  ['MAIL FROM:<a b@c>', wrong('badSender')],
  ['MAIL FROM:<a@b@c>', wrong('badSender')],
  ['MAIL FROM:<<a@b>>', wrong('badSender')],
  ['MAIL FROM:<@>', wrong('badSender')],
  ['MAIL FROM:<@a:>', wrong('badSender')],
  ['MAIL FROM:<"a@b>', wrong('badSender')],
  ['MAIL FROM:<"a\u00e4"@b>', wrong('senderNotAscii')],
  ['MAIL FROM:<a@b\u0085>', wrong('syntax')],
  ['MAIL FROM:<\u2028@b>', wrong('syntax')],
  [`MAIL FROM:<${longest}@b>`, mail(`${longest}@b`)],
  [`MAIL FROM:<${longest}x@b>`, wrong('pathTooLong')],
  ['MAIL FROM:<bounce+a=b.c=d@list.example>', mail('bounce+a=b.c=d@list.example')],
  ['RCPT TO:<anna@example.net>', rcpt('anna@example.net')],
  ['RCPT TO: <anna@example.net> ', rcpt('anna@example.net')],
  ['RCPT TO:<Postmaster>', rcpt('Postmaster')],
  ['RCPT TO:<@relay.example,@other.example:anna@example.net>', rcpt('anna@example.net')],
  ['RCPT TO:<"very strange\\" <x>@ one"@example.net>', rcpt('"very strange\\" <x>@ one"@example.net')],
  ['RCPT TO:<""@example.net>', rcpt('""@example.net')],
  ['RCPT TO:<a..b.@example.net>', rcpt('a..b.@example.net')],
  ['RCPT TO:<anna@[IPv6:::1]>', rcpt('anna@[IPv6:::1]')],
  ['RCPT TO:<anna@under_score.example>', rcpt('anna@under_score.example')],
  ['RCPT TO:<j\u00f6rg@ex\u00e4mple.net>', rcpt('j\u00f6rg@ex\u00e4mple.net')],
  ['RCPT TO:<>', wrong('badRecipient')],
  ['RCPT TO:<anna@>', wrong('badRecipient')],
  ['RCPT TO:<anna@example.net>>', wrong('parameterSyntax')],
  ['RCPT TO:<anna@example.net> NOTIFY=NEVER', wrong('parameterUnknown')],
  ['RCPT TO:<anna@example.net> ORCPT=rfc822;anna@example.net', wrong('parameterUnknown')],
  ['RCPT FROM:<anna@example.net>', wrong('syntax')],
  ['DATA', { verb: 'data' }],
  ['DATA ', { verb: 'data' }],
  ['DATA x', wrong('noArgument')],
  ['RSET x', wrong('noArgument')],
  ['QUIT\t', wrong('unknown')],
  ['NOOP anything', { verb: 'noop' }],
  ['NOOP a\u0007b', wrong('syntax')],
  ['VRFY anna', { verb: 'vrfy' }],
  ['VRFY', wrong('syntax')],
  ['EXPN list', wrong('noSuchCommand')],
  ['STARTTLS', wrong('noSuchCommand')],
  ['BDAT 0', { verb: 'bdat', bytes: 0, last: false }],
  ['bdat 86 last', { verb: 'bdat', bytes: 86, last: true }],
  ['BDAT 999999999999999', { verb: 'bdat', bytes: 999_999_999_999_999, last: false }],
  ['BDAT 9999999999999999', { verb: 'lost' }],
  ['BDAT', { verb: 'lost' }],
  ['BDAT LAST', { verb: 'lost' }],
  ['BDAT 86 LAST x', { verb: 'lost' }],
  ['BDAT +86', { verb: 'lost' }],
  ['BDAT 0x86', { verb: 'lost' }],
  ['BDAT\t86 LAST', { verb: 'lost' }],
  ['bdat86', { verb: 'lost' }],
  ['', wrong('unknown')],
  [' NOOP', wrong('unknown')],
  ['MAILFROM:<a@b>', wrong('unknown')],
  ['constructor x', wrong('unknown')],
];

test('commands are read as the RFCs write them', () => {
  for (const [line, expected] of commands) assert.deepEqual(parseCommand(Buffer.from(line)), expected, line);
});

test('octets that are no UTF-8 are no command', () => {
  for (const octets of ['MAIL FROM:<\xff@b>', 'RCPT TO:<\xc3@b>', 'NOOP \x80', 'VRFY \xed\xa0\x80']) {
    assert.deepEqual(parseCommand(Buffer.from(octets, 'latin1')), wrong('notUtf8'), octets);
  }
});

/** What an address must not hold: with it, a line of its own could begin, or the address end early. */
const unfit = /[\p{Cc}\u2028\u2029]/u;

test('whatever comes is a command or a wrong one, and no address holds a control character', () => {
  const pieces = [
    'MAIL FROM:',
    'RCPT TO:',
    '<',
    '>',
    '@',
    ':',
    ',',
    '"',
    '\\',
    ' ',
    '[',
    ']',
    'a.b',
    'SIZE=1',
    '=',
    '\0',
  ];
  const word = fc.oneof(fc.constantFrom(...pieces, '\r', '\n', 'é', '\u2028', '\u0085', '😀'), fc.string());
  const line = fc.array(word, { maxLength: 12 }).map((words) => words.join(''));
  const check = (text: string): void => {
    const command: LmtpCommand = parseCommand(Buffer.from(text));
    if (command.verb === 'mail') assert.equal(unfit.test(command.sender), false, JSON.stringify(text));
    if (command.verb === 'rcpt') assert.equal(unfit.test(command.recipient), false, JSON.stringify(text));
    if (command.verb === 'lhlo') assert.equal(unfit.test(command.name), false, JSON.stringify(text));
  };
  fc.assert(
    fc.property(fc.constantFrom('', 'MAIL FROM:<', 'RCPT TO:<', 'LHLO '), line, (head, rest) => check(head + rest)),
    {
      numRuns: runs,
    },
  );
});

test('a line made to be searched again and again is read at once', () => {
  const long = limits.commandBytes;
  const lines = [
    '"'.repeat(long),
    '@a,'.repeat(long / 3),
    '\\"'.repeat(long / 2),
    'a.'.repeat(long / 2),
    ' '.repeat(long),
    `x${' '.repeat(long)}x`,
    `a@b>${' '.repeat(long)}x`,
  ];
  const start = process.cpuUsage().user;
  for (let round = 0; round < 20; round++) {
    for (const line of lines)
      for (const head of ['MAIL FROM:<', 'RCPT TO:<@a:', 'LHLO ', 'NOOP', 'NOOP '])
        parseCommand(Buffer.from(head + line));
  }
  // 700 lines take some ms; a search that starts over at each octet takes ten seconds and more.
  assert.ok(process.cpuUsage().user - start < 2_000_000);
});
