/** The rows of the catalog, as octets (docs/format/catalog.md). */
import { Reader, Writer } from '../codec/bytes.ts';
import { UidSet } from '../codec/uid-set.ts';
import {
  type AccountId,
  brandNumber,
  type Location,
  type Lsn,
  type MailboxRole,
  type ModSeq,
  type ThreadId,
  type UidValidity,
} from '../types.ts';
import { chunkSlots, encodeSingle, IndexChunk } from './index-chunk.ts';
import {
  type AccountRow,
  type ExpungedRow,
  emptyTotals,
  type MailboxRow,
  type PartPiece,
  type PartRow,
  type RetainedRow,
  type SegmentRow,
  type SlotsRow,
  type StateRow,
  type ThreadRow,
  totalsKeys,
} from './rows.ts';

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

function locationIn(r: Reader): Location {
  return { lsn: brandNumber<Lsn>(r.varint()), bytes: r.varint() };
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

export const accountCodec: RowCodec<AccountRow> = shallow(
  (row, w) => {
    w.text(row.name).u8(row.deleted ? 1 : 0);
    w.signed(row.createdAt);
    w.signed(row.deletedAt);
    w.varint(row.quotaBytes).varint(row.quotaMessages).varint(row.messages).varint(row.bytes);
    w.varint(row.retainedMessages).varint(row.retainedBytes).varint(row.mailboxes);
    w.varint(row.record.lsn).varint(row.record.bytes).varint(row.memoryLsn);
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
    record: locationIn(r),
    memoryLsn: r.varint(),
  }),
);

/** Roles by the number that stands for them on disk. */
export const roles: readonly MailboxRole[] = ['', 'drafts', 'sent', 'junk', 'trash', 'archive', 'flagged', 'all'];

/** Bits in a mailbox's row. */
const mailboxBits = { deleted: 1, modSeqFloor: 2 } as const;

export const mailboxCodec: RowCodec<MailboxRow> = shallow(
  (row, w) => {
    const { deleted, modSeqFloor } = mailboxBits;
    w.varint(row.account)
      .text(row.name)
      .u8((row.deleted ? deleted : 0) | (row.modSeqFloor > 0 ? modSeqFloor : 0))
      .varint(row.uidValidity)
      .varint(row.uidNext);
    w.varint(row.highestModSeq).varint(row.expungeFloor);
    w.signed(row.createdAt);
    w.signed(row.deletedAt);
    w.u8(Math.max(0, roles.indexOf(row.role)));
    w.varint(row.messages).varint(row.unseen).varint(row.flaggedDeleted).varint(row.bytes);
    w.varint(row.retainedMessages).varint(row.retainedBytes).varint(row.record.lsn).varint(row.record.bytes);
    if (row.modSeqFloor > 0) w.varint(row.modSeqFloor);
  },
  (r) => readMailbox(r),
);

function readMailbox(r: Reader): MailboxRow {
  const account = brandNumber<AccountId>(r.varint());
  const name = r.text();
  const bits = r.u8();
  if (bits > (mailboxBits.deleted | mailboxBits.modSeqFloor)) throw new RangeError(`mailbox bits ${bits}`);
  return {
    account,
    name,
    deleted: (bits & mailboxBits.deleted) !== 0,
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
    record: locationIn(r),
    modSeqFloor: (bits & mailboxBits.modSeqFloor) === 0 ? 0 : r.varint(),
  };
}

/** A retained entry is a chunk of one entry, with its UID and the time in front. */
export const retainedCodec: RowCodec<RetainedRow> = {
  encode(row) {
    const w = new Writer(128);
    w.signed(row.expungedAt);
    w.varint(row.entry.uid);
    return w.bytes(encodeSingle(row.entry)).finish();
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

/** True for the octets of a message row that counts no references: their number comes first. */
export function isUnreferenced(messageRow: Buffer): boolean {
  return messageRow[0] === 0;
}

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
  (row, w) => {
    w.varint(row.live).varint(row.dead).varint(row.other).varint(row.restated).varint(row.idle);
    w.varint(row.firstSequence).varint(row.lastSequence).signed(row.retiredAt);
  },
  (r) => ({
    live: r.varint(),
    dead: r.varint(),
    other: r.varint(),
    restated: r.varint(),
    idle: r.varint(),
    firstSequence: r.varint(),
    lastSequence: r.varint(),
    retiredAt: r.signed(),
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

export const expungedCodec: RowCodec<ExpungedRow> = shallow(
  (row, w) => {
    w.signed(row.expungedAt);
    row.uids.encode(w);
  },
  (r) => ({ expungedAt: r.signed(), uids: UidSet.decode(r) }),
);

export const slotsCodec: RowCodec<SlotsRow> = shallow(
  (row, w) => w.u32(row.low).u32(row.high),
  (r) => ({ low: r.u32(), high: r.u32() }),
);

/** Octets as they are: metadata values. */
export const octetsCodec: RowCodec<Buffer> = { encode: (o) => o, decode: (o) => o, copy: (o) => o };
