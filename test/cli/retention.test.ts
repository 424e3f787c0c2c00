/** `mstore undelete`, `purge` and `user set`: what an administrator sees and gets. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SqliteDirectory } from '@mstore/directory';
import { type NamedAccount, type NamedMailbox, Store, UidSet } from '@mstore/store';
import { CliStore } from './command.ts';

const everyUid = UidSet.range(1, 0xffff_ffff);
const mail = (subject: string) => ({ input: `Subject: ${subject}\n\nthe text of ${subject}\n` });

async function json(store: CliStore, args: readonly string[]): Promise<Record<string, unknown>> {
  const value: unknown = JSON.parse(await store.done([...args, '--json']));
  assert.ok(typeof value === 'object' && value !== null);
  return { ...value };
}

/** The subjects of a mailbox's messages, by UID. */
async function subjects(store: CliStore, user: string, mailbox = 'INBOX'): Promise<string[]> {
  const mbox = await store.done(['export', 'mbox', '-', '--user', user, '--mailbox', mailbox]);
  return [...mbox.matchAll(/^Subject: (\w+)/gm)].map((match) => match[1] ?? '');
}

/** Opens the store, as nobody else has it, and works on the account of that name. */
async function inStore<T>(
  store: CliStore,
  name: string,
  work: (opened: Store, account: NamedAccount, named: (mailbox: string) => NamedMailbox) => Promise<T>,
): Promise<T> {
  const opened = await Store.open(store.directory);
  try {
    const account = opened.catalog().accountNamed(name);
    assert.ok(account !== undefined);
    const named = (mailbox: string): NamedMailbox => {
      const found = opened.catalog().mailboxNamed(account.id, mailbox);
      assert.ok(found !== undefined, mailbox);
      return found;
    };
    return await work(opened, account, named);
  } finally {
    await opened.close();
  }
}

test('expunged messages and deleted mailboxes are listed, and come back', async () => {
  await using store = await CliStore.make('ada@x');
  for (const subject of ['one', 'two']) await store.done(['deliver', '-d', 'ada@x'], mail(subject));
  await inStore(store, 'ada@x', async (opened, { id }, named) => {
    const { mailbox } = await opened.createMailbox(id, 'Work');
    await opened.copy(named('INBOX').id, UidSet.of([1]), mailbox);
    await opened.deleteMailbox(mailbox);
    await opened.expunge(named('INBOX').id, everyUid, false);
  });
  const list = ['undelete', '--user', 'ada@x', '--list'];
  const text = await store.done(list);
  assert.match(text, /^mailbox Work: 1 message of \d+, deleted .*, kept until /m);
  assert.match(text, /^INBOX, UID 2: two, \d+, expunged .*, kept until /m);
  const { kept } = await json(store, list);
  assert.ok(Array.isArray(kept) && kept.length === 3);
  assert.match(await store.done([...list, '--mailbox', 'INBOX']), /^(INBOX, UID .*\n){2}$/);
  assert.equal(await store.done([...list, '--since', '2100-01-01']), 'Nothing that left sight is kept.\n');
  await store.refused(2, [...list, '--since', 'yesterday']);
  await store.refused(67, ['undelete', '--user', 'nobody@x']);
  assert.match(await store.refused(1, ['undelete', '--user', 'ada@x', '--account']), /was not removed/);
  assert.equal((await subjects(store, 'ada@x')).length, 0, 'a list brings nothing back');
  assert.match(
    await store.done(['undelete', '--user', 'ada@x', '--mailbox', 'Work']),
    /^mailbox Work, deleted .*\n1 mailbox and 0 messages brought back\.\n$/,
  );
  const back = await json(store, ['undelete', '--user', 'ADA@X', '--since', '1h']);
  assert.ok(Array.isArray(back.messages) && back.messages.length === 2);
  assert.deepEqual(await subjects(store, 'ada@x'), ['one', 'two']);
  assert.equal((await subjects(store, 'ada@x', 'Work')).length, 1);
  assert.match(await store.done(['undelete', '--user', 'ada@x']), /Nothing/);
});

test('a removed user comes back with number, login, limits, aliases and mail, where the address is free', async () => {
  await using store = await CliStore.make('eve@x');
  await store.done(['user', 'add', 'ada@x', '--quota', '1G'], { input: 'secret\n' });
  await store.done(['alias', 'add', 'boss@x', 'ada@x', 'eve@x']);
  await store.done(['alias', 'add', 'own@x', 'ada@x']);
  await store.done(['deliver', '-d', 'ada@x'], mail('one'));
  await store.done(['user', 'set', 'ada@x', '--retention', 'expunged=14d']);
  assert.match(await store.done(['user', 'remove', 'ada@x']), /brings them back for 14 days/);
  assert.match(
    await store.done(['undelete', '--user', 'ada@x', '--list']),
    /^user 2, ada@x: 1 message of \d+, removed /,
  );
  await store.done(['user', 'add', 'ada@x', '--no-password']);
  const undelete = ['undelete', '--user', 'ada@x', '--account'];
  assert.match(await store.refused(1, undelete), /ada@x is user 3 now/);
  await store.done(['user', 'remove', 'ada@x']);
  const back = await json(store, undelete);
  assert.deepEqual(back, { id: 2, address: 'ada@x', mailboxes: 6, messages: 1, password: true, aliases: 2 });
  assert.equal((await subjects(store, 'ada@x')).length, 1);
  assert.match(await store.done(['alias', 'show', 'boss@x']), /ada@x/);
  assert.match(await store.done(['alias', 'show', 'own@x']), /ada@x/);
  const shown = await json(store, ['user', 'show', 'ada@x']);
  assert.deepEqual([shown.id, shown.quota], [2, 2 ** 30]);
  const directory = new SqliteDirectory(`${store.directory}/directory.sqlite`);
  try {
    const answer = await directory.authenticate('ada@x', 'secret', { remote: 'test' });
    assert.equal(answer.kind, 'user');
  } finally {
    await directory.close();
  }
});

test('where nothing is to be kept, a removed user comes back whole all the same, for ten minutes', async () => {
  await using store = await CliStore.make();
  await writeFile(join(store.directory, 'mstore.toml'), '[retention]\nexpunged = 0\n');
  await store.done(['user', 'add', 'ada@x'], { input: 'secret\n' });
  await store.done(['alias', 'add', 'boss@x', 'ada@x']);
  await store.done(['deliver', '-d', 'ada@x'], mail('one'));
  assert.match(await store.done(['user', 'remove', 'ada@x']), /brings them back for 10 minutes/);
  const back = await json(store, ['undelete', '--user', 'ada@x', '--account']);
  assert.deepEqual([back.messages, back.password, back.aliases], [1, true, 1]);
});

test('a user who was not removed whole can be brought back whole', async () => {
  await using store = await CliStore.make('ada@x');
  await store.done(['deliver', '-d', 'ada@x'], mail('one'));
  await store.done(['user', 'remove', 'ada@x']);
  // As if the command had been interrupted between the store and the directory.
  const opened = await Store.open(store.directory);
  const [removed] = [...opened.catalog().accounts()];
  assert.ok(removed !== undefined);
  await opened.restoreAccount(removed.id);
  await opened.close();
  await store.done(['undelete', '--user', 'ada@x', '--account']);
  await store.done(['deliver', '-d', 'ada@x'], mail('two'));
  assert.equal((await subjects(store, 'ada@x')).length, 2);
});

test('a purge needs --now, and takes what left sight and nothing else', async () => {
  await using store = await CliStore.make('ada@x', 'eve@x');
  for (const subject of ['one', 'two', 'three'])
    await store.done(['deliver', '-d', 'ada@x', '-d', 'eve@x'], mail(subject));
  await inStore(store, 'ada@x', async (opened, _account, named) => {
    await opened.expunge(named('INBOX').id, UidSet.of([1, 3]), false);
  });
  assert.match(await store.refused(2, ['purge', '--user', 'ada@x']), /--now/);
  const report = await json(store, ['purge', '--user', 'ada@x', '--now']);
  assert.deepEqual([report.entries, report.mailboxes, report.accounts], [2, 0, 0]);
  assert.ok(Number(report.shared) > 0 && Number(report.reclaimed) > 0);
  assert.match(await store.done(['undelete', '--user', 'ada@x', '--list']), /Nothing/);
  assert.equal((await subjects(store, 'ada@x')).length, 1);
  await store.done(['user', 'remove', 'ada@x']);
  assert.match(await store.done(['df']), /next retained mail goes for good at 20/);
  assert.match(
    await store.done(['purge', '--user', 'ada@x', '--now']),
    /^1 message of \d+, 6 deleted mailboxes, 1 removed account purged for good\.\n/,
  );
  await store.refused(67, ['undelete', '--user', 'ada@x']);
  assert.equal((await json(store, ['user', 'add', 'ada@x', '--no-password'])).id, 3);
});

test('a retention is set for one user, shown, and given back', async () => {
  await using store = await CliStore.make('ada@x');
  const set = (days: string): Promise<string> => store.done(['user', 'set', 'ada@x', '--retention', days]);
  assert.match(
    await set('expunged=14d,trash=30'),
    /expunged 14 days \(own\), trash 30 days \(own\), junk never, pop3 never/,
  );
  assert.match(await set('trash=default,junk=never'), /expunged 14 days \(own\), trash never, junk never \(own\)/);
  assert.match(await store.done(['user', 'show', 'ada@x']), /expunged 14 days \(own\)/);
  await store.done(['rebuild']);
  assert.match(await store.done(['user', 'show', 'ada@x']), /expunged 14 days \(own\)/);
  assert.match(await set('default'), /expunged 7 days, trash never/);
  for (const wrong of ['expunged', 'expunged=never', 'trash=5000', 'trash=-1', 'spam=3', 'trash=1.5']) {
    await store.refused(2, ['user', 'set', 'ada@x', '--retention', wrong]);
  }
});
