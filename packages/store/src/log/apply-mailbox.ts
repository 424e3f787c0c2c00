/**
 * Mailboxes and their names: made, renamed, deleted, forgotten. Each mailbox and account knows the newest record that makes it (its
 * creation or a RESTATE): what older records say of it is in that one, so they change nothing.
 */
import { Catalog } from '../catalog/catalog.ts';
import type { MailboxRow } from '../catalog/rows.ts';
import {
  accountTable,
  deletedMailboxTable,
  dueMailboxTable,
  keywordTable,
  mailboxNameTable,
  mailboxTable,
  nameMemoryTable,
} from '../catalog/schema.ts';
import type { Location, MailboxId, ModSeq } from '../types.ts';
import { forgetMetadata, noteUnfinished } from './apply-account.ts';
import { purgeEntry, raiseModSeq } from './apply-entry.ts';
import { forgetExpunges } from './apply-expunge.ts';
import type { EventBody, EventKind } from './events.ts';
import type { References } from './references.ts';

type Body<Kind extends EventKind> = Extract<EventBody, { readonly kind: Kind }>;

/** The mailbox as a record at `lsn` may change it: undefined when it is absent, or restated behind that. */
export function mailboxAt(refs: References, id: MailboxId, lsn: number): MailboxRow | undefined {
  const mailbox = refs.view.edit(mailboxTable, id);
  return mailbox === undefined || mailbox.record.lsn > lsn ? undefined : mailbox;
}

export function createMailbox(
  refs: References,
  body: Body<'mailboxCreated'>,
  modSeq: ModSeq,
  time: number,
  location: Location,
): void {
  const { view, state } = refs;
  state.mailbox = Math.max(state.mailbox, body.mailbox);
  state.uidValidity = Math.max(state.uidValidity, body.uidValidity);
  if (view.read(mailboxTable, body.mailbox) !== undefined) {
    refs.count(location, 'dead');
    return;
  }
  refs.count(location, 'live');
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
    record: location,
  };
  view.put(mailboxTable, row, body.mailbox);
  view.put(mailboxNameTable, body.mailbox, body.account, body.name);
  const account = refs.counted(body.account);
  if (account === undefined) return;
  account.mailboxes++;
  noteUnfinished(view, body.account);
}

export function renameMailboxes(refs: References, body: Body<'mailboxesRenamed'>, { lsn }: Location): void {
  const { view, state } = refs;
  for (const { mailbox: id } of body.names) {
    const mailbox = mailboxAt(refs, id, lsn);
    if (mailbox !== undefined) forgetMailboxName(refs, id, mailbox, lsn);
  }
  for (const { mailbox: id, name, uidValidity } of body.names) {
    state.uidValidity = Math.max(state.uidValidity, uidValidity);
    const mailbox = mailboxAt(refs, id, lsn);
    if (mailbox === undefined) continue;
    mailbox.name = name;
    mailbox.uidValidity = uidValidity;
    view.put(mailboxNameTable, id, body.account, name);
  }
}

/** The name becomes free; the highest UIDVALIDITY it stood for is remembered. */
function forgetMailboxName(refs: References, id: MailboxId, mailbox: MailboxRow, lsn: number): void {
  const { view } = refs;
  const { account, name, uidValidity } = mailbox;
  if (view.read(mailboxNameTable, account, name) === id) view.remove(mailboxNameTable, account, name);
  const row = view.edit(accountTable, account);
  if (row !== undefined) {
    if (row.record.lsn > lsn) return;
    row.memoryLsn = Math.max(row.memoryLsn, lsn);
  }
  const remembered = view.read(nameMemoryTable, account, name) ?? 0;
  view.put(nameMemoryTable, Math.max(remembered, uidValidity), account, name);
}

/** The mailbox leaves sight whole: its entries stay where they are and count as retained. */
export function deleteMailbox(refs: References, id: MailboxId, modSeq: ModSeq, time: number, lsn: number): void {
  const mailbox = mailboxAt(refs, id, lsn);
  if (mailbox === undefined || mailbox.deleted) return;
  setDeleted(refs, id, mailbox, time);
  raiseModSeq(mailbox, modSeq);
  forgetMailboxName(refs, id, mailbox, lsn);
}

/** A deleted mailbox comes back with all its entries, under a name that is free. */
export function restoreMailbox(refs: References, body: Body<'mailboxRestored'>, modSeq: ModSeq, lsn: number): void {
  const { view, state } = refs;
  const { mailbox: id, name, uidValidity, role } = body;
  state.uidValidity = Math.max(state.uidValidity, uidValidity);
  const mailbox = mailboxAt(refs, id, lsn);
  if (mailbox === undefined || !mailbox.deleted) return;
  setDeleted(refs, id, mailbox, undefined);
  Object.assign(mailbox, { name, uidValidity, role });
  raiseModSeq(mailbox, modSeq);
  view.put(mailboxNameTable, id, mailbox.account, name);
}

/** The mailbox is deleted since then, or is there (undefined): its entries count as retained, or as live. */
export function setDeleted(refs: References, id: MailboxId, mailbox: MailboxRow, deletedAt: number | undefined): void {
  const { view } = refs;
  const wasDeleted = mailbox.deleted;
  if (wasDeleted) view.remove(dueMailboxTable, mailbox.deletedAt, id);
  mailbox.deleted = deletedAt !== undefined;
  mailbox.deletedAt = deletedAt ?? 0;
  if (deletedAt !== undefined) {
    view.put(dueMailboxTable, 1, deletedAt, id);
    view.put(deletedMailboxTable, 1, mailbox.account, id);
  } else view.remove(deletedMailboxTable, mailbox.account, id);
  if (mailbox.deleted !== wasDeleted) countWhole(refs, mailbox, mailbox.deleted ? -1 : 1);
}

/** A mailbox's live entries begin (1) or end (-1) to count as its account's visible ones. */
function countWhole(refs: References, { account: owner, messages, bytes }: MailboxRow, sign: 1 | -1): void {
  const { totals } = refs.state;
  totals.entries += sign * messages;
  totals.entryBytes += sign * bytes;
  totals.retained -= sign * messages;
  totals.retainedBytes -= sign * bytes;
  const account = refs.counted(owner);
  if (account === undefined) return;
  account.mailboxes += sign;
  account.messages += sign * messages;
  account.bytes += sign * bytes;
  account.retainedMessages -= sign * messages;
  account.retainedBytes -= sign * bytes;
  noteUnfinished(refs.view, owner);
}

/** Forgets a deleted mailbox. Its entries were purged before; in a log that was compacted some may still be there. */
export function purgeMailbox(refs: References, id: MailboxId): void {
  const { view } = refs;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox !== undefined) {
    const catalog = new Catalog(view);
    for (const { entry } of [...catalog.retained(id)]) purgeEntry(refs, id, mailbox, entry.uid);
    for (const entry of [...catalog.entries(id)]) purgeEntry(refs, id, mailbox, entry.uid);
    setDeleted(refs, id, mailbox, mailbox.deleted ? mailbox.deletedAt : 0);
    view.remove(dueMailboxTable, mailbox.deletedAt, id);
    view.remove(deletedMailboxTable, mailbox.account, id);
    if (view.read(mailboxNameTable, mailbox.account, mailbox.name) === id) {
      view.remove(mailboxNameTable, mailbox.account, mailbox.name);
    }
    refs.recount(mailbox.record, 'dead');
    forgetMetadata(view, mailbox.account, id);
  }
  view.remove(mailboxTable, id);
  view.remove(keywordTable, id);
  forgetExpunges(view, id, Number.MAX_SAFE_INTEGER);
}
