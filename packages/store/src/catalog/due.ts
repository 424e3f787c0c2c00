/** What is kept for a while, found in the order of the time it left (table `due`). Reads rows of that table alone. */
import { type AccountId, brandNumber, type MailboxId } from '../types.ts';
import { chunkSlots } from './index-chunk.ts';
import { dueKind, keyOctets, kindU32Key, prefixEnd, readU64, timedText } from './keys.ts';
import type { SlotsRow } from './rows.ts';
import {
  deletedMailboxTable,
  dueAccountTable,
  dueExpungeTable,
  dueMailboxTable,
  dueRetainedTable,
  ownRetentionTable,
  unfinishedTable,
} from './schema.ts';
import type { View } from './write-set.ts';

/** A row, and the key to go on from behind it. */
export interface DueRow {
  readonly next: Buffer;
}

/** Up to 64 entries of a mailbox that were expunged in the same second. */
export interface DueEntries extends DueRow {
  readonly mailbox: MailboxId;
  readonly uids: readonly number[];
}

/** Walks rows of one kind, from a key on when it is given. */
export type DueWalk<Row extends DueRow> = (view: View, from?: Buffer) => Generator<Row>;

const behind = (key: Buffer): Buffer => Buffer.concat([key, Buffer.of(0)]);

/** Retained entries expunged before a time, oldest first. */
export function retainedBefore(before: number): DueWalk<DueEntries> {
  const to = keyOctets(timedText(dueKind.retained, before));
  return function* (view, from = Buffer.of(dueKind.retained)) {
    for (const [key, slots] of view.range(dueRetainedTable, { from, to })) {
      const mailbox = brandNumber<MailboxId>(key.readUInt32BE(9));
      yield { next: behind(key), mailbox, uids: uidsOf(key.readUInt32BE(13), slots) };
    }
  };
}

/** Of the entry that was expunged first. */
export function oldestRetained(view: View): { readonly time: number; readonly mailbox: MailboxId } | undefined {
  const range = { from: Buffer.of(dueKind.retained), to: Buffer.of(dueKind.retained + 1), limit: 1 };
  for (const [key] of view.range(dueRetainedTable, range)) {
    return { time: readU64(key, 1), mailbox: brandNumber<MailboxId>(key.readUInt32BE(9)) };
  }
  return undefined;
}

function uidsOf(number: number, { low, high }: SlotsRow): number[] {
  const uids: number[] = [];
  for (let slot = 0; slot < chunkSlots; slot++) {
    const isSet = ((slot < 32 ? low : high) & (2 ** (slot % 32))) !== 0;
    if (isSet) uids.push(number * chunkSlots + slot);
  }
  return uids;
}

/** A deleted mailbox or account, and when that was. */
export interface Deleted<Id> extends DueRow {
  readonly id: Id;
  /** Seconds since 1970. */
  readonly time: number;
}

/** Mailboxes deleted before a time, oldest first. */
export function mailboxesDeletedBefore(before: number): DueWalk<Deleted<MailboxId>> {
  const to = keyOctets(timedText(dueKind.mailbox, before));
  return function* (view, from = Buffer.of(dueKind.mailbox)) {
    for (const [key] of view.range(dueMailboxTable, { from, to })) {
      yield { next: behind(key), id: brandNumber<MailboxId>(key.readUInt32BE(9)), time: readU64(key, 1) };
    }
  };
}

/** Accounts deleted before a time, oldest first. */
export function accountsDeletedBefore(before: number): DueWalk<Deleted<AccountId>> {
  const to = keyOctets(timedText(dueKind.account, before));
  return function* (view, from = Buffer.of(dueKind.account)) {
    for (const [key] of view.range(dueAccountTable, { from, to })) {
      yield { next: behind(key), id: brandNumber<AccountId>(key.readUInt32BE(9)), time: readU64(key, 1) };
    }
  };
}

/** The account's deleted mailboxes, by id. */
export function* deletedMailboxesOf(view: View, account: AccountId): Generator<MailboxId> {
  const prefix = kindU32Key(dueKind.mailboxOf, account);
  for (const [key] of view.range(deletedMailboxTable, { from: prefix, to: prefixEnd(prefix) })) {
    yield brandNumber<MailboxId>(key.readUInt32BE(5));
  }
}

export function hasDeletedMailboxes(view: View, account: AccountId): boolean {
  return deletedMailboxesOf(view, account).next().done !== true;
}

export interface DueAccount extends DueRow {
  readonly account: AccountId;
}

/** Accounts that have a retention of their own, by id. */
export const accountsWithRetention: DueWalk<DueAccount> = function* (view, from = Buffer.of(dueKind.retentionOf)) {
  for (const [key] of view.range(ownRetentionTable, { from, to: Buffer.of(dueKind.retentionOf + 1) })) {
    yield { next: behind(key), account: brandNumber<AccountId>(key.readUInt32BE(1)) };
  }
};

export function hasOwnRetention(view: View, account: AccountId): boolean {
  return view.read(ownRetentionTable, account) !== undefined;
}

/** Deleted accounts with mailboxes that are still to be deleted. */
export const unfinishedAccounts: DueWalk<DueAccount> = function* (view, from = Buffer.of(dueKind.unfinished)) {
  for (const [key] of view.range(unfinishedTable, { from, to: Buffer.of(dueKind.unfinished + 1) })) {
    yield { next: behind(key), account: brandNumber<AccountId>(key.readUInt32BE(1)) };
  }
};

export interface DueExpunge extends DueRow {
  readonly mailbox: MailboxId;
}

/** Remembered expunges older than a time, oldest first. */
export function expungesBefore(before: number): DueWalk<DueExpunge> {
  const to = keyOctets(timedText(dueKind.expunge, before));
  return function* (view, from = Buffer.of(dueKind.expunge)) {
    for (const [key] of view.range(dueExpungeTable, { from, to })) {
      yield { next: behind(key), mailbox: brandNumber<MailboxId>(key.readUInt32BE(9)) };
    }
  };
}
