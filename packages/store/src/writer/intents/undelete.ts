/**
 * What was expunged or deleted comes back, within the time it is kept. A message comes back as a new entry, with a new UID; its
 * retained one is purged in the same batch, so that it comes back once. A mailbox comes back as it was, with its UIDs.
 */
import { Catalog } from '../../catalog/catalog.ts';
import { deletedMailboxesOf } from '../../catalog/due.ts';
import type { Entry } from '../../catalog/index-chunk.ts';
import type { MailboxRow } from '../../catalog/rows.ts';
import { nameMemoryTable } from '../../catalog/schema.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { StoreError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { inbox } from '../../mail/mailbox-name.ts';
import {
  type AccountId,
  brandNumber,
  type Lsn,
  type MailboxId,
  type MailboxRole,
  type Uid,
  type UidValidity,
} from '../../types.ts';
import type { Turn } from '../turn.ts';
import { checkUids, liveAccount, liveMailbox } from './checks.ts';
import type { CopyAnswer } from './copy.ts';
import { checkKeywords } from './flags.ts';
import { nextUidValidity } from './mailbox.ts';

export interface UndeleteRequest {
  /** Where they were expunged; it may be deleted. */
  readonly source: MailboxId;
  readonly uids: UidSet;
  /** A mailbox of the same account: the same one, as a rule. */
  readonly target: MailboxId;
  /** Trace lines by the LSN of the ENTRY they were read from. */
  readonly traces: ReadonlyMap<Lsn, Buffer>;
}

/** Octets that a name may gain. */
const nameTailBytes = 20;

/** Roles whose mailboxes may lose messages by age: one that comes back is as new there. */
const agingRoles: readonly MailboxRole[] = ['trash', 'junk'];

/**
 * Brings retained messages back, quota or not: they were the user's. Dates, flags, keywords, thread and email id stay as they
 * were; the save date does not in INBOX, Trash and Junk, where a rule by age could take the message again at once.
 */
export function decideUndelete(turn: Turn, request: UndeleteRequest): CopyAnswer {
  const catalog = new Catalog(turn.view);
  const target = liveMailbox(turn, request.target);
  const source = catalog.mailbox(request.source);
  if (source === undefined) throw new StoreError('noMailbox', `no mailbox ${request.source}`);
  if (source.account !== target.row.account) {
    throw new StoreError('badIntent', `mailbox ${request.source} and ${request.target} are not of one account`);
  }
  const words = catalog.keywords(request.source);
  const entries: Entry[] = [];
  const again: number[] = [];
  for (const { entry } of catalog.retained(request.source, request.uids)) {
    if (request.traces.has(entry.lsn)) entries.push(entry);
    else again.push(entry.uid);
  }
  checkUids(target, entries.length);
  const keywordsOf = (entry: Entry): string[] => entry.keywords.map((number) => words[number] ?? '');
  checkKeywords(turn, request.target, entries.flatMap(keywordsOf));
  const mayAge = target.row.name === inbox || agingRoles.includes(target.row.role);
  const pairs: (readonly [Uid, Uid])[] = [];
  for (const entry of entries) {
    const uid = brandNumber<Uid>(liveMailbox(turn, request.target).row.uidNext);
    const { internalDate, flags, thread, email, size, message } = entry;
    turn.entry({
      ...{
        account: target.row.account,
        mailbox: request.target,
        uid,
        internalDate,
        flags,
        thread,
        email,
        size,
        message,
      },
      saveDate: mayAge ? turn.time : entry.saveDate,
      keywords: keywordsOf(entry),
      uidl: '',
      trace: request.traces.get(entry.lsn) ?? Buffer.alloc(0),
    });
    pairs.push([entry.uid, uid]);
  }
  announce(turn, request, pairs);
  return { uidValidity: target.row.uidValidity, pairs, again: UidSet.of(again), sequence: turn.sequence };
}

function announce(turn: Turn, { source, target }: UndeleteRequest, pairs: readonly (readonly [Uid, Uid])[]): void {
  if (pairs.length === 0) return;
  const { account } = liveMailbox(turn, target).row;
  const uids = UidSet.of(pairs.map(([, uid]) => uid));
  turn.changes.push({ kind: 'appended', sequence: turn.sequence, account, mailbox: target, uids });
  turn.event({ kind: 'purged', mailbox: source, uids: UidSet.of(pairs.map(([uid]) => uid)) });
}

export interface RestoredMailbox {
  /** Its name now: another than before where that is taken. */
  readonly name: string;
  readonly uidValidity: UidValidity;
  readonly messages: number;
  readonly sequence: number;
}

/** Brings a deleted mailbox back with its messages, and subscribes to it. @throws {StoreError} noMailbox, noAccount,
 *  limitExceeded */
export function decideRestoreMailbox(turn: Turn, id: MailboxId): RestoredMailbox {
  const row = deletedMailbox(turn, id);
  const { row: account } = liveAccount(turn, row.account);
  if (account.mailboxes >= limits.mailboxes) {
    throw new StoreError('limitExceeded', `an account has up to ${limits.mailboxes} mailboxes`);
  }
  const catalog = new Catalog(turn.view);
  const name = freeName(catalog, row.account, id, row.name);
  const isSubscribed = catalog.isSubscribed(row.account, name);
  const subscribes = !isSubscribed && catalog.subscriptions(row.account).length < limits.subscriptions;
  const hasRole = row.role !== '' && [...catalog.mailboxes(row.account)].some((other) => other.row.role === row.role);
  const restored = restore(turn, id, row, name, hasRole ? '' : row.role);
  if (subscribes) turn.event({ kind: 'subscribed', account: row.account, name, on: true });
  turn.changes.push({
    kind: 'mailbox',
    sequence: turn.sequence,
    account: row.account,
    mailbox: id,
    uids: UidSet.empty,
  });
  return { ...restored, sequence: turn.sequence };
}

function deletedMailbox(turn: Turn, id: MailboxId): MailboxRow {
  const row = new Catalog(turn.view).mailbox(id);
  if (row?.deleted !== true) throw new StoreError('noMailbox', `no deleted mailbox ${id}`);
  return row;
}

/** The name, or one like it. It never fails: others of the same turn may have been logged. */
function freeName(catalog: Catalog, account: AccountId, id: MailboxId, name: string): string {
  const isShort = Buffer.byteLength(name) <= limits.mailboxNameBytes - nameTailBytes;
  const like = isShort ? `${name} restored` : `restored mailbox ${id}`;
  let free = name;
  for (let n = 1; catalog.mailboxNamed(account, free) !== undefined; n++) free = n === 1 ? like : `${like} ${n}`;
  return free;
}

function restore(turn: Turn, id: MailboxId, row: MailboxRow, name: string, role: MailboxRole): RestoredMailbox {
  const remembered = turn.view.read(nameMemoryTable, row.account, name) ?? 0;
  const uidValidity = remembered <= row.uidValidity ? row.uidValidity : nextUidValidity(turn);
  const { messages } = row;
  const sequence = turn.event({ kind: 'mailboxRestored', mailbox: id, name, uidValidity, role });
  return { name, uidValidity, messages, sequence };
}

/** Deletes the account: it leaves sight at once, and its first mailboxes. The rest is asked for by `decideDeleteMailboxes`. */
export function decideDeleteAccount(turn: Turn, account: AccountId): boolean {
  liveAccount(turn, account);
  turn.event({ kind: 'accountDeleted', account });
  accountChanged(turn, account);
  return decideDeleteMailboxes(turn, account);
}

/** Deletes the next mailboxes of a deleted account. True: there are more. */
export function decideDeleteMailboxes(turn: Turn, account: AccountId): boolean {
  const catalog = new Catalog(turn.view);
  const row = catalog.account(account);
  if (row?.deleted !== true) return false;
  const some: MailboxId[] = [];
  for (const { id } of catalog.mailboxes(account)) {
    some.push(id);
    if (some.length === limits.mailboxesPerTurn) break;
  }
  // Not before its account, whatever the clock says: by that they are known to have gone with it.
  const time = Math.max(turn.time, row.deletedAt);
  for (const mailbox of some) turn.event({ kind: 'mailboxDeleted', mailbox }, time);
  return some.length === limits.mailboxesPerTurn;
}

/** Refuses when the account cannot come back. @throws {StoreError} noAccount, accountExists */
function checkRestorable(turn: Turn, account: AccountId): string {
  const catalog = new Catalog(turn.view);
  const row = catalog.account(account);
  if (row?.deleted !== true) throw new StoreError('noAccount', `no deleted account ${account}`);
  if (catalog.accountNamed(row.name) !== undefined) {
    throw new StoreError('accountExists', `${row.name} is another account's name now: rename or remove that one first`);
  }
  return row.name;
}

export interface RestoredSlice {
  readonly mailboxes: number;
  readonly messages: number;
}

/**
 * Some mailboxes that were deleted with their account, not before it, come back: as many as a turn may take, if there are. Nobody
 * sees them before `decideRestoreAccount`.
 */
export function decideRestoreMailboxes(turn: Turn, account: AccountId): RestoredSlice {
  checkRestorable(turn, account);
  const catalog = new Catalog(turn.view);
  const deletedAt = catalog.account(account)?.deletedAt ?? 0;
  const some: (readonly [MailboxId, MailboxRow])[] = [];
  for (const id of deletedMailboxesOf(turn.view, account)) {
    const row = catalog.mailbox(id);
    if (row !== undefined && row.deletedAt >= deletedAt) some.push([id, row]);
    if (some.length === limits.mailboxesPerTurn) break;
  }
  let messages = 0;
  for (const [id, row] of some) {
    messages += restore(turn, id, row, freeName(catalog, account, id, row.name), row.role).messages;
  }
  return { mailboxes: some.length, messages };
}

/** The account is there again, with the mailboxes that came back before. */
export function decideRestoreAccount(turn: Turn, account: AccountId): number {
  const name = checkRestorable(turn, account);
  turn.event({ kind: 'accountRestored', account, name });
  accountChanged(turn, account);
  return turn.sequence;
}

function accountChanged(turn: Turn, account: AccountId): void {
  turn.changes.push({ kind: 'account', sequence: turn.sequence, account, mailbox: 0, uids: UidSet.empty });
}
