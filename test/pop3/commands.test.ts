/** RFC 1939, command by command: answers in each state, and what they say of a maildrop. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@mstore/pop3d/internal/limits';
import { encodeRetention, retentionEntry, UidSet } from '@mstore/store';
import { PopSite, password, TestClock } from '../support/pop3.ts';

const trace = 'Delivered-To: a\r\n';
const first = 'Subject: 1\r\n\r\none\r\n';
const second = 'Subject: 2\r\n\r\ntwo\r\nlines\r\n';
const third = 'Subject: 3\r\n\r\nthree\r\n';
const size = (text: string): number => trace.length + text.length;

test('the greeting offers no APOP, and CAPA says the same before and after the login', async () => {
  await using site = await PopSite.start();
  const client = await site.connect();
  const expected = [
    'TOP',
    'USER',
    'UIDL',
    'SASL PLAIN LOGIN',
    'RESP-CODES',
    'AUTH-RESP-CODE',
    'PIPELINING',
    'EXPIRE NEVER',
    'UTF8 USER',
    'IMPLEMENTATION mstore',
  ];
  assert.deepEqual(await client.list('CAPA'), expected);
  assert.match(await client.ask('USER a@example.org'), /^\+OK/);
  assert.match(await client.ask(`PASS ${password}`), /^\+OK/);
  assert.deepEqual(await client.list('capa'), expected);
  assert.match(await client.ask('APOP a@example.org c4c9334bac560ecc979e58001b3e22fb'), /^-ERR/);
});

test('CAPA tells how long messages stay: at least so long for anybody, and for whom after the login', async () => {
  const clock = new TestClock();
  const users = ['a@example.org', 'b@example.org', 'c@example.org'];
  await using site = await PopSite.start({ config: { expire: 60 }, clock, users });
  const expire = async (login?: string): Promise<string | undefined> => {
    const client = await site.connect();
    if (login !== undefined) {
      await client.ask(`USER ${login}`);
      assert.match(await client.ask(`PASS ${password}`), /^\+OK/);
    }
    const found = (await client.list('CAPA')).find((line) => line.startsWith('EXPIRE'));
    client.drop();
    return found;
  };
  for (const login of [undefined, ...users]) assert.equal(await expire(login), 'EXPIRE 60');
  const own = async (name: string, pop3: number): Promise<void> => {
    const { store } = site.temp;
    const account = store.catalog().accountNamed(name);
    assert.ok(account !== undefined);
    await store.setMetadata(account.id, 0, retentionEntry, encodeRetention({ pop3 }));
  };
  await own('b@example.org', 7);
  await own('c@example.org', 0);
  clock.advance(limits.expireFreshMs);
  assert.deepEqual(await Promise.all([undefined, ...users].map(expire)), [
    'EXPIRE 7 USER',
    'EXPIRE 60',
    'EXPIRE 7',
    'EXPIRE NEVER',
  ]);
  // The writer expunges by a changed configuration at once.
  const { retention } = site.config;
  site.daemon.reconfigure?.({ ...site.config, retention: { ...retention, pop3: 5 } });
  assert.deepEqual(await Promise.all([undefined, ...users].map(expire)), [
    'EXPIRE 5 USER',
    'EXPIRE 5',
    'EXPIRE 7',
    'EXPIRE NEVER',
  ]);
});

test('before the login there is no maildrop, and after it no login', async () => {
  await using site = await PopSite.start();
  const client = await site.connect();
  for (const command of ['STAT', 'LIST', 'LIST 1', 'UIDL', 'RETR 1']) {
    assert.equal(await client.ask(command), '-ERR not before the login', command);
  }
  assert.match(await client.ask('APOP a b'), /^-ERR APOP/);
  client.drop();
  const other = await site.connect();
  for (const command of ['DELE 1', 'NOOP', 'RSET', 'TOP 1 0']) {
    assert.equal(await other.ask(command), '-ERR not before the login', command);
  }
  assert.equal(await other.ask(`PASS ${password}`), '-ERR USER comes first');
  assert.match(await other.quit(), /^\+OK/);
  const third = await site.logIn();
  for (const command of ['USER a@example.org', `PASS ${password}`, 'AUTH', 'AUTH PLAIN', 'UTF8', 'APOP a b']) {
    assert.equal(await third.ask(command), '-ERR not after the login', command);
  }
  assert.match(await third.quit(), /^\+OK/);
});

test('an empty maildrop is made at the first login and is empty', async () => {
  await using site = await PopSite.start();
  const client = await site.logIn();
  assert.equal(await client.ask('STAT'), '+OK 0 0');
  assert.deepEqual(await client.list('LIST'), []);
  assert.deepEqual(await client.list('UIDL'), []);
  for (const command of ['LIST 1', 'UIDL 1', 'RETR 1', 'TOP 1 0', 'DELE 1', 'RETR 0', 'RETR 4294967296']) {
    assert.equal(await client.ask(command), '-ERR no such message', command);
  }
  assert.match(await client.ask('RSET'), /^\+OK/);
  assert.match(await client.quit(), /^\+OK/);
});

test('STAT, LIST, UIDL and RETR agree, with and without numbers', async () => {
  await using site = await PopSite.start();
  await site.deliver([first, second, third], trace);
  const client = await site.logIn();
  const all = [first, second, third];
  assert.equal(await client.ask('STAT'), `+OK 3 ${all.map(size).reduce((a, b) => a + b)}`);
  assert.deepEqual(
    await client.list('LIST'),
    all.map((text, index) => `${index + 1} ${size(text)}`),
  );
  assert.equal(await client.ask('LIST 2'), `+OK 2 ${size(second)}`);
  const uidls = await client.list('UIDL');
  assert.equal(uidls.length, 3);
  for (const [index, line] of uidls.entries()) {
    assert.match(line, new RegExp(`^${index + 1} [0-9a-f]{8}0000000${index + 1}$`));
    assert.equal(await client.ask(`UIDL ${index + 1}`), `+OK ${line}`);
  }
  for (const [index, text] of all.entries()) {
    client.say(`RETR ${index + 1}\r\n`);
    assert.equal(await client.line(), `+OK ${size(text)} octets`);
    assert.equal(String(await client.block()), trace + text);
  }
  assert.match(await client.ask('NOOP'), /^\+OK/);
});

test('what is marked as deleted is out of every list, RSET brings it back, QUIT expunges it', async () => {
  await using site = await PopSite.start();
  await site.deliver([first, second, third], trace);
  const client = await site.logIn();
  assert.match(await client.ask('DELE 2'), /^\+OK/);
  for (const command of ['DELE 2', 'RETR 2', 'TOP 2 0', 'LIST 2', 'UIDL 2']) {
    assert.equal(await client.ask(command), '-ERR this message is marked as deleted', command);
  }
  assert.equal(await client.ask('STAT'), `+OK 2 ${size(first) + size(third)}`);
  assert.deepEqual(await client.list('LIST'), [`1 ${size(first)}`, `3 ${size(third)}`]);
  assert.equal((await client.list('UIDL')).length, 2);
  assert.match(await client.ask('RSET'), /^\+OK 3 /);
  assert.equal((await client.list('LIST')).length, 3);
  assert.match(await client.ask('DELE 1'), /^\+OK/);
  assert.match(await client.ask('DELE 3'), /^\+OK/);
  assert.match(await client.quit(), /^\+OK/);
  const again = await site.logIn();
  assert.deepEqual(await again.list('LIST'), [`1 ${size(second)}`]);
  assert.match((await again.list('UIDL'))[0] ?? '', /00000002$/);
  assert.equal(site.temp.store.catalog().entry(await site.inbox(), 1), undefined);
});

test('without QUIT nothing is deleted, however the session ends', async () => {
  await using site = await PopSite.start();
  await site.deliver([first], trace);
  const cut = await site.logIn();
  assert.match(await cut.ask('DELE 1'), /^\+OK/);
  cut.drop();
  const ended = await site.logIn();
  assert.match(await ended.ask('DELE 1'), /^\+OK/);
  ended.socket.end();
  assert.equal(await ended.ended(), '');
  const half = await site.logIn();
  assert.match(await half.ask('DELE 1'), /^\+OK/);
  half.socket.end('QUIT');
  await half.ended();
  assert.equal(await (await site.logIn()).ask('STAT'), `+OK 1 ${size(first)}`);
});

test('arguments that do not fit are refused, blanks around them are not', async () => {
  await using site = await PopSite.start();
  await site.deliver([first], trace);
  const client = await site.logIn();
  for (const command of ['RETR', 'RETR one', 'RETR 1 2', 'TOP 1', 'DELE -1', 'LIST 1x', 'STAT 1', 'NOOP x']) {
    assert.equal(await client.ask(command), '-ERR the arguments do not fit this command', command);
  }
  client.drop();
  const other = await site.logIn();
  for (const command of ['list  1 ', 'LIST 1', 'uidl 01', 'stat ', 'noop']) {
    assert.match(await other.ask(command), /^\+OK/, command);
  }
  other.say('NOOP\nNOOP\n');
  assert.match(await other.line(), /^\+OK/);
  assert.match(await other.line(), /^\+OK/);
});

test('the tenth bad command ends the session', async () => {
  await using site = await PopSite.start();
  const client = await site.connect();
  for (let count = 1; count < limits.badCommandsMax; count += 1) {
    assert.equal(await client.ask('HELO'), '-ERR no such command');
  }
  assert.equal(await client.ask('\u0000\u0001'), '-ERR too many errors');
  client.socket.end();
  assert.equal(await client.ended(), '');
});

test('a line at its bound is read, one beyond is refused and skipped', async () => {
  await using site = await PopSite.start();
  await site.deliver([first], trace);
  const client = await site.logIn();
  const padded = (length: number): string => `LIST 1${' '.repeat(length - 6)}`;
  assert.match(await client.ask(padded(limits.lineBytes)), /^\+OK 1 /);
  assert.equal(await client.ask(padded(limits.lineBytes + 1)), '-ERR the line is too long');
  assert.equal(await client.ask(padded(100_000)), '-ERR the line is too long');
  assert.match(await client.ask('NOOP'), /^\+OK/);
  const stranger = await site.connect();
  assert.equal(await stranger.ask(padded(limits.lineBytes + 1)), '-ERR the line is too long');
  assert.match(await stranger.ask(`USER ${'u'.repeat(limits.loginLineBytes - 5)}`), /^\+OK/);
  assert.equal(await stranger.ask(`USER ${'u'.repeat(limits.loginLineBytes - 4)}`), '-ERR the line is too long');
  assert.equal(await stranger.ask(`AUTH ${'u'.repeat(limits.authLineBytes - 4)}`), '-ERR the line is too long');
});

test('imported UIDLs are kept as they were', async () => {
  await using site = await PopSite.start();
  const { store } = site.temp;
  const mailbox = await site.inbox();
  const uidls = ['<old.1@example.org>', '0000000100000001', 'AbC'];
  for (const uidl of uidls) {
    const message = await store.take(Buffer.from(first));
    await store.append(mailbox, [{ message, flags: 0, keywords: [], uidl }]);
  }
  await store.append(mailbox, [{ message: await store.take(Buffer.from(first)), flags: 0, keywords: [], uidl: 'aBc' }]);
  await store.settle();
  const client = await site.logIn();
  const shown = (await client.list('UIDL')).map((line) => line.split(' ')[1] ?? '');
  assert.deepEqual(shown.slice(0, 3), ['<old.1@example.org>', 'x0000000100000001', 'AbC']);
  assert.equal(new Set(shown.map((uidl) => uidl.toLowerCase())).size, 4);
  for (const uidl of shown) assert.match(uidl, /^[!-~]{1,70}$/);
});

test('lists read no octet of the heap', async () => {
  await using site = await PopSite.start();
  await site.deliver([first, second, third], trace);
  const reading = site.reading;
  const client = await site.logIn();
  const { readBytes, readCalls } = reading.heapCounters;
  await client.ask('STAT');
  await client.list('LIST');
  await client.list('UIDL');
  await client.ask('UIDL 2');
  await client.ask('DELE 2');
  await client.ask('RSET');
  const again = await site.logIn();
  await again.list('UIDL');
  assert.deepEqual([reading.heapCounters.readBytes, reading.heapCounters.readCalls], [readBytes, readCalls]);
  await client.message('RETR 1');
  assert.ok(reading.heapCounters.readBytes > readBytes, 'the counter is alive');
});

test('a large maildrop is listed in slices, and those are one list', async () => {
  await using site = await PopSite.start();
  const { store } = site.temp;
  const mailbox = await site.inbox();
  const count = limits.sliceEntries + 700;
  for (let done = 0; done < count; done += 100) {
    const messages = [];
    for (let n = 0; n < 100; n += 1) {
      messages.push({ message: await store.take(Buffer.from(first)), flags: 0, keywords: [] });
    }
    await store.append(mailbox, messages);
  }
  await store.expunge(mailbox, UidSet.range(10, 19), false);
  await store.settle();
  const client = await site.logIn();
  assert.equal(await client.ask('STAT'), `+OK ${count - 10} ${(count - 10) * first.length}`);
  const uidls = await client.list('UIDL');
  assert.equal(uidls.length, count - 10);
  assert.equal(uidls[9]?.endsWith((20).toString(16).padStart(8, '0')), true);
  assert.equal(uidls.at(-1)?.startsWith(`${count - 10} `), true);
  const sizes = await client.list('LIST');
  assert.equal(sizes.length, count - 10);
  assert.equal(sizes.at(-1), `${count - 10} ${first.length}`);
  assert.match(await client.ask(`DELE ${count - 10}`), /^\+OK/);
  assert.match(await client.quit(), /^\+OK/);
  assert.equal(await (await site.logIn()).ask('STAT'), `+OK ${count - 11} ${(count - 11) * first.length}`);
});
