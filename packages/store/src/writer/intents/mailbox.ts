/** CREATE, RENAME, DELETE, SUBSCRIBE and metadata: what becomes of names. */
import { Catalog } from '../../catalog/catalog.ts';
import { nameMemoryTable } from '../../catalog/schema.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { StoreError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { inbox, isBelow, mailboxName } from '../../mail/mailbox-name.ts';
import { type AccountId, brandNumber, type MailboxId, type MailboxRole, type UidValidity } from '../../types.ts';
import type { Turn } from '../turn.ts';
import { liveAccount, liveMailbox } from './checks.ts';

export interface CreatedMailbox {
  readonly mailbox: MailboxId;
  readonly uidValidity: UidValidity;
  readonly sequence: number;
}

export function decideCreateMailbox(turn: Turn, account: AccountId, given: string, role: MailboxRole): CreatedMailbox {
  const name = mailboxName(given);
  const { row } = liveAccount(turn, account);
  if (new Catalog(turn.view).mailboxNamed(account, name) !== undefined) {
    throw new StoreError('mailboxExists', 'a mailbox of that name exists');
  }
  if (row.mailboxes >= limits.mailboxes) {
    throw new StoreError('limitExceeded', `an account has up to ${limits.mailboxes} mailboxes`);
  }
  return createMailbox(turn, account, name, role);
}

export function createMailbox(turn: Turn, account: AccountId, name: string, role: MailboxRole): CreatedMailbox {
  const mailbox = brandNumber<MailboxId>(turn.state.mailbox + 1);
  const uidValidity = nextUidValidity(turn);
  const sequence = turn.event({ kind: 'mailboxCreated', account, mailbox, name, uidValidity, role });
  changed(turn, account, mailbox);
  return { mailbox, uidValidity, sequence };
}

/** Rises over the whole store, and follows the clock, so that a name never bears one it bore before. */
export function nextUidValidity(turn: Turn): UidValidity {
  return brandNumber<UidValidity>(Math.max(turn.state.uidValidity + 1, turn.time));
}

/** Renames a mailbox and all below it. INBOX is not renamed: its messages are moved (RFC 9051 §6.3.6), by the caller. */
export function decideRenameMailbox(turn: Turn, id: MailboxId, given: string): number {
  const name = mailboxName(given);
  const { row } = liveMailbox(turn, id);
  if (row.name === inbox) throw new StoreError('badName', 'INBOX keeps its name');
  if (name === row.name) throw new StoreError('mailboxExists', 'a mailbox of that name exists');
  if (isBelow(name, row.name)) throw new StoreError('badName', 'a mailbox cannot move below itself');
  const catalog = new Catalog(turn.view);
  const moving = [...catalog.mailboxes(row.account)].filter((m) => m.id === id || isBelow(m.row.name, row.name));
  const leaving = new Set(moving.map((m) => m.row.name));
  const names = moving.map(({ id: mailbox, row: { name: old, uidValidity } }) => {
    const next = mailboxName(name + old.slice(row.name.length));
    const taken = catalog.mailboxNamed(row.account, next);
    if (taken !== undefined && !leaving.has(next)) {
      throw new StoreError('mailboxExists', 'a mailbox of that name exists');
    }
    const remembered = turn.view.read(nameMemoryTable, row.account, next) ?? 0;
    return { mailbox, name: next, uidValidity: remembered <= uidValidity ? uidValidity : undefined };
  });
  let fresh = nextUidValidity(turn);
  const renamed = names.map((entry) => {
    const uidValidity = entry.uidValidity ?? fresh;
    if (entry.uidValidity === undefined) fresh = brandNumber<UidValidity>(fresh + 1);
    return { ...entry, uidValidity };
  });
  const sequence = turn.event({ kind: 'mailboxesRenamed', account: row.account, names: renamed });
  for (const { mailbox } of renamed) changed(turn, row.account, mailbox);
  return sequence;
}

/** Deletes one mailbox; those below it stay. Its messages are kept for the retention time. */
export function decideDeleteMailbox(turn: Turn, id: MailboxId): number {
  const { row } = liveMailbox(turn, id);
  if (row.name === inbox) throw new StoreError('badName', 'INBOX cannot be deleted');
  const sequence = turn.event({ kind: 'mailboxDeleted', mailbox: id });
  changed(turn, row.account, id);
  return sequence;
}

/** Subscribes to a name or ends that; the mailbox need not exist (RFC 9051 §6.3.7). */
export function decideSubscribe(turn: Turn, account: AccountId, given: string, on: boolean): number {
  const name = mailboxName(given);
  liveAccount(turn, account);
  const catalog = new Catalog(turn.view);
  if (catalog.isSubscribed(account, name) === on) return turn.sequence;
  if (on && catalog.subscriptions(account).length >= limits.subscriptions) {
    throw new StoreError('limitExceeded', `an account has up to ${limits.subscriptions} subscriptions`);
  }
  const sequence = turn.event({ kind: 'subscribed', account, name, on });
  changed(turn, account, 0);
  return sequence;
}

export function decideSetRole(turn: Turn, id: MailboxId, role: MailboxRole): number {
  const { row } = liveMailbox(turn, id);
  if (row.role === role) return turn.sequence;
  const sequence = turn.event({ kind: 'roleSet', mailbox: id, role });
  changed(turn, row.account, id);
  return sequence;
}

/** Sets or removes an entry of a mailbox's or (mailbox 0) the account's metadata (RFC 5464). */
export function decideMetadata(
  turn: Turn,
  account: AccountId,
  mailbox: MailboxId | 0,
  name: string,
  value: Buffer | undefined,
): number {
  liveAccount(turn, account);
  if (mailbox !== 0 && liveMailbox(turn, mailbox).row.account !== account) {
    throw new StoreError('noMailbox', `mailbox ${mailbox} is not of account ${account}`);
  }
  if (name === '' || Buffer.byteLength(name) > limits.mailboxNameBytes) {
    throw new StoreError('badName', `a metadata entry's name has 1 to ${limits.mailboxNameBytes} octets`);
  }
  if (value !== undefined && value.length > limits.metadataBytes) {
    throw new StoreError('limitExceeded', `a metadata value has up to ${limits.metadataBytes} octets`);
  }
  const sequence = turn.event({ kind: 'metadataSet', account, mailbox, name, value });
  changed(turn, account, mailbox);
  return sequence;
}

function changed(turn: Turn, account: AccountId, mailbox: MailboxId | 0): void {
  turn.changes.push({ kind: 'mailbox', sequence: turn.sequence, account, mailbox, uids: UidSet.empty });
}

/** The mailboxes an account begins with, and their roles. */
export const firstMailboxes: readonly (readonly [string, MailboxRole])[] = [
  [inbox, ''],
  ['Drafts', 'drafts'],
  ['Sent', 'sent'],
  ['Junk', 'junk'],
  ['Trash', 'trash'],
  ['Archive', 'archive'],
];
