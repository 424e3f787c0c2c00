/**
 * Mailboxes and their names: made, renamed, deleted, forgotten. Each mailbox and account knows the newest record that makes it (its
 * creation or a RESTATE): what older records say of it is in that one, so they change nothing.
 */
import { Catalog } from '../catalog/catalog.ts';
import { kind, kindU32Key, prefixEnd, u32Key } from '../catalog/keys.ts';
import { octetsCodec } from '../catalog/row-codecs.ts';
import type { MailboxRow } from '../catalog/rows.ts';
import {
  accountTable,
  expungedTable,
  keywordTable,
  mailboxNameTable,
  mailboxTable,
  nameMemoryTable,
} from '../catalog/schema.ts';
import type { Location, MailboxId, ModSeq } from '../types.ts';
import { purgeEntry, raiseModSeq } from './apply-entry.ts';
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
  if (account !== undefined) account.mailboxes++;
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
export function deleteMailbox(refs: References, id: MailboxId, modSeq: ModSeq, time: number, { lsn }: Location): void {
  const mailbox = mailboxAt(refs, id, lsn);
  if (mailbox === undefined || mailbox.deleted) return;
  setDeleted(refs, mailbox, true);
  mailbox.deletedAt = time;
  raiseModSeq(mailbox, modSeq);
  forgetMailboxName(refs, id, mailbox, lsn);
}

/** Moves what a mailbox counts between live and retained. */
export function setDeleted(refs: References, mailbox: MailboxRow, deleted: boolean): void {
  if (mailbox.deleted === deleted) return;
  mailbox.deleted = deleted;
  const sign = deleted ? 1 : -1;
  const { totals } = refs.state;
  totals.entries -= sign * mailbox.messages;
  totals.entryBytes -= sign * mailbox.bytes;
  totals.retained += sign * mailbox.messages;
  totals.retainedBytes += sign * mailbox.bytes;
  const account = refs.counted(mailbox.account);
  if (account === undefined) return;
  account.mailboxes -= sign;
  account.messages -= sign * mailbox.messages;
  account.bytes -= sign * mailbox.bytes;
  account.retainedMessages += sign * mailbox.messages;
  account.retainedBytes += sign * mailbox.bytes;
}

/** Forgets a deleted mailbox. Its entries were purged before; in a log that was compacted some may still be there. */
export function purgeMailbox(refs: References, id: MailboxId): void {
  const { view } = refs;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox !== undefined) {
    const catalog = new Catalog(view);
    for (const { entry } of [...catalog.retained(id)]) purgeEntry(refs, id, mailbox, entry.uid);
    for (const entry of [...catalog.entries(id)]) purgeEntry(refs, id, mailbox, entry.uid);
    setDeleted(refs, mailbox, true);
    if (view.read(mailboxNameTable, mailbox.account, mailbox.name) === id) {
      view.remove(mailboxNameTable, mailbox.account, mailbox.name);
    }
    refs.recount(mailbox.record, 'dead');
    forgetMetadata(refs, mailbox, id);
  }
  view.remove(mailboxTable, id);
  view.remove(keywordTable, id);
  const prefix = u32Key(id);
  view.removeRange('expunged', { from: prefix, to: prefixEnd(prefix) }, expungedTable.codec);
}

export function forgetMetadata(
  { view }: References,
  { account }: Pick<MailboxRow, 'account'>,
  id: MailboxId | 0,
): void {
  const metadata = Buffer.concat([kindU32Key(kind.metadata, account), u32Key(id)]);
  view.removeRange('accounts', { from: metadata, to: prefixEnd(metadata) }, octetsCodec);
}
