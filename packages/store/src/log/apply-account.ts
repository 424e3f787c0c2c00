/** What an account has beside its row: its name, subscriptions, metadata, the memory of mailbox names; and whether it is kept only. */
import { kind, kindU32Key, prefixEnd, u32Key } from '../catalog/keys.ts';
import { octetsCodec } from '../catalog/row-codecs.ts';
import { retentionEntry } from '../catalog/rows.ts';
import {
  accountNameTable,
  accountTable,
  dueAccountTable,
  metadataTable,
  ownRetentionTable,
  unfinishedTable,
} from '../catalog/schema.ts';
import type { View } from '../catalog/write-set.ts';
import type { AccountId, MailboxId } from '../types.ts';
import type { References } from './references.ts';

/** Whether a record at `lsn` tells news of the account, rather than what its newest RESTATE has. */
export function isNewsOf(view: View, id: AccountId, lsn: number): boolean {
  return (view.read(accountTable, id)?.record.lsn ?? 0) < lsn;
}

export function forgetAccountName(view: View, id: AccountId, name: string): void {
  if (view.read(accountNameTable, name) === id) view.remove(accountNameTable, name);
}

/** Sets or, with undefined, removes an entry. Accounts with a retention of their own are listed apart. */
export function putMetadata(
  view: View,
  account: AccountId,
  mailbox: MailboxId | 0,
  name: string,
  value: Buffer | undefined,
): void {
  if (value !== undefined) view.put(metadataTable, value, account, mailbox, name);
  else view.remove(metadataTable, account, mailbox, name);
  if (mailbox !== 0 || name !== retentionEntry) return;
  if (value !== undefined) view.put(ownRetentionTable, 1, account);
  else view.remove(ownRetentionTable, account);
}

/** Removes the metadata of a mailbox; 0: the account's own. */
export function forgetMetadata(view: View, account: AccountId, id: MailboxId | 0): void {
  const metadata = Buffer.concat([kindU32Key(kind.metadata, account), u32Key(id)]);
  view.removeRange('accounts', { from: metadata, to: prefixEnd(metadata) }, octetsCodec);
  if (id === 0) view.remove(ownRetentionTable, account);
}

/** The account is deleted since then, or is there (undefined); the row follows. */
export function setAccountDeleted(view: View, id: AccountId, deletedAt: number | undefined): void {
  const account = view.edit(accountTable, id);
  if (account === undefined) return;
  if (account.deleted) view.remove(dueAccountTable, account.deletedAt, id);
  account.deleted = deletedAt !== undefined;
  account.deletedAt = deletedAt ?? 0;
  if (deletedAt === undefined) view.remove(unfinishedTable, id);
  else view.put(dueAccountTable, 1, deletedAt, id);
  noteUnfinished(view, id);
}

/** Whether a deleted account still has mailboxes that are not deleted. */
export function noteUnfinished(view: View, id: AccountId): void {
  const account = view.read(accountTable, id);
  if (account?.deleted !== true) return;
  if (account.mailboxes > 0) view.put(unfinishedTable, 1, id);
  else view.remove(unfinishedTable, id);
}

/** The account and what it has are gone for good; its mailboxes were purged by records of their own. */
export function purgeAccount(refs: References, id: AccountId): void {
  const { view } = refs;
  const account = view.read(accountTable, id);
  if (account !== undefined) {
    refs.recount(account.record, 'dead');
    forgetAccountName(view, id, account.name);
    if (account.deleted) view.remove(dueAccountTable, account.deletedAt, id);
  }
  view.remove(accountTable, id);
  view.remove(ownRetentionTable, id);
  view.remove(unfinishedTable, id);
  for (const kindOctet of [kind.subscription, kind.metadata]) removeOwned(view, 'accounts', kindOctet, id);
  removeOwned(view, 'mailboxes', kind.nameMemory, id);
}

/** Removes the account's rows of a kind. */
export function removeOwned(view: View, table: 'accounts' | 'mailboxes', kindOctet: number, id: AccountId): void {
  const prefix = kindU32Key(kindOctet, id);
  view.removeRange(table, { from: prefix, to: prefixEnd(prefix) }, octetsCodec);
}
