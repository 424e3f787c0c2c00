/** What each kind of EVENT does to the catalog. */

import { Catalog } from '../catalog/catalog.ts';
import { chunkSlots } from '../catalog/index-chunk.ts';
import { keyOctets, kind, kindU32Key, prefixEnd, u32Key } from '../catalog/keys.ts';
import { octetsCodec } from '../catalog/row-codecs.ts';
import { emptySegment, type MailboxRow, mailboxIdOf } from '../catalog/rows.ts';
import {
  accountNameTable,
  accountTable,
  expungedTable,
  indexTable,
  mailboxTable,
  metadataTable,
  segmentTable,
  subscriptionTable,
  uidTable,
} from '../catalog/schema.ts';
import { pageUids } from '../catalog/uid-pages.ts';
import type { View } from '../catalog/write-set.ts';
import { type AccountId, brandNumber, flag, type Location, type MailboxId, type ModSeq } from '../types.ts';
import { countLive, keywordNumbers, purgeEntry, raiseModSeq, release, retain, takeEntry } from './apply-entry.ts';
import { createMailbox, deleteMailbox, mailboxAt, purgeMailbox, renameMailboxes } from './apply-mailbox.ts';
import { type EventBody, type EventKind, type FlagGroup, isCreation } from './events.ts';
import type { EventRecord } from './records.ts';
import type { References } from './references.ts';

type Body<Kind extends EventKind> = Extract<EventBody, { readonly kind: Kind }>;

export function applyEvent(refs: References, record: EventRecord, location: Location): void {
  const { view } = refs;
  const { body, sequence, time } = record;
  const { lsn } = location;
  const modSeq = brandNumber<ModSeq>(sequence);
  if (!isCreation(body)) refs.count(location, 'other');
  switch (body.kind) {
    case 'accountCreated':
      createAccount(refs, body, time, location);
      break;
    case 'mailboxCreated':
      createMailbox(refs, body, modSeq, time, location);
      break;
    case 'mailboxesRenamed':
      renameMailboxes(refs, body, location);
      break;
    case 'mailboxDeleted':
      deleteMailbox(refs, body.mailbox, modSeq, time, location);
      break;
    case 'mailboxPurged':
      purgeMailbox(refs, body.mailbox);
      break;
    case 'accountPurged':
      purgeAccount(refs, body.account);
      break;
    case 'accountRenamed':
    case 'accountDeleted':
    case 'quotaSet':
    case 'subscribed':
      if (isNewsOf(view, body.account, lsn)) changeAccount(view, body, time);
      break;
    case 'metadataSet':
      if (body.mailbox === 0 ? isNewsOf(view, body.account, lsn) : mailboxAt(refs, body.mailbox, lsn) !== undefined) {
        setMetadata(view, body);
      }
      break;
    case 'roleSet': {
      const mailbox = mailboxAt(refs, body.mailbox, lsn);
      if (mailbox !== undefined) mailbox.role = body.role;
      break;
    }
    case 'flagsSet':
      setFlags(view, body.mailbox, body.groups, modSeq);
      break;
    case 'expunged':
      expunge(refs, body, modSeq, time);
      break;
    case 'purged':
      purge(refs, body);
      break;
    case 'expungeFloor':
      if (mailboxAt(refs, body.mailbox, lsn) !== undefined) raiseFloor(view, body.mailbox, body.floor);
      break;
    case 'historyLost':
      loseHistory(refs, body.epoch, modSeq, lsn);
      break;
    case 'segmentsRetired':
      for (const segment of body.segments) retireSegment(view, segment, body.dropped, time);
      break;
    case 'partsDropped':
      for (const sha of body.hashes) refs.dropPart(sha, lsn);
      break;
  }
}

/** Whether a record at `lsn` tells news of the account, rather than what its newest RESTATE has. */
function isNewsOf(view: View, id: AccountId, lsn: number): boolean {
  return (view.read(accountTable, id)?.record.lsn ?? 0) < lsn;
}

function createAccount(refs: References, body: Body<'accountCreated'>, time: number, location: Location): void {
  const { view, state } = refs;
  state.account = Math.max(state.account, body.account);
  if (view.read(accountTable, body.account) !== undefined) {
    refs.count(location, 'dead');
    return;
  }
  refs.count(location, 'live');
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
    record: location,
    memoryLsn: 0,
  };
  view.put(accountTable, row, body.account);
  view.put(accountNameTable, body.account, body.name);
}

function changeAccount(
  view: View,
  body: Body<'accountRenamed' | 'accountDeleted' | 'quotaSet' | 'subscribed'>,
  time: number,
): void {
  if (body.kind === 'subscribed') {
    if (body.on) view.put(subscriptionTable, 1, body.account, body.name);
    else view.remove(subscriptionTable, body.account, body.name);
    return;
  }
  const account = view.edit(accountTable, body.account);
  if (account === undefined) return;
  if (body.kind === 'quotaSet') {
    account.quotaBytes = body.bytes;
    account.quotaMessages = body.messages;
    return;
  }
  forgetAccountName(view, body.account, account.name);
  if (body.kind === 'accountRenamed') {
    account.name = body.name;
    view.put(accountNameTable, body.account, body.name);
  } else {
    // Its mailboxes were deleted by events of their own before.
    account.deleted = true;
    account.deletedAt = time;
  }
}

function setMetadata(view: View, body: Body<'metadataSet'>): void {
  if (body.value !== undefined) view.put(metadataTable, body.value, body.account, body.mailbox, body.name);
  else view.remove(metadataTable, body.account, body.mailbox, body.name);
}

export function forgetAccountName(view: View, id: AccountId, name: string): void {
  if (view.read(accountNameTable, name) === id) view.remove(accountNameTable, name);
}

export function purgeAccount(refs: References, id: AccountId): void {
  const { view } = refs;
  const account = view.read(accountTable, id);
  if (account !== undefined) {
    refs.recount(account.record, 'dead');
    forgetAccountName(view, id, account.name);
  }
  view.remove(accountTable, id);
  for (const kindOctet of [kind.subscription, kind.metadata]) removeOwned(view, 'accounts', kindOctet, id);
  removeOwned(view, 'mailboxes', kind.nameMemory, id);
}

/** Removes the account's rows of a kind. */
export function removeOwned(view: View, table: 'accounts' | 'mailboxes', kindOctet: number, id: AccountId): void {
  const prefix = kindU32Key(kindOctet, id);
  view.removeRange(table, { from: prefix, to: prefixEnd(prefix) }, octetsCodec);
}

function setFlags(view: View, id: MailboxId, groups: readonly FlagGroup[], modSeq: ModSeq): void {
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  raiseModSeq(mailbox, modSeq);
  for (const group of groups) {
    const keywords = keywordNumbers(view, id, group.keywords);
    for (const uid of group.uids) setFlagsOf(view, id, mailbox, uid, { flags: group.flags, keywords, modSeq });
  }
}

/** Gives a live entry its flags, unless it has newer ones; false when it is not there. */
export function setFlagsOf(
  view: View,
  id: MailboxId,
  mailbox: MailboxRow,
  uid: number,
  to: { readonly flags: number; readonly keywords: readonly number[]; readonly modSeq: ModSeq },
): boolean {
  const chunk = view.edit(indexTable, id, Math.floor(uid / chunkSlots));
  const entry = chunk?.get(uid);
  if (chunk === undefined || entry === undefined) return false;
  if (entry.modSeq > to.modSeq) return true;
  const changed = entry.flags ^ to.flags;
  if ((changed & flag.seen) !== 0) {
    const unseen = (to.flags & flag.seen) === 0;
    mailbox.unseen += unseen ? 1 : -1;
    view.edit(uidTable, id, Math.floor(uid / pageUids))?.set(uid, unseen);
  }
  if ((changed & flag.deleted) !== 0) mailbox.flaggedDeleted += (to.flags & flag.deleted) !== 0 ? 1 : -1;
  chunk.setFlags(uid, to.flags, to.keywords, to.modSeq);
  return true;
}

function expunge(refs: References, body: Body<'expunged'>, modSeq: ModSeq, time: number): void {
  const { view } = refs;
  const mailbox = view.edit(mailboxTable, body.mailbox);
  if (mailbox === undefined) return;
  raiseModSeq(mailbox, modSeq);
  if (modSeq > mailbox.expungeFloor) view.put(expungedTable, body.uids, body.mailbox, modSeq);
  for (const uid of body.uids) {
    const entry = takeEntry(view, body.mailbox, uid);
    if (entry === undefined) continue;
    countLive(refs, mailbox, entry, -1);
    if (body.retained) retain(refs, body.mailbox, mailbox, entry, time);
    else release(refs, body.mailbox, mailbox, entry);
  }
}

/** The end of retention: of expunged entries, or of entries of a deleted mailbox. */
function purge(refs: References, { mailbox: id, uids }: Body<'purged'>): void {
  const mailbox = refs.view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  for (const uid of uids) purgeEntry(refs, id, mailbox, uid);
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

/** How far each counter jumps when history may be missing: beyond what a lost log can have given. */
const lostIds = 2 ** 20;
const lostAccounts = 1_024;
const uidEnd = 2 ** 32;

/**
 * UIDs, MODSEQs and ids go on above anything that the missing part can have given, and clients compare everything once: every
 * mailbox's HIGHESTMODSEQ and expunge floor become this event's.
 */
function loseHistory(refs: References, epoch: number, modSeq: ModSeq, lsn: number): void {
  const { view, state } = refs;
  state.epoch = Math.max(state.epoch, epoch);
  state.message += lostIds;
  state.thread += lostIds;
  state.mailbox += lostAccounts;
  state.account += lostAccounts;
  for (const { id } of [...new Catalog(view).allMailboxes()]) {
    const mailbox = mailboxAt(refs, id, lsn);
    if (mailbox === undefined) continue;
    mailbox.uidNext = Math.min(mailbox.uidNext + lostIds, uidEnd);
    raiseModSeq(mailbox, modSeq);
    raiseFloor(view, id, modSeq);
  }
}

/** Nothing points into the segment any more; when its file is gone too, it is forgotten. */
function retireSegment(view: View, number: number, dropped: boolean, time: number): void {
  if (dropped) view.remove(segmentTable, number);
  else (view.edit(segmentTable, number) ?? view.put(segmentTable, emptySegment(), number)).retiredAt = time;
}
