/**
 * The rows of the catalog and their octets (docs/format/catalog.md). Rows are plain objects; a row read from a view is
 * shared and must not be changed, one got by `edit` is the caller's until the write set is closed.
 */
import { Reader, Writer } from '../codec/bytes.ts';
import { UidSet } from '../codec/uid-set.ts';
import {
  type AccountId,
  brandNumber,
  type Location,
  type Lsn,
  type MailboxId,
  type MailboxRole,
  type MessageId,
  type ModSeq,
  type ThreadId,
  type UidValidity,
} from '../types.ts';
import { chunkSlots, type Entry, IndexChunk } from './index-chunk.ts';

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
}

export interface RetainedRow {
  readonly entry: Entry;
  /** Seconds since 1970. */
  readonly expungedAt: number;
}

export interface MessageRow {
  refs: number;
  record: Location;
  sha: Buffer;
  size: number;
  headerBytes: number;
  /** Octets of the record's payload before compression, and stored. */
  plainBytes: number;
  storedBytes: number;
  /** Octets of the message that stand in parts. */
  namedBytes: number;
  /** 32 octets each, distinct. */
  parts: Buffer;
  /** 8 octets each, distinct: hashes of the Message-IDs the message bears or names. */
  threadKeys: Buffer;
  /** False when the three below passed 64 KiB together: then they are empty, and made again from MESSAGE when asked. */
  derived: boolean;
  envelope: Buffer;
  bodyStructure: Buffer;
  /** The header fields that clients list, as they stand. */
  listedFields: Buffer;
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
  /** Chunks in order; the closing record, if any, last. */
  pieces: readonly PartPiece[];
}

export interface ThreadRow {
  thread: ThreadId;
  /** Live and retained entries of the account that bear or name the Message-ID. */
  refs: number;
}

export interface SegmentRow {
  live: number;
  dead: number;
  /** EVENT and COMMIT records. */
  other: number;
  firstSequence: number;
  lastSequence: number;
}

/** How one kind of row becomes octets and back. */
export interface RowCodec<Row> {
  encode(row: Row): Buffer;
  decode(octets: Buffer): Row;
  /** A copy that may be changed without harm to the original. */
  copy(row: Row): Row;
}

function shallow<Row extends object>(encode: (row: Row, w: Writer) => void, decode: (r: Reader) => Row): RowCodec<Row> {
  return {
    encode(row) {
      const writer = new Writer();
      encode(row, writer);
      return writer.finish();
    },
    decode(octets) {
      const reader = new Reader(octets);
      const row = decode(reader);
      reader.end();
      return row;
    },
    copy: (row) => ({ ...row }),
  };
}

export const stateCodec: RowCodec<StateRow> = {
  encode(row) {
    const w = new Writer();
    w.varint(row.format).block(row.storeId).varint(row.epoch).varint(row.appliedLsn).varint(row.batch);
    w.varint(row.sequence).varint(row.account).varint(row.mailbox).varint(row.message).varint(row.thread);
    w.varint(row.uidValidity);
    for (const key of totalsKeys) w.varint(row.totals[key]);
    return w.finish();
  },
  decode(octets) {
    const r = new Reader(octets);
    const row = {
      format: r.varint(),
      storeId: Buffer.from(r.block()),
      epoch: r.varint(),
      appliedLsn: brandNumber<Lsn>(r.varint()),
      batch: r.varint(),
      sequence: r.varint(),
      account: r.varint(),
      mailbox: r.varint(),
      message: r.varint(),
      thread: r.varint(),
      uidValidity: r.varint(),
      totals: emptyTotals(),
    };
    for (const key of totalsKeys) row.totals[key] = r.varint();
    r.end();
    return row;
  },
  copy: (row) => ({ ...row, totals: { ...row.totals } }),
};

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

export const accountCodec: RowCodec<AccountRow> = shallow(
  (row, w) => {
    w.text(row.name).u8(row.deleted ? 1 : 0);
    w.signed(row.createdAt);
    w.signed(row.deletedAt);
    w.varint(row.quotaBytes).varint(row.quotaMessages).varint(row.messages).varint(row.bytes);
    w.varint(row.retainedMessages).varint(row.retainedBytes).varint(row.mailboxes);
  },
  (r) => ({
    name: r.text(),
    deleted: r.u8() === 1,
    createdAt: r.signed(),
    deletedAt: r.signed(),
    quotaBytes: r.varint(),
    quotaMessages: r.varint(),
    messages: r.varint(),
    bytes: r.varint(),
    retainedMessages: r.varint(),
    retainedBytes: r.varint(),
    mailboxes: r.varint(),
  }),
);

/** Roles by the number that stands for them on disk. */
export const roles: readonly MailboxRole[] = ['', 'drafts', 'sent', 'junk', 'trash', 'archive', 'flagged', 'all'];

export const mailboxCodec: RowCodec<MailboxRow> = shallow(
  (row, w) => {
    w.varint(row.account)
      .text(row.name)
      .u8(row.deleted ? 1 : 0)
      .varint(row.uidValidity)
      .varint(row.uidNext);
    w.varint(row.highestModSeq).varint(row.expungeFloor);
    w.signed(row.createdAt);
    w.signed(row.deletedAt);
    w.u8(Math.max(0, roles.indexOf(row.role)));
    w.varint(row.messages).varint(row.unseen).varint(row.flaggedDeleted).varint(row.bytes);
    w.varint(row.retainedMessages).varint(row.retainedBytes);
  },
  (r) => ({
    account: brandNumber<AccountId>(r.varint()),
    name: r.text(),
    deleted: r.u8() === 1,
    uidValidity: brandNumber<UidValidity>(r.varint()),
    uidNext: r.varint(),
    highestModSeq: brandNumber<ModSeq>(r.varint()),
    expungeFloor: r.varint(),
    createdAt: r.signed(),
    deletedAt: r.signed(),
    role: roles[r.u8()] ?? '',
    messages: r.varint(),
    unseen: r.varint(),
    flaggedDeleted: r.varint(),
    bytes: r.varint(),
    retainedMessages: r.varint(),
    retainedBytes: r.varint(),
  }),
);

/** A retained entry is a chunk of one entry, with its UID and the time in front. */
export const retainedCodec: RowCodec<RetainedRow> = {
  encode(row) {
    const w = new Writer(128);
    w.signed(row.expungedAt);
    w.varint(row.entry.uid);
    const chunk = new IndexChunk();
    chunk.set(row.entry);
    return w.bytes(chunk.encode()).finish();
  },
  decode(octets) {
    const r = new Reader(octets);
    const expungedAt = r.signed();
    const uid = r.varint();
    const chunk = IndexChunk.decode(r.bytes(r.remaining));
    const [entry] = chunk.entries(Math.floor(uid / chunkSlots));
    if (entry === undefined) throw new RangeError('a retained row without entry');
    return { entry, expungedAt };
  },
  copy: (row) => row,
};

export const messageCodec: RowCodec<MessageRow> = shallow(
  (row, w) => {
    w.varint(row.refs).varint(row.record.lsn).varint(row.record.bytes).bytes(row.sha).varint(row.size);
    w.varint(row.headerBytes).varint(row.plainBytes).varint(row.storedBytes).varint(row.namedBytes);
    w.block(row.parts)
      .block(row.threadKeys)
      .u8(row.derived ? 1 : 0);
    w.block(row.envelope).block(row.bodyStructure).block(row.listedFields);
  },
  (r) => ({
    refs: r.varint(),
    record: { lsn: brandNumber<Lsn>(r.varint()), bytes: r.varint() },
    sha: r.bytes(32),
    size: r.varint(),
    headerBytes: r.varint(),
    plainBytes: r.varint(),
    storedBytes: r.varint(),
    namedBytes: r.varint(),
    parts: r.block(),
    threadKeys: r.block(),
    derived: r.u8() === 1,
    envelope: r.block(),
    bodyStructure: r.block(),
    listedFields: r.block(),
  }),
);

export const partCodec: RowCodec<PartRow> = shallow(
  (row, w) => {
    w.varint(row.refs).varint(row.size).varint(row.pieces.length);
    let before = 0;
    for (const piece of row.pieces) {
      w.signed(piece.lsn - before);
      w.varint(piece.bytes).varint(piece.contentBytes).varint(piece.storedBytes);
      before = piece.lsn;
    }
  },
  (r) => {
    const refs = r.varint();
    const size = r.varint();
    const pieces: PartPiece[] = [];
    let lsn = 0;
    for (let left = r.varint(); left > 0; left--) {
      lsn += r.signed();
      pieces.push({
        lsn: brandNumber<Lsn>(lsn),
        bytes: r.varint(),
        contentBytes: r.varint(),
        storedBytes: r.varint(),
      });
    }
    return { refs, size, pieces };
  },
);

export const threadCodec: RowCodec<ThreadRow> = shallow(
  (row, w) => w.varint(row.thread).varint(row.refs),
  (r) => ({ thread: brandNumber<ThreadId>(r.varint()), refs: r.varint() }),
);

export const segmentCodec: RowCodec<SegmentRow> = shallow(
  (row, w) => w.varint(row.live).varint(row.dead).varint(row.other).varint(row.firstSequence).varint(row.lastSequence),
  (r) => ({
    live: r.varint(),
    dead: r.varint(),
    other: r.varint(),
    firstSequence: r.varint(),
    lastSequence: r.varint(),
  }),
);

/** A single number: the id behind a name or hash, the UID behind a UIDL. */
export const numberCodec: RowCodec<number> = {
  encode: (value) => new Writer(8).varint(value).finish(),
  decode: (octets) => new Reader(octets).varint(),
  copy: (value) => value,
};

/** A list of words: the keywords of a mailbox, by number. */
export const wordsCodec: RowCodec<string[]> = {
  encode(words) {
    const writer = new Writer().varint(words.length);
    for (const word of words) writer.text(word);
    return writer.finish();
  },
  decode(octets) {
    const reader = new Reader(octets);
    const words: string[] = [];
    for (let left = reader.varint(); left > 0; left--) words.push(reader.text());
    return words;
  },
  copy: (words) => [...words],
};

export const uidSetCodec: RowCodec<UidSet> = {
  encode(uids) {
    const writer = new Writer();
    uids.encode(writer);
    return writer.finish();
  },
  decode: (octets) => UidSet.decode(new Reader(octets)),
  copy: (uids) => uids,
};

/** Octets as they are: metadata values. */
export const octetsCodec: RowCodec<Buffer> = { encode: (o) => o, decode: (o) => o, copy: (o) => o };

export const messageIdOf = (value: number): MessageId => brandNumber<MessageId>(value);
export const mailboxIdOf = (value: number): MailboxId => brandNumber<MailboxId>(value);

export function emptySegment(): SegmentRow {
  return { live: 0, dead: 0, other: 0, firstSequence: 0, lastSequence: 0 };
}
