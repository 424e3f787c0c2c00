/** LMTP as a client sees it: what commands are answered in which state, and how sessions end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemon } from './daemon.ts';

const anna = 'anna@example.net';
const bert = 'bert@example.net';

/** Waits for a condition, with a deadline. */
async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a message is delivered with its trace lines on top', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.client();
  assert.match(await client.reply(), /^220 mx\.test LMTP/);
  const hello = await client.say('LHLO client.test');
  for (const word of ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 67108864', 'ENHANCEDSTATUSCODES', 'CHUNKING']) {
    assert.ok(hello.includes(word), word);
  }
  const [reply = ''] = await client.deliver(['Anna@Example.NET'], 'Subject: hi\r\n\r\n..dot\r\n');
  assert.match(reply, /^250 2\.1\.5 /);
  assert.match(await client.say('QUIT'), /^221 2\.0\.0 /);
  assert.equal(await client.reply(), '');
  const [message = ''] = await daemon.messages(anna);
  const lines = [
    'Return-Path: <sender@example\\.org>',
    'Delivered-To: Anna@Example\\.NET',
    'Received: from client\\.test \\(\\[127\\.0\\.0\\.1\\]\\)',
    '\\tby mx\\.test with LMTP id [0-9a-f]{16}',
    '\\tfor <Anna@Example\\.NET>; \\w{3}, \\d{2} \\w{3} \\d{4} [\\d:]{8} \\+0000',
    'Subject: hi',
    '',
    '\\.dot',
  ];
  assert.match(message, new RegExp(`^${lines.join('\r\n')}\r\n$`));
});

test('a delivery has one line in the log, with session, sender, recipient, size, mailbox, UID and ms', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  const [reply = ''] = await client.deliver([anna], 'Subject: hi\r\n\r\nsecret words\r\n');
  const [line, ...more] = daemon.logged.of('delivered');
  assert.equal(more.length, 0);
  const { session, ms, size, ...rest } = line ?? {};
  assert.equal(reply, `250 2.1.5 Delivered (${session})`);
  assert.equal(size, daemon.entries(anna)[0]?.size);
  assert.equal(typeof ms, 'number');
  const { sender, recipient, mailbox, uid } = rest;
  assert.deepEqual(
    { sender, recipient, mailbox, uid },
    { sender: 'sender@example.org', recipient: anna, mailbox: 'INBOX', uid: 1 },
  );
  assert.equal(JSON.stringify(daemon.logged.lines).includes('secret'), false);
  await client.say('QUIT');
  await until('the end is logged', () => daemon.logged.of('session ended').length === 1);
  assert.equal(daemon.logged.of('session ended')[0]?.why, 'quit');
  const page = await daemon.metrics.page();
  assert.match(page, /^mstore_deliveries_total 1$/m);
  assert.match(page, /^mstore_delivery_seconds_count 1$/m);
});

test('everything may be sent at once: two messages and the goodbye', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  const client = await daemon.client();
  const envelope = `MAIL FROM:<>\r\nRCPT TO:<${anna}>\r\nRCPT TO:<nobody@example.net>\r\nRCPT TO:<${bert}>\r\nDATA\r\n`;
  client.send(`LHLO x\r\n${envelope}one\r\n.\r\n${envelope}two\r\n.\r\nNOOP\r\nQUIT\r\n`);
  const codes = (await client.replies(18)).map((reply) => reply.slice(0, 3));
  const transaction = ['250', '250', '550', '250', '354', '250', '250'];
  assert.deepEqual(codes, ['220', '250', ...transaction, ...transaction, '250', '221']);
  const texts = (await daemon.messages(bert)).map((message) => message.slice(message.lastIndexOf('+0000\r\n') + 7));
  assert.deepEqual(texts, ['one\r\n', 'two\r\n']);
});

test('refused recipients have their code, and only the others are answered after the content', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  const client = await daemon.greeted();
  await client.say('MAIL FROM:<a@b>');
  assert.match(await client.say('RCPT TO:<nobody@example.net>'), /^550 5\.1\.1 /);
  assert.match(await client.say(`RCPT TO:<${anna}>`), /^250 2\.1\.5 /);
  assert.match(await client.say('RCPT TO:<anna@example.com>'), /^550 5\.1\.2 /);
  assert.match(await client.say(`RCPT TO:<${bert}>`), /^250 2\.1\.5 /);
  assert.match(await client.say('DATA'), /^354 /);
  client.send('x\r\n.\r\nNOOP\r\n');
  const replies = await client.replies(3);
  assert.match(replies.join('\n'), /^250 2\.1\.5 .*\n250 2\.1\.5 .*\n250 2\.0\.0 Ok$/);
  const reasons = daemon.logged.of('refused').map(({ recipient, reason }) => `${recipient} ${reason}`);
  assert.deepEqual(reasons, ['nobody@example.net unknownUser', 'anna@example.com foreign']);
});

/** Commands that follow each other in one session, with what each is answered. */
const dialogue: readonly (readonly [string, RegExp])[] = [
  ['MAIL FROM:<a@b>', /^503 5\.5\.1 /],
  ['HELO client', /^500 5\.5\.1 /],
  ['EHLO client', /^500 5\.5\.1 /],
  ['LHLO', /^501 5\.5\.2 /],
  ['NOOP', /^250 2\.0\.0 /],
  ['LHLO client', /^250-mx\.test/],
  ['RCPT TO:<anna@example.net>', /^503 5\.5\.1 /],
  ['DATA', /^503 5\.5\.1 /],
  ['MAIL FROM:a@b', /^501 5\.1\.7 /],
  ['MAIL FROM:<a@b> NOTIFY=NEVER', /^555 5\.5\.4 /],
  ['MAIL FROM:<a@b> BODY=BINARYMIME', /^501 5\.5\.4 /],
  ['NOOP', /^250 2\.0\.0 /],
  ['MAIL FROM:<a@b> SIZE=67108865', /^552 5\.3\.4 /],
  ['MAIL FROM:<\u00e4@b>', /^550 5\.6\.7 /],
  ['MAIL FROM:<a@b> BODY=8BITMIME SIZE=67108864', /^250 2\.1\.0 /],
  ['MAIL FROM:<a@b>', /^503 5\.5\.1 /],
  ['LHLO', /^501 5\.5\.2 /],
  ['RCPT TO:<>', /^501 5\.1\.3 /],
  ['RCPT TO:<\u00e4@example.net>', /^553 5\.6\.7 /],
  ['RCPT TO:<anna@example.net> ORCPT=rfc822;x', /^555 5\.5\.4 /],
  ['RCPT TO:<nobody@example.net>', /^550 5\.1\.1 /],
  ['DATA', /^503 5\.5\.1 /],
  ['RCPT TO:<anna@example.net>', /^250 2\.1\.5 /],
  ['DATA now', /^501 5\.5\.4 /],
  ['RSET', /^250 2\.0\.0 /],
  ['DATA', /^503 5\.5\.1 /],
  ['VRFY anna', /^252 /],
  ['VRFY', /^501 /],
  ['EXPN list', /^502 5\.5\.1 /],
  ['HELP', /^214 2\.0\.0 /],
  ['MAIL FROM:<a@b>', /^250 2\.1\.0 /],
  ['LHLO client', /^250-mx\.test/],
  ['DATA', /^503 5\.5\.1 /],
  ['', /^500 5\.5\.1 /],
  ['XYZZY', /^500 5\.5\.1 /],
  ['mail from:<@relay,@other:"a b"@[127.0.0.1]>', /^250 2\.1\.0 /],
  ['rcpt to: <@relay:ANNA@example.net>', /^250 2\.1\.5 /],
  ['quit', /^221 2\.0\.0 /],
];

test('commands are answered by their place in the dialogue', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.client();
  await client.reply();
  for (const [command, expected] of dialogue) assert.match(await client.say(command), expected, command);
  assert.equal(await client.reply(), '');
});

test('many wrong commands in a row end the session, and a right one starts the count again', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  for (let n = 0; n < 19; n++) assert.match(await client.say('WRONG'), /^500 /);
  await client.say('NOOP');
  client.send('WRONG\r\n'.repeat(25));
  const replies = await client.replies(22);
  assert.deepEqual(new Set(replies.slice(0, 20)).size, 1);
  assert.deepEqual(replies.slice(20), ['421 4.7.0 Too many errors', '']);
});

test('what follows a refusal that a pipelining peer has not heard of yet is refused, and does not end the session', async () => {
  await using daemon = await Daemon.start([anna], { messageBytes: 1_000 });
  const client = await daemon.greeted();
  const chunks = `BDAT 100\r\n${'x'.repeat(100)}`.repeat(40);
  const recipients = `RCPT TO:<${anna}>\r\n`.repeat(2);
  client.send(`MAIL FROM:<>\r\n${recipients}${chunks}BDAT 0 LAST\r\n`);
  const chunked = await client.replies(3 + 40 + 2);
  assert.deepEqual(
    chunked.slice(3).map((reply) => reply.slice(0, 3)),
    [...Array(10).fill('250'), '552', ...Array(29).fill('503'), '552', '552'],
  );
  client.send(`MAIL FROM:<\u00fc@example.net>\r\n${`RCPT TO:<${anna}>\r\n`.repeat(50)}DATA\r\n`);
  assert.match(await client.reply(), /^550 5\.6\.7 /);
  for (const reply of await client.replies(51)) assert.match(reply, /^503 5\.5\.1 /);
  client.send(`MAIL FROM:<>\r\nRCPT TO:<nobody@example.net>\r\n${chunks}BDAT 0 LAST\r\nRSET\r\n`);
  const nobody = await client.replies(2 + 40 + 1 + 1);
  assert.deepEqual(new Set(nobody.slice(2, 43)), new Set(['503 5.5.1 No valid recipients']));
  assert.deepEqual(await client.deliver([anna], 'A: b\r\n\r\n').then((replies) => replies.length), 1);
});

test('a command with a bare line feed, or beyond its bound, is refused whole', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  client.send('NOOP\nQUIT\r\n');
  assert.match(await client.reply(), /^500 5\.5\.2 /);
  assert.match(await client.say(`NOOP ${'x'.repeat(4_091)}`), /^250 /);
  assert.match(await client.say(`NOOP ${'x'.repeat(4_092)}`), /^500 5\.5\.2 /);
  assert.match(await client.say(`MAIL FROM:<${'x'.repeat(4_000)}@b>`), /^501 5\.1\.0 /);
  assert.match(await client.say('NOOP \u0000'), /^501 5\.5\.2 /);
  assert.match(await client.say('NOOP'), /^250 /);
});

test('names beyond ASCII come in with SMTPUTF8, and the trace lines show them', async () => {
  await using daemon = await Daemon.start(['käthe@example.net']);
  const client = await daemon.greeted();
  assert.match(await client.say('MAIL FROM:<jörg@exämple.org> SMTPUTF8'), /^250 /);
  assert.match(await client.say('RCPT TO:<Käthe@example.net>'), /^250 /);
  await client.say('DATA');
  client.send('x\r\n.\r\n');
  assert.match(await client.reply(), /^250 /);
  const [message = ''] = await daemon.messages('käthe@example.net');
  const text = Buffer.from(message, 'latin1').toString();
  assert.match(text, /^Return-Path: <jörg@exämple\.org>\r\nDelivered-To: Käthe@example\.net\r\n/);
  assert.match(text, / with UTF8LMTP id /);
});

test('a goodbye that nobody reads takes nothing back, and half a message is none', async () => {
  await using daemon = await Daemon.start([anna]);
  const whole = await daemon.greeted();
  whole.send(`MAIL FROM:<>\r\nRCPT TO:<${anna}>\r\nDATA\r\nwhole\r\n.\r\nQUIT\r\n`);
  whole.end();
  const half = await daemon.greeted();
  half.send(`MAIL FROM:<>\r\nRCPT TO:<${anna}>\r\nDATA\r\nhalf\r\n`);
  assert.match((await half.replies(3)).join(), /354/);
  half.destroy();
  const chunked = await daemon.greeted();
  chunked.send(`MAIL FROM:<>\r\nRCPT TO:<${anna}>\r\nBDAT 300000\r\n${'x'.repeat(300_000)}`);
  await chunked.replies(3);
  chunked.destroy();
  await until('the sessions end', () => daemon.logged.of('session ended').length === 3);
  const messages = await daemon.messages(anna);
  assert.equal(messages.length, 1);
  assert.ok(messages[0]?.endsWith('whole\r\n'));
});

test('a drain in the middle of content lets the message in, answers it, and then says goodbye', async () => {
  await using daemon = await Daemon.start([anna]);
  const idle = await daemon.greeted();
  const client = await daemon.greeted();
  client.send(`MAIL FROM:<>\r\nRCPT TO:<${anna}>\r\nDATA\r\nhalf`);
  await client.replies(3);
  const drained = daemon.lmtpd.drain(10_000);
  assert.match(await idle.reply(), /^421 4\.3\.2 /);
  assert.equal(await idle.reply(), '');
  idle.end();
  client.send(' and half\r\n.\r\nNOOP\r\n');
  assert.match(await client.reply(), /^250 2\.1\.5 /);
  assert.match(await client.reply(), /^421 4\.3\.2 /);
  client.end();
  await drained;
  assert.equal((await daemon.messages(anna)).length, 1);
});

test('who says nothing, or never ends a line or a message, is told and put off', async () => {
  await using daemon = await Daemon.start([anna], {
    timeouts: { idleTimeoutMs: 300, lineTimeoutMs: 300, stallTimeoutMs: 300 },
  });
  const idle = await daemon.greeted();
  const line = await daemon.greeted();
  line.send('NO');
  const content = await daemon.greeted();
  content.send(`MAIL FROM:<>\r\nRCPT TO:<${anna}>\r\nDATA\r\nand then`);
  await content.replies(3);
  const trickle = setInterval(() => content.send('.'), 20);
  try {
    for (const client of [idle, line, content]) {
      assert.match(await client.reply(), /^421 4\.4\.2 /);
      assert.equal(await client.reply(), '');
    }
  } finally {
    clearInterval(trickle);
  }
  assert.equal(daemon.entries(anna).length, 0);
});

test('connections beyond the bound are told to come back', async () => {
  await using daemon = await Daemon.start([anna], { connectionsMax: 2 });
  await daemon.greeted();
  const second = await daemon.greeted();
  const third = await daemon.client();
  assert.match(await third.reply(), /^421 4\.3\.2 Too many connections/);
  assert.match(await second.say('NOOP'), /^250 /);
});
