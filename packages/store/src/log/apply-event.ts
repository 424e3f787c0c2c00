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
import { brandNumber, flag, type MailboxId, type ModSeq } from '../types.ts';
import { keywordNumbers, raiseModSeq } from './apply-entry.ts';
import { applyRetained, forgetAccountName, forgetMailboxName, noteUnfinished, raiseFloor } from './apply-retained.ts';
import type { EventBody, EventKind, FlagGroup } from './events.ts';
import type { EventRecord } from './records.ts';
import type { References } from './references.ts';

type Body<Kind extends EventKind> = Extract<EventBody, { readonly kind: Kind }>;

export function applyEvent(refs: References, record: EventRecord): void {
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
      loseHistory(refs, body.epoch, modSeq);
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

/** How far each counter jumps when history may be missing: beyond what a lost log can have given. */
const lostIds = 2 ** 20;
const lostAccounts = 1_024;
const uidEnd = 2 ** 32;

/**
 * UIDs, MODSEQs and ids go on above anything that the missing part can have given, and clients compare everything once: every
 * mailbox's HIGHESTMODSEQ and expunge floor become this event's.
 */
function loseHistory(refs: References, epoch: number, modSeq: ModSeq): void {
  const { view, state } = refs;
  state.epoch = Math.max(state.epoch, epoch);
  state.message += lostIds;
  state.thread += lostIds;
  state.mailbox += lostAccounts;
  state.account += lostAccounts;
  for (const { id } of [...new Catalog(view).allMailboxes()]) {
    const mailbox = view.edit(mailboxTable, id);
    if (mailbox === undefined) continue;
    mailbox.uidNext = Math.min(mailbox.uidNext + lostIds, uidEnd);
    raiseModSeq(mailbox, modSeq);
    raiseFloor(view, id, modSeq);
  }
}
