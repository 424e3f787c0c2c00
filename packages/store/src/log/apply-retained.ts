/**
 * What leaves sight and is kept for a while: expunged entries, deleted mailboxes and accounts, the memory of expunges; and how
 * each comes back or goes for good. Whatever is kept stands in `due` under the time it left, so that who ends the keeping
 * finds it in that order. Points only: nothing here looks for a row among others but where a whole range goes.
 */
import { accountNameTable, accountTable, mailboxTable, nameMemoryTable } from '../catalog/schema.ts';
import type { View } from '../catalog/write-set.ts';
import type { ModSeq } from '../types.ts';
import { forgetAccountName, isNewsOf, purgeAccount, setAccountDeleted } from './apply-account.ts';
import { countLive, purgeEntry, raiseModSeq, release, retain, takeEntry } from './apply-entry.ts';
import { raiseFloor, rememberExpunge } from './apply-expunge.ts';
import { deleteMailbox, mailboxAt, purgeMailbox, restoreMailbox } from './apply-mailbox.ts';
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

/** Where and when an event stands. */
interface Standing {
  readonly modSeq: ModSeq;
  /** Seconds since 1970. */
  readonly time: number;
  readonly lsn: number;
}

export function applyRetained(refs: References, body: Body<Kept>, { modSeq, time, lsn }: Standing): void {
  const { view } = refs;
  switch (body.kind) {
    case 'expunged':
      expunge(refs, body, modSeq, time);
      break;
    case 'purged':
      purge(refs, body);
      break;
    case 'expungeFloor':
      if (mailboxAt(refs, body.mailbox, lsn) !== undefined) raiseFloor(view, body.mailbox, body.floor);
      break;
    case 'mailboxDeleted':
      deleteMailbox(refs, body.mailbox, modSeq, time, lsn);
      break;
    case 'mailboxRestored':
      restoreMailbox(refs, body, modSeq, lsn);
      break;
    case 'mailboxPurged':
      purgeMailbox(refs, body.mailbox);
      break;
    case 'accountDeleted':
      if (isNewsOf(view, body.account, lsn)) deleteAccount(view, body, time);
      break;
    case 'accountRestored':
      if (isNewsOf(view, body.account, lsn)) restoreAccount(view, body);
      break;
    case 'accountPurged':
      purgeAccount(refs, body.account);
      break;
    case 'namesForgotten':
      if (isNewsOf(view, body.account, lsn)) forgetNames(view, body);
      break;
  }
}

function expunge(refs: References, body: Body<'expunged'>, modSeq: ModSeq, time: number): void {
  const mailbox = refs.view.edit(mailboxTable, body.mailbox);
  if (mailbox === undefined) return;
  raiseModSeq(mailbox, modSeq);
  if (modSeq > mailbox.expungeFloor) rememberExpunge(refs.view, body.mailbox, modSeq, body.uids, time);
  for (const uid of body.uids) {
    const entry = takeEntry(refs.view, body.mailbox, uid);
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

/** The account leaves sight at once; its mailboxes are deleted by events of their own, before this one or after it. */
function deleteAccount(view: View, { account: id }: Body<'accountDeleted'>, time: number): void {
  const account = view.read(accountTable, id);
  if (account === undefined || account.deleted) return;
  forgetAccountName(view, id, account.name);
  setAccountDeleted(view, id, time);
}

/** A deleted account is found again, under a name that is free. Its mailboxes come back by events of their own. */
function restoreAccount(view: View, { account: id, name }: Body<'accountRestored'>): void {
  const account = view.edit(accountTable, id);
  if (account === undefined || !account.deleted) return;
  setAccountDeleted(view, id, undefined);
  account.name = name;
  view.put(accountNameTable, id, name);
}

/** The account's name memory of these names goes: most of a large one goes before the account does. */
function forgetNames(view: View, { account, names }: Body<'namesForgotten'>): void {
  for (const name of names) view.remove(nameMemoryTable, account, name);
}
