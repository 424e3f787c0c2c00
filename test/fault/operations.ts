/**
 * The operations whose every call is made to fail (every-call.test.ts): a row each. Whoever adds something that changes a store, or
 * moves what it holds, adds a row.
 */
import assert from 'node:assert/strict';
import {
  type AccountId,
  backup,
  checkpoint,
  flag,
  inbox,
  type MailboxId,
  rebuild,
  Store,
  StoreError,
  UidSet,
  verifyBackup,
} from '@mstore/store';
import { seededRandom } from '../support/random.ts';
import { passDays } from '../support/retention.ts';
import { type SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';

export interface Operation {
  readonly name: string;
  /** Makes what the operation needs, on a store with one empty account. */
  readonly prepare: (store: Store) => Promise<void>;
  /** What is done while calls fail; rejects when it was not done. */
  readonly run: (store: Store, machine: SimMachine) => Promise<void>;
  /** False where clients see the same before and after. Default true. */
  readonly isSeen?: boolean;
  /** Every so many calls fail in a short run, where there are very many. Default 1. */
  readonly stride?: number;
  /** What else must be there on the machine after the operation; `done` when it was acknowledged. */
  readonly assertLeft?: (machine: SimMachine, done: boolean) => Promise<void>;
}

/** The one account. */
function accountOf(store: Store): AccountId {
  const [account] = store.catalog().accounts();
  assert.ok(account);
  return account.id;
}

function mailboxOf(store: Store, name: string = inbox): MailboxId {
  const mailbox = store.catalog().mailboxNamed(accountOf(store), name);
  assert.ok(mailbox, `no mailbox ${name}`);
  return mailbox.id;
}

const everyUid = UidSet.range(1, 0xffff_ffff);
const noise = seededRandom(7).bytes(5 * 2 ** 20);

function message(subject: string, bytes: number): Buffer {
  const body = noise.subarray(0, bytes).toString('base64').replace(/.{76}/g, '$&\r\n');
  return Buffer.from(`Subject: ${subject}\r\nContent-Transfer-Encoding: base64\r\n\r\n${body}\r\n`);
}

export async function deliver(store: Store, subject: string, bytes: number = 100): Promise<void> {
  const taken = await store.take(message(subject, bytes));
  const trace = Buffer.from('Return-Path: <mx@example.net>\r\n');
  const [result] = await store.deliver(taken, [{ account: accountOf(store), trace }]);
  if (result?.ok !== true) throw Object.assign(new Error(result?.message), { code: result?.code });
}

async function deliverSome(store: Store): Promise<void> {
  for (const subject of ['one', 'two', 'three', 'four']) await deliver(store, subject, 6_000);
}

async function nothing(): Promise<void> {
  // The account is enough.
}

/** Mail in all states that a segment can speak of: large, flagged, retained, purged, moved, in a mailbox that is gone. */
async function leaveGarbage(store: Store): Promise<void> {
  // In chunks, with a closing record.
  await deliver(store, 'large', 1_100_000);
  await deliver(store, 'gone', 50_000);
  await deliverSome(store);
  await store.createMailbox(accountOf(store), 'doomed');
  await store.createMailbox(accountOf(store), 'kept');
  const change = { mode: 'add', flags: flag.flagged, keywords: ['todo'] } as const;
  await store.setFlags({ mailbox: mailboxOf(store), uids: UidSet.range(1, 4), ...change });
  await store.copy(mailboxOf(store), UidSet.range(3, 4), mailboxOf(store, 'doomed'));
  await store.move(mailboxOf(store), UidSet.range(5, 5), mailboxOf(store, 'kept'));
  await store.expunge(mailboxOf(store), UidSet.range(2, 3), false);
  await store.purge(mailboxOf(store), UidSet.range(2, 2));
  await store.deleteMailbox(mailboxOf(store, 'doomed'));
}

/** Every segment goes, and its file with it. */
async function compactEverything(store: Store): Promise<void> {
  const { kept } = await store.compact({ minGarbage: 0, maxRate: 0 });
  const [first] = kept;
  if (first !== undefined) throw new StoreError('ioError', `segment ${first.segment} stays: ${first.reason}`);
  await store.dropRetired(true);
}

const backupDirectory = '/backup';

/** Whatever became of the newest checkpoint, a catalog that is lost comes back from it or without it. */
async function assertRebuilds(machine: SimMachine): Promise<void> {
  const options = { ports: machine.ports, idleCommitMs: 0 };
  await machine.loseCatalog();
  assert.deepEqual((await rebuild(simDirectory, options)).damage, []);
  const store = await Store.open(simDirectory, options);
  await assertClean(store);
  await store.close();
}

async function assertGoodBackup(machine: SimMachine): Promise<void> {
  const { findings } = await verifyBackup(backupDirectory, { ports: machine.ports, scratch: '/scratch' });
  assert.deepEqual(
    findings.map(({ text }) => text),
    [],
  );
}

async function backUp(store: Store, machine: SimMachine): Promise<void> {
  await backup(simDirectory, backupDirectory, store, { ports: machine.ports });
}

export const operations: readonly Operation[] = [
  { name: 'a delivery', prepare: nothing, run: (store) => deliver(store, 'new', 20_000) },
  {
    // Its parts go ahead of it in chunks, in batches of their own.
    name: 'a delivery of 6 MiB',
    prepare: nothing,
    run: (store) => deliver(store, 'large', noise.length),
    stride: 4,
  },
  { name: 'a delivery of what is there', prepare: deliverSome, run: (store) => deliver(store, 'one', 6_000) },
  {
    name: 'an APPEND of two',
    prepare: nothing,
    run: async (store) => {
      const items = [];
      for (const subject of ['a', 'b']) {
        items.push({ message: await store.take(message(subject, 9_000)), flags: flag.seen, keywords: ['todo'] });
      }
      await store.append(mailboxOf(store), items);
    },
  },
  {
    name: 'a STORE',
    prepare: deliverSome,
    run: async (store) => {
      const change = { mode: 'add', flags: flag.flagged, keywords: ['$Junk'] } as const;
      await store.setFlags({ mailbox: mailboxOf(store), uids: everyUid, ...change });
    },
  },
  {
    name: 'an expunge',
    prepare: deliverSome,
    run: async (store) => void (await store.expunge(mailboxOf(store), UidSet.range(2, 3), false)),
  },
  {
    name: 'a purge',
    prepare: async (store) => {
      await deliverSome(store);
      await store.expunge(mailboxOf(store), UidSet.range(2, 3), false);
    },
    run: async (store) => void (await store.purge(mailboxOf(store), everyUid)),
  },
  {
    name: 'a move',
    prepare: async (store) => {
      await deliverSome(store);
      await store.createMailbox(accountOf(store), 'target');
    },
    run: async (store) => void (await store.move(mailboxOf(store), UidSet.range(1, 3), mailboxOf(store, 'target'))),
  },
  {
    name: 'the rename of a mailbox with another below it',
    prepare: async (store) => {
      for (const name of ['old', 'old/below']) await store.createMailbox(accountOf(store), name);
    },
    run: (store) => store.renameMailbox(mailboxOf(store, 'old'), 'new'),
  },
  {
    name: 'the deletion of a mailbox',
    prepare: async (store) => {
      await deliverSome(store);
      const { mailbox } = await store.createMailbox(accountOf(store), 'doomed');
      await store.copy(mailboxOf(store), everyUid, mailbox);
    },
    run: (store) => store.deleteMailbox(mailboxOf(store, 'doomed')),
  },
  {
    name: 'an undelete',
    prepare: async (store) => {
      await deliverSome(store);
      await store.expunge(mailboxOf(store), UidSet.range(2, 3), false);
    },
    run: async (store) => void (await store.undelete(mailboxOf(store), everyUid, mailboxOf(store))),
  },
  {
    name: 'the return of a deleted mailbox',
    prepare: async (store) => {
      await deliverSome(store);
      const { mailbox } = await store.createMailbox(accountOf(store), 'back');
      await store.copy(mailboxOf(store), everyUid, mailbox);
      await store.deleteMailbox(mailbox);
    },
    run: async (store) => {
      const deleted = [...store.catalog().allMailboxes()].find(({ row }) => row.deleted);
      assert.ok(deleted);
      await store.restoreMailbox(deleted.id);
    },
  },
  {
    name: 'a run of retention',
    prepare: async (store) => {
      await deliverSome(store);
      await store.expunge(mailboxOf(store), UidSet.range(2, 3), false);
    },
    run: (store, machine) => passDays(store, machine, 8),
  },
  {
    name: 'a compaction',
    prepare: leaveGarbage,
    run: compactEverything,
    isSeen: false,
    stride: 5,
  },
  {
    name: 'a checkpoint',
    prepare: deliverSome,
    run: async (_store, machine) => void (await checkpoint(simDirectory, { ports: machine.ports })),
    isSeen: false,
    stride: 2,
    assertLeft: assertRebuilds,
  },
  {
    name: 'a backup',
    prepare: deliverSome,
    run: backUp,
    isSeen: false,
    stride: 4,
    assertLeft: async (machine, done) => {
      if (done) await assertGoodBackup(machine);
    },
  },
];
