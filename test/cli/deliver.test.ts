import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { anyHash, CliStore, mstore, refusal } from './command.ts';

const date = '[A-Z][a-z]{2}, \\d{1,2} [A-Z][a-z]{2} \\d{4} \\d\\d:\\d\\d:\\d\\d \\+0000';
const trace = (path: string, to: string): RegExp =>
  new RegExp(
    `^Return-Path: <${path}>\\r\\nDelivered-To: ${to}\\r\\n` +
      `Received: by \\S+ with local id [0-9a-f]{16}\\r\\n\\tfor <${to}>; ${date}\\r\\n`,
  );

test('a delivery puts trace lines on top, drops a From_ line, and keeps the rest', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  const input = 'From me Sat Jan  3 01:05:34 1996\nReturn-Path: <old>\nSubject: a\n\nbare\rcr\0nul\n.\nlast';
  await store.done(['deliver', '-f', '<me@y>', '-d', 'Ada@X', '-d', 'grace@x'], { input });
  const rest = 'Return-Path: <old>\r\nSubject: a\r\n\r\nbare\rcr\0nul\r\n.\r\nlast\r\n';
  const users: [string, string][] = [
    ['ada@x', 'Ada@X'],
    ['grace@x', 'grace@x'],
  ];
  for (const [user, given] of users) {
    const [octets] = await store.octets(user);
    const text = octets?.toString('latin1') ?? '';
    assert.match(text, trace('me@y', given));
    assert.equal(text.replace(trace('me@y', given), ''), rest);
  }
});

test('no sender, <> and MAILER-DAEMON are the null reverse-path; a sender that is no address is refused: 75', async () => {
  await using store = await CliStore.make('ada@x');
  for (const args of [[], ['-f', ''], ['-f', '<>'], ['-f', 'mailer-daemon'], ['-f', '<"a <b>"@c>']]) {
    await store.done(['deliver', '-d', 'ada@x', ...args], { input: 'Subject: a\n\nb\n' });
  }
  const all = (await store.octets('ada@x')).map((octets) => octets.toString());
  for (const text of all.slice(0, 4)) assert.match(text, trace('', 'ada@x'));
  assert.match(all[4] ?? '', /^Return-Path: <"a <b>"@c>\r\n/);
  for (const sender of ['a@b\r\nX-Evil: 1', 'a b', '<<a@b>>', '"a"b c@d', '"a\n"@b', 'a@b\x7f', '"a b']) {
    assert.match(await store.refused(75, ['deliver', '-d', 'ada@x', '-f', sender], { input: 'x\n' }), /sender/);
  }
  assert.equal((await store.octets('ada@x')).length, 5);
});

test('a detail leads to its mailbox where there is one, else to INBOX; the configuration may have it made', async () => {
  await using store = await CliStore.make('ada@x');
  const report = async (to: string): Promise<unknown> =>
    JSON.parse(await store.done(['deliver', '-d', to, '--json'], { input: 'Subject: a\n\nb\n' }));
  assert.match(JSON.stringify(await report('ada+Sent@x')), /"mailbox":"Sent"/);
  assert.match(JSON.stringify(await report('ada+new@x')), /"mailbox":"INBOX"/);
  await writeFile(join(store.directory, 'mstore.toml'), '[delivery]\ndetail = "create"\n');
  assert.match(JSON.stringify(await report('ada+new@x')), /"mailbox":"new"/);
  assert.match(JSON.stringify(await report('ada+a//b@x')), /"mailbox":"INBOX"/);
  await store.refused(67, ['deliver', '-d', 'other+new@x'], { input: 'x' });
});

test('an unknown user is 67, a message too large 65, anything else 75, and nothing is stored for anybody', async () => {
  await using store = await CliStore.make('ada@x', 'full@x');
  await store.refused(67, ['deliver', '-d', 'ada@x', '-d', 'nobody@x'], { input: 'x\n' });
  assert.match(
    await store.refused(67, ['deliver', '-d', 'ada@y'], { input: 'x\n' }),
    /the domain of ada@y is not ours/,
  );
  assert.match(await store.refused(75, ['deliver'], { input: 'x\n' }), /give -d ADDRESS/);
  await writeFile(join(store.directory, 'mstore.toml'), '[limits]\nmessageBytes = 2000\n');
  await store.refused(65, ['deliver', '-d', 'ada@x'], { input: Buffer.alloc(2_001, 'x\n') });
  await store.refused(65, ['deliver', '-d', 'ada@x'], { input: Buffer.alloc(3_000_000, 'x\n') });
  await writeFile(join(store.folder, 'users'), `full@x ${anyHash} 100\n`);
  await store.done(['user', 'import', join(store.folder, 'users')]);
  assert.match(
    await store.refused(75, ['deliver', '-d', 'ada@x', '-d', 'full@x'], { input: 'Subject: a\n\nb\n' }),
    /full/,
  );
  for (const args of [
    ['-d'],
    ['--wrong'],
    [],
    ['-d', 'ada@x', join(store.folder, 'absent')],
    ['-d', 'ada@x', store.folder],
  ]) {
    refusal(75, args, await store.run(['deliver', ...args]));
  }
  refusal(75, [], await mstore(['deliver', '-d', 'ada@x', '--data', '/nonexistent']));
  refusal(75, [], await mstore(['deliver', '-d', 'ada@x']));
  await writeFile(join(store.directory, 'mstore.toml'), 'wrong = 1\n');
  await store.refused(75, ['deliver', '-d', 'ada@x'], { input: 'x\n' });
  await writeFile(join(store.directory, 'mstore.toml'), '');
  assert.deepEqual(await store.octets('ada@x'), []);
});

test('one account several times needs room for all of its mailboxes, and once for a mailbox', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  await store.done(['user', 'add', 'few@x', '--no-password', '--quota-messages', '1']);
  await store.done(['user', 'add', 'small@x', '--no-password', '--quota', '900']);
  const input = `Subject: a\n\n${'b'.repeat(300)}\n`;
  for (const user of ['few', 'small']) {
    const to = ['-d', 'grace@x', '-d', `${user}@x`, '-d', `${user}+Sent@x`];
    assert.match(await store.refused(75, ['deliver', ...to], { input }), /over quota/);
    await store.done(['deliver', '-d', `${user}@x`, '-d', `${user}+none@x`, '-d', `${user}+a//b@x`], { input });
    assert.equal((await store.octets(`${user}@x`)).length, 1);
  }
  assert.deepEqual(await store.octets('grace@x'), []);
});
