/**
 * What a RESTATE does. On the catalog that it was decided on, the record's place is taken over and nothing else changes. In a
 * rebuild of a log that was compacted, older records of the thing may be missing or stale: then this makes it what it was.
 *
 * Invariant: a RESTATE is the newest word on its thing when it is met in order of the log. A mailbox or an account may be met before
 * older records (a rebuild takes them first); those pass it by, since its row knows the LSN of this record.
 */
import { chunkSlots, type Entry } from '../catalog/index-chunk.ts';
import { kind } from '../catalog/keys.ts';
import {
  accountNameTable,
  accountTable,
  indexTable,
  keywordTable,
  mailboxNameTable,
  mailboxTable,
  nameMemoryTable,
  retainedTable,
  subscriptionTable,
  uidlTable,
  uidTable,
} from '../catalog/schema.ts';
import { pageUids } from '../catalog/uid-pages.ts';
import { flag, type Location, type MailboxId } from '../types.ts';
import {
  forgetAccountName,
  forgetMetadata,
  purgeAccount,
  putMetadata,
  removeOwned,
  setAccountDeleted,
} from './apply-account.ts';
import {
  countLive,
  keywordNumbers,
  purgeEntry,
  putEntry,
  raiseModSeq,
  retain,
  takeEntry,
  takeRetained,
} from './apply-entry.ts';
import { FlagRows, setFlagsOf } from './apply-event.ts';
import { rememberExpunge } from './apply-expunge.ts';
import { purgeMailbox, setDeleted } from './apply-mailbox.ts';
import type { References } from './references.ts';
import type { RestateBody, RestatedAccount, RestatedDetails, RestatedEntry, RestatedMailbox } from './restate.ts';

type Body<Kind extends RestateBody['kind']> = Extract<RestateBody, { readonly kind: Kind }>;

export function applyRestate(refs: References, body: RestateBody, location: Location): void {
  const { view } = refs;
  switch (body.kind) {
    case 'entry':
      restateEntry(refs, body, location);
      return;
    case 'mailbox':
      restateMailbox(refs, body, location);
      return;
    case 'account':
      restateAccount(refs, body, location);
      return;
  }
  refs.count(location, 'restated');
  switch (body.kind) {
    case 'details':
      restateDetails(refs, body);
      break;
    case 'flags':
      restateFlags(refs, body);
      break;
    case 'retained':
      restateRetained(refs, body);
      break;
    case 'vanished': {
      const mailbox = view.read(mailboxTable, body.mailbox);
      if (mailbox !== undefined && body.modSeq > mailbox.expungeFloor) {
        rememberExpunge(view, body.mailbox, body.modSeq, body.uids, body.time);
      }
      break;
    }
    case 'gone': {
      const mailbox = view.edit(mailboxTable, body.mailbox);
      if (mailbox !== undefined) for (const uid of body.uids) purgeEntry(refs, body.mailbox, mailbox, uid);
      break;
    }
    case 'mailboxGone':
      purgeMailbox(refs, body.mailbox);
      break;
    case 'accountGone':
      purgeAccount(refs, body.account);
      break;
  }
}

function restateEntry(refs: References, body: RestatedEntry, location: Location): void {
  const { view, state } = refs;
  refs.count(location, 'live');
  state.message = Math.max(state.message, body.message);
  state.mailbox = Math.max(state.mailbox, body.mailbox);
  state.account = Math.max(state.account, body.account);
  state.thread = Math.max(state.thread, body.thread);
  const { mailbox: id, uid } = body;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined) {
    refs.recount(location, 'dead');
    return;
  }
  const live = view.edit(indexTable, id, Math.floor(uid / chunkSlots))?.get(uid);
  const retained = live === undefined ? view.read(retainedTable, id, uid) : undefined;
  const known = live ?? retained?.entry;
  const stands = entryOf(refs, body, location);
  const entry = known === undefined || known.modSeq <= stands.modSeq ? stands : { ...known, ...location };
  mailbox.uidNext = Math.max(mailbox.uidNext, uid + 1);
  raiseModSeq(mailbox, entry.modSeq);
  if (known === undefined) {
    if (entry.uidl !== '') view.put(uidlTable, uid, id, entry.uidl);
    refs.referenceMessage(entry, mailbox.account);
  } else refs.recount({ lsn: known.lsn, bytes: known.bytes }, 'dead');
  if (body.expungedAt === undefined && retained === undefined) {
    placeLive(refs, id, live, entry);
    return;
  }
  if (live !== undefined) {
    takeEntry(view, id, uid);
    countLive(refs, mailbox, live, -1);
  } else takeRetained(refs, id, mailbox, uid);
  retain(refs, id, mailbox, entry, body.expungedAt ?? retained?.expungedAt ?? 0);
}

function entryOf(refs: References, body: RestatedEntry, { lsn, bytes }: Location): Entry {
  const { uid, flags, modSeq, internalDate, saveDate, size, message, thread, email, uidl } = body;
  const keywords = keywordNumbers(refs.view, body.mailbox, body.keywords);
  return { uid, lsn, bytes, flags, keywords, modSeq, internalDate, saveDate, size, message, thread, email, uidl };
}

/** Mostly the same entry at another place: then only its columns change. */
function placeLive(refs: References, id: MailboxId, before: Entry | undefined, entry: Entry): void {
  const { view } = refs;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  if (before !== undefined && before.flags === entry.flags && before.size === entry.size) {
    view.edit(indexTable, id, Math.floor(entry.uid / chunkSlots))?.set(entry);
    return;
  }
  if (before !== undefined) countLive(refs, mailbox, before, -1);
  putEntry(view, id, entry);
  view.edit(uidTable, id, Math.floor(entry.uid / pageUids))?.set(entry.uid, (entry.flags & flag.seen) === 0);
  countLive(refs, mailbox, entry, 1);
}

function restateFlags(refs: References, body: Body<'flags'>): void {
  const { view } = refs;
  const { mailbox: id, modSeq } = body;
  const mailbox = view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  raiseModSeq(mailbox, modSeq);
  const rows = new FlagRows(view, id);
  for (const { uids, flags, keywords: words } of body.groups) {
    const keywords = keywordNumbers(view, id, words);
    for (const uid of uids) {
      if (setFlagsOf(rows, mailbox, uid, { flags, keywords, modSeq })) continue;
      const row = view.read(retainedTable, id, uid);
      if (row === undefined || row.entry.modSeq > modSeq) continue;
      view.put(retainedTable, { ...row, entry: { ...row.entry, flags, keywords, modSeq } }, id, uid);
    }
  }
}

function restateRetained(refs: References, { mailbox: id, uids, expungedAt }: Body<'retained'>): void {
  const mailbox = refs.view.edit(mailboxTable, id);
  if (mailbox === undefined) return;
  for (const uid of uids) {
    const entry = takeEntry(refs.view, id, uid);
    if (entry === undefined) continue;
    countLive(refs, mailbox, entry, -1);
    retain(refs, id, mailbox, entry, expungedAt);
  }
}

function restateMailbox(refs: References, body: RestatedMailbox, location: Location): void {
  const { view, state } = refs;
  const { kind: _kind, mailbox: id, keywords, deleted, deletedAt: _at, ...rest } = body;
  state.mailbox = Math.max(state.mailbox, id);
  state.account = Math.max(state.account, body.account);
  state.uidValidity = Math.max(state.uidValidity, body.uidValidity);
  refs.count(location, 'live');
  const known = view.edit(mailboxTable, id);
  const deletedAt = deleted ? body.deletedAt : undefined;
  if (known === undefined) {
    const counts = { messages: 0, unseen: 0, flaggedDeleted: 0, bytes: 0, retainedMessages: 0, retainedBytes: 0 };
    const row = view.put(mailboxTable, { ...rest, ...counts, deleted: false, deletedAt: 0, record: location }, id);
    const account = refs.counted(body.account);
    if (account !== undefined) account.mailboxes++;
    setDeleted(refs, id, row, deletedAt);
  } else {
    refs.recount(known.record, 'dead');
    if (view.read(mailboxNameTable, known.account, known.name) === id) {
      view.remove(mailboxNameTable, known.account, known.name);
    }
    forgetMetadata(view, known.account, id);
    setDeleted(refs, id, known, deletedAt);
    Object.assign(known, rest, { record: location });
  }
  if (!deleted) view.put(mailboxNameTable, id, body.account, body.name);
  if (keywords.length > 0) view.put(keywordTable, [...keywords], id);
}

function restateAccount(refs: References, body: RestatedAccount, location: Location): void {
  const { view, state } = refs;
  const { kind: _kind, account: id, deleted, deletedAt, ...rest } = body;
  state.account = Math.max(state.account, id);
  refs.count(location, 'live');
  const known = view.edit(accountTable, id);
  if (known === undefined) {
    const counts = { messages: 0, bytes: 0, retainedMessages: 0, retainedBytes: 0, mailboxes: 0 };
    const row = { ...rest, ...counts, deleted: false, deletedAt: 0, record: location, memoryLsn: 0 };
    view.put(accountTable, row, id);
  } else {
    refs.recount(known.record, 'dead');
    forgetAccountName(view, id, known.name);
    Object.assign(known, rest, { record: location, memoryLsn: 0 });
  }
  setAccountDeleted(view, id, deleted ? deletedAt : undefined);
  if (!deleted) view.put(accountNameTable, id, body.name);
  removeOwned(view, 'accounts', kind.subscription, id);
  removeOwned(view, 'mailboxes', kind.nameMemory, id);
  forgetMetadata(view, id, 0);
}

/** The account or mailbox was restated just before: what it had of these is gone from the view. */
function restateDetails(refs: References, body: RestatedDetails): void {
  const { view } = refs;
  const { account } = body;
  for (const name of body.subscriptions) view.put(subscriptionTable, 1, account, name);
  for (const { name, value } of body.metadata) putMetadata(view, account, body.mailbox, name, value);
  for (const { name, uidValidity } of body.memory) view.put(nameMemoryTable, uidValidity, account, name);
}
