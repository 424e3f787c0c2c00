/** Mail out of a backup into the store that works: what is missing comes back as it was, what is there stays, and twice is once. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type AccountId,
  type BackupReading,
  backup,
  Catalog,
  type Entry,
  inbox,
  type MailWanted,
  type MessageId,
  machinePorts,
  openBackup,
  restoreMail,
  type Store,
  type StoreOptions,
  UidSet,
  workOn,
} from '@mstore/store';
import { WriterServer } from '@mstore/store/internal/writer/server';
import { damageInHeap } from '../support/heap-octet.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean, type TempStore, tempStore } from '../support/temp-store.ts';

const trace = Buffer.from('Return-Path: <s@example.org>\r\nDelivered-To: ann@example.org\r\n');

/** A message with a part large enough to be one. */
function mail(subject: string): Buffer {
  const line = `a line of ${subject} that makes this part one of its own\r\n`;
  return Buffer.from(`Subject: ${subject}\r\nMessage-ID: <${subject}@example.org>\r\n\r\n${line.repeat(90)}`);
}

async function deliver(store: Store, account: AccountId, subject: string, mailbox?: string): Promise<number> {
  const target = { account, trace, ...(mailbox !== undefined && { mailbox }) };
  const [result] = await store.deliver(await store.take(mail(subject)), [target]);
  assert.ok(result?.ok === true);
  await store.settle();
  return result.placed.uid;
}

interface World extends AsyncDisposable {
  readonly temp: TempStore;
  readonly store: Store;
  readonly account: AccountId;
  readonly folder: string;
  /** Opens the backup for the length of the test. */
  open(): Promise<BackupReading>;
  restore(wanted?: Partial<MailWanted>): ReturnType<typeof restoreMail>;
}

/** Ann's mail in INBOX (1 … 4) and Archive (5, 6), backed up. */
async function world(options: StoreOptions = {}): Promise<World> {
  const temp = await tempStore({ segmentBytes: 65_536, idleCommitMs: 0, ...options });
  const folder = await tempDirectory();
  const { store } = temp;
  const { account } = await store.createAccount('ann@example.org');
  for (const subject of ['one', 'two', 'three', 'four']) await deliver(store, account, subject);
  for (const subject of ['five', 'six']) await deliver(store, account, subject, 'Archive');
  const box = mailboxId(store, account, inbox);
  await store.setFlags({
    mailbox: box,
    uids: UidSet.of([2, 3]),
    mode: 'add',
    flags: 3,
    keywords: ['$Forwarded', 'red'],
  });
  await backup(temp.directory, `${folder.path}/backup`, store);
  const opened: BackupReading[] = [];
  const open = async (): Promise<BackupReading> => {
    const scratch = await mkdtemp(join(folder.path, 'scratch-'));
    const reading = await openBackup(`${folder.path}/backup`, { scratch });
    opened.push(reading);
    return reading;
  };
  return {
    temp,
    store,
    account,
    folder: folder.path,
    open,
    restore: async (wanted = {}) => {
      const reading = await open();
      const from = reading.catalog().accountNamed('ann@example.org');
      assert.ok(from !== undefined);
      return restoreMail(reading, { writer: store, reading: store }, { from, account, ...wanted });
    },
    [Symbol.asyncDispose]: async () => {
      for (const reading of opened) await reading.close();
      await temp[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function mailboxId(store: Pick<Store, 'catalog'>, account: AccountId, name: string) {
  const id = store.catalog().mailboxNamed(account, name)?.id;
  assert.ok(id !== undefined, `no mailbox ${name}`);
  return id;
}

/** Everything of a message but its numbers. */
async function told(store: Store, account: AccountId, name: string): Promise<Map<string, string>> {
  const id = mailboxId(store, account, name);
  const words = store.catalog().keywords(id);
  const all = new Map<string, string>();
  for (const entry of [...store.catalog().entries(id)] as Entry[]) {
    const octets = await (await store.open(entry)).whole();
    const subject = /^Subject: (.*)\r$/m.exec(octets.toString())?.[1] ?? '';
    const keywords = entry.keywords.map((number) => words[number]).sort();
    all.set(
      subject,
      `${entry.internalDate} ${entry.flags} ${keywords.join()} ${entry.email} ${octets.toString('base64')}`,
    );
  }
  return all;
}

test('what was expunged and purged comes back as it was, in new places, and a second time nothing does', async () => {
  await using w = await world();
  const { store, account } = w;
  const before = await told(store, account, inbox);
  const box = mailboxId(store, account, inbox);
  await store.expunge(box, UidSet.of([1, 2]), false);
  await store.purge(box, UidSet.of([1, 2]));
  await store.move(box, UidSet.of([3]), mailboxId(store, account, 'Archive'));
  const uidNext = store.catalog().mailbox(box)?.uidNext ?? 0;
  const report = await w.restore();
  assert.deepEqual([report.restored, report.skipped, report.made, report.failed], [2, 4, [], []]);
  assert.deepEqual(report.mailboxes, { INBOX: 2 });
  const after = await told(store, account, inbox);
  assert.deepEqual([...after.keys()].sort(), ['four', 'one', 'two']);
  for (const [subject, what] of after) assert.equal(what, before.get(subject), subject);
  const back = [...store.catalog().entries(box)].filter((entry) => entry.uid >= uidNext);
  assert.equal(back.length, 2);
  const again = await w.restore();
  assert.deepEqual([again.restored, again.skipped], [0, 6]);
  await assertClean(store);
});

test('a mailbox that was deleted is made again, one that was renamed is found, and content is stored once', async () => {
  await using w = await world();
  const { store, account } = w;
  const old = mailboxId(store, account, 'Archive');
  await store.deleteMailbox(old);
  await store.subscribe(account, 'Archive', false);
  const first = await w.restore();
  assert.deepEqual([first.restored, first.skipped, first.made], [2, 4, ['Archive']]);
  const made = mailboxId(store, account, 'Archive');
  assert.notEqual(made, old);
  assert.equal(store.catalog().mailbox(made)?.role, 'archive');
  assert.equal(store.catalog().isSubscribed(account, 'Archive'), true);
  // The deleted one is still retained, so that nothing was stored a second time.
  assert.equal([...store.catalog().messages()].length, 6);
  await store.renameMailbox(made, 'Kept');
  await store.renameMailbox(mailboxId(store, account, 'Trash'), 'Archive');
  await store.expunge(mailboxId(store, account, 'Kept'), UidSet.range(1, 100), false);
  const second = await w.restore();
  assert.deepEqual(second.mailboxes, { Archive: 2 }, 'the mailbox of the backup is gone, so its name counts');
  const inboxId = mailboxId(store, account, inbox);
  await store.renameMailbox(inboxId, 'Before');
  await store.expunge(mailboxId(store, account, 'Before'), UidSet.range(1, 100), false);
  assert.deepEqual((await w.restore()).mailboxes, { INBOX: 4 }, 'the mailbox itself is there');
  await assertClean(store);
});

test('one mailbox, one message, a mailbox of its own, or everything whatever is there', async () => {
  await using w = await world();
  const { store, account } = w;
  const reading = await w.open();
  const from = reading.catalog().accountNamed('ann@example.org');
  assert.ok(from !== undefined);
  const archive = reading.catalog().mailboxNamed(from.id, 'Archive');
  assert.ok(archive !== undefined);
  await store.expunge(mailboxId(store, account, inbox), UidSet.range(1, 100), false);
  await store.expunge(mailboxId(store, account, 'Archive'), UidSet.range(1, 100), false);
  const [email] = [...reading.catalog().entries(archive.id)].map((entry) => entry.email);
  const one = await w.restore({ only: (entry) => entry.email === email });
  assert.deepEqual([one.restored, one.mailboxes], [1, { Archive: 1 }]);
  const box = await w.restore({ mailbox: archive, into: 'Back/Again' });
  assert.deepEqual([box.restored, box.skipped, box.made], [1, 1, ['Back/Again']]);
  const all = await w.restore({ all: true, into: 'All' });
  assert.deepEqual([all.restored, all.mailboxes], [6, { All: 6 }]);
  const rest = await w.restore();
  assert.equal(rest.restored, 0, 'all of it is in the account, wherever');
});

test('a quota ends a restore with what fitted, and says why', async () => {
  await using w = await world();
  const { store, account } = w;
  await store.expunge(mailboxId(store, account, inbox), UidSet.range(1, 100), false);
  await store.setQuota(account, 0, 4);
  const report = await w.restore();
  assert.equal(report.restored, 2);
  assert.match(report.stopped ?? '', /over quota/);
  await store.setQuota(account, 0, 0);
  assert.equal((await w.restore()).restored, 2);
});

test('a message that is damaged in the backup is named, and the others come back', async () => {
  await using w = await world();
  const { store, account } = w;
  await damageInHeap(`${w.folder}/backup`, 'Delivered-To: ann@example.org');
  await store.expunge(mailboxId(store, account, inbox), UidSet.range(1, 100), false);
  const report = await w.restore();
  assert.equal(report.restored, 3);
  assert.deepEqual(
    report.failed.map(({ mailbox, uid }) => [mailbox, uid]),
    [[inbox, 1]],
  );
});

test('a message that is damaged is named once, though others did not fit together and were tried one by one', async () => {
  await using w = await world();
  const { store, account } = w;
  await damageInHeap(`${w.folder}/backup`, 'Delivered-To: ann@example.org');
  await store.expunge(mailboxId(store, account, inbox), UidSet.range(1, 100), false);
  await store.setQuota(account, 0, 4);
  const { restored, failed, stopped } = await w.restore();
  assert.equal(restored, 2);
  assert.deepEqual(
    failed.map(({ uid }) => uid),
    [1],
  );
  assert.match(stopped ?? '', /over quota/);
});

test('a full disk ends a restore with a report, and not without one', async () => {
  let freeBytes = 2 ** 40;
  const space = async () => ({ totalBytes: 2 ** 41, freeBytes });
  await using w = await world({ ports: { ...machinePorts, space } });
  const { store, account } = w;
  await store.expunge(mailboxId(store, account, inbox), UidSet.range(1, 100), false);
  freeBytes = 100_000_000;
  await store.look();
  const { restored, skipped, failed, stopped } = await w.restore();
  assert.deepEqual({ restored, skipped, failed }, { restored: 0, skipped: 2, failed: [] });
  assert.match(stopped ?? '', /no room for new mail/);
});

test('mail comes back through the socket of a running writer, and from the backup of another store', async () => {
  await using w = await world();
  await using other = await tempStore({ idleCommitMs: 0 });
  const { account } = await other.store.createAccount('ann@example.org');
  const server = await WriterServer.listen(other.store, `${other.directory}/run/writer.sock`);
  const work = await workOn(other.directory);
  assert.equal(work.isWriter, false);
  try {
    const reading = await w.open();
    const from = reading.catalog().accountNamed('ann@example.org');
    assert.ok(from !== undefined);
    assert.equal((await restoreMail(reading, work, { from, account })).restored, 6);
    const again = await restoreMail(reading, work, { from, account });
    assert.deepEqual([again.restored, again.skipped], [0, 6], 'found by content and date');
    const wanted = await told(w.store, w.account, 'Archive');
    const found = await told(other.store, account, 'Archive');
    const without = (texts: Map<string, string>): string[] =>
      [...texts.values()].map((text) => text.split(' ').toSpliced(3, 1).join(' '));
    assert.deepEqual(without(found), without(wanted), 'all but the email id');
  } finally {
    await work.close();
    await server.close();
  }
});

test('a backup that is made meanwhile takes away nothing that is read', async () => {
  await using w = await world();
  const { store, account, temp, folder } = w;
  const reading = await w.open();
  const names = async (): Promise<string[]> => readdir(`${folder}/backup/heap`);
  const before = await names();
  for (const { id } of [...store.catalog().mailboxes(account)]) {
    await store.expunge(id, UidSet.range(1, 99), false);
    await store.purgeRetained(id);
  }
  await store.compact({ minGarbage: 0, maxRate: 0 });
  await store.dropRetired(true);
  await backup(temp.directory, `${folder}/backup`, store);
  assert.ok((await names()).includes(before[0] ?? ''), 'what somebody reads stays');
  const from = reading.catalog().accountNamed('ann@example.org');
  assert.ok(from !== undefined);
  const report = await restoreMail(reading, { writer: store, reading: store }, { from, account });
  assert.deepEqual([report.restored, report.failed], [6, []]);
  await reading.close();
  await backup(temp.directory, `${folder}/backup`, store);
  assert.ok(!(await names()).includes(before[0] ?? ''), 'what no manifest names goes when nobody reads it');
  // Who reads makes no file, which might be another user's.
  await rm(`${folder}/backup/backup.readers`);
  await (await w.open()).close();
  assert.ok(!(await readdir(`${folder}/backup`)).includes('backup.readers'));
  await assertClean(store);
});

test('messages that all have one date cost a look at each, not at each for each', async () => {
  await using w = await world();
  const { store, account } = w;
  const many = 200;
  const { mailbox } = await store.createMailbox(account, 'Imported', '');
  for (let n = 0; n < many; n++) {
    const message = await store.take(mail(`imported ${n}`));
    await store.append(mailbox, [{ message, flags: 0, keywords: [], internalDate: 1_700_000_000 }]);
  }
  await backup(w.temp.directory, `${w.folder}/backup`, store);
  const gone = UidSet.range(1, many / 2);
  await store.expunge(mailbox, gone, false);
  await store.purge(mailbox, gone);
  const reading = await w.open();
  const from = reading.catalog().accountNamed('ann@example.org');
  assert.ok(from !== undefined);
  let looks = 0;
  class CountingCatalog extends Catalog {
    override message(id: MessageId) {
      looks++;
      return super.message(id);
    }
  }
  const target = { writer: store, reading: { catalog: () => new CountingCatalog(store.catalog().view) } };
  const report = await restoreMail(reading, target, { from, account });
  assert.deepEqual([report.restored, report.skipped], [many / 2, many / 2 + 6]);
  assert.ok(looks <= 2 * many, `${looks} messages were looked up`);
  await assertClean(store);
});
