/**
 * What leaves sight and is kept for a while: expunged entries, deleted mailboxes and accounts, the memory of expunges; and how
 * each comes back or goes for good. Whatever is kept stands in `due` under the time it left, so that who ends the keeping
 * finds it in that order. Points only: nothing here looks for a row among others but where a whole range goes.
 */
import { chunkSlots, type Entry } from '../catalog/index-chunk.ts';
import { keyOctets, kind, kindU32Key, prefixEnd, readU64, u32Key } from '../catalog/keys.ts';
import { octetsCodec } from '../catalog/row-codecs.ts';
import type { MailboxRow } from '../catalog/rows.ts';
import {
  accountNameTable,
  accountTable,
  deletedMailboxTable,
  dueAccountTable,
  dueExpungeTable,
  dueMailboxTable,
  dueRetainedTable,
  expungedTable,
  keywordTable,
  mailboxNameTable,
  mailboxTable,
  nameMemoryTable,
  ownRetentionTable,
  retainedTable,
  uidlTable,
  unfinishedTable,
} from '../catalog/schema.ts';
import type { View } from '../catalog/write-set.ts';
import type { UidSet } from '../codec/uid-set.ts';
import { type AccountId, brandNumber, type MailboxId, type ModSeq } from '../types.ts';
import { countLive, raiseModSeq, takeEntry } from './apply-entry.ts';
import type { EventBody, EventKind } from './events.ts';
import type { References } from './references.ts';

type Body<Kind extends EventKind> = Extract<EventBody, { readonly kind: Kind }>;

type Kept =
  | 'expunged'
  | 'purged'
  | 'expungeFloor'
  | 'mailboxDeleted'
  | 'mailboxRestored'
  | 'mailboxPurged'
  | 'accountDeleted'
  | 'accountRestored'
  | 'accountPurged'
  | 'namesForgotten';

export function applyRetained(refs: References, body: Body<Kept>, modSeq: ModSeq, time: number): void {
  const { view } = refs;
  switch (body.kind) {
    case 'expunged':
      expunge(refs, body, modSeq, time);
      break;
    case 'purged':
      purge(refs, body.mailbox, body.uids);
      break;
    case 'expungeFloor':
      raiseFloor(view, body.mailbox, body.floor);
      break;
    case 'mailboxDeleted':
      deleteMailbox(refs, body.mailbox, modSeq, time);
      break;
    case 'mailboxRestored':
      restoreMailbox(refs, body, modSeq);
      break;
    case 'mailboxPurged':
      purgeMailbox(view, body.mailbox);
      break;
    case 'accountDeleted':
      deleteAccount(view, body.account, time);
      break;
    case 'accountRestored':
      restoreAccount(view, body);
      break;
    case 'accountPurged':
      purgeAccount(view, body.account);
      break;
    case 'namesForgotten':
      forgetNames(view, body);
      break;
  }
}

function expunge(refs: References, body: Body<'expunged'>, modSeq: ModSeq, time: number): void {
  const { view } = refs;
  const mailbox = view.edit(mailboxTable, body.mailbox);
  if (mailbox === undefined) return;
  raiseModSeq(mailbox, modSeq);
  rememberExpunge(view, body.mailbox, modSeq, body.uids, time);
  for (const uid of body.uids) {
    const entry = takeEntry(view, body.mailbox, uid);
    if (entry === undefined) continue;
    countLive(refs, mailbox, entry, -1);
    if (body.retained) retain(refs, body.mailbox, mailbox, entry, time);
    else release(refs, body.mailbox, mailbox, entry);
  }
}

/** Keeps which UIDs went at that MODSEQ (RFC 7162 VANISHED). */
function rememberExpunge(view: View, id: MailboxId, modSeq: ModSeq, uids: UidSet, time: number): void {
  view.put(expungedTable, { uids, expungedAt: time }, id, modSeq);
  view.put(dueExpungeTable, 1, time, id, modSeq);
}

/** Keeps an entry that is in no count of its mailbox any more. */
function retain(refs: References, id: MailboxId, mailbox: MailboxRow, entry: Entry, time: number): void {
  const { view } = refs;
  view.put(retainedTable, { entry, expungedAt: time }, id, entry.uid);
  const number = Math.floor(entry.uid / chunkSlots);
  const slots = view.edit(dueRetainedTable, time, id, number);
  if (slots === undefined) view.put(dueRetainedTable, slotsOf(entry.uid), time, id, number);
  else setSlot(slots, entry.uid, true);
  countRetained(refs, mailbox, entry, 1);
}

/** Takes an entry out of those that are kept; its references stay. Undefined when it was not among them. */
function takeRetained(refs: References, id: MailboxId, mailbox: MailboxRow, uid: number): Entry | undefined {
  const { view } = refs;
  const row = view.read(retainedTable, id, uid);
  if (row === undefined) return undefined;
  view.remove(retainedTable, id, uid);
  const number = Math.floor(uid / chunkSlots);
  const slots = view.edit(dueRetainedTable, row.expungedAt, id, number);
  if (slots !== undefined) {
    setSlot(slots, uid, false);
    if (slots.low === 0 && slots.high === 0) view.remove(dueRetainedTable, row.expungedAt, id, number);
  }
  countRetained(refs, mailbox, row.entry, -1);
  return row.entry;
}

function slotsOf(uid: number): { low: number; high: number } {
  const slots = { low: 0, high: 0 };
  setSlot(slots, uid, true);
  return slots;
}

function setSlot(slots: { low: number; high: number }, uid: number, on: boolean): void {
  const slot = uid % chunkSlots;
  const half = slot < 32 ? 'low' : 'high';
  const bit = 2 ** (slot % 32);
  slots[half] = (on ? slots[half] | bit : slots[half] & ~bit) >>> 0;
}

/** The end of retention: of expunged entries, or of entries of a deleted mailbox. */
function purge(refs: References, id: MailboxId, uids: UidSet): void {
  const { view, state } = refs;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  for (const uid of uids) {
    const retained = takeRetained(refs, id, mailbox, uid);
    if (retained !== undefined) {
      release(refs, id, mailbox, retained);
      continue;
    }
    const entry = mailbox.deleted ? takeEntry(view, id, uid) : undefined;
    if (entry === undefined) continue;
    countLive(refs, mailbox, entry, -1);
    state.totals.retained--;
    state.totals.retainedBytes -= entry.size;
    const account = view.edit(accountTable, mailbox.account);
    if (account !== undefined) {
      account.retainedMessages--;
      account.retainedBytes -= entry.size;
    }
    release(refs, id, mailbox, entry);
  }
}

function countRetained(refs: References, mailbox: MailboxRow, entry: Entry, sign: 1 | -1): void {
  mailbox.retainedMessages += sign;
  mailbox.retainedBytes += sign * entry.size;
  refs.state.totals.retained += sign;
  refs.state.totals.retainedBytes += sign * entry.size;
  const account = refs.view.edit(accountTable, mailbox.account);
  if (account === undefined) return;
  account.retainedMessages += sign;
  account.retainedBytes += sign * entry.size;
}

function release(refs: References, id: MailboxId, mailbox: MailboxRow, entry: Entry): void {
  if (entry.uidl !== '') refs.view.remove(uidlTable, id, entry.uidl);
  refs.releaseEntry(entry, mailbox.account);
}

/** The mailbox leaves sight whole: its entries stay where they are and count as retained. */
function deleteMailbox(refs: References, id: MailboxId, modSeq: ModSeq, time: number): void {
  const { view } = refs;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined || mailbox.deleted) return;
  mailbox.deleted = true;
  mailbox.deletedAt = time;
  raiseModSeq(mailbox, modSeq);
  forgetMailboxName(view, id, mailbox);
  view.put(dueMailboxTable, 1, time, id);
  view.put(deletedMailboxTable, 1, mailbox.account, id);
  countWhole(refs, mailbox, -1);
}

/** A deleted mailbox comes back with all its entries, under a name that is free. */
function restoreMailbox(refs: References, body: Body<'mailboxRestored'>, modSeq: ModSeq): void {
  const { view, state } = refs;
  const mailbox = view.edit(mailboxTable, body.mailbox);
  if (mailbox === undefined || !mailbox.deleted) return;
  view.remove(dueMailboxTable, mailbox.deletedAt, body.mailbox);
  view.remove(deletedMailboxTable, mailbox.account, body.mailbox);
  const { name, uidValidity, role } = body;
  Object.assign(mailbox, { deleted: false, deletedAt: 0, name, uidValidity, role });
  state.uidValidity = Math.max(state.uidValidity, uidValidity);
  raiseModSeq(mailbox, modSeq);
  view.put(mailboxNameTable, body.mailbox, mailbox.account, name);
  countWhole(refs, mailbox, 1);
}

/** A mailbox's live entries begin (1) or end (-1) to count as its account's visible ones. */
function countWhole(refs: References, { account: owner, messages, bytes }: MailboxRow, sign: 1 | -1): void {
  const { totals } = refs.state;
  totals.entries += sign * messages;
  totals.entryBytes += sign * bytes;
  totals.retained -= sign * messages;
  totals.retainedBytes -= sign * bytes;
  const account = refs.view.edit(accountTable, owner);
  if (account === undefined) return;
  account.mailboxes += sign;
  account.messages += sign * messages;
  account.bytes += sign * bytes;
  account.retainedMessages -= sign * messages;
  account.retainedBytes -= sign * bytes;
  noteUnfinished(refs.view, owner);
}

/** The name becomes free; the highest UIDVALIDITY it stood for is remembered. */
export function forgetMailboxName(view: View, id: MailboxId, mailbox: MailboxRow): void {
  const { account, name, uidValidity } = mailbox;
  if (view.read(mailboxNameTable, account, name) === id) view.remove(mailboxNameTable, account, name);
  const remembered = view.read(nameMemoryTable, account, name) ?? 0;
  view.put(nameMemoryTable, Math.max(remembered, uidValidity), account, name);
}

/** Forgets an emptied, deleted mailbox. */
function purgeMailbox(view: View, id: MailboxId): void {
  const mailbox = view.read(mailboxTable, id);
  view.remove(mailboxTable, id);
  view.remove(keywordTable, id);
  forgetExpunges(view, id, Number.MAX_SAFE_INTEGER);
  if (mailbox === undefined) return;
  if (mailbox.deleted) view.remove(dueMailboxTable, mailbox.deletedAt, id);
  view.remove(deletedMailboxTable, mailbox.account, id);
  const metadata = Buffer.concat([kindU32Key(kind.metadata, mailbox.account), u32Key(id)]);
  view.removeRange('accounts', { from: metadata, to: prefixEnd(metadata) }, octetsCodec);
}

/** Expunges up to `floor` are forgotten: a client that knows only older MODSEQs compares everything. */
export function raiseFloor(view: View, id: MailboxId, floor: ModSeq): void {
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined || floor <= mailbox.expungeFloor) return;
  mailbox.expungeFloor = floor;
  forgetExpunges(view, id, floor);
}

function forgetExpunges(view: View, id: MailboxId, last: number): void {
  const from = keyOctets(expungedTable.key(id, brandNumber<ModSeq>(0)));
  const to = last === Number.MAX_SAFE_INTEGER ? prefixEnd(from.subarray(0, 5)) : behind(id, last);
  for (const [key, row] of [...view.range(expungedTable, { from, to })]) {
    const modSeq = brandNumber<ModSeq>(readU64(key, 4));
    view.remove(expungedTable, id, modSeq);
    view.remove(dueExpungeTable, row.expungedAt, id, modSeq);
  }
}

function behind(id: MailboxId, modSeq: number): Buffer {
  return keyOctets(expungedTable.key(id, brandNumber<ModSeq>(modSeq + 1)));
}

/** The account leaves sight at once; its mailboxes are deleted by events of their own, before this one or after it. */
function deleteAccount(view: View, id: AccountId, time: number): void {
  const account = view.edit(accountTable, id);
  if (account === undefined || account.deleted) return;
  account.deleted = true;
  account.deletedAt = time;
  forgetAccountName(view, id, account.name);
  view.put(dueAccountTable, 1, time, id);
  noteUnfinished(view, id);
}

/** A deleted account is found again, under a name that is free. Its mailboxes come back by events of their own. */
function restoreAccount(view: View, body: Body<'accountRestored'>): void {
  const account = view.edit(accountTable, body.account);
  if (account === undefined || !account.deleted) return;
  view.remove(dueAccountTable, account.deletedAt, body.account);
  view.remove(unfinishedTable, body.account);
  Object.assign(account, { deleted: false, deletedAt: 0, name: body.name });
  view.put(accountNameTable, body.account, body.name);
}

/** Whether a deleted account still has mailboxes that are not deleted. */
export function noteUnfinished(view: View, id: AccountId): void {
  const account = view.read(accountTable, id);
  if (account?.deleted !== true) return;
  if (account.mailboxes > 0) view.put(unfinishedTable, 1, id);
  else view.remove(unfinishedTable, id);
}

export function forgetAccountName(view: View, id: AccountId, name: string): void {
  if (view.read(accountNameTable, name) === id) view.remove(accountNameTable, name);
}

function purgeAccount(view: View, id: AccountId): void {
  const account = view.read(accountTable, id);
  view.remove(accountTable, id);
  view.remove(ownRetentionTable, id);
  view.remove(unfinishedTable, id);
  if (account?.deleted === true) view.remove(dueAccountTable, account.deletedAt, id);
  for (const kindOctet of [kind.subscription, kind.metadata]) {
    const prefix = kindU32Key(kindOctet, id);
    view.removeRange('accounts', { from: prefix, to: prefixEnd(prefix) }, octetsCodec);
  }
  const memory = kindU32Key(kind.nameMemory, id);
  view.removeRange('mailboxes', { from: memory, to: prefixEnd(memory) }, octetsCodec);
}

/** The account's name memory of these names goes: most of a large one goes before the account does. */
function forgetNames(view: View, body: Body<'namesForgotten'>): void {
  for (const name of body.names) view.remove(nameMemoryTable, body.account, name);
}
