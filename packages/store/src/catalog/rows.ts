/** The rows of the catalog, as objects (docs/format/catalog.md). A row read from a view is shared and must not be changed; one
 *  got by `edit` is the caller's until the write set is closed. */
import type { UidSet } from '../codec/uid-set.ts';
import {
  type AccountId,
  brandNumber,
  type Location,
  type Lsn,
  type MailboxId,
  type MailboxRole,
  type ModSeq,
  type ThreadId,
  type UidValidity,
} from '../types.ts';
import type { Entry } from './index-chunk.ts';

/** Sums over the whole store; each equals what counting the rows gives (fsck counts). */
export interface Totals {
  /** Live entries and their octets as clients see them. */
  entries: number;
  entryBytes: number;
  /** Expunged or in deleted mailboxes, not yet purged. */
  retained: number;
  retainedBytes: number;
  /** Stored messages, their octets, and their octets that stand in parts. */
  messages: number;
  messageBytes: number;
  namedBytes: number;
  /** Parts with references, their decoded octets, and those of parts named by more than one message. */
  parts: number;
  partBytes: number;
  sharedBytes: number;
  /** Octets of MESSAGE and PART payloads in use before compression, and as stored. */
  plainBytes: number;
  storedBytes: number;
}

export interface StateRow {
  format: number;
  storeId: Buffer;
  epoch: number;
  /** Everything in the log below this LSN is in the catalog. */
  appliedLsn: Lsn;
  batch: number;
  sequence: number;
  account: number;
  mailbox: number;
  message: number;
  thread: number;
  uidValidity: number;
  totals: Totals;
}

export const totalsKeys: readonly (keyof Totals)[] = [
  'entries',
  'entryBytes',
  'retained',
  'retainedBytes',
  'messages',
  'messageBytes',
  'namedBytes',
  'parts',
  'partBytes',
  'sharedBytes',
  'plainBytes',
  'storedBytes',
];

export interface AccountRow {
  name: string;
  deleted: boolean;
  /** Seconds since 1970; deletedAt 0 while live. */
  createdAt: number;
  deletedAt: number;
  /** 0: unlimited. */
  quotaBytes: number;
  quotaMessages: number;
  messages: number;
  bytes: number;
  retainedMessages: number;
  retainedBytes: number;
  /** Mailboxes not deleted. */
  mailboxes: number;
  /** The newest record that makes the account: its creation, or a RESTATE. What older records say of it is in that. */
  record: Location;
  /** The newest record behind that one which changed what names of mailboxes are remembered by; 0: none. */
  memoryLsn: number;
}

export interface MailboxRow {
  account: AccountId;
  name: string;
  deleted: boolean;
  uidValidity: UidValidity;
  uidNext: number;
  highestModSeq: ModSeq;
  /** Expunges up to this MODSEQ are no longer in the expunge log. */
  expungeFloor: number;
  /** No entry has a lower MODSEQ to clients than this, whatever its own is: history before may be missing. */
  modSeqFloor: number;
  createdAt: number;
  deletedAt: number;
  role: MailboxRole;
  messages: number;
  unseen: number;
  /** Messages that bear \Deleted. */
  flaggedDeleted: number;
  bytes: number;
  retainedMessages: number;
  retainedBytes: number;
  /** As the account's. */
  record: Location;
}

export interface RetainedRow {
  readonly entry: Entry;
  /** Seconds since 1970. */
  readonly expungedAt: number;
}

/** UIDs that one event took out of a mailbox. */
export interface ExpungedRow {
  readonly uids: UidSet;
  /** Seconds since 1970. */
  readonly expungedAt: number;
}

/** Which of 64 UIDs: bit n of `low` is the n-th, bit n of `high` the (32 + n)-th. */
export interface SlotsRow {
  low: number;
  high: number;
}

export interface MessageRow {
  refs: number;
  record: Location;
  readonly sha: Buffer;
  readonly size: number;
  readonly headerBytes: number;
  /** Octets of the record's payload before compression, and stored. */
  readonly plainBytes: number;
  readonly storedBytes: number;
  /** Octets of the message that stand in parts. */
  readonly namedBytes: number;
  /** 32 octets each, distinct. */
  readonly parts: Buffer;
  /** 8 octets each, distinct: hashes of the Message-IDs the message bears or names. */
  readonly threadKeys: Buffer;
  /** False when the three below passed 64 KiB together: then they are empty, and made again from MESSAGE when asked. */
  readonly derived: boolean;
  readonly envelope: Buffer;
  readonly bodyStructure: Buffer;
  /** The header fields that clients list, as they stand. */
  readonly listedFields: Buffer;
}

export interface ThreadRow {
  thread: ThreadId;
  /** Live and retained entries of the account that bear or name the Message-ID. */
  refs: number;
}

/** One record that holds a part's content, or a piece of it. */
export interface PartPiece extends Location {
  /** Decoded octets of content in this record; 0 for the closing record of a chunked part. */
  readonly contentBytes: number;
  /** Octets of content as stored. */
  readonly storedBytes: number;
}

export interface PartRow {
  refs: number;
  /** Decoded octets. */
  size: number;
  /** Chunks in order; the closing record, if any, last. None: messages name it, and its content is not in the log. */
  pieces: readonly PartPiece[];
}

export interface SegmentRow {
  /** Octets of records that something names: PART, MESSAGE, ENTRY, and what makes a mailbox or an account. */
  live: number;
  /** Octets of such records that nothing names. */
  dead: number;
  /** EVENT and COMMIT records. */
  other: number;
  /** RESTATE records that make nothing. */
  restated: number;
  /** Dead octets that the row of a part without references points to. */
  idle: number;
  firstSequence: number;
  lastSequence: number;
  /** Seconds since 1970 from which nothing points into it and its file may go; 0 before. */
  retiredAt: number;
}

export function emptyTotals(): Totals {
  return {
    entries: 0,
    entryBytes: 0,
    retained: 0,
    retainedBytes: 0,
    messages: 0,
    messageBytes: 0,
    namedBytes: 0,
    parts: 0,
    partBytes: 0,
    sharedBytes: 0,
    plainBytes: 0,
    storedBytes: 0,
  };
}

export function emptySegment(): SegmentRow {
  return { live: 0, dead: 0, other: 0, restated: 0, idle: 0, firstSequence: 0, lastSequence: 0, retiredAt: 0 };
}

export const mailboxIdOf = (value: number): MailboxId => brandNumber<MailboxId>(value);

/** The account's own metadata entry that holds its retention; no name that IMAP can ask for (RFC 5464 §4: they begin with /). */
export const retentionEntry = 'mstore/retention';
