/** Retention as the writer runs it: what goes, when, and what stays. Time is the simulated machine's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AccountId,
  brandNumber,
  encodeRetention,
  flag,
  isStoreError,
  type MailboxId,
  type OwnRetention,
  type Retention,
  type RetentionReport,
  RetentionRunner,
  Store,
  UidSet,
} from '@mstore/store';
import { kind, kindU32Key, prefixEnd } from '@mstore/store/internal/catalog/keys';
import { retentionEntry } from '@mstore/store/internal/catalog/rows';
import { mailboxOf, newAccount } from '../support/account.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { manyParts } from '../support/messages.ts';
import { assertClean, simStore, type TempStore } from '../support/temp-store.ts';

const day = 86_400_000;
const minute = 60_000;
const everyUid = UidSet.range(1, 0xffff_ffff);
const settings: Retention = { expunged: 7, trash: 0, junk: 0, pop3: 0 };

async function retain(temp: TempStore, given: Partial<Retention> = {}): Promise<RetentionReport> {
  const { machine, store } = temp;
  assert.ok(machine !== undefined);
  const observer = { done: () => undefined, failed: (error: unknown) => assert.fail(String(error)) };
  const runner = new RetentionRunner(store, {
    settings: { ...settings, ...given },
    clock: machine.ports.clock,
    observer,
  });
  const report = await runner.run();
  await runner.stop();
  await store.settle();
  await assertClean(store);
  return report;
}

function pass(temp: TempStore, ms: number): void {
  temp.machine?.passMs(ms);
}

let made = 0;

async function fill(store: Store, mailbox: MailboxId, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const octets = Buffer.from(
      `Message-ID: <m${++made}@d>\r\nSubject: ${made}\r\n\r\n${'text '.repeat(40)}${made}\r\n`,
    );
    const message = await store.take(octets);
    await store.append(mailbox, [{ message, flags: flag.flagged, keywords: ['todo'], internalDate: 1_000_000 + made }]);
  }
}

function retained(store: Store, mailbox: MailboxId): number[] {
  return [...store.catalog().retained(mailbox)].map(({ entry }) => entry.uid);
}

function setOwn(store: Store, id: AccountId, own: OwnRetention): Promise<void> {
  return store.setMetadata(id, 0, retentionEntry, encodeRetention(own));
}

/** The catalog made again from the heap says the same. */
async function rebuildsAlike(temp: TempStore): Promise<void> {
  await temp.reopen();
  const plain = (): string[] =>
    dumpStore(temp.store).map((line) => line.replace(/ appliedLsn=\d+ batch=\d+| other=\d+/g, ''));
  const before = plain();
  await temp.rebuild();
  assert.deepEqual(difference(plain(), before), []);
}

test('what was expunged goes after the days of retention, oldest first, and nothing goes before', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { inbox } = await newAccount(store);
  await fill(store, inbox, 6);
  await store.expunge(inbox, UidSet.of([1, 3]), false);
  pass(temp, 3 * day);
  await store.expunge(inbox, UidSet.of([2, 5]), false);
  assert.equal((await retain(temp)).purged.entries, 0);
  pass(temp, 4 * day - 10_000);
  assert.equal((await retain(temp)).purged.entries, 0);
  pass(temp, 20_000);
  const { purged } = await retain(temp);
  assert.equal(purged.entries, 2);
  assert.ok(purged.bytes > 400 && purged.reclaimed > 400 && purged.shared === 0);
  assert.deepEqual(retained(store, inbox), [2, 5]);
  pass(temp, 3 * day);
  assert.equal((await retain(temp)).purged.entries, 2);
  assert.deepEqual(
    [...store.catalog().entries(inbox)].map(({ uid }) => uid),
    [4, 6],
  );
  await rebuildsAlike(temp);
});

test('a retention of no days still leaves ten minutes to those who were not told yet', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { inbox } = await newAccount(store);
  await fill(store, inbox, 1);
  await store.expunge(inbox, everyUid, false);
  pass(temp, 9 * minute);
  assert.equal((await retain(temp, { expunged: 0 })).purged.entries, 0);
  pass(temp, 2 * minute);
  assert.equal((await retain(temp, { expunged: 0 })).purged.entries, 1);
});

test('an account can keep longer or shorter than the store, and a rebuild remembers it', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const short = await newAccount(store, 'short@d.example');
  const long = await newAccount(store, 'long@d.example');
  const other = await newAccount(store, 'other@d.example');
  await setOwn(store, short.id, { expunged: 1 });
  await setOwn(store, long.id, { expunged: 30 });
  for (const { inbox } of [short, long, other]) {
    await fill(store, inbox, 3);
    await store.expunge(inbox, UidSet.of([1, 2]), false);
  }
  pass(temp, 2 * day);
  await rebuildsAlike(temp);
  const left = (): number[] => [short, long, other].map(({ inbox }) => retained(temp.store, inbox).length);
  await retain(temp);
  assert.deepEqual(left(), [0, 2, 2]);
  pass(temp, 6 * day);
  await retain(temp);
  assert.deepEqual(left(), [0, 2, 0]);
  await setOwn(temp.store, long.id, {});
  await retain(temp);
  assert.deepEqual(left(), [0, 0, 0]);
  assert.equal(temp.store.catalog().view.keys('due', { from: Buffer.of(5), to: Buffer.of(6) }).length, 1);
});

test('one run after the other finds what an account of a shorter retention expunged meanwhile', async () => {
  await using temp = await simStore();
  const { store, machine } = temp;
  assert.ok(machine !== undefined);
  const { id, inbox } = await newAccount(store);
  await setOwn(store, id, { expunged: 0 });
  await fill(store, inbox, 4);
  const observer = { done: () => undefined, failed: () => undefined };
  const runner = new RetentionRunner(store, { settings, clock: machine.ports.clock, observer });
  for (const uid of [1, 2, 3]) {
    await store.expunge(inbox, UidSet.of([uid]), false);
    assert.equal((await runner.run()).purged.entries, 0);
    pass(temp, 11 * minute);
    assert.equal((await runner.run()).purged.entries, 1);
  }
});

test('deleted mailboxes and accounts go for good, with all their names', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const kept = await newAccount(store, 'kept@d.example');
  const gone = await newAccount(store, 'gone@d.example');
  for (const { id } of [kept, gone]) {
    const { mailbox } = await store.createMailbox(id, 'Old');
    await fill(store, mailbox, 3);
    await store.expunge(mailbox, UidSet.of([2]), false);
    await store.setMetadata(id, mailbox, '/private/comment', Buffer.from('x'));
    await store.deleteMailbox(mailbox);
  }
  await fill(store, gone.inbox, 2);
  await setOwn(store, gone.id, { trash: 3 });
  await store.deleteAccount(gone.id);
  pass(temp, 8 * day);
  const report = await retain(temp);
  assert.deepEqual([report.mailboxes, report.accounts, report.purged.entries], [8, 1, 8]);
  const catalog = store.catalog();
  assert.equal(catalog.account(gone.id), undefined);
  for (const [table, octet] of [
    ['accounts', kind.subscription],
    ['accounts', kind.metadata],
    ['mailboxes', kind.nameMemory],
  ] as const) {
    const prefix = kindU32Key(octet, gone.id);
    assert.deepEqual(catalog.view.keys(table, { from: prefix, to: prefixEnd(prefix) }), []);
  }
  assert.equal(catalog.account(kept.id)?.retainedMessages, 0);
  assert.equal(catalog.state()?.totals.messages, 0);
  await rebuildsAlike(temp);
  // The number is not given again; the name may be.
  const again = await newAccount(temp.store, 'gone@d.example');
  assert.ok(again.id > gone.id);
});

test('messages in Trash, Junk and INBOX go by the time they came there', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id, inbox } = await newAccount(store);
  const own = await newAccount(store, 'own@d.example');
  await setOwn(store, own.id, { trash: 2, pop3: 0 });
  for (const name of ['INBOX', 'Trash', 'Junk', 'Sent']) await fill(store, mailboxOf(store, id, name), 2);
  for (const name of ['INBOX', 'Trash']) await fill(store, mailboxOf(store, own.id, name), 2);
  pass(temp, 4 * day);
  await fill(store, mailboxOf(store, id, 'Trash'), 1);
  await store.move(inbox, UidSet.of([1]), mailboxOf(store, id, 'Junk'));
  const rules = { trash: 3, junk: 3, pop3: 5 };
  const counts = (one: AccountId): number[] =>
    ['INBOX', 'Trash', 'Junk', 'Sent'].map(
      (name) => store.catalog().mailbox(mailboxOf(store, one, name))?.messages ?? 0,
    );
  assert.equal((await retain(temp, rules)).aged, 6);
  assert.deepEqual(counts(id), [1, 1, 1, 2]);
  assert.deepEqual(counts(own.id), [2, 0, 0, 0]);
  assert.equal(retained(store, mailboxOf(store, id, 'Trash')).length, 2, 'what went by age can be brought back');
  pass(temp, 2 * day);
  assert.equal((await retain(temp, rules)).aged, 1);
  assert.deepEqual(counts(id), [0, 1, 1, 2]);
  assert.deepEqual(counts(own.id), [2, 0, 0, 0]);
});

test('a message brought back to Trash is not expunged by age at once', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id } = await newAccount(store);
  const trash = mailboxOf(store, id, 'Trash');
  await fill(store, trash, 1);
  pass(temp, 4 * day);
  assert.equal((await retain(temp, { trash: 3 })).aged, 1);
  await store.undelete(trash, everyUid, trash);
  assert.equal((await retain(temp, { trash: 3 })).aged, 0);
});

test('expunges are forgotten after a month, and clients that know less are told to compare', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { inbox } = await newAccount(store);
  await fill(store, inbox, 4);
  const first = await store.expunge(inbox, UidSet.of([1]), false);
  pass(temp, 10 * day);
  const second = await store.expunge(inbox, UidSet.of([2]), false);
  pass(temp, 26 * day);
  assert.equal((await retain(temp)).forgotten, 0, 'the oldest is hardly too old yet');
  pass(temp, 2 * day);
  assert.equal((await retain(temp)).forgotten, 1);
  assert.equal(store.catalog().mailbox(inbox)?.expungeFloor, first.sequence);
  pass(temp, 60 * day);
  await retain(temp);
  assert.equal(store.catalog().mailbox(inbox)?.expungeFloor, second.sequence);
  assert.equal(store.catalog().view.keys('expunged', { from: Buffer.of(0), to: Buffer.of(0xff) }).length, 0);
});

test('an account of many mailboxes is out of sight at once, and a crash leaves the rest to the next run', async () => {
  await using temp = await simStore();
  const { store, machine } = temp;
  assert.ok(machine !== undefined);
  const { id, inbox } = await newAccount(store);
  for (let n = 0; n < 170; n++) await store.createMailbox(id, `m${n}`);
  await fill(store, inbox, 1);
  await store.settle();
  const deleting = store.deleteAccount(id);
  const message = await store.take(Buffer.from('a: b\r\n\r\nc\r\n'));
  await assert.rejects(store.append(inbox, [{ message, flags: 0, keywords: [] }]), (error) =>
    isStoreError(error, 'noMailbox'),
  );
  const killed = machine.kill();
  await deleting;
  assert.equal(store.catalog().account(id)?.mailboxes, 0);
  const options = { ports: killed.ports, idleCommitMs: 0 };
  const second = await Store.open('/store', options);
  const row = second.catalog().account(id);
  assert.ok(row?.deleted === true && row.mailboxes > 0, 'the mark is durable, the mailboxes are not all deleted');
  await assertClean(second);
  const observer = { done: () => undefined, failed: () => undefined };
  await new RetentionRunner(second, { settings, clock: killed.ports.clock, observer }).run();
  assert.equal(second.catalog().account(id)?.mailboxes, 0);
  await assertClean(second);
  const { mailboxes, messages } = await second.restoreAccount(id);
  assert.deepEqual([mailboxes, messages], [176, 1]);
  await assertClean(second);
  await second.close();
});

test('a run that is stopped leaves the rest to the next', async () => {
  await using temp = await simStore();
  const { store, machine } = temp;
  assert.ok(machine !== undefined);
  const { inbox } = await newAccount(store);
  const message = Buffer.from('Subject: x\r\n\r\ny\r\n');
  for (let n = 0; n < 7; n++) {
    const items = [];
    for (let k = 0; k < 100; k++) items.push({ message: await store.take(message), flags: 0, keywords: [] });
    await store.append(inbox, items);
  }
  await store.expunge(inbox, everyUid, false);
  pass(temp, 8 * day);
  const observer = { done: () => undefined, failed: () => undefined };
  const runner = new RetentionRunner(store, { settings, clock: machine.ports.clock, observer });
  const run = runner.run();
  const stopped = runner.stop();
  await assert.rejects(run);
  await stopped;
  const left = retained(store, inbox).length;
  assert.ok(left > 0 && left < 700, `${left} are left`);
  assert.equal((await retain(temp)).purged.entries, left);
});

test('the names of an account with very many go in slices before it', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id } = await newAccount(store);
  const { mailbox } = await store.createMailbox(id, 'n');
  for (let n = 0; n < 1_100; n++) await store.renameMailbox(mailbox, `n${n}`);
  for (let n = 0; n < 600; n++) await store.subscribe(id, `s${n}`, true);
  await store.deleteAccount(id);
  pass(temp, 8 * day);
  assert.equal((await retain(temp)).accounts, 1);
  await rebuildsAlike(temp);
  assert.equal(temp.store.catalog().account(brandNumber<AccountId>(id)), undefined);
});

test('messages of very many parts go a few at a time, by retention and by hand', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { inbox: mailbox } = await newAccount(store);
  const messages = 6;
  for (let n = 0; n < messages; n++) {
    const message = await store.take(manyParts(400, 4_096, `message ${n}`));
    await store.append(mailbox, [{ message, flags: 0, keywords: [] }]);
  }
  await store.expunge(mailbox, everyUid, false);
  const { entries, more } = await store.purgeSlice(mailbox);
  assert.deepEqual({ entries, more }, { entries: 2, more: true });
  pass(temp, 8 * day);
  const before = store.catalog().state()?.sequence ?? 0;
  assert.equal((await retain(temp)).purged.entries, 4);
  assert.equal(store.catalog().state()?.sequence, before + 2, 'two slices');
});
