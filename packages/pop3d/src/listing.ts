/**
 * The messages of a maildrop at one moment, as columns: what STAT, LIST and UIDL answer from, and where each message lies. Read from
 * the catalog alone. Listings never change and are shared by the sessions of a process; one that is still true, as the mailbox's
 * highest MODSEQ shows, is not read again.
 *
 * A large mailbox is read in slices, each from a snapshot of its own. Whatever goes meanwhile is in the listing or not; what
 * comes is not. Such a listing is good for its session and not kept.
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  brandNumber,
  type Catalog,
  type EntryPlace,
  type Lsn,
  type MailboxId,
  type MailboxRow,
  type MessageId,
  type StoreReading,
  UidSet,
} from '@mstore/store';
import { limits } from './limits.ts';

/** One octet string per message is too much for a large maildrop, so the derived UIDLs are made when asked for. */
export class Listing {
  readonly mailbox: MailboxId;
  readonly #validity: string;
  readonly #uids: Uint32Array;
  readonly #sizes: Uint32Array;
  readonly #lsns: Float64Array;
  readonly #recordBytes: Uint32Array;
  readonly #messages: Float64Array;
  /** Imported UIDLs, by index. */
  readonly #uidls = new Map<number, string>();
  #count = 0;
  #bytes = 0;

  constructor(mailbox: MailboxId, row: MailboxRow) {
    this.mailbox = mailbox;
    this.#validity = row.uidValidity.toString(16).padStart(8, '0');
    this.#uids = new Uint32Array(row.messages);
    this.#sizes = new Uint32Array(row.messages);
    this.#lsns = new Float64Array(row.messages);
    this.#recordBytes = new Uint32Array(row.messages);
    this.#messages = new Float64Array(row.messages);
  }

  /** Messages. */
  get count(): number {
    return this.#count;
  }

  /** Octets of all messages. */
  get bytes(): number {
    return this.#bytes;
  }

  size(index: number): number {
    return this.#sizes[index] ?? 0;
  }

  uid(index: number): number {
    return this.#uids[index] ?? 0;
  }

  /** RFC 1939 §7: 1 to 70 printable octets, unique in the maildrop whatever the letter case. */
  uidl(index: number): string {
    return this.#uidls.get(index) ?? this.#validity + this.uid(index).toString(16).padStart(8, '0');
  }

  place(index: number): EntryPlace {
    return {
      lsn: brandNumber<Lsn>(this.#lsns[index] ?? 0),
      bytes: this.#recordBytes[index] ?? 0,
      message: brandNumber<MessageId>(this.#messages[index] ?? 0),
    };
  }

  /** Adds the entries from a UID on, at most a slice of them; returns the UID to go on from, undefined at the end. */
  addSlice(catalog: Catalog, from: number, uidNext: number): number | undefined {
    const end = this.#count + limits.sliceEntries;
    for (const entry of catalog.entries(this.mailbox, UidSet.range(from, uidNext - 1))) {
      const index = this.#count++;
      this.#uids[index] = entry.uid;
      this.#sizes[index] = entry.size;
      this.#lsns[index] = entry.lsn;
      this.#recordBytes[index] = entry.bytes;
      this.#messages[index] = entry.message;
      if (entry.uidl !== '') this.#uidls.set(index, entry.uidl);
      this.#bytes += entry.size;
      if (this.#count === end) return entry.uid + 1;
    }
    return undefined;
  }
}

interface KeptListing {
  readonly highestModSeq: number;
  readonly listing: Listing;
}

/** The listings of a process, bounded; the one that was longest not asked for leaves first. */
export class Listings {
  readonly #reading: StoreReading;
  readonly #kept = new Map<MailboxId, KeptListing>();
  readonly #listingsMax: number;
  readonly #entriesMax: number;
  #keptEntries = 0;

  constructor(
    reading: StoreReading,
    listingsMax: number = limits.keptListings,
    entriesMax: number = limits.keptEntries,
  ) {
    this.#reading = reading;
    this.#listingsMax = listingsMax;
    this.#entriesMax = entriesMax;
  }

  /** The mailbox as the catalog, from which `row` was just read, has it. */
  of(catalog: Catalog, mailbox: MailboxId, row: MailboxRow): Listing | Promise<Listing> {
    const kept = this.#kept.get(mailbox);
    if (kept?.highestModSeq === row.highestModSeq) {
      this.#kept.delete(mailbox);
      this.#kept.set(mailbox, kept);
      return kept.listing;
    }
    const listing = new Listing(mailbox, row);
    const next = row.messages === 0 ? undefined : listing.addSlice(catalog, 1, row.uidNext);
    if (next !== undefined) return this.#rest(listing, row, next);
    this.#keep(listing, row);
    return listing;
  }

  async #rest(listing: Listing, row: MailboxRow, second: number): Promise<Listing> {
    let isOneMoment = true;
    for (let from: number | undefined = second; from !== undefined; ) {
      await turn();
      const catalog = this.#reading.catalog();
      isOneMoment &&= catalog.mailbox(listing.mailbox)?.highestModSeq === row.highestModSeq;
      from = listing.addSlice(catalog, from, row.uidNext);
    }
    if (isOneMoment) this.#keep(listing, row);
    return listing;
  }

  #keep(listing: Listing, { highestModSeq }: MailboxRow): void {
    this.#drop(listing.mailbox);
    this.#kept.set(listing.mailbox, { highestModSeq, listing });
    this.#keptEntries += listing.count;
    for (const mailbox of this.#kept.keys()) {
      if (this.#kept.size <= this.#listingsMax && this.#keptEntries <= this.#entriesMax) break;
      this.#drop(mailbox);
    }
  }

  #drop(mailbox: MailboxId): void {
    this.#keptEntries -= this.#kept.get(mailbox)?.listing.count ?? 0;
    this.#kept.delete(mailbox);
  }
}
