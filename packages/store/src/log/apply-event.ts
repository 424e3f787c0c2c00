/** What each kind of EVENT does to the catalog; what leaves sight, comes back or goes for good stands in apply-retained.ts. */

import { Catalog } from '../catalog/catalog.ts';
import { chunkSlots, type IndexChunk } from '../catalog/index-chunk.ts';
import type { MailboxRow } from '../catalog/rows.ts';
import {
  accountNameTable,
  accountTable,
  indexTable,
  mailboxTable,
  segmentTable,
  subscriptionTable,
  uidTable,
} from '../catalog/schema.ts';
import { pageUids, type UidPage } from '../catalog/uid-pages.ts';
import type { View } from '../catalog/write-set.ts';
import { brandNumber, flag, type Location, type MailboxId, type ModSeq } from '../types.ts';
import { forgetAccountName, isNewsOf, putMetadata } from './apply-account.ts';
import { keywordNumbers, raiseModSeq } from './apply-entry.ts';
import { raiseFloor } from './apply-expunge.ts';
import { createMailbox, mailboxAt, renameMailboxes } from './apply-mailbox.ts';
import { applyRetained } from './apply-retained.ts';
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
    case 'accountRenamed':
    case 'quotaSet':
    case 'subscribed':
      if (isNewsOf(view, body.account, lsn)) changeAccount(view, body);
      break;
    case 'metadataSet':
      if (body.mailbox === 0 ? isNewsOf(view, body.account, lsn) : mailboxAt(refs, body.mailbox, lsn) !== undefined) {
        putMetadata(view, body.account, body.mailbox, body.name, body.value);
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
    case 'historyLost':
      loseHistory(refs, body.epoch, modSeq, lostJumps, lsn);
      break;
    case 'restored':
      loseHistory(refs, body.epoch, modSeq, restoreJumps(body.restores), lsn);
      break;
    case 'segmentsRetired':
      for (const segment of body.segments) {
        // When its file is gone too, it is forgotten.
        if (body.dropped) view.remove(segmentTable, segment);
        else refs.retire(segment, time);
      }
      break;
    case 'partsDropped':
      for (const sha of body.hashes) refs.dropPart(sha, lsn);
      break;
    default:
      applyRetained(refs, body, { modSeq, time, lsn });
  }
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

function changeAccount(view: View, body: Body<'accountRenamed' | 'quotaSet' | 'subscribed'>): void {
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
  account.name = body.name;
  view.put(accountNameTable, body.account, body.name);
}

function setFlags(view: View, id: MailboxId, groups: readonly FlagGroup[], modSeq: ModSeq): void {
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  raiseModSeq(mailbox, modSeq);
  const rows = new FlagRows(view, id);
  for (const { flags, keywords: words, uids } of groups) {
    const to = { flags, keywords: keywordNumbers(view, id, words), modSeq };
    for (const uid of uids) setFlagsOf(rows, mailbox, uid, to);
  }
}

/** The rows in which a mailbox's flags stand, to be changed: neighbours share them, and looking for them costs more than the change. */
export class FlagRows {
  readonly #view: View;
  readonly #mailbox: MailboxId;
  #chunkNumber = -1;
  #chunk: IndexChunk | undefined;
  #pageNumber = -1;
  #page: UidPage | undefined;

  /** For as long as nobody else puts or removes such rows. */
  constructor(view: View, mailbox: MailboxId) {
    this.#view = view;
    this.#mailbox = mailbox;
  }

  chunkOf(uid: number): IndexChunk | undefined {
    const number = Math.floor(uid / chunkSlots);
    if (number !== this.#chunkNumber) this.#chunk = this.#view.edit(indexTable, this.#mailbox, number);
    this.#chunkNumber = number;
    return this.#chunk;
  }

  pageOf(uid: number): UidPage | undefined {
    const number = Math.floor(uid / pageUids);
    if (number !== this.#pageNumber) this.#page = this.#view.edit(uidTable, this.#mailbox, number);
    this.#pageNumber = number;
    return this.#page;
  }
}

/** Gives a live entry its flags, unless it has newer ones; false when it is not there. */
export function setFlagsOf(
  rows: FlagRows,
  mailbox: MailboxRow,
  uid: number,
  to: { readonly flags: number; readonly keywords: readonly number[]; readonly modSeq: ModSeq },
): boolean {
  const chunk = rows.chunkOf(uid);
  if (chunk === undefined || !chunk.has(uid)) return false;
  if (chunk.modSeqOf(uid) > to.modSeq) return true;
  const changed = chunk.flagsOf(uid) ^ to.flags;
  if ((changed & flag.seen) !== 0) {
    const unseen = (to.flags & flag.seen) === 0;
    mailbox.unseen += unseen ? 1 : -1;
    rows.pageOf(uid)?.set(uid, unseen);
  }
  if ((changed & flag.deleted) !== 0) mailbox.flaggedDeleted += (to.flags & flag.deleted) !== 0 ? 1 : -1;
  chunk.setFlags(uid, to.flags, to.keywords, to.modSeq);
  return true;
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
function loseHistory(refs: References, epoch: number, modSeq: ModSeq, jumps: Jumps, lsn: number): void {
  const { view, state } = refs;
  state.epoch = Math.max(state.epoch, epoch);
  state.message += jumps.messages;
  state.thread += jumps.messages;
  state.mailbox = Math.min(state.mailbox + jumps.mailboxes, u32End - 1);
  state.account = Math.min(state.account + jumps.accounts, u32End - 1);
  state.uidValidity = Math.min(state.uidValidity + jumps.uidValidity, u32End - 1);
  for (const { id } of [...new Catalog(view).allMailboxes()]) {
    const mailbox = mailboxAt(refs, id, lsn);
    if (mailbox === undefined) continue;
    mailbox.uidNext = Math.min(mailbox.uidNext + jumps.uids, u32End);
    mailbox.modSeqFloor = Math.max(mailbox.modSeqFloor, modSeq);
    raiseModSeq(mailbox, modSeq);
    raiseFloor(view, id, modSeq);
  }
}
