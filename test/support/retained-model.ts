/** What becomes in the model of what left sight: it comes back, or goes for good. */
import { StoreError, type StoreErrorCode, type UidSet } from '@mstore/store';
import type { ModelMailbox, StoreModel } from './store-model.ts';

/** Messages that the writer brings back in one turn, with an event of its own. */
const undeleteSlice = 50;

function refuse(code: StoreErrorCode): never {
  throw new StoreError(code, 'as the model has it');
}

/** True when the mailbox and its account are there to be seen. */
function isLive(model: StoreModel, mailbox: ModelMailbox | undefined): mailbox is ModelMailbox {
  return mailbox !== undefined && !mailbox.deleted && model.accounts.get(mailbox.account)?.deleted === false;
}

export function undelete(
  model: StoreModel,
  from: number,
  uids: UidSet,
  to: number,
): { pairs: (readonly [number, number])[]; sequence: number } {
  const target = model.mailboxes.get(to);
  if (!isLive(model, target)) refuse('noMailbox');
  const source = model.mailboxes.get(from);
  if (source === undefined) refuse('noMailbox');
  if (source.account !== target.account) refuse('badIntent');
  const found = [...source.retained.values()].filter(({ uid }) => uids.has(uid)).sort((a, b) => a.uid - b.uid);
  const pairs: (readonly [number, number])[] = [];
  for (let at = 0; at < found.length; at += undeleteSlice) {
    for (const entry of found.slice(at, at + undeleteSlice)) {
      source.retained.delete(entry.uid);
      pairs.push([entry.uid, model.place(target, { ...entry, uidl: '' }).uid]);
    }
    model.sequence++;
  }
  return { pairs, sequence: model.sequence };
}

export function restoreMailbox(model: StoreModel, id: number): { name: string; messages: number; sequence: number } {
  const mailbox = model.mailboxes.get(id);
  if (mailbox?.deleted !== true) refuse('noMailbox');
  const account = model.accounts.get(mailbox.account);
  if (account?.deleted !== false) refuse('noAccount');
  const hasRole = model.liveMailboxes(mailbox.account).some(({ role }) => role === mailbox.role);
  bringBack(model, mailbox, hasRole ? '' : mailbox.role);
  if (!account.subscriptions.has(mailbox.name)) {
    account.subscriptions.add(mailbox.name);
    model.sequence++;
  }
  return { name: mailbox.name, messages: mailbox.entries.size, sequence: model.sequence };
}

function bringBack(model: StoreModel, mailbox: ModelMailbox, role: string): void {
  let name = mailbox.name;
  for (let n = 1; model.named(mailbox.account, name) !== undefined; n++) {
    name = n === 1 ? `${mailbox.name} restored` : `${mailbox.name} restored ${n}`;
  }
  Object.assign(mailbox, { name, role, deleted: false, highestModSeq: ++model.sequence });
}

/** `gone`: the mailboxes that were deleted with the account, by id. */
export function restoreAccount(
  model: StoreModel,
  id: number,
  gone: readonly number[],
): { mailboxes: number; messages: number; sequence: number } {
  const account = model.accounts.get(id);
  if (account?.deleted !== true) refuse('noAccount');
  if (model.liveAccounts().some(({ name }) => name.toLowerCase() === account.name.toLowerCase())) {
    refuse('accountExists');
  }
  let messages = 0;
  for (const one of gone) {
    const mailbox = model.mailboxes.get(one);
    if (mailbox === undefined) continue;
    bringBack(model, mailbox, mailbox.role);
    messages += mailbox.entries.size;
  }
  account.deleted = false;
  return { mailboxes: gone.length, messages, sequence: ++model.sequence };
}

export function purgeAccount(model: StoreModel, id: number): void {
  if (model.accounts.get(id)?.deleted !== true) refuse('noAccount');
  if ([...model.mailboxes.values()].some(({ account }) => account === id)) refuse('badIntent');
  model.accounts.delete(id);
  model.sequence++;
}

/** All that left sight is gone; how many events that took is the store's own affair. */
export function purgeAll(model: StoreModel, sequence: number, floorOf: (mailbox: number) => number): void {
  for (const [id, mailbox] of model.mailboxes) {
    mailbox.retained.clear();
    if (mailbox.deleted) dropMailbox(model, id, mailbox.account);
    for (const modSeq of mailbox.expunged.keys()) if (modSeq <= floorOf(id)) mailbox.expunged.delete(modSeq);
  }
  for (const [id, account] of model.accounts) if (account.deleted) model.accounts.delete(id);
  model.sequence = sequence;
}

function dropMailbox(model: StoreModel, id: number, account: number): void {
  model.mailboxes.delete(id);
  const metadata = model.accounts.get(account)?.metadata ?? new Map<string, Buffer>();
  for (const key of [...metadata.keys()]) if (key.startsWith(`${id} `)) metadata.delete(key);
}
