/** Entries: a new one appears in its mailbox, is counted, and its message is named once more; and how one leaves. */
import { chunkSlots, type Entry, IndexChunk } from '../catalog/index-chunk.ts';
import type { MailboxRow, RetainedRow } from '../catalog/rows.ts';
import {
  dueRetainedTable,
  indexTable,
  keywordTable,
  mailboxTable,
  retainedTable,
  uidlTable,
  uidTable,
} from '../catalog/schema.ts';
import { pageUids, UidPage } from '../catalog/uid-pages.ts';
import type { View } from '../catalog/write-set.ts';
import { brandNumber, flag, type Location, type MailboxId, type ModSeq } from '../types.ts';
import type { EntryRecord } from './records.ts';
import type { References } from './references.ts';

export function applyEntry(refs: References, record: EntryRecord, location: Location): void {
  const { view, state } = refs;
  refs.count(location, 'live');
  // In a log with gaps what they name may be gone; its number is not given again.
  state.message = Math.max(state.message, record.message);
  state.mailbox = Math.max(state.mailbox, record.mailbox);
  state.account = Math.max(state.account, record.account);
  state.thread = Math.max(state.thread, record.thread);
  const mailbox = view.edit(mailboxTable, record.mailbox);
  if (mailbox === undefined) {
    refs.recount(location, 'dead');
    return;
  }
  const entry: Entry = {
    uid: record.uid,
    lsn: location.lsn,
    bytes: location.bytes,
    flags: record.flags,
    keywords: keywordNumbers(view, record.mailbox, record.keywords),
    modSeq: record.modSeq,
    internalDate: record.internalDate,
    saveDate: record.saveDate,
    size: record.size,
    message: record.message,
    thread: record.thread,
    email: record.email,
    uidl: record.uidl,
  };
  mailbox.uidNext = Math.max(mailbox.uidNext, record.uid + 1);
  raiseModSeq(mailbox, record.modSeq);
  putEntry(view, record.mailbox, entry);
  if (record.uidl !== '') view.put(uidlTable, record.uid, record.mailbox, record.uidl);
  countLive(refs, mailbox, entry, 1);
  refs.referenceMessage(entry, mailbox.account);
}

export function raiseModSeq(mailbox: MailboxRow, modSeq: number): void {
  if (modSeq > mailbox.highestModSeq) mailbox.highestModSeq = brandNumber<ModSeq>(modSeq);
}

/** The entry's columns and its bits in the UID page. */
export function putEntry(view: View, id: MailboxId, entry: Entry): void {
  const number = Math.floor(entry.uid / chunkSlots);
  const chunk = view.edit(indexTable, id, number) ?? view.put(indexTable, new IndexChunk(), id, number);
  chunk.set(entry);
  const pageNumber = Math.floor(entry.uid / pageUids);
  const page = view.edit(uidTable, id, pageNumber) ?? view.put(uidTable, new UidPage(), id, pageNumber);
  page.set(entry.uid, (entry.flags & flag.seen) === 0);
}

/** Takes an entry out of its mailbox's columns and pages; returns it, or undefined when it was not there. */
export function takeEntry(view: View, id: MailboxId, uid: number): Entry | undefined {
  const number = Math.floor(uid / chunkSlots);
  const chunk = view.edit(indexTable, id, number);
  const entry = chunk?.get(uid);
  if (chunk === undefined || entry === undefined) return undefined;
  chunk.remove(uid);
  if (chunk.isEmpty) view.remove(indexTable, id, number);
  const pageNumber = Math.floor(uid / pageUids);
  const page = view.edit(uidTable, id, pageNumber);
  if (page !== undefined) {
    page.remove(uid);
    if (page.isEmpty) view.remove(uidTable, id, pageNumber);
  }
  return entry;
}

/** Adds an entry to, or takes it from, what its mailbox, account and store count. */
export function countLive(refs: References, mailbox: MailboxRow, entry: Entry, sign: 1 | -1): void {
  mailbox.messages += sign;
  mailbox.bytes += sign * entry.size;
  if ((entry.flags & flag.seen) === 0) mailbox.unseen += sign;
  if ((entry.flags & flag.deleted) !== 0) mailbox.flaggedDeleted += sign;
  // What is left in a deleted mailbox is retained.
  if (mailbox.deleted) countRetainedBeyond(refs, mailbox, entry, sign);
  else {
    const account = refs.counted(mailbox.account);
    if (account !== undefined) {
      account.messages += sign;
      account.bytes += sign * entry.size;
    }
    refs.state.totals.entries += sign;
    refs.state.totals.entryBytes += sign * entry.size;
  }
}

/** Adds an expunged entry to, or takes it from, what its mailbox, account and store retain. */
export function countRetained(refs: References, mailbox: MailboxRow, entry: Entry, sign: 1 | -1): void {
  mailbox.retainedMessages += sign;
  mailbox.retainedBytes += sign * entry.size;
  countRetainedBeyond(refs, mailbox, entry, sign);
}

function countRetainedBeyond(refs: References, mailbox: MailboxRow, entry: Entry, sign: 1 | -1): void {
  refs.state.totals.retained += sign;
  refs.state.totals.retainedBytes += sign * entry.size;
  const account = refs.counted(mailbox.account);
  if (account === undefined) return;
  account.retainedMessages += sign;
  account.retainedBytes += sign * entry.size;
}

/** An entry is out of its mailbox; it stays readable until it is purged, and stands in `due` under the time it went. */
export function retain(refs: References, id: MailboxId, mailbox: MailboxRow, entry: Entry, expungedAt: number): void {
  const { view } = refs;
  view.put(retainedTable, { entry, expungedAt }, id, entry.uid);
  const number = Math.floor(entry.uid / chunkSlots);
  const slots = view.edit(dueRetainedTable, expungedAt, id, number);
  if (slots === undefined) view.put(dueRetainedTable, slotsOf(entry.uid), expungedAt, id, number);
  else setSlot(slots, entry.uid, true);
  countRetained(refs, mailbox, entry, 1);
}

/** Takes an entry out of those that are kept; its references stay. Undefined when it was not among them. */
export function takeRetained(
  refs: References,
  id: MailboxId,
  mailbox: MailboxRow,
  uid: number,
): RetainedRow | undefined {
  const { view } = refs;
  const row = view.read(retainedTable, id, uid);
  if (row === undefined) return undefined;
  view.remove(retainedTable, id, uid);
  const number = Math.floor(uid / chunkSlots);
  const slots = view.edit(dueRetainedTable, row.expungedAt, id, number);
  if (slots !== undefined) {
    setSlot(slots, uid, false);
    if (slots.low === 0 && slots.high === 0) view.remove(dueRetainedTable, row.expungedAt, id, number);
  }
  countRetained(refs, mailbox, row.entry, -1);
  return row;
}

function slotsOf(uid: number): { low: number; high: number } {
  const slots = { low: 0, high: 0 };
  setSlot(slots, uid, true);
  return slots;
}

function setSlot(slots: { low: number; high: number }, uid: number, on: boolean): void {
  const slot = uid % chunkSlots;
  const half = slot < 32 ? 'low' : 'high';
  const bit = 2 ** (slot % 32);
  slots[half] = (on ? slots[half] | bit : slots[half] & ~bit) >>> 0;
}

/** An entry is gone for good, from wherever it was; nothing happens when it is not there. */
export function purgeEntry(refs: References, id: MailboxId, mailbox: MailboxRow, uid: number): void {
  const retained = takeRetained(refs, id, mailbox, uid);
  if (retained !== undefined) {
    release(refs, id, mailbox, retained.entry);
    return;
  }
  // Live ones too: in a log that was compacted what expunged it may be gone with the segment it was in.
  const entry = takeEntry(refs.view, id, uid);
  if (entry === undefined) return;
  countLive(refs, mailbox, entry, -1);
  release(refs, id, mailbox, entry);
}

/** What an entry that is in no column any more named is named once less. */
export function release(refs: References, id: MailboxId, mailbox: MailboxRow, entry: Entry): void {
  const { view } = refs;
  if (entry.uidl !== '' && view.read(uidlTable, id, entry.uidl) === entry.uid) view.remove(uidlTable, id, entry.uidl);
  refs.releaseEntry(entry, mailbox.account);
}

/** The numbers of keywords in this mailbox, rising; a new word gets the next number. */
export function keywordNumbers(view: View, id: MailboxId, words: readonly string[]): readonly number[] {
  if (words.length === 0) return [];
  const known = view.edit(keywordTable, id) ?? view.put(keywordTable, [], id);
  const numbers = new Set<number>();
  for (const word of words) {
    const lower = word.toLowerCase();
    let number = known.findIndex((other) => other.toLowerCase() === lower);
    if (number < 0) number = known.push(word) - 1;
    numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}
