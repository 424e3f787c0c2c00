/**
 * fsck sees each invariant of `catalog/schema.ts` broken. One row of a sound catalog is changed in a write set over it, so
 * that the store itself stays whole; a store in which nothing was changed must give no finding.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountId, brandNumber, check, flag, inbox, type MailboxId, type Store, UidSet } from '@mstore/store';
import { Catalog } from '@mstore/store/internal/catalog/catalog';
import { type Entry, IndexChunk } from '@mstore/store/internal/catalog/index-chunk';
import type { Kv } from '@mstore/store/internal/catalog/kv';
import { type StateRow, totalsKeys } from '@mstore/store/internal/catalog/rows';
import {
  accountNameTable,
  accountTable,
  deletedMailboxTable,
  dueAccountTable,
  dueExpungeTable,
  dueMailboxTable,
  dueRetainedTable,
  expungedTable,
  indexTable,
  keywordTable,
  mailboxNameTable,
  mailboxTable,
  messageHashTable,
  messageTable,
  ownRetentionTable,
  partTable,
  retainedTable,
  segmentTable,
  stateTable,
  threadTable,
  uidlTable,
  uidTable,
  unfinishedTable,
} from '@mstore/store/internal/catalog/schema';
import { UidPage } from '@mstore/store/internal/catalog/uid-pages';
import { View, WriteSet } from '@mstore/store/internal/catalog/write-set';
import { multipart, wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { simStore, type TempStore } from '../support/temp-store.ts';

const everything = { from: Buffer.alloc(0), to: Buffer.alloc(80, 0xff) };
const otherSha = Buffer.alloc(32, 0xee);

/** A catalog to be broken, and what stands in it: UIDs 2 to 5 of the mailbox are live, 1 is retained. */
interface Scene {
  readonly view: View;
  readonly catalog: Catalog;
  readonly account: AccountId;
  readonly mailbox: MailboxId;
}

type Damage = (scene: Scene) => void;

function defined<T>(value: T | undefined): T {
  assert.ok(value !== undefined, 'the scene lacks what the test wants to change');
  return value;
}

function first<T>(values: Iterable<T>): T {
  return defined([...values][0]);
}

function message(subject: string, ...more: string[]): Buffer {
  const body = wrapped(seededRandom(3).bytes(9_000), 76);
  return multipart([`Subject: ${subject}`, ...more], subject, [{ encoding: 'base64', body }]);
}

/** Deliveries, flags, keywords, an expunge, a copy, threads, parts and an imported UIDL. */
async function furnish(store: Store): Promise<{ account: AccountId; mailbox: MailboxId }> {
  const { account } = await store.createAccount('a@example.org');
  const { id: mailbox } = defined(store.catalog().mailboxNamed(account, inbox));
  const { mailbox: other } = await store.createMailbox(account, 'Other');
  for (const [subject, more] of [
    ['gone', []],
    ['one', ['Message-ID: <1@example.org>']],
    ['two', ['Message-ID: <2@example.org>', 'References: <1@example.org>']],
    ['three', []],
  ] as const) {
    const taken = await store.take(message(subject, ...more));
    const [result] = await store.deliver(taken, [{ account, trace: Buffer.from('Delivered-To: a\r\n') }]);
    assert.ok(result?.ok);
  }
  const imported = await store.take(message('imported'));
  await store.append(mailbox, [{ message: imported, flags: flag.answered, keywords: [], uidl: 'old-1' }]);
  const marks = { flags: flag.seen | flag.deleted, keywords: ['Work', 'Home'] };
  await store.setFlags({ mailbox, uids: UidSet.range(2, 2), mode: 'add', ...marks });
  await store.expunge(mailbox, UidSet.range(1, 1), false);
  await store.copy(mailbox, UidSet.range(2, 3), other);
  await store.settle();
  return { account, mailbox };
}

function inState(change: (row: StateRow) => void): Damage {
  return ({ view }) => change(defined(view.edit(stateTable)));
}

function inEntry(uid: number, change: Partial<Entry>): Damage {
  return ({ view, mailbox }) => {
    const chunk = defined(view.edit(indexTable, mailbox, 0));
    chunk.set({ ...defined(chunk.get(uid)), ...change });
  };
}

function inAccount(key: 'messages' | 'bytes' | 'retainedMessages' | 'retainedBytes' | 'mailboxes'): Damage {
  return ({ view, account }) => {
    defined(view.edit(accountTable, account))[key]++;
  };
}

type MailboxCount = 'messages' | 'unseen' | 'flaggedDeleted' | 'bytes' | 'retainedMessages' | 'retainedBytes';

function inMailbox(key: MailboxCount): Damage {
  return ({ view, mailbox }) => {
    defined(view.edit(mailboxTable, mailbox))[key]++;
  };
}

function inSegment(key: 'live' | 'dead' | 'other'): Damage {
  return ({ view, catalog }) => {
    defined(view.edit(segmentTable, first(catalog.segments())[0]))[key] += 8;
  };
}

function firstThread({ view }: Scene): [AccountId, Buffer] {
  const key = first(view.keys('threads', everything));
  return [brandNumber<AccountId>(key.readUInt32BE(0)), key.subarray(4)];
}

const firstMessage = ({ catalog }: Scene) => first(catalog.messages());
const firstPart = ({ catalog }: Scene) => first(catalog.parts())[0];

/** Invariant, what is changed, what the finding says, and the change. */
const damages: readonly (readonly [string, string, RegExp, Damage])[] = [
  [
    '1',
    'applied beyond the log',
    /the log ends at/,
    inState((row) => {
      row.appliedLsn = brandNumber(2 ** 40);
    }),
  ],
  [
    '1',
    'an account above its counter',
    /account 1: id above/,
    inState((row) => {
      row.account = 0;
    }),
  ],
  [
    '1',
    'a mailbox above its counter',
    /mailbox \d+: id above/,
    inState((row) => {
      row.mailbox = 0;
    }),
  ],
  [
    '1',
    'a message above its counter',
    /message \d+: id above/,
    inState((row) => {
      row.message = 0;
    }),
  ],
  [
    '1',
    'a thread above its counter',
    /thread \d+ above/,
    inState((row) => {
      row.thread = 0;
    }),
  ],
  ['2', 'no name', /does not lead to it/, ({ view }) => view.remove(accountNameTable, 'a@example.org')],
  ['2', 'a name of no account', /is not live/, ({ view }) => void view.put(accountNameTable, 99, 'b@example.org')],
  ['2', 'a second name', /names of live/, ({ view, account }) => void view.put(accountNameTable, account, 'b')],
  ...(['messages', 'bytes', 'retainedMessages', 'retainedBytes', 'mailboxes'] as const).map(
    (key) => ['2', `an account's ${key}`, new RegExp(`: ${key} is`), inAccount(key)] as const,
  ),
  ['3', 'no name', /names of live/, ({ view, account }) => view.remove(mailboxNameTable, account, inbox)],
  [
    '3',
    'a name too many',
    /is not it/,
    ({ view, account, mailbox }) => void view.put(mailboxNameTable, mailbox, account, 'X'),
  ],
  [
    '3',
    'UIDNEXT',
    /UIDNEXT/,
    ({ view, mailbox }) => {
      defined(view.edit(mailboxTable, mailbox)).uidNext = 5;
    },
  ],
  [
    '3',
    'HIGHESTMODSEQ',
    /MODSEQ above/,
    ({ view, mailbox }) => {
      defined(view.edit(mailboxTable, mailbox)).highestModSeq = brandNumber(1);
    },
  ],
  ...(['messages', 'unseen', 'flaggedDeleted', 'bytes', 'retainedMessages', 'retainedBytes'] as const).map(
    (key) => ['3', `a mailbox's ${key}`, new RegExp(`: ${key} is`), inMailbox(key)] as const,
  ),
  [
    '3',
    'rows of no mailbox',
    /does not exist/,
    ({ view }) => void view.put(keywordTable, ['x'], brandNumber<MailboxId>(99)),
  ],
  ['4', 'a keyword too few', /bears a keyword/, ({ view, mailbox }) => void view.put(keywordTable, ['Work'], mailbox)],
  [
    '4',
    'a keyword twice',
    /letter case/,
    ({ view, mailbox }) => void view.put(keywordTable, ['Work', 'wORK'], mailbox),
  ],
  ['4', 'a number too high', /bears a keyword/, inEntry(3, { keywords: [2] })],
  ['5', 'a UID missing', /UIDs present/, ({ view, mailbox }) => defined(view.edit(uidTable, mailbox, 0)).remove(3)],
  [
    '5',
    'a UID too many',
    /not in the index/,
    ({ view, mailbox }) => defined(view.edit(uidTable, mailbox, 0)).set(1, false),
  ],
  [
    '5',
    'an unseen one as seen',
    /wrongly/,
    ({ view, mailbox }) => defined(view.edit(uidTable, mailbox, 0)).set(3, false),
  ],
  [
    '5',
    'a seen one as unseen',
    /wrongly/,
    ({ view, mailbox }) => defined(view.edit(uidTable, mailbox, 0)).set(2, true),
  ],
  ['5', 'an empty page', /empty/, ({ view, mailbox }) => void view.put(uidTable, new UidPage(), mailbox, 7)],
  ['6', 'an empty chunk', /empty/, ({ view, mailbox }) => void view.put(indexTable, new IndexChunk(), mailbox, 7)],
  ['6', 'an entry beyond the log', /no segment holds/, inEntry(3, { lsn: brandNumber(2 ** 40) })],
  ['6', 'an entry of no message', /is missing/, inEntry(3, { message: brandNumber(99) })],
  ['6', 'a wrong size', /its octets are/, inEntry(3, { size: 1 })],
  [
    '7',
    'a live UID retained',
    /live and retained/,
    ({ view, catalog, mailbox }) =>
      void view.put(retainedTable, { entry: defined(catalog.entry(mailbox, 3)), expungedAt: 1 }, mailbox, 3),
  ],
  [
    // Live and retained entries go the same way through the check, which calls both 6.
    '6',
    'a retained entry of no message',
    /UID 1: its message 99 is missing/,
    ({ view, mailbox }) => {
      const row = defined(view.read(retainedTable, mailbox, 1));
      view.put(retainedTable, { ...row, entry: { ...row.entry, message: brandNumber(99) } }, mailbox, 1);
    },
  ],
  [
    '8',
    'a floor too high',
    /below the floor/,
    ({ view, mailbox }) => {
      const row = defined(view.edit(mailboxTable, mailbox));
      row.expungeFloor = row.highestModSeq;
    },
  ],
  [
    '8',
    'an expunge of the future',
    /above the highest/,
    ({ view, mailbox }) =>
      void view.put(expungedTable, { uids: UidSet.range(1, 1), expungedAt: 0 }, mailbox, brandNumber(2 ** 40)),
  ],
  ...([3, 50] as const).map(
    (uid) =>
      [
        '8',
        uid === 3 ? 'a live UID' : 'a UID never given',
        uid === 3 ? /expunged and live/ : /never given/,
        ({ view, mailbox }: Scene) => {
          const { highestModSeq } = defined(view.read(mailboxTable, mailbox));
          view.put(expungedTable, { uids: UidSet.range(uid, uid), expungedAt: 0 }, mailbox, highestModSeq);
        },
      ] as const,
  ),
  ['9', 'a UIDL missing', /imported UIDLs/, ({ view, mailbox }) => view.remove(uidlTable, mailbox, 'old-1')],
  ['9', 'a UIDL of another', /leads to UID 3/, ({ view, mailbox }) => void view.put(uidlTable, 3, mailbox, 'old-1')],
  ['9', 'a UIDL too many', /imported UIDLs/, ({ view, mailbox }) => void view.put(uidlTable, 3, mailbox, 'old-2')],
  [
    '10',
    'a reference too many',
    /references is/,
    (scene) => void defined(scene.view.edit(messageTable, firstMessage(scene)[0])).refs++,
  ],
  [
    '10',
    'no reference',
    /without a reference/,
    (scene) => {
      defined(scene.view.edit(messageTable, firstMessage(scene)[0])).refs = 0;
    },
  ],
  ['10', 'a part that is not there', /is missing/, (scene) => scene.view.remove(partTable, firstPart(scene))],
  ['11', 'no hash', /leads elsewhere/, (scene) => scene.view.remove(messageHashTable, firstMessage(scene)[1].sha)],
  [
    '11',
    'a hash of another',
    /leads elsewhere/,
    (scene) => void scene.view.put(messageHashTable, 99, firstMessage(scene)[1].sha),
  ],
  [
    '11',
    'a hash too many',
    /message hashes/,
    (scene) => void scene.view.put(messageHashTable, firstMessage(scene)[0], otherSha),
  ],
  [
    '12',
    'a reference too many',
    /thread row/,
    (scene) => void defined(scene.view.edit(threadTable, ...firstThread(scene))).refs++,
  ],
  ['12', 'a row missing', /thread rows/, (scene) => scene.view.remove(threadTable, ...firstThread(scene))],
  [
    '12',
    'a row too many',
    /thread rows/,
    ({ view, account }) =>
      void view.put(threadTable, { thread: brandNumber(1), refs: 1 }, account, Buffer.alloc(8, 0xee)),
  ],
  [
    '13',
    'a reference too many',
    /references is/,
    (scene) => void defined(scene.view.edit(partTable, firstPart(scene))).refs++,
  ],
  [
    '13',
    'no reference',
    /references is 0/,
    (scene) => {
      defined(scene.view.edit(partTable, firstPart(scene))).refs = 0;
    },
  ],
  ['13', 'a wrong size', /size is/, (scene) => void defined(scene.view.edit(partTable, firstPart(scene))).size++],
  ['14', 'live octets', /live octets/, inSegment('live')],
  ['14', 'dead octets', /dead octets/, inSegment('dead')],
  ['14', 'other octets', /other octets/, inSegment('other')],
  ['14', 'no row', /live octets is 0/, ({ view, catalog }) => view.remove(segmentTable, first(catalog.segments())[0])],
  [
    '15',
    'an entry that is due too early',
    /no row says that UIDs around 0 of mailbox/,
    ({ view, mailbox }) => {
      const row = defined(view.read(retainedTable, mailbox, 1));
      view.put(retainedTable, { ...row, expungedAt: row.expungedAt - 1 }, mailbox, 1);
    },
  ],
  [
    '15',
    'another entry than the retained one',
    /and not those UIDs/,
    ({ view, mailbox }) => {
      const { expungedAt } = defined(view.read(retainedTable, mailbox, 1));
      view.put(dueRetainedTable, { low: 2, high: 1 }, expungedAt, mailbox, 0);
    },
  ],
  [
    '15',
    'a mailbox that was not deleted',
    /was deleted at 7, which is not so/,
    ({ view, mailbox }) => void view.put(dueMailboxTable, 1, 7, mailbox),
  ],
  [
    '15',
    'an account that was not',
    /was deleted at 7, which is not so/,
    ({ view, account }) => void view.put(dueAccountTable, 1, 7, account),
  ],
  [
    '15',
    'a deleted mailbox of an account',
    /has the deleted mailbox/,
    ({ view, account, mailbox }) => void view.put(deletedMailboxTable, 1, account, mailbox),
  ],
  [
    '15',
    'a retention of its own',
    /has a retention of its own/,
    ({ view, account }) => void view.put(ownRetentionTable, 1, account),
  ],
  [
    '15',
    'a deletion to be finished',
    /is not finished, which/,
    ({ view, account }) => void view.put(unfinishedTable, 1, account),
  ],
  [
    '15',
    'an expunge',
    /remembers expunges of 1 at 7/,
    ({ view, mailbox }) => void view.put(dueExpungeTable, 1, 7, mailbox, brandNumber(1)),
  ],
  ...totalsKeys.map(
    (key) => ['totals', key, new RegExp(`^${key} is`), inState((row) => void row.totals[key]++)] as const,
  ),
];

async function findingsAfter(temp: TempStore, kv: Kv, ids: Pick<Scene, 'account' | 'mailbox'>, damage?: Damage) {
  const view = new View(kv, [], new WriteSet());
  damage?.({ view, catalog: new Catalog(view), ...ids });
  return (await check(view, temp.store.heap)).findings;
}

test('fsck names the invariant that one changed row breaks, and finds nothing where no row was changed', async (t) => {
  await using temp = await simStore();
  const ids = await furnish(temp.store);
  const kv: Kv = await defined(temp.machine).catalog();
  assert.deepEqual(await findingsAfter(temp, kv, ids), []);
  for (const [area, what, text, damage] of damages) {
    await t.test(`${area}: ${what}`, async () => {
      const findings = await findingsAfter(temp, kv, ids, damage);
      const named = findings.some((finding) => finding.area === area && text.test(finding.text));
      assert.ok(named, JSON.stringify(findings));
    });
  }
  assert.deepEqual(await findingsAfter(temp, kv, ids), []);
  const areas = new Set(damages.map(([area]) => area));
  assert.deepEqual([...areas], [...Array.from({ length: 15 }, (_, n) => String(n + 1)), 'totals']);
});
