/** What each kind of EVENT does to the catalog. */

import { Catalog } from '../catalog/catalog.ts';
import { chunkSlots } from '../catalog/index-chunk.ts';
import { type MailboxRow, retentionEntry } from '../catalog/rows.ts';
import {
  accountNameTable,
  accountTable,
  indexTable,
  mailboxNameTable,
  mailboxTable,
  metadataTable,
  ownRetentionTable,
  subscriptionTable,
  uidTable,
} from '../catalog/schema.ts';
import { pageUids } from '../catalog/uid-pages.ts';
import type { View } from '../catalog/write-set.ts';
import { brandNumber, flag, type Location, type MailboxId, type ModSeq } from '../types.ts';
import { keywordNumbers, raiseModSeq } from './apply-entry.ts';
import { applyRetained, forgetAccountName, forgetMailboxName, noteUnfinished, raiseFloor } from './apply-retained.ts';
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
      setMetadata(view, body);
      break;
    case 'flagsSet':
      setFlags(view, body.mailbox, body.groups, modSeq);
      break;
    case 'historyLost':
      loseHistory(refs, body.epoch, modSeq, lostJumps);
      break;
    case 'restored':
      loseHistory(refs, body.epoch, modSeq, restoreJumps(body.restores));
      break;
    case 'partsDropped':
      for (const sha of body.hashes) refs.dropPart(sha, location.lsn);
      break;
    default:
      applyRetained(refs, body, modSeq, time);
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
  noteUnfinished(view, body.account);
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

function setMetadata(view: View, { account, mailbox, name, value }: Body<'metadataSet'>): void {
  if (value !== undefined) view.put(metadataTable, value, account, mailbox, name);
  else view.remove(metadataTable, account, mailbox, name);
  if (mailbox !== 0 || name !== retentionEntry) return;
  if (value !== undefined) view.put(ownRetentionTable, 1, account);
  else view.remove(ownRetentionTable, account);
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
