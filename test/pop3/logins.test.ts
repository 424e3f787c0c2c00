/** Who comes in, how, and what those who do not are told (RFC 1939 §7, RFC 3206, RFC 5034, RFC 6856). */
import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { test } from 'node:test';
import { DirectoryAdministration } from '@mstore/directory';
import { netLimits } from '@mstore/net';
import { limits } from '@mstore/pop3d/internal/limits';
import { PopSite, password, TestClock } from '../support/pop3.ts';

const wrong = '-ERR [AUTH] wrong login or password';
const user = 'a@example.org';
const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const plain = (login: string, word: string, authorization = ''): string =>
  base64(`${authorization}\0${login}\0${word}`);

test('a wrong password and an unknown login are told the same, and may try again', async () => {
  await using site = await PopSite.start();
  const client = await site.connect();
  assert.match(await client.ask(`USER ${user}`), /^\+OK/);
  assert.equal(await client.ask('PASS wrong'), wrong);
  assert.match(await client.ask('USER nobody@example.org'), /^\+OK/);
  assert.equal(await client.ask(`PASS ${password}`), wrong);
  assert.equal(await client.ask(`PASS ${password}`), '-ERR USER comes first');
  assert.match(await client.ask(`USER ${user.toUpperCase()}`), /^\+OK/);
  assert.match(await client.ask(`PASS ${password}`), /^\+OK/);
  assert.match(await client.ask('STAT'), /^\+OK/);
});

test('a password may hold blanks, also at its ends, and octets beyond ASCII', async () => {
  const users = { 'a@example.org': ' two  blanks ', 'grün@example.org': 'schlüssel' };
  await using site = await PopSite.start({ users: Object.keys(users), passwords: Object.values(users) });
  for (const [login, word] of Object.entries(users)) {
    const client = await site.connect();
    assert.match(await client.ask('UTF8'), /^\+OK/);
    assert.match(await client.ask(`USER ${login}`), /^\+OK/);
    assert.match(await client.ask(`PASS ${word}`), /^\+OK/);
    assert.match(await client.quit(), /^\+OK/);
    const sasl = await site.connect();
    assert.match(await sasl.ask(`AUTH PLAIN ${plain(login, word)}`), /^\+OK/);
  }
  const client = await site.connect();
  client.say(Buffer.from('USER gr\xfcn@example.org\r\n', 'latin1'));
  assert.equal(await client.line(), '-ERR the arguments do not fit this command');
});

test('bare AUTH lists the mechanisms, as old clients expect', async () => {
  await using site = await PopSite.start();
  const client = await site.connect();
  assert.deepEqual(await client.list('AUTH'), ['PLAIN', 'LOGIN']);
  assert.equal(await client.ask('AUTH CRAM-MD5'), '-ERR no such mechanism');
});

test('PLAIN takes its response with the command or after an empty challenge', async () => {
  await using site = await PopSite.start();
  const initial = await site.connect();
  assert.match(await initial.ask(`AUTH PLAIN ${plain(user, password)}`), /^\+OK/);
  const later = await site.connect();
  assert.equal(await later.ask('auth plain'), '+ ');
  assert.match(await later.ask(plain(user, password, user)), /^\+OK/);
  const other = await site.connect();
  assert.match(await other.ask(`AUTH PLAIN ${plain(user, password, 'b@example.org')}`), /^-ERR \[AUTH\]/);
  assert.match(await other.ask(`AUTH PLAIN ${plain(user, 'wrong')}`), /^-ERR \[AUTH\]/);
  assert.match(await other.ask(`AUTH PLAIN ${plain(user, password)}`), /^\+OK/);
});

test('LOGIN asks for the login and the password, or takes the login with the command', async () => {
  await using site = await PopSite.start();
  const client = await site.connect();
  assert.equal(await client.ask('AUTH LOGIN'), `+ ${base64('Username:')}`);
  assert.equal(await client.ask(base64(user)), `+ ${base64('Password:')}`);
  assert.match(await client.ask(base64(password)), /^\+OK/);
  const other = await site.connect();
  assert.equal(await other.ask(`AUTH LOGIN ${base64(user)}`), `+ ${base64('Password:')}`);
  assert.match(await other.ask(base64('wrong')), /^-ERR \[AUTH\]/);
});

test('an exchange that is given up, malformed or too long leaves the session as it was', async () => {
  await using site = await PopSite.start();
  const client = await site.connect();
  assert.equal(await client.ask('AUTH PLAIN'), '+ ');
  assert.equal(await client.ask('*'), '-ERR login given up');
  assert.equal(await client.ask('AUTH PLAIN'), '+ ');
  assert.equal(await client.ask('!!!'), '-ERR this is no answer to the challenge');
  assert.equal(await client.ask('AUTH PLAIN ='), '-ERR this is no answer to the challenge');
  assert.equal(await client.ask('AUTH LOGIN'), `+ ${base64('Username:')}`);
  assert.equal(await client.ask('A'.repeat(netLimits.saslLineBytes + 4)), '-ERR this is no answer to the challenge');
  assert.equal(await client.ask('AUTH PLAIN'), '+ ');
  assert.equal(await client.ask('A'.repeat(limits.authLineBytes + 1)), '-ERR the line is too long');
  assert.match(await client.ask(`AUTH PLAIN ${plain(user, password)}`), /^\+OK/);
});

test('a directory that cannot tell is a temporary failure, never a wrong password', async () => {
  await using site = await PopSite.start();
  const path = `${site.temp.directory}/directory.sqlite`;
  await rename(path, `${path}.away`);
  const client = await site.connect();
  assert.match(await client.ask(`USER ${user}`), /^\+OK/);
  assert.match(await client.ask(`PASS ${password}`), /^-ERR \[SYS\/TEMP\]/);
  assert.match(await client.ask(`AUTH PLAIN ${plain(user, password)}`), /^-ERR \[SYS\/TEMP\]/);
  await rename(`${path}.away`, path);
  assert.match(await client.ask(`AUTH PLAIN ${plain(user, password)}`), /^\+OK/);
});

test('a user of another store server, or one who is disabled, comes later and gets no account', async () => {
  await using elsewhere = await PopSite.start({ config: { route: 'other' } });
  const client = await elsewhere.connect();
  assert.match(await client.ask(`AUTH PLAIN ${plain(user, password)}`), /^-ERR \[SYS\/TEMP\]/);
  assert.equal([...elsewhere.temp.store.catalog().accounts()].length, 0);
  await using site = await PopSite.start();
  const administration = await DirectoryAdministration.open(`${site.temp.directory}/directory.sqlite`);
  await administration.setDisabled(user, true);
  await administration.close();
  const disabled = await site.connect();
  assert.match(await disabled.ask(`AUTH PLAIN ${plain(user, password)}`), /^-ERR \[SYS\/TEMP\]/);
  assert.match(await disabled.ask(`AUTH PLAIN ${plain(user, 'wrong')}`), /^-ERR \[AUTH\]/);
  assert.equal([...site.temp.store.catalog().accounts()].length, 0);
});

test("an id that is another name's in the store lets nobody in", async () => {
  await using site = await PopSite.start();
  await site.account(1, 'somebody.else@example.org');
  const client = await site.connect();
  assert.match(await client.ask(`AUTH PLAIN ${plain(user, password)}`), /^-ERR \[SYS\/PERM\]/);
});

test('LOGIN-DELAY is announced and kept where it is configured', async () => {
  const clock = new TestClock();
  await using site = await PopSite.start({ config: { loginDelay: 60 }, clock });
  const client = await site.logIn();
  assert.ok((await client.list('CAPA')).includes('LOGIN-DELAY 60'));
  await client.quit();
  clock.advance(59_000);
  const soon = await site.connect();
  assert.match(await soon.ask(`AUTH PLAIN ${plain(user, password)}`), /^-ERR \[LOGIN-DELAY\]/);
  assert.match(await soon.ask(`AUTH PLAIN ${plain(user, 'wrong')}`), /^-ERR \[AUTH\]/);
  clock.advance(1_000);
  assert.match(await soon.ask(`AUTH PLAIN ${plain(user, password)}`), /^\+OK/);
});

test('a login that takes too long ends the session', async () => {
  const clock = new TestClock();
  await using site = await PopSite.start({ clock });
  const client = await site.connect();
  assert.match(await client.ask(`USER ${user}`), /^\+OK/);
  clock.advance(netLimits.loginTimeoutMs);
  assert.equal(await client.line(), '-ERR the login took too long');
  client.socket.end();
  assert.equal(await client.ended(), '');
});

test('a session that is logged in may be idle for half an hour, and is then left without a word', async () => {
  const clock = new TestClock();
  await using site = await PopSite.start({ clock });
  const client = await site.logIn();
  clock.advance(limits.idleTimeoutMs - 1_000);
  assert.match(await client.ask('NOOP'), /^\+OK/);
  clock.advance(limits.idleTimeoutMs);
  client.socket.end();
  assert.equal(await client.ended(), '');
});

test('the log names logins, refusals and the end of sessions, and no password', async () => {
  await using site = await PopSite.start();
  await site.deliver(['Subject: 1\r\n\r\none\r\n']);
  const client = await site.connect();
  await client.ask(`USER ${user}`);
  await client.ask('PASS not the secret');
  await client.ask(`AUTH PLAIN ${plain(user, password)}`);
  await client.message('RETR 1');
  await client.ask('DELE 1');
  await client.quit();
  await site.until(() => site.logLines.some((line) => line.includes('session ended')), 'the last line');
  const lines = site.logLines.join('');
  assert.match(lines, /"login":"a@example.org".*"why":"wrong".*"event":"login refused"/);
  assert.match(lines, /"login":"a@example.org".*"event":"login"/);
  assert.match(lines, /"why":"quit","retrieved":1,"expunged":1,"octets":\d+,"event":"session ended"/);
  assert.ok(!lines.includes(password) && !lines.includes('not the secret'));
});
