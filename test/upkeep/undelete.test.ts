/** What comes back, and how it looks then; and what a purge at once takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flag, isStoreError, type MailboxId, type Store, UidSet } from '@mstore/store';
import { mailboxOf, newAccount } from '../support/account.ts';
import { damageInHeap } from '../support/heap-octet.ts';
import { multipart, wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { simStore, tempStore } from '../support/temp-store.ts';

const everyUid = UidSet.range(1, 0xffff_ffff);

const mail = (text: string): Buffer =>
  Buffer.from(`Message-ID: <${text}@d>\r\nReferences: <thread@d>\r\nSubject: ${text}\r\n\r\nthe text of ${text}\r\n`);

async function append(store: Store, mailbox: MailboxId, octets: Buffer): Promise<number> {
  const message = await store.take(octets);
  const more = { flags: flag.seen | flag.flagged, keywords: ['$Forwarded', 'todo'], internalDate: 1_234_567 };
  const [placed] = await store.append(mailbox, [{ message, ...more, uidl: 'imported' }]);
  return placed?.uid ?? 0;
}

test('a message comes back once, under a new UID, with all it had', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id, inbox } = await newAccount(store);
  const archive = mailboxOf(store, id, 'Archive');
  const trace = Buffer.from('Return-Path: <s@x>\r\n');
  await store.deliver(await store.take(mail('a')), [{ account: id, mailbox: 'Archive', trace }]);
  await store.setFlags({ mailbox: archive, uids: everyUid, mode: 'add', flags: flag.answered, keywords: ['todo'] });
  await append(store, archive, mail('b'));
  const before = [...store.catalog().entries(archive)];
  await store.setQuota(id, 1, 1);
  await store.expunge(archive, everyUid, false);
  const fed: string[] = [];
  store.subscribeFeed((changes) => fed.push(...changes.map((one) => `${one.kind} ${one.mailbox} ${one.uids}`)));
  const { pairs, uidValidity } = await store.undelete(archive, everyUid, archive);
  assert.deepEqual(pairs, [
    [1, 3],
    [2, 4],
  ]);
  assert.equal(uidValidity, store.catalog().mailbox(archive)?.uidValidity);
  const after = [...store.catalog().entries(archive)];
  for (const [at, old] of before.entries()) {
    const now = after[at];
    assert.ok(now !== undefined && now.modSeq > old.modSeq);
    const same = ({ flags, keywords, internalDate, saveDate, size, message, thread, email }: typeof old): unknown => {
      return { flags, keywords, internalDate, saveDate, size, message, thread, email };
    };
    assert.deepEqual(same(now), same(old));
    assert.equal(now.uidl, '', 'a UIDL is not given again');
  }
  const [first] = after;
  assert.ok(first !== undefined);
  const octets = await (await store.open(first)).whole();
  assert.deepEqual(octets, Buffer.concat([trace, mail('a')]));
  assert.deepEqual(fed, [`appended ${archive} 3:4`]);
  assert.deepEqual((await store.undelete(archive, everyUid, archive)).pairs, []);
  assert.equal([...store.catalog().retained(archive)].length, 0);
  assert.equal(store.catalog().mailbox(inbox)?.messages, 0);
});

test('hundreds come back in slices, some of them, to another mailbox', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id, inbox } = await newAccount(store);
  for (let n = 0; n < 3; n++) {
    const items = [];
    for (let k = 0; k < 90; k++) {
      items.push({ message: await store.take(mail(`m${n} ${k}`)), flags: 0, keywords: [] });
    }
    await store.append(inbox, items);
  }
  await store.expunge(inbox, everyUid, false);
  const sent = mailboxOf(store, id, 'Sent');
  const { pairs } = await store.undelete(inbox, UidSet.range(11, 260), sent);
  assert.deepEqual([pairs.length, pairs[0], pairs[249]], [250, [11, 1], [260, 250]]);
  assert.equal([...store.catalog().retained(inbox)].length, 20);
});

test('a message whose entry is damaged keeps no other from coming back', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const { id, inbox } = await newAccount(store);
  for (const subject of ['a', 'b', 'c']) {
    const trace = Buffer.from(`Return-Path: <${subject}@x>\r\n`);
    await store.deliver(await store.take(mail(subject)), [{ account: id, trace }]);
  }
  await store.expunge(inbox, everyUid, false);
  await store.settle();
  const mend = await damageInHeap(temp.directory, '<b@x>');
  const { pairs } = await store.undelete(inbox, everyUid, inbox);
  assert.deepEqual(pairs, [
    [1, 4],
    [3, 5],
  ]);
  await mend();
  assert.deepEqual((await store.undelete(inbox, everyUid, inbox)).pairs, [[2, 6]]);
});

test('messages come back to their own account only, and to mailboxes that are there', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const ann = await newAccount(store);
  const bob = await newAccount(store, 'bob@d.example');
  await append(store, ann.inbox, mail('a'));
  await store.expunge(ann.inbox, everyUid, false);
  const refused = (code: Parameters<typeof isStoreError>[1]) => (error: unknown) => isStoreError(error, code);
  await assert.rejects(store.undelete(ann.inbox, everyUid, bob.inbox), refused('badIntent'));
  const { mailbox } = await store.createMailbox(ann.id, 'x');
  await store.deleteMailbox(mailbox);
  await assert.rejects(store.undelete(ann.inbox, everyUid, mailbox), refused('noMailbox'));
  await assert.rejects(store.restoreMailbox(ann.inbox), refused('noMailbox'));
  await assert.rejects(store.restoreAccount(ann.id), refused('noAccount'));
  await assert.rejects(store.purgeAccount(ann.id), refused('noAccount'));
});

test('a deleted mailbox comes back as it was, subscribed, with UIDs and UIDVALIDITY', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id } = await newAccount(store);
  const { mailbox } = await store.createMailbox(id, 'Work', 'flagged');
  for (const text of ['a', 'b', 'c']) await append(store, mailbox, mail(text));
  await store.expunge(mailbox, UidSet.of([2]), false);
  const before = store.catalog().mailbox(mailbox);
  const usage = store.catalog().account(id)?.bytes;
  await store.deleteMailbox(mailbox);
  assert.equal(store.catalog().account(id)?.bytes, 0);
  const restored = await store.restoreMailbox(mailbox);
  assert.deepEqual([restored.name, restored.uidValidity, restored.messages], ['Work', before?.uidValidity, 2]);
  const row = store.catalog().mailbox(mailbox);
  assert.ok(row !== undefined && before !== undefined && row.highestModSeq > before.highestModSeq);
  assert.deepEqual({ ...row, highestModSeq: 0 }, { ...before, highestModSeq: 0 });
  assert.equal(store.catalog().account(id)?.bytes, usage);
  assert.ok(store.catalog().isSubscribed(id, 'Work'));
  assert.deepEqual((await store.undelete(mailbox, everyUid, mailbox)).pairs, [[2, 4]]);
});

test('a mailbox whose name or role is taken comes back beside the other', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id } = await newAccount(store);
  const { mailbox, uidValidity } = await store.createMailbox(id, 'x', 'flagged');
  await store.deleteMailbox(mailbox);
  const second = await store.createMailbox(id, 'x', 'flagged');
  await store.deleteMailbox(second.mailbox);
  await store.createMailbox(id, 'x', 'flagged');
  assert.equal((await store.restoreMailbox(mailbox)).name, 'x restored');
  assert.equal((await store.restoreMailbox(second.mailbox)).name, 'x restored 2');
  assert.equal(store.catalog().mailbox(mailbox)?.role, '');
  assert.equal(store.catalog().mailbox(mailbox)?.uidValidity, uidValidity);
});

test('a mailbox that comes back under a name that has stood for a later one gets a new UIDVALIDITY', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const { id } = await newAccount(store);
  const first = await store.createMailbox(id, 'x');
  await store.deleteMailbox(first.mailbox);
  const second = await store.createMailbox(id, 'x');
  await store.deleteMailbox(second.mailbox);
  const { name, uidValidity } = await store.restoreMailbox(first.mailbox);
  assert.equal(name, 'x');
  assert.ok(uidValidity > second.uidValidity);
});

test('an account comes back with the mailboxes that went with it, and not with those deleted before', async () => {
  await using temp = await simStore();
  const { store, machine } = temp;
  const { id, inbox } = await newAccount(store);
  const { mailbox: old } = await store.createMailbox(id, 'Old');
  const { mailbox: own } = await store.createMailbox(id, 'Own');
  await append(store, inbox, mail('a'));
  await append(store, own, mail('b'));
  await store.subscribe(id, 'Own', true);
  await store.setMetadata(id, own, '/private/comment', Buffer.from('x'));
  await store.setQuota(id, 1_000_000, 7);
  await store.deleteMailbox(old);
  machine?.passMs(5_000);
  const before = { ...store.catalog().account(id) };
  const subscribed = store.catalog().subscriptions(id);
  const names = [...store.catalog().mailboxNames(id)];
  await store.deleteAccount(id);
  const { account: other } = await store.createAccount('ANN@d.example');
  await assert.rejects(store.restoreAccount(id), (error) => isStoreError(error, 'accountExists'));
  await store.renameAccount(other, 'other@d.example');
  const { mailboxes, messages } = await store.restoreAccount(id);
  assert.deepEqual([mailboxes, messages], [7, 2]);
  // Its mailboxes lost their names meanwhile, and have them again.
  const { memoryLsn: _later, ...after } = store.catalog().account(id) ?? before;
  const { memoryLsn: _earlier, ...wanted } = before;
  assert.deepEqual(after, wanted);
  assert.deepEqual(store.catalog().subscriptions(id), subscribed);
  assert.deepEqual([...store.catalog().mailboxNames(id)], names);
  assert.equal(store.catalog().accountNamed('ann@d.example')?.id, id);
  assert.equal(store.catalog().mailbox(old)?.deleted, true);
});

test('a purge at once says what compaction gets, and what other mail still holds', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const ann = await newAccount(store);
  const bob = await newAccount(store, 'bob@d.example');
  const random = seededRandom(1);
  const file = random.bytes(30_000);
  const large = (subject: string, octets: Buffer): Buffer =>
    multipart([`Subject: ${subject}`], 'text', [{ encoding: 'base64', body: wrapped(octets, 76) }]);
  const both = large('to both', random.bytes(20_000));
  await append(store, ann.inbox, both);
  await append(store, bob.inbox, both);
  await append(store, ann.inbox, large('one', file));
  await append(store, bob.inbox, large('two', file));
  await append(store, ann.inbox, large('own', random.bytes(10_000)));
  await store.expunge(ann.inbox, everyUid, false);
  const { mailbox } = await store.createMailbox(ann.id, 'x');
  await append(store, mailbox, mail('x'));
  await store.deleteMailbox(mailbox);
  const sum = (key: 'live' | 'dead'): number =>
    [...store.catalog().segments()].reduce((total, [, row]) => total + row[key], 0);
  const dead = sum('dead');
  const octets = store.catalog().account(ann.id)?.retainedBytes;
  // What made the mailbox goes with it.
  const made = store.catalog().mailbox(mailbox)?.record.bytes ?? 0;
  const inbox = await store.purgeRetained(ann.inbox);
  const whole = await store.purgeRetained(mailbox);
  assert.deepEqual([inbox.entries, whole.entries], [3, 1]);
  assert.equal(inbox.bytes + whole.bytes, octets);
  assert.equal(inbox.reclaimed + whole.reclaimed + made, sum('dead') - dead);
  assert.ok(inbox.reclaimed > 10_000 && inbox.reclaimed < 20_000);
  assert.equal(inbox.shared, both.length + 30_000);
  assert.equal(whole.shared, 0);
  assert.equal(store.catalog().mailbox(mailbox), undefined);
  assert.equal(store.catalog().account(ann.id)?.retainedMessages, 0);
});
