/** What several intents check before they decide. */
import { Catalog, type NamedAccount, type NamedMailbox } from '../../catalog/catalog.ts';
import { StoreError } from '../../errors.ts';
import type { AccountId, MailboxId } from '../../types.ts';
import type { Turn } from '../turn.ts';

/** @throws {StoreError} noMailbox when it does not exist, or it or its account is deleted */
export function liveMailbox(turn: Turn, id: MailboxId): NamedMailbox {
  const catalog = new Catalog(turn.view);
  const row = catalog.mailbox(id);
  // A deleted account's mailboxes may be a moment behind it.
  const isLive = row !== undefined && !row.deleted && catalog.account(row.account)?.deleted !== true;
  if (!isLive) throw new StoreError('noMailbox', `no mailbox ${id}`);
  return { id, row };
}

/** @throws {StoreError} noAccount when it does not exist or is deleted */
export function liveAccount(turn: Turn, id: AccountId): NamedAccount {
  const row = new Catalog(turn.view).account(id);
  if (row === undefined || row.deleted) throw new StoreError('noAccount', `no account ${id}`);
  return { id, row };
}

/** @throws {StoreError} overQuota when the account may not take so much more */
export function checkQuota(turn: Turn, id: AccountId, bytes: number, messages: number): void {
  const { row } = liveAccount(turn, id);
  const tooLarge = row.quotaBytes > 0 && row.bytes + bytes > row.quotaBytes;
  const tooMany = row.quotaMessages > 0 && row.messages + messages > row.quotaMessages;
  if (tooLarge || tooMany) throw new StoreError('overQuota', `account ${row.name} is over quota`);
}

const uidMax = 0xffff_ffff;

/** @throws {StoreError} limitExceeded when the mailbox has given all its UIDs */
export function checkUids({ id, row }: NamedMailbox, count: number): void {
  if (row.uidNext + count - 1 > uidMax) {
    throw new StoreError('limitExceeded', `mailbox ${id} has given all its UIDs`);
  }
}
