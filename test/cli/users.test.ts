import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DirectoryAdministration } from '@mstore/directory';
import { Store } from '@mstore/store';
import { requireProgram } from '../support/interop.ts';
import { counts } from '../support/long.ts';
import { anyHash, CliStore } from './command.ts';
import { typed } from './terminal.ts';

const mail = { input: 'Subject: a\n\nb\n' };

async function json(store: CliStore, args: readonly string[], input = ''): Promise<Record<string, unknown>> {
  const value: unknown = JSON.parse(await store.done([...args, '--json'], { input }));
  assert.ok(typeof value === 'object' && value !== null);
  return { ...value };
}

async function users(store: CliStore): Promise<readonly Record<string, unknown>[]> {
  const { users: listed } = await json(store, ['user', 'list']);
  assert.ok(Array.isArray(listed));
  return listed;
}

test('users are added, shown, disabled, enabled, listed and removed', async () => {
  await using store = await CliStore.make();
  assert.equal(await store.done(['user', 'list']), 'no users\n');
  const limits = ['--quota', '1G', '--quota-messages', '10'];
  const added = await json(store, ['user', 'add', 'Ada@Example.org', ...limits], 'secret\n');
  assert.deepEqual([added.id, added.address, added.account], [1, 'ada@example.org', false]);
  assert.match(await store.refused(1, ['user', 'add', 'ada@EXAMPLE.org'], { input: 'x' }), /there already/);
  await store.refused(1, ['user', 'add', 'two words'], { input: 'x' });
  assert.match(await store.refused(1, ['user', 'add', 'm\ufffdller@example.org'], { input: 'x' }), /is not UTF-8/);
  assert.match(await store.refused(65, ['user', 'add', 'new@example.org']), /no password came/);
  await store.refused(65, ['user', 'add', 'new@example.org'], { input: `${'x'.repeat(1_025)}\n` });
  await store.refused(65, ['user', 'add', 'new@example.org'], { input: Buffer.from([0xff, 0x0a]) });
  await store.done(['user', 'add', 'none@example.org', '--no-password']);
  assert.match(await store.done(['user', 'show', 'ada@example.org']), /number +1\n[\s\S]*account +none yet/);
  await store.done(['user', 'disable', 'ADA@example.org']);
  await store.done(['deliver', '-d', 'ada@example.org'], mail);
  assert.deepEqual((await users(store))[0], {
    address: 'ada@example.org',
    id: 1,
    inDirectory: true,
    account: true,
    disabled: true,
    quota: 2 ** 30,
    quotaMessages: 10,
    mailboxes: 6,
    messages: 1,
    bytes: (await store.octets('ada@example.org'))[0]?.length,
  });
  assert.match(await store.done(['user', 'list']), / 1 +1 +\d+ +1\.0G +10 +disabled +ada@example\.org\n/);
  await store.done(['user', 'enable', 'ada@example.org']);
  assert.equal((await json(store, ['user', 'show', 'ada@example.org'])).disabled, false);
  const removed = await json(store, ['user', 'remove', 'ada@example.org']);
  assert.deepEqual([removed.id, removed.user, removed.account, removed.messages], [1, true, true, 1]);
  for (const args of [['user', 'remove'], ['user', 'show'], ['user', 'disable'], ['passwd'], ['quota']]) {
    await store.refused(67, [...args, 'ada@example.org'], { input: 'x' });
  }
  await store.refused(67, ['deliver', '-d', 'ada@example.org'], mail);
  assert.match(await store.done(['user', 'remove', 'none@example.org']), /there was no account/);
});

test('an address may hold blanks and slashes', async () => {
  await using store = await CliStore.make();
  for (const address of ['a/b@x', '"a b"@x']) {
    await store.done(['user', 'add', address, '--no-password']);
    await store.done(['deliver', '-d', address], mail);
    assert.equal((await store.octets(address)).length, 1);
    await store.done(['passwd', address], { input: 'secret\n' });
    await store.done(['quota', address, '--octets', '1M']);
    await store.done(['user', 'remove', address]);
    await store.done(['undelete', '--user', address, '--account']);
    const { inDirectory, quota } = await json(store, ['user', 'show', address]);
    assert.deepEqual([inDirectory, quota], [true, 2 ** 20]);
  }
  // As lists show it.
  const shown = 'a b@x';
  await store.done(['quota', shown, '--octets', '2M']);
  await store.done(['user', 'disable', shown]);
  const { inDirectory, quota, disabled } = await json(store, ['user', 'show', shown]);
  assert.deepEqual([inDirectory, quota, disabled], [true, 2 ** 21, true]);
  await store.done(['alias', 'add', '"front desk"@x', '"a b"@x', 'a/b@x']);
  assert.match(await store.done(['alias', 'show', 'front desk@x']), /^front desk@x: a b@x, a\/b@x$/m);
  assert.equal(await store.done(['alias', 'remove', 'front desk@x', shown]), 'front desk@x: a/b@x\n');
  await store.done(['alias', 'remove', 'front desk@x']);
  await store.refused(1, ['alias', 'add', 'front desk@x', 'a/b@x']);
  await store.done(['user', 'remove', shown]);
  assert.equal((await users(store)).length, 1);
});

test('a user removed and added again is another, with no mail', async () => {
  await using store = await CliStore.make('ada@x');
  await store.done(['deliver', '-d', 'ada@x'], mail);
  await store.done(['user', 'remove', 'ada@x']);
  assert.equal((await json(store, ['user', 'add', 'ada@x', '--no-password'])).id, 2);
  assert.deepEqual(await store.octets('ada@x'), []);
  await store.done(['deliver', '-d', 'ada@x'], mail);
  assert.equal((await store.octets('ada@x')).length, 1);
});

test('a removal that was half done is done by doing it again, and until then nobody gets the mail', async () => {
  await using store = await CliStore.make('ada@x');
  await store.done(['deliver', '-d', 'ada@x'], mail);
  const own = join(store.directory, 'directory.sqlite');
  const administration = await DirectoryAdministration.open(own);
  await administration.removeUser('ada@x');
  await administration.close();
  assert.match(await store.refused(1, ['user', 'add', 'ada@x', '--no-password']), /was removed/);
  assert.equal((await users(store))[0]?.inDirectory, false);
  assert.match(await store.done(['user', 'list']), /no user +ada@x/);
  await writeFile(join(store.directory, 'mstore.toml'), '[login]\ndefaultDomain = "x"\n');
  await store.done(['user', 'remove', 'ada']);
  await store.refused(67, ['user', 'remove', 'ada@x']);
  assert.equal((await json(store, ['user', 'add', 'ada@x', '--no-password'])).id, 2);
});

test('user import adds and updates users, and leaves out lines that cannot be used, by their numbers: 1', async () => {
  await using store = await CliStore.make('ada@x');
  const file = join(store.folder, 'users');
  await writeFile(file, `# people\n\nada@x secret 1M\ngrace@y ${anyHash} 2g\r\nken@x ${anyHash}`);
  const report = await json(store, ['user', 'import', file]);
  assert.deepEqual([report.added, report.updated, report.failed], [2, 1, 0]);
  const quotas = (await users(store)).map(({ address, quota }) => [address, quota]);
  assert.deepEqual(quotas, [
    ['ada@x', 2 ** 20],
    ['ken@x', 0],
    ['grace@y', 2 ** 31],
  ]);
  const bad = ['new@x', 'new@x {NTLM}x', `new@x ${anyHash} 1Q`, 'new@x pw 1 2', `new@x ${anyHash}`];
  await writeFile(file, `${bad.join('\n')}\n`);
  const { code, stdout, stderr } = await store.run(['user', 'import', file]);
  assert.equal(code, 1);
  assert.match(stdout.toString(), /^1 user added, 0 updated, 4 lines left out\.\n$/);
  for (const line of [1, 2, 3, 4]) assert.match(stderr, new RegExp(`line ${line}: `));
  assert.doesNotMatch(stderr, /line 5|SSHA/);
  assert.match(await store.done(['user', 'import', '-'], { input: `stdin@x ${anyHash}` }), /1 user added/);
  await store.refused(66, ['user', 'import', join(store.folder, 'absent')]);
});

test('a directory that was lost is made again: users get their own accounts back, and nobody else’s', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  await store.done(['deliver', '-d', 'ada@x', '-d', 'grace@x'], mail);
  const [adasMail] = await store.octets('ada@x');
  for (const end of ['', '-wal', '-shm']) await rm(join(store.directory, `directory.sqlite${end}`), { force: true });
  assert.match(await store.refused(72, ['user', 'list']), /mstore init/);
  assert.match(await store.refused(72, ['user', 'add', 'ken@x', '--no-password']), /missing/);
  await store.refused(75, ['deliver', '-d', 'ken@x'], mail);
  assert.match(await store.refused(72, ['serve', '--listen', 'lmtp=127.0.0.1:0']), /missing/);
  // The store knows its accounts by name.
  await store.done(['deliver', '-d', 'grace@x'], mail);
  assert.match(await store.done(['init']), /its store was there/);
  await store.refused(73, ['init']);
  assert.deepEqual(
    (await users(store)).map(({ address, inDirectory }) => [address, inDirectory]),
    [
      ['ada@x', false],
      ['grace@x', false],
    ],
  );
  assert.equal((await json(store, ['user', 'add', 'ken@x', '--no-password'])).id, 3);
  const back = await json(store, ['user', 'add', 'Grace@x', '--no-password']);
  assert.deepEqual([back.id, back.account, back.messages], [2, true, 2]);
  await store.done(['user', 'import', '-'], { input: `ada@x ${anyHash} 1G\nnew@x ${anyHash}\n` });
  assert.deepEqual(
    (await users(store)).map(({ address, id, inDirectory, messages }) => [address, id, inDirectory, messages]),
    [
      ['ada@x', 1, true, 1],
      ['grace@x', 2, true, 2],
      ['ken@x', 3, true, 0],
      ['new@x', 4, true, 0],
    ],
  );
  await store.done(['deliver', '-d', 'ada@x', '-d', 'new@x', '-d', 'ken@x'], mail);
  assert.deepEqual((await store.octets('ada@x'))[0], adasMail);
  assert.equal((await store.octets('new@x')).length, 1);
});

test('accounts from before there was a directory keep their mail, and become users under the same number', async () => {
  await using store = await CliStore.make();
  const old = await Store.open(store.directory);
  for (const name of ['ada', 'Ken@x', 'grace@x']) await old.createAccount(name);
  await old.close();
  await store.done(['deliver', '-d', 'ada', '-d', 'ken+sent@x'], mail);
  await store.done(['import', 'eml', await oneMessage(store), '--user', 'ada', '--mailbox', 'Old']);
  assert.equal((await store.octets('ADA')).length, 1);
  assert.equal((await store.octets('ken@x', 'Sent')).length, 1);
  await store.done(['quota', 'ada', '--messages', '2']);
  await store.refused(75, ['deliver', '-d', 'ada'], mail);
  assert.equal((await json(store, ['user', 'add', 'ken@x', '--no-password', '--quota', '2000'])).id, 2);
  await store.done(['deliver', '-d', 'ken@x'], mail);
  assert.equal((await json(store, ['quota', 'ken@x'])).messages, 2);
  await store.done(['user', 'remove', 'ada']);
  await store.refused(67, ['deliver', '-d', 'ada'], mail);
});

async function oneMessage(store: CliStore): Promise<string> {
  const file = join(store.folder, 'one.eml');
  await writeFile(file, 'Subject: c\n\nd\n');
  return file;
}

test('an account of another name under a user’s number is not touched', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  await store.done(['deliver', '-d', 'grace@x', '-d', 'ada@x'], mail);
  // Another site's directory, where number 1 is somebody else.
  const own = join(store.directory, 'directory.sqlite');
  await rename(own, `${own}.old`);
  await using other = await CliStore.make('eve@x');
  await rename(join(other.directory, 'directory.sqlite'), own);
  assert.match(await store.refused(75, ['deliver', '-d', 'eve@x'], mail), /ada@x/);
  assert.match(await store.refused(1, ['user', 'add', 'ada@x', '--no-password']), /eve@x/);
  assert.match(await store.refused(1, ['user', 'remove', 'ada@x']), /eve@x/);
  const report = await store.run(['user', 'import', '-'], { input: `ada@x ${anyHash}\ngrace@x ${anyHash}\n` });
  assert.deepEqual([report.code, report.stdout.toString()], [1, '1 user added, 0 updated, 1 line left out.\n']);
  assert.match(await store.done(['user', 'remove', 'eve@x']), /there was no account/);
  assert.equal((await store.octets('ada@x')).length, 1);
  await rename(`${own}.old`, join(other.directory, 'directory.sqlite'));
});

test('quotas are shown and set, and count at once', async () => {
  await using store = await CliStore.make('ada@x');
  assert.match(await store.done(['quota', 'ada@x']), /octets +0, no limit\nmessages +0, no limit\n/);
  const set = await json(store, ['quota', 'ada@x', '--octets', '1G', '--messages', '1']);
  assert.deepEqual([set.quota, set.quotaMessages, set.account], [2 ** 30, 1, false]);
  await store.done(['deliver', '-d', 'ada@x'], mail);
  await store.refused(75, ['deliver', '-d', 'ada@x'], mail);
  const account = (): Promise<string> => store.done(['dump', 'account', 'ada@x']);
  assert.match(await account(), /up to 1,073,741,824 octets, up to 1 message$/m);
  await store.done(['quota', 'ada@x', '--messages', '999999999999999']);
  assert.match(await store.done(['user', 'list']), / 1\.0G 999,999,999,999,999 +user +ada@x\n/);
  assert.match(await store.done(['quota', 'ada@x', '--messages', '0']), /messages +1, no limit/);
  assert.match(await account(), /up to 1,073,741,824 octets, no limit of messages$/m);
  await store.done(['deliver', '-d', 'ada@x'], mail);
  await store.refused(2, ['quota', 'ada@x', '--octets', 'many']);
});

test('aliases lead to several users, and are shown, taken apart and removed', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  assert.equal(await store.done(['alias', 'list']), 'no aliases\n');
  await store.done(['alias', 'add', 'Team@x', 'ada@x', 'GRACE@x']);
  await store.done(['deliver', '-d', 'team+sent@x'], mail);
  assert.equal((await store.octets('ada@x', 'Sent')).length, 1);
  assert.equal((await store.octets('grace@x', 'Sent')).length, 1);
  await store.done(['alias', 'add', '@x', 'team@x']);
  await store.done(['deliver', '-d', 'whoever@x'], mail);
  assert.equal((await store.octets('grace@x')).length, 1);
  assert.equal(await store.done(['alias', 'show', 'team@x']), 'team@x: ada@x, grace@x\nusers: ada@x, grace@x\n');
  for (const [address, target] of [
    ['team@x', 'team@x'],
    ['ada@x', 'team@x'],
    ['new@x', 'somebody@else.example'],
    ['new@x', 'no address'],
  ] as const) {
    await store.refused(1, ['alias', 'add', address, target]);
  }
  assert.equal(await store.done(['alias', 'list']), '@x: team@x\nteam@x: ada@x, grace@x\n');
  assert.deepEqual((await json(store, ['alias', 'remove', 'team@x', 'ada@x'])).targets, ['grace@x']);
  await store.refused(1, ['alias', 'remove', 'team@x', 'ada@x']);
  assert.match(await store.done(['alias', 'remove', 'team@x', 'grace@x']), /no alias any more/);
  await store.done(['alias', 'remove', '@x']);
  for (const what of ['remove', 'show']) await store.refused(67, ['alias', what, '@x']);
  const { stdout, stderr } = await store.run(['alias', 'add', 'later@x', 'nobody@x']);
  assert.equal(stdout.toString(), 'later@x: nobody@x\n');
  assert.match(stderr, /nobody/);
});

test('domains come with users, or by themselves, and go when nothing bears them', async () => {
  await using store = await CliStore.make('ada@x');
  assert.deepEqual((await json(store, ['domain', 'add', 'Bücher.example'])).domain, 'xn--bcher-kva.example');
  await store.refused(1, ['domain', 'add', 'xn--bcher-kva.example']);
  await store.refused(1, ['domain', 'add', 'no domain']);
  assert.equal(await store.done(['domain', 'list']), 'x\nxn--bcher-kva.example\n');
  await store.refused(1, ['domain', 'remove', 'x']);
  await store.done(['domain', 'remove', 'bücher.example']);
  await store.refused(1, ['domain', 'remove', 'bücher.example']);
  assert.deepEqual((await json(store, ['domain', 'list'])).domains, ['x']);
});

test('a login without domain is one in the default domain, for reading and for writing', async () => {
  await using store = await CliStore.make('ada@x');
  await writeFile(join(store.directory, 'mstore.toml'), '[login]\ndefaultDomain = "x"\n');
  await store.done(['import', 'eml', await oneMessage(store), '--user', 'ada']);
  assert.equal((await store.octets('ada')).length, 1);
  assert.match(await store.done(['dump', 'account', 'ada']), /account 1, ada@x/);
  await store.done(['user', 'disable', 'ada']);
  await store.done(['user', 'enable', 'Ada']);
  assert.equal((await json(store, ['user', 'add', 'new', '--no-password'])).address, 'new@x');
  assert.equal(await store.done(['alias', 'add', 'all', 'ada', 'new@x']), 'all@x: ada@x, new@x\n');
  assert.match(await store.done(['alias', 'show', 'all']), /^users: ada@x, new@x$/m);
  assert.equal(await store.done(['alias', 'remove', 'all', 'new']), 'all@x: ada@x\n');
  const removed = await json(store, ['user', 'remove', 'ada']);
  assert.deepEqual([removed.id, removed.user, removed.account], [1, true, true]);
});

test('on a terminal the password is asked for twice and never shown', async (t) => {
  const script = requireProgram(t, 'script');
  if (script === undefined) return;
  await using store = await CliStore.make('old@x');
  const ask = (args: readonly string[], ...lines: string[]): Promise<{ code: number | null; shown: string }> =>
    typed(script, [...args, '--data', store.directory], lines);
  const added = await ask(['user', 'add', 'ada@x'], 'secret\r', 'other\r');
  assert.equal(added.code, 65, added.shown);
  assert.match(added.shown, /the two passwords differ/);
  const right = await ask(['user', 'add', 'ada@x'], 'wrong\x15sexx\x7f\x7fcret\r', 'secret\r');
  assert.equal(right.code, 0, right.shown);
  assert.doesNotMatch(right.shown, /secret|sexx|wrong/);
  const stopped = await ask(['passwd', 'old@x'], 'half\x03');
  assert.equal(stopped.code, 1, stopped.shown);
  const changed = await ask(['passwd', 'old@x'], 'pässwörd\r', 'pässwörd\r');
  assert.equal(changed.code, 0, changed.shown);
  assert.match(changed.shown, /old@x has a new password/);
});

test('many users are imported and listed within bounded memory', async (t) => {
  await using store = await CliStore.make();
  const count = counts(10_000, 100_000);
  async function* lines(): AsyncGenerator<Buffer> {
    for (let at = 0; at < count; at += 1_000) {
      const some = Array.from({ length: 1_000 }, (_, n) => `user${at + n}@d${n % 50}.example ${anyHash} 1G\n`);
      yield Buffer.from(some.join(''));
    }
  }
  const idle = (await store.run(['user', 'list'], { watchMemory: true })).rssBytes;
  const imported = await store.run(['user', 'import', '-'], { input: lines(), watchMemory: true });
  assert.equal(imported.stdout.toString(), `${count.toLocaleString('en-US')} users added, 0 updated.\n`);
  const listed = await store.run(['user', 'list', '--json'], { watchMemory: true });
  const { users: all }: { users: unknown[] } = JSON.parse(listed.stdout.toString());
  assert.equal(all.length, count);
  t.diagnostic(
    `${[idle, imported.rssBytes, listed.rssBytes].map((bytes) => Math.round(bytes / 2 ** 20)).join(', ')} MiB`,
  );
  for (const { rssBytes } of [imported, listed]) assert.ok(rssBytes < idle + 144 * 2 ** 20);
});
