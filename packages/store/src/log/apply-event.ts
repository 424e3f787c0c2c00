/** What each kind of EVENT does to the catalog. */

import { Catalog } from '../catalog/catalog.ts';
import { chunkSlots, type Entry } from '../catalog/index-chunk.ts';
import { keyOctets, kind, kindU32Key, prefixEnd, u32Key } from '../catalog/keys.ts';
import { octetsCodec } from '../catalog/row-codecs.ts';
import { type MailboxRow, mailboxIdOf } from '../catalog/rows.ts';
import {
  accountNameTable,
  accountTable,
  expungedTable,
  indexTable,
  keywordTable,
  mailboxNameTable,
  mailboxTable,
  metadataTable,
  nameMemoryTable,
  retainedTable,
  subscriptionTable,
  uidlTable,
  uidTable,
} from '../catalog/schema.ts';
import { pageUids } from '../catalog/uid-pages.ts';
import type { View } from '../catalog/write-set.ts';
import type { UidSet } from '../codec/uid-set.ts';
import { type AccountId, brandNumber, flag, type Location, type MailboxId, type ModSeq } from '../types.ts';
import { countLive, keywordNumbers, raiseModSeq, takeEntry } from './apply-entry.ts';
import type { EventBody, EventKind, FlagGroup } from './events.ts';
import type { EventRecord } from './records.ts';
import type { References } from './references.ts';

type Body<Kind extends EventKind> = Extract<EventBody, { readonly kind: Kind }>;

export function applyEvent(refs: References, record: EventRecord, location: Location): void {
  const { view } = refs;
  const { body, sequence, time } = record;
  const modSeq = brandNumber<ModSeq>(sequence);
  switch (body.kind) {
    case 'accountCreated':
      createAccount(refs, body, time);
      break;
    case 'accountRenamed':
      renameAccount(view, body);
      break;
    case 'accountDeleted':
      deleteAccount(view, body.account, time);
      break;
    case 'accountPurged':
      purgeAccount(view, body.account);
      break;
    case 'quotaSet': {
      const account = view.edit(accountTable, body.account);
      if (account !== undefined) Object.assign(account, { quotaBytes: body.bytes, quotaMessages: body.messages });
      break;
    }
    case 'mailboxCreated':
      createMailbox(refs, body, modSeq, time);
      break;
    case 'mailboxesRenamed':
      renameMailboxes(refs, body);
      break;
    case 'mailboxDeleted':
      deleteMailbox(refs, body.mailbox, modSeq, time);
      break;
    case 'mailboxPurged':
      purgeMailbox(view, body.mailbox);
      break;
    case 'roleSet': {
      const mailbox = view.edit(mailboxTable, body.mailbox);
      if (mailbox !== undefined) mailbox.role = body.role;
      break;
    }
    case 'subscribed':
      if (body.on) view.put(subscriptionTable, 1, body.account, body.name);
      else view.remove(subscriptionTable, body.account, body.name);
      break;
    case 'metadataSet':
      if (body.value !== undefined) view.put(metadataTable, body.value, body.account, body.mailbox, body.name);
      else view.remove(metadataTable, body.account, body.mailbox, body.name);
      break;
    case 'flagsSet':
      setFlags(view, body.mailbox, body.groups, modSeq);
      break;
    case 'expunged':
      expunge(refs, body, modSeq, time);
      break;
    case 'purged':
      purge(refs, body.mailbox, body.uids);
      break;
    case 'historyLost':
      loseHistory(refs, body.epoch, modSeq, lostJumps);
      break;
    case 'restored':
      loseHistory(refs, body.epoch, modSeq, restoreJumps(body.restores));
      break;
    case 'expungeFloor':
      raiseFloor(view, body.mailbox, body.floor);
      break;
    case 'partsDropped':
      for (const sha of body.hashes) refs.dropPart(sha, location.lsn);
      break;
  }
}

function createAccount(refs: References, body: Body<'accountCreated'>, time: number): void {
  refs.state.account = Math.max(refs.state.account, body.account);
  const row = {
    name: body.name,
    deleted: false,
    createdAt: time,
    deletedAt: 0,
    quotaBytes: 0,
    quotaMessages: 0,
    messages: 0,
    bytes: 0,
    retainedMessages: 0,
    retainedBytes: 0,
    mailboxes: 0,
  };
  refs.view.put(accountTable, row, body.account);
  refs.view.put(accountNameTable, body.account, body.name);
}

function renameAccount(view: View, body: Body<'accountRenamed'>): void {
  const account = view.edit(accountTable, body.account);
  if (account === undefined) return;
  forgetAccountName(view, body.account, account.name);
  account.name = body.name;
  view.put(accountNameTable, body.account, body.name);
}

/** The account leaves sight; its mailboxes were deleted by events of their own before. */
function deleteAccount(view: View, id: AccountId, time: number): void {
  const account = view.edit(accountTable, id);
  if (account === undefined) return;
  account.deleted = true;
  account.deletedAt = time;
  forgetAccountName(view, id, account.name);
}

function forgetAccountName(view: View, id: AccountId, name: string): void {
  if (view.read(accountNameTable, name) === id) view.remove(accountNameTable, name);
}

function purgeAccount(view: View, id: AccountId): void {
  view.remove(accountTable, id);
  for (const kindOctet of [kind.subscription, kind.metadata]) {
    const prefix = kindU32Key(kindOctet, id);
    view.removeRange('accounts', { from: prefix, to: prefixEnd(prefix) }, octetsCodec);
  }
  const memory = kindU32Key(kind.nameMemory, id);
  view.removeRange('mailboxes', { from: memory, to: prefixEnd(memory) }, octetsCodec);
}

function createMailbox(refs: References, body: Body<'mailboxCreated'>, modSeq: ModSeq, time: number): void {
  const { view, state } = refs;
  state.mailbox = Math.max(state.mailbox, body.mailbox);
  state.uidValidity = Math.max(state.uidValidity, body.uidValidity);
  const row: MailboxRow = {
    account: body.account,
    name: body.name,
    deleted: false,
    uidValidity: body.uidValidity,
    uidNext: 1,
    highestModSeq: modSeq,
    expungeFloor: 0,
    modSeqFloor: 0,
    createdAt: time,
    deletedAt: 0,
    role: body.role,
    messages: 0,
    unseen: 0,
    flaggedDeleted: 0,
    bytes: 0,
    retainedMessages: 0,
    retainedBytes: 0,
  };
  view.put(mailboxTable, row, body.mailbox);
  view.put(mailboxNameTable, body.mailbox, body.account, body.name);
  const account = view.edit(accountTable, body.account);
  if (account !== undefined) account.mailboxes++;
}

function renameMailboxes(refs: References, body: Body<'mailboxesRenamed'>): void {
  const { view, state } = refs;
  for (const { mailbox: id } of body.names) {
    const mailbox = view.read(mailboxTable, id);
    if (mailbox !== undefined) forgetMailboxName(view, id, mailbox);
  }
  for (const { mailbox: id, name, uidValidity } of body.names) {
    const mailbox = view.edit(mailboxTable, id);
    if (mailbox === undefined) continue;
    mailbox.name = name;
    mailbox.uidValidity = uidValidity;
    state.uidValidity = Math.max(state.uidValidity, uidValidity);
    view.put(mailboxNameTable, id, body.account, name);
  }
}

/** The name becomes free; the highest UIDVALIDITY it stood for is remembered. */
function forgetMailboxName(view: View, id: MailboxId, mailbox: MailboxRow): void {
  const { account, name, uidValidity } = mailbox;
  if (view.read(mailboxNameTable, account, name) === id) view.remove(mailboxNameTable, account, name);
  const remembered = view.read(nameMemoryTable, account, name) ?? 0;
  view.put(nameMemoryTable, Math.max(remembered, uidValidity), account, name);
}

/** The mailbox leaves sight whole: its entries stay where they are and count as retained. */
function deleteMailbox(refs: References, id: MailboxId, modSeq: ModSeq, time: number): void {
  const { view, state } = refs;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined || mailbox.deleted) return;
  mailbox.deleted = true;
  mailbox.deletedAt = time;
  raiseModSeq(mailbox, modSeq);
  forgetMailboxName(view, id, mailbox);
  state.totals.entries -= mailbox.messages;
  state.totals.entryBytes -= mailbox.bytes;
  state.totals.retained += mailbox.messages;
  state.totals.retainedBytes += mailbox.bytes;
  const account = view.edit(accountTable, mailbox.account);
  if (account === undefined) return;
  account.mailboxes--;
  account.messages -= mailbox.messages;
  account.bytes -= mailbox.bytes;
  account.retainedMessages += mailbox.messages;
  account.retainedBytes += mailbox.bytes;
}

/** Forgets an emptied, deleted mailbox. */
function purgeMailbox(view: View, id: MailboxId): void {
  const mailbox = view.read(mailboxTable, id);
  view.remove(mailboxTable, id);
  view.remove(keywordTable, id);
  const prefix = u32Key(id);
  view.removeRange('expunged', { from: prefix, to: prefixEnd(prefix) }, expungedTable.codec);
  if (mailbox === undefined) return;
  const metadata = Buffer.concat([kindU32Key(kind.metadata, mailbox.account), u32Key(id)]);
  view.removeRange('accounts', { from: metadata, to: prefixEnd(metadata) }, octetsCodec);
}

function setFlags(view: View, id: MailboxId, groups: readonly FlagGroup[], modSeq: ModSeq): void {
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  raiseModSeq(mailbox, modSeq);
  for (const group of groups) {
    const keywords = keywordNumbers(view, id, group.keywords);
    for (const uid of group.uids) {
      const chunk = view.edit(indexTable, id, Math.floor(uid / chunkSlots));
      const entry = chunk?.get(uid);
      if (chunk === undefined || entry === undefined) continue;
      const changed = entry.flags ^ group.flags;
      if ((changed & flag.seen) !== 0) {
        const unseen = (group.flags & flag.seen) === 0;
        mailbox.unseen += unseen ? 1 : -1;
        view.edit(uidTable, id, Math.floor(uid / pageUids))?.set(uid, unseen);
      }
      if ((changed & flag.deleted) !== 0) mailbox.flaggedDeleted += (group.flags & flag.deleted) !== 0 ? 1 : -1;
      chunk.setFlags(uid, group.flags, keywords, modSeq);
    }
  }
}

function expunge(refs: References, body: Body<'expunged'>, modSeq: ModSeq, time: number): void {
  const { view } = refs;
  const mailbox = view.edit(mailboxTable, body.mailbox);
  if (mailbox === undefined) return;
  raiseModSeq(mailbox, modSeq);
  view.put(expungedTable, body.uids, body.mailbox, modSeq);
  for (const uid of body.uids) {
    const entry = takeEntry(view, body.mailbox, uid);
    if (entry === undefined) continue;
    countLive(refs, mailbox, entry, -1);
    if (body.retained) {
      view.put(retainedTable, { entry, expungedAt: time }, body.mailbox, uid);
      countRetained(refs, mailbox, entry, 1);
    } else release(refs, body.mailbox, mailbox, entry);
  }
}

/** The end of retention: of expunged entries, or of entries of a deleted mailbox. */
function purge(refs: References, id: MailboxId, uids: UidSet): void {
  const { view, state } = refs;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  for (const uid of uids) {
    const retained = view.read(retainedTable, id, uid);
    if (retained !== undefined) {
      view.remove(retainedTable, id, uid);
      countRetained(refs, mailbox, retained.entry, -1);
      release(refs, id, mailbox, retained.entry);
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

/** Expunges up to `floor` are forgotten: a client that knows only older MODSEQs compares everything. */
function raiseFloor(view: View, id: MailboxId, floor: ModSeq): void {
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined || floor <= mailbox.expungeFloor) return;
  mailbox.expungeFloor = floor;
  const first = Buffer.concat([u32Key(id), Buffer.alloc(8)]);
  const behind = keyOctets(expungedTable.key(mailboxIdOf(id), brandNumber<ModSeq>(floor + 1)));
  view.removeRange('expunged', { from: first, to: behind }, expungedTable.codec);
}

/** How far each counter jumps when history may be missing. */
interface Jumps {
  readonly uids: number;
  readonly messages: number;
  readonly mailboxes: number;
  readonly accounts: number;
  readonly uidValidity: number;
}

/** Beyond what a lost piece of the log can have given. */
const lostJumps: Jumps = { uids: 2 ** 20, messages: 2 ** 20, mailboxes: 1_024, accounts: 1_024, uidValidity: 0 };

/** Beyond what can have been given since a backup, and after each restore of it before this one. */
function restoreJumps(restores: number): Jumps {
  const once = { uids: 2 ** 20, messages: 2 ** 36, mailboxes: 2 ** 20, accounts: 2 ** 16, uidValidity: 2 ** 20 };
  return {
    uids: restores * once.uids,
    messages: restores * once.messages,
    mailboxes: restores * once.mailboxes,
    accounts: restores * once.accounts,
    uidValidity: restores * once.uidValidity,
  };
}

/** One past the highest number of 32 bits. */
const u32End = 2 ** 32;

/**
 * UIDs, MODSEQs and ids go on above anything that the missing part can have given, and clients compare everything once: every
 * mailbox's HIGHESTMODSEQ, expunge floor and lower bound of MODSEQs become this event's.
 */
function loseHistory(refs: References, epoch: number, modSeq: ModSeq, jumps: Jumps): void {
  const { view, state } = refs;
  state.epoch = Math.max(state.epoch, epoch);
  state.message += jumps.messages;
  state.thread += jumps.messages;
  state.mailbox = Math.min(state.mailbox + jumps.mailboxes, u32End - 1);
  state.account = Math.min(state.account + jumps.accounts, u32End - 1);
  state.uidValidity = Math.min(state.uidValidity + jumps.uidValidity, u32End - 1);
  for (const { id } of [...new Catalog(view).allMailboxes()]) {
    const mailbox = view.edit(mailboxTable, id);
    if (mailbox === undefined) continue;
    mailbox.uidNext = Math.min(mailbox.uidNext + jumps.uids, u32End);
    mailbox.modSeqFloor = Math.max(mailbox.modSeqFloor, modSeq);
    raiseModSeq(mailbox, modSeq);
    raiseFloor(view, id, modSeq);
  }
}
