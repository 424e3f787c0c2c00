/**
 * The catalog's face: questions about accounts, mailboxes, entries and messages, answered from a view. Reads no heap octet.
 */
import type { UidSet } from '../codec/uid-set.ts';
import { limits } from '../limits.ts';
import { type AccountId, brandNumber, type MailboxId, type MessageId, type ModSeq } from '../types.ts';
import { chunkSlots, type Entry, type EntryFlags, IndexChunk } from './index-chunk.ts';
import {
  expungedText,
  keyOctets,
  kind,
  kindU32Key,
  messageOfKey,
  prefixEnd,
  readU64,
  u32Key,
  u32PairKey,
  u64Text,
} from './keys.ts';
import { StoredMessageRow } from './message-row.ts';
import type { AccountRow, MailboxRow, MessageRow, PartRow, RetainedRow, SegmentRow, StateRow } from './rows.ts';
import {
  accountNameTable,
  accountTable,
  expungedTable,
  indexTable,
  keywordTable,
  mailboxNameTable,
  mailboxTable,
  messageHashTable,
  messageTable,
  partTable,
  retainedTable,
  segmentTable,
  stateTable,
  subscriptionTable,
  uidTable,
} from './schema.ts';
import type { UidPage } from './uid-pages.ts';
import type { View } from './write-set.ts';

export interface NamedAccount {
  readonly id: AccountId;
  readonly row: AccountRow;
}

export interface NamedMailbox {
  readonly id: MailboxId;
  readonly row: MailboxRow;
}

/** Some of what changed in a mailbox. */
export interface ChangedEntries {
  /** In UID order. */
  readonly entries: readonly Entry[];
  /** The UID from which on nobody looked yet; undefined at the end. */
  readonly next: number | undefined;
}

/** An entry's MODSEQ as clients see it: never below its mailbox's bound, since history before may be missing. */
export function modSeqOf(mailbox: Pick<MailboxRow, 'modSeqFloor'>, entry: Pick<Entry, 'modSeq'>): number {
  return Math.max(entry.modSeq, mailbox.modSeqFloor);
}

const maxUid = 0xffff_ffff;

/** Chunks that are looked up one by one rather than by walking the table. */
const chunksReadSingly = 64;
/** UIDs in a row of which retained ones are looked up so: a walk costs as much as some ten of them. */
const retainedReadSingly = 16;

/** Reads through one view; a snapshot is the view's. */
export class Catalog {
  readonly view: View;

  constructor(view: View) {
    this.view = view;
  }

  state(): StateRow | undefined {
    return this.view.read(stateTable);
  }

  account(id: AccountId): AccountRow | undefined {
    return this.view.read(accountTable, id);
  }

  /** A live account by name, in any letter case. */
  accountNamed(name: string): NamedAccount | undefined {
    const number = this.view.read(accountNameTable, name);
    if (number === undefined) return undefined;
    const id = brandNumber<AccountId>(number);
    const row = this.account(id);
    return row === undefined ? undefined : { id, row };
  }

  /** All accounts by id, deleted ones too; those above `after` when given. */
  *accounts(after?: AccountId): Generator<NamedAccount> {
    const from = after === undefined ? Buffer.of(kind.row) : Buffer.concat([kindU32Key(kind.row, after), Buffer.of(0)]);
    const range = { from, to: Buffer.of(kind.row + 1) };
    for (const [key, row] of this.view.range(accountTable, range)) {
      yield { id: brandNumber<AccountId>(key.readUInt32BE(1)), row };
    }
  }

  mailbox(id: MailboxId): MailboxRow | undefined {
    return this.view.read(mailboxTable, id);
  }

  mailboxNamed(account: AccountId, name: string): NamedMailbox | undefined {
    const number = this.view.read(mailboxNameTable, account, name);
    if (number === undefined) return undefined;
    const id = brandNumber<MailboxId>(number);
    const row = this.mailbox(id);
    return row === undefined ? undefined : { id, row };
  }

  /** The names of the account's mailboxes, in order. */
  *mailboxNames(account: AccountId): Generator<string> {
    const prefix = kindU32Key(kind.name, account);
    for (const [key] of this.view.range(mailboxNameTable, { from: prefix, to: prefixEnd(prefix) })) {
      yield key.toString('utf8', prefix.length);
    }
  }

  /** The account's mailboxes by name; those behind the name `after` when given. */
  *mailboxes(account: AccountId, after?: string): Generator<NamedMailbox> {
    const prefix = kindU32Key(kind.name, account);
    const from = after === undefined ? prefix : Buffer.concat([prefix, Buffer.from(after), Buffer.of(0)]);
    for (const [, number] of this.view.range(mailboxNameTable, { from, to: prefixEnd(prefix) })) {
      const id = brandNumber<MailboxId>(number);
      const row = this.mailbox(id);
      if (row !== undefined) yield { id, row };
    }
  }

  /** Every mailbox by id, deleted ones too; those from `first` on when given. */
  *allMailboxes(first = 0): Generator<NamedMailbox> {
    const range = { from: kindU32Key(kind.row, first), to: Buffer.of(kind.row + 1) };
    for (const [key, row] of this.view.range(mailboxTable, range)) {
      yield { id: brandNumber<MailboxId>(key.readUInt32BE(1)), row };
    }
  }

  /** Up to `most` ids of mailboxes above `after`, rising, deleted ones too. */
  mailboxesAfter(after: MailboxId | undefined, most: number): MailboxId[] {
    const from = after === undefined ? Buffer.of(kind.row) : Buffer.concat([kindU32Key(kind.row, after), Buffer.of(0)]);
    const rows = this.view.range(mailboxTable, { from, to: Buffer.of(kind.row + 1), limit: most });
    return [...rows].map(([key]) => brandNumber<MailboxId>(key.readUInt32BE(1)));
  }

  /** The names that the account is subscribed to, in order; the first `most` when given. */
  subscriptions(account: AccountId, most?: number): string[] {
    const prefix = kindU32Key(kind.subscription, account);
    const limit = most === undefined ? {} : { limit: most };
    const keys = this.view.range(subscriptionTable, { from: prefix, to: prefixEnd(prefix), ...limit });
    return [...keys].map(([key]) => key.toString('utf8', 5));
  }

  isSubscribed(account: AccountId, name: string): boolean {
    return this.view.read(subscriptionTable, account, name) !== undefined;
  }

  /** The mailbox's keywords, by number. */
  keywords(mailbox: MailboxId): readonly string[] {
    return this.view.read(keywordTable, mailbox) ?? [];
  }

  entry(mailbox: MailboxId, uid: number): Entry | undefined {
    return this.view.read(indexTable, mailbox, Math.floor(uid / chunkSlots))?.get(uid);
  }

  /** Entries in UID order; those in `uids` when given. */
  *entries(mailbox: MailboxId, uids?: UidSet): Generator<Entry> {
    let lastNumber = -1;
    let lastChunk: IndexChunk | undefined;
    for (const { first, last } of uids?.ranges ?? [{ first: 1, last: maxUid }]) {
      if (Math.floor(last / chunkSlots) - Math.floor(first / chunkSlots) < chunksReadSingly) {
        for (let number = Math.floor(first / chunkSlots); number <= Math.floor(last / chunkSlots); number++) {
          if (number !== lastNumber) lastChunk = this.view.read(indexTable, mailbox, number);
          lastNumber = number;
          // Of a chunk with many ranges not all entries are made for each.
          yield* lastChunk?.entries(number, first, last) ?? [];
        }
        continue;
      }
      const from = u32PairKey(mailbox, Math.floor(first / chunkSlots));
      const to = behindU32Pair(mailbox, Math.floor(last / chunkSlots));
      for (const [key, chunk] of this.view.range(indexTable, { from, to })) {
        yield* chunk.entries(key.readUInt32BE(4), first, last);
      }
    }
  }

  /** What flags the entries in `uids` have, in UID order: all that `entries` gives, for a small part of its work. */
  flags(mailbox: MailboxId, uids: UidSet): EntryFlags[] {
    return this.#flagsBy(mailbox, uids, IndexChunk.decodeFlags);
  }

  /** The UIDs of the entries in `uids` that have a flag, for still less work where few have. */
  uidsWith(mailbox: MailboxId, uids: UidSet, flag: number): number[] {
    const some = this.#flagsBy(mailbox, uids, (octets) => IndexChunk.decodeFlagsWith(octets, flag));
    return some.filter(({ flags }) => (flags & flag) !== 0).map(({ uid }) => uid);
  }

  /** Without those of chunks that `decode` passes over. */
  #flagsBy(mailbox: MailboxId, uids: UidSet, decode: (octets: Buffer) => IndexChunk | undefined): EntryFlags[] {
    const found: EntryFlags[] = [];
    for (const [first, last] of chunkRanges(uids)) {
      const range = { from: u32PairKey(mailbox, first), to: behindU32Pair(mailbox, last) };
      for (const [key, chunk] of this.view.rangeBy(indexTable, range, decode)) {
        for (const one of chunk?.flags(key.readUInt32BE(4)) ?? []) if (uids.has(one.uid)) found.push(one);
      }
    }
    return found;
  }

  /**
   * Entries in `uids` whose MODSEQ, as clients see it, is above `since`. Chunks of the index without any are passed over undecoded.
   * Ends after `limits.chunkSteps`; the caller goes on from `next`, in a later turn of the event loop.
   */
  changedEntries(mailbox: MailboxId, uids: UidSet, since: number): ChangedEntries {
    const row = this.mailbox(mailbox);
    if (row !== undefined && row.highestModSeq <= since) return { entries: [], next: undefined };
    const bound = row?.modSeqFloor ?? 0;
    const changed = (octets: Buffer): IndexChunk | undefined =>
      bound > since || IndexChunk.highestModSeq(octets) > since ? IndexChunk.decode(octets) : undefined;
    const entries: Entry[] = [];
    let steps = 0;
    for (const [first, last] of chunkRanges(uids)) {
      if (steps >= limits.chunkSteps) return { entries, next: first * chunkSlots };
      steps += limits.decodedChunkSteps;
      const range = { from: u32PairKey(mailbox, first), to: behindU32Pair(mailbox, last) };
      for (const [key, chunk] of this.view.rangeBy(indexTable, range, changed)) {
        const number = key.readUInt32BE(4);
        if (steps >= limits.chunkSteps) return { entries, next: number * chunkSlots };
        steps += chunk === undefined ? 1 : limits.decodedChunkSteps;
        for (const entry of chunk?.entries(number) ?? []) {
          if (modSeqOf({ modSeqFloor: bound }, entry) > since && uids.has(entry.uid)) entries.push(entry);
        }
      }
    }
    return { entries, next: undefined };
  }

  /** One of the mailbox's UID pages; undefined when none of its UIDs is there. */
  uidPage(mailbox: MailboxId, number: number): UidPage | undefined {
    return this.view.read(uidTable, mailbox, number);
  }

  /** The mailbox's UID pages: number and page, rising. */
  *uidPages(mailbox: MailboxId): Generator<readonly [number, UidPage]> {
    const prefix = u32Key(mailbox);
    for (const [key, page] of this.view.range(uidTable, { from: prefix, to: prefixEnd(prefix) })) {
      yield [key.readUInt32BE(4), page];
    }
  }

  /** Expunged entries still within retention, by UID; those in `uids` when given, up to `most` of them. */
  *retained(mailbox: MailboxId, uids?: UidSet, most: number = Number.MAX_SAFE_INTEGER): Generator<RetainedRow> {
    let left = most;
    for (const { first, last } of uids?.ranges ?? [{ first: 1, last: maxUid }]) {
      if (last - first < retainedReadSingly) {
        for (let uid = first; uid <= last && left > 0; uid++) {
          const row = this.view.read(retainedTable, mailbox, uid);
          if (row === undefined) continue;
          yield row;
          left--;
        }
        if (left <= 0) return;
        continue;
      }
      const from = u32PairKey(mailbox, first);
      const to = behindU32Pair(mailbox, last);
      for (const [, row] of this.view.range(retainedTable, { from, to, limit: left })) {
        yield row;
        left--;
      }
      if (left <= 0) return;
    }
  }

  /** Whether an expunge is remembered (RFC 7162). */
  isExpungeKnown(mailbox: MailboxId, modSeq: ModSeq): boolean {
    return this.view.read(expungedTable, mailbox, modSeq) !== undefined;
  }

  /** What is remembered of expunges after a MODSEQ (RFC 7162): MODSEQ and UIDs of each, rising. Above the mailbox's expunge floor
   *  that is all of them. */
  *expunges(mailbox: MailboxId, after: number): Generator<readonly [ModSeq, UidSet]> {
    const from = keyOctets(expungedText(mailbox, brandNumber<ModSeq>(after + 1)));
    for (const [key, { uids }] of this.view.range(expungedTable, { from, to: prefixEnd(u32Key(mailbox)) })) {
      yield [brandNumber<ModSeq>(readU64(key, 4)), uids];
    }
  }

  /** An entry in sight or still retained, and in the latter case when it was expunged; undefined when it is gone for good. */
  entryOrRetained(
    mailbox: MailboxId,
    uid: number,
  ): { readonly entry: Entry; readonly expungedAt: number | undefined } | undefined {
    const entry = this.entry(mailbox, uid);
    return entry === undefined ? this.retainedEntry(mailbox, uid) : { entry, expungedAt: undefined };
  }

  /** An expunged entry still within retention. */
  retainedEntry(mailbox: MailboxId, uid: number): RetainedRow | undefined {
    return this.view.read(retainedTable, mailbox, uid);
  }

  message(id: MessageId): MessageRow | undefined {
    return this.view.read(messageTable, id);
  }

  /** A message's row where it lies; valid until the next read of the catalog. @throws {DecodeError} */
  glance(id: MessageId): StoredMessageRow | undefined {
    const octets = this.view.peek(messageTable, id);
    return octets === undefined ? undefined : new StoredMessageRow(octets);
  }

  messageWithHash(sha: Buffer): MessageId | undefined {
    const number = this.view.read(messageHashTable, sha);
    return number === undefined ? undefined : brandNumber<MessageId>(number);
  }

  /** Every message by id; those from `first` on when given. */
  *messages(first = 0): Generator<readonly [MessageId, MessageRow]> {
    const range = { from: keyOctets(u64Text(first)), to: Buffer.alloc(9, 0xff) };
    for (const [key, row] of this.view.range(messageTable, range)) yield [messageOfKey(key), row];
  }

  part(sha: Buffer): PartRow | undefined {
    return this.view.read(partTable, sha);
  }

  /** Every part by hash; those from `first` on when given. */
  *parts(first: Buffer = Buffer.alloc(0)): Generator<readonly [Buffer, PartRow]> {
    yield* this.view.range(partTable, { from: first, to: Buffer.alloc(33, 0xff) });
  }

  /** Tells of up to `most` parts whose hash is above `after`, in order; returns where to go on, undefined at the end. */
  partsAfter(after: Buffer, most: number, tell: (sha: Buffer, row: PartRow) => void): Buffer | undefined {
    let last: Buffer | undefined;
    let count = 0;
    const from = Buffer.concat([after, Buffer.of(0)]);
    for (const [sha, row] of this.view.range(partTable, { from, to: Buffer.alloc(33, 0xff), limit: most })) {
      tell(sha, row);
      last = sha;
      count++;
    }
    return count < most ? undefined : last;
  }

  segment(number: number): SegmentRow | undefined {
    return this.view.read(segmentTable, number);
  }

  *segments(): Generator<readonly [number, SegmentRow]> {
    const range = { from: Buffer.alloc(0), to: Buffer.alloc(9, 0xff) };
    for (const [key, row] of this.view.range(segmentTable, range)) yield [messageOfKey(key), row];
  }
}

/** The numbers of the chunks that hold these UIDs, as ranges that neither meet nor overlap. */
function* chunkRanges(uids: UidSet): Generator<readonly [first: number, last: number]> {
  let open: [number, number] | undefined;
  for (const { first, last } of uids.ranges) {
    const from = Math.floor(first / chunkSlots);
    const to = Math.floor(last / chunkSlots);
    if (open !== undefined && from <= open[1] + 1) open[1] = to;
    else {
      if (open !== undefined) yield open;
      open = [from, to];
    }
  }
  if (open !== undefined) yield open;
}

/** The first key behind that of the pair. */
function behindU32Pair(a: number, b: number): Buffer {
  return Buffer.concat([u32PairKey(a, b), Buffer.of(0)]);
}
