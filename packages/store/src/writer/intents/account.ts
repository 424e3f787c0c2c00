/** Accounts: made with their first mailboxes, renamed, deleted, limited. */
import { Catalog } from '../../catalog/catalog.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { StoreError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { type AccountId, brandNumber } from '../../types.ts';
import type { Turn } from '../turn.ts';
import { liveAccount } from './checks.ts';
import { createMailbox, firstMailboxes } from './mailbox.ts';

export interface CreatedAccount {
  readonly account: AccountId;
  readonly sequence: number;
}

/** An account as the directory has it. */
export interface WantedAccount {
  /** The directory's user id. */
  readonly id: AccountId;
  readonly name: string;
  /** 0: unlimited. */
  readonly quotaBytes: number;
  readonly quotaMessages: number;
}

/**
 * Makes the account unless it is there, and gives it the quota. One of that id under another name is somebody else's mail:
 * the directory was replaced, and nobody is let in.
 */
export function decideEnsureAccount(turn: Turn, wanted: WantedAccount): CreatedAccount {
  const { id, quotaBytes, quotaMessages } = wanted;
  const row = new Catalog(turn.view).account(id);
  checkQuotaValues(quotaBytes, quotaMessages);
  if (row === undefined) decideCreateAccount(turn, wanted.name, id);
  else if (row.deleted) throw new StoreError('noAccount', `account ${id} was deleted`);
  else if (row.name.toLowerCase() !== accountName(wanted.name).toLowerCase()) {
    throw new StoreError('accountExists', `account ${id} is ${row.name}'s, not ${wanted.name}'s`);
  }
  if ((row?.quotaBytes ?? 0) !== quotaBytes || (row?.quotaMessages ?? 0) !== quotaMessages) {
    decideSetQuota(turn, id, quotaBytes, quotaMessages);
  }
  return { account: id, sequence: turn.sequence };
}

/** `id`: the directory's user id; the next free one when absent. */
export function decideCreateAccount(turn: Turn, given: string, id?: number): CreatedAccount {
  const name = accountName(given);
  const catalog = new Catalog(turn.view);
  const account = brandNumber<AccountId>(id ?? turn.state.account + 1);
  if (!Number.isInteger(account) || account < 1 || account > 0xffff_ffff) {
    throw new StoreError('badIntent', 'an account id is a number from 1 to 2^32 − 1');
  }
  if (catalog.accountNamed(name) !== undefined || catalog.account(account) !== undefined) {
    throw new StoreError('accountExists', `account ${name} exists`);
  }
  turn.event({ kind: 'accountCreated', account, name });
  for (const [mailbox, role] of firstMailboxes) {
    createMailbox(turn, account, mailbox, role);
    turn.event({ kind: 'subscribed', account, name: mailbox, on: true });
  }
  changed(turn, account);
  return { account, sequence: turn.sequence };
}

export function decideRenameAccount(turn: Turn, account: AccountId, given: string): number {
  const name = accountName(given);
  liveAccount(turn, account);
  const taken = new Catalog(turn.view).accountNamed(name);
  if (taken !== undefined && taken.id !== account) throw new StoreError('accountExists', `account ${name} exists`);
  const sequence = turn.event({ kind: 'accountRenamed', account, name });
  changed(turn, account);
  return sequence;
}

/** 0: unlimited. */
export function decideSetQuota(turn: Turn, account: AccountId, bytes: number, messages: number): number {
  liveAccount(turn, account);
  checkQuotaValues(bytes, messages);
  const sequence = turn.event({ kind: 'quotaSet', account, bytes, messages });
  changed(turn, account);
  return sequence;
}

/** @throws {StoreError} badIntent */
function checkQuotaValues(bytes: number, messages: number): void {
  if (Number.isSafeInteger(bytes) && Number.isSafeInteger(messages) && bytes >= 0 && messages >= 0) return;
  throw new StoreError('badIntent', 'a quota is a whole number of octets and of messages');
}

/** @throws {StoreError} badName */
function accountName(given: string): string {
  const name = given.normalize('NFC');
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > limits.accountNameBytes) {
    throw new StoreError('badName', `an account's name has 1 to ${limits.accountNameBytes} octets`);
  }
  // Blanks and slashes may stand in addresses.
  if (/[\p{Cc}\p{Cs}]/u.test(name)) {
    throw new StoreError('badName', 'an account has a name without control characters');
  }
  return name;
}

function changed(turn: Turn, account: AccountId): void {
  turn.changes.push({ kind: 'account', sequence: turn.sequence, account, mailbox: 0, uids: UidSet.empty });
}
