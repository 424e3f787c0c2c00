/**
 * One value of the `index` table: up to 64 entries of a mailbox, packed as columns (docs/format/catalog.md, "index").
 *
 * In memory a slot is addressed directly by UID mod 64. On disk a column is stored as its minimum and one fixed width for
 * the differences, so that a mailbox of like messages costs a few octets an entry and a reader of one column skips the rest.
 */
import { DecodeError, Reader, Writer } from '../codec/bytes.ts';
import { brandNumber, type EmailId, type Lsn, type MessageId, type ModSeq, type ThreadId, type Uid } from '../types.ts';

/** A message's place in a mailbox, as the catalog knows it. */
export interface Entry {
  readonly uid: Uid;
  /** The ENTRY record. */
  readonly lsn: Lsn;
  /** Octets of the ENTRY record. */
  readonly bytes: number;
  readonly flags: number;
  /** Keyword numbers of this mailbox, rising. */
  readonly keywords: readonly number[];
  readonly modSeq: ModSeq;
  /** Seconds since 1970. */
  readonly internalDate: number;
  /** Seconds since 1970. */
  readonly saveDate: number;
  /** Octets of the message with this entry's trace lines: RFC822.SIZE. */
  readonly size: number;
  readonly message: MessageId;
  readonly thread: ThreadId;
  readonly email: EmailId;
  /** Imported UIDL; empty when it is derived from UIDVALIDITY and UID. */
  readonly uidl: string;
}

/** What clients ask of all entries of a mailbox. */
export type EntryFlags = Pick<Entry, 'uid' | 'flags' | 'keywords'>;

/** Where an entry's octets are found. */
export type EntryPlace = Pick<Entry, 'lsn' | 'bytes' | 'message'>;

export const chunkSlots = 64;

const columns = [
  'lsn',
  'bytes',
  'flags',
  'modSeq',
  'internalDate',
  'saveDate',
  'size',
  'message',
  'thread',
  'email',
] as const;
const columnCount = columns.length;
/** Dates may lie before 1970: they are kept with this added. */
const dateBias = 2 ** 40;

const col = {
  lsn: 0,
  bytes: 1,
  flags: 2,
  modSeq: 3,
  internalDate: 4,
  saveDate: 5,
  size: 6,
  message: 7,
  thread: 8,
  email: 9,
} as const;

const noKeywords: readonly number[] = Object.freeze([]);

export class IndexChunk {
  /** Bit n of low/high: slot n (n < 32) or 32 + n is taken. */
  #low = 0;
  #high = 0;
  readonly #cells: Float64Array;
  readonly #keywords = new Map<number, readonly number[]>();
  readonly #uidls = new Map<number, string>();

  constructor(cells: Float64Array = new Float64Array(chunkSlots * columnCount)) {
    this.#cells = cells;
  }

  copy(): IndexChunk {
    const chunk = new IndexChunk(this.#cells.slice());
    chunk.#low = this.#low;
    chunk.#high = this.#high;
    for (const [slot, numbers] of this.#keywords) chunk.#keywords.set(slot, numbers);
    for (const [slot, uidl] of this.#uidls) chunk.#uidls.set(slot, uidl);
    return chunk;
  }

  get isEmpty(): boolean {
    return this.#low === 0 && this.#high === 0;
  }

  has(uid: number): boolean {
    const slot = uid % chunkSlots;
    return ((slot < 32 ? this.#low >>> slot : this.#high >>> (slot - 32)) & 1) === 1;
  }

  get(uid: number): Entry | undefined {
    if (!this.has(uid)) return undefined;
    const slot = uid % chunkSlots;
    const cells = this.#cells;
    const at = slot * columnCount;
    return {
      uid: brandNumber<Uid>(uid),
      lsn: brandNumber<Lsn>(cells[at + col.lsn] ?? 0),
      bytes: cells[at + col.bytes] ?? 0,
      flags: cells[at + col.flags] ?? 0,
      keywords: this.#keywords.get(slot) ?? noKeywords,
      modSeq: brandNumber<ModSeq>(cells[at + col.modSeq] ?? 0),
      internalDate: (cells[at + col.internalDate] ?? 0) - dateBias,
      saveDate: (cells[at + col.saveDate] ?? 0) - dateBias,
      size: cells[at + col.size] ?? 0,
      message: brandNumber<MessageId>(cells[at + col.message] ?? 0),
      thread: brandNumber<ThreadId>(cells[at + col.thread] ?? 0),
      email: brandNumber<EmailId>(cells[at + col.email] ?? 0),
      uidl: this.#uidls.get(slot) ?? '',
    };
  }

  /** The flags of an entry that is here. */
  flagsOf(uid: number): number {
    return this.#cells[(uid % chunkSlots) * columnCount + col.flags] ?? 0;
  }

  /** The MODSEQ of an entry that is here. */
  modSeqOf(uid: number): number {
    return this.#cells[(uid % chunkSlots) * columnCount + col.modSeq] ?? 0;
  }

  set(entry: Entry): void {
    const slot = entry.uid % chunkSlots;
    if (slot < 32) this.#low |= 1 << slot;
    else this.#high |= 1 << (slot - 32);
    const cells = this.#cells;
    const at = slot * columnCount;
    cells[at + col.lsn] = entry.lsn;
    cells[at + col.bytes] = entry.bytes;
    cells[at + col.flags] = entry.flags;
    cells[at + col.modSeq] = entry.modSeq;
    cells[at + col.internalDate] = entry.internalDate + dateBias;
    cells[at + col.saveDate] = entry.saveDate + dateBias;
    cells[at + col.size] = entry.size;
    cells[at + col.message] = entry.message;
    cells[at + col.thread] = entry.thread;
    cells[at + col.email] = entry.email;
    if (entry.keywords.length > 0) this.#keywords.set(slot, entry.keywords);
    else this.#keywords.delete(slot);
    if (entry.uidl !== '') this.#uidls.set(slot, entry.uidl);
    else this.#uidls.delete(slot);
  }

  /** Changes an entry's flags, keywords and MODSEQ alone. */
  setFlags(uid: number, flags: number, keywords: readonly number[], modSeq: ModSeq): void {
    const slot = uid % chunkSlots;
    const at = slot * columnCount;
    this.#cells[at + col.flags] = flags;
    this.#cells[at + col.modSeq] = modSeq;
    if (keywords.length > 0) this.#keywords.set(slot, keywords);
    else this.#keywords.delete(slot);
  }

  remove(uid: number): void {
    const slot = uid % chunkSlots;
    if (slot < 32) this.#low &= ~(1 << slot);
    else this.#high &= ~(1 << (slot - 32));
    this.#keywords.delete(slot);
    this.#uidls.delete(slot);
  }

  /** Taken slots, rising. */
  slots(): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < 32; slot++) if ((this.#low >>> slot) & 1) slots.push(slot);
    for (let slot = 0; slot < 32; slot++) if ((this.#high >>> slot) & 1) slots.push(slot + 32);
    return slots;
  }

  /** The entries of this chunk in UID order, of those from `first` to `last` where these are given; `chunk` is UID ÷ 64. */
  entries(chunk: number, first: number = 0, last: number = Number.POSITIVE_INFINITY): Entry[] {
    const entries: Entry[] = [];
    const start = chunk * chunkSlots;
    const end = Math.min(last, start + chunkSlots - 1);
    for (let uid = Math.max(first, start); uid <= end; uid++) {
      const entry = this.get(uid);
      if (entry !== undefined) entries.push(entry);
    }
    return entries;
  }

  /** As `entries`, as much of them as `decodeFlags` gives. */
  flags(chunk: number): EntryFlags[] {
    return this.slots().map((slot) => ({
      uid: brandNumber<Uid>(chunk * chunkSlots + slot),
      flags: this.#cells[slot * columnCount + col.flags] ?? 0,
      keywords: this.#keywords.get(slot) ?? noKeywords,
    }));
  }

  encode(): Buffer {
    const slots = this.slots();
    const writer = new Writer(64 + slots.length * 40);
    writer.u32(this.#low >>> 0).u32(this.#high >>> 0);
    let highest = 0;
    for (const slot of slots) highest = Math.max(highest, this.#cells[slot * columnCount + col.modSeq] ?? 0);
    writer.u64(highest);
    for (let column = 0; column < columnCount; column++) encodeColumn(writer, this.#cells, slots, column);
    writer.u8(this.#keywords.size);
    for (const [slot, numbers] of [...this.#keywords].sort((a, b) => a[0] - b[0])) {
      writer.u8(slot).varint(numbers.length).bytes(Uint8Array.from(numbers));
    }
    writer.u8(this.#uidls.size);
    for (const [slot, uidl] of [...this.#uidls].sort((a, b) => a[0] - b[0])) writer.u8(slot).text(uidl);
    return writer.finish();
  }

  static decode(octets: Buffer): IndexChunk {
    return IndexChunk.#decode(octets, columnCount);
  }

  /** Flags and keywords, and nothing else of the entries: for `flags` alone. */
  static decodeFlags(octets: Buffer): IndexChunk {
    return IndexChunk.#decode(octets, col.flags);
  }

  /** As `decodeFlags`; undefined, and hardly any work, where no entry can have that flag. */
  static decodeFlagsWith(octets: Buffer, flag: number): IndexChunk | undefined {
    const reader = new Reader(octets);
    const slots = bitsOf(reader.u32()) + bitsOf(reader.u32());
    reader.u64();
    for (let column = 0; column < col.flags; column++) skipColumn(reader, slots);
    const isMixed = readWidth(reader) > 0;
    return isMixed || (reader.varint() & flag) !== 0 ? IndexChunk.decodeFlags(octets) : undefined;
  }

  /** All columns, or one of them. */
  static #decode(octets: Buffer, wanted: number): IndexChunk {
    const reader = new Reader(octets);
    const chunk = new IndexChunk();
    chunk.#low = reader.u32() | 0;
    chunk.#high = reader.u32() | 0;
    reader.u64();
    const slots = chunk.slots();
    for (let column = 0; column < columnCount; column++) {
      if (wanted === columnCount || wanted === column) decodeColumn(octets, reader, chunk.#cells, slots, column);
      else skipColumn(reader, slots.length);
    }
    for (let left = reader.u8(); left > 0; left--) {
      const slot = reader.u8();
      chunk.#keywords.set(slot, [...reader.bytes(reader.varint())]);
    }
    for (let left = reader.u8(); left > 0; left--) {
      const slot = reader.u8();
      chunk.#uidls.set(slot, reader.text());
    }
    reader.end();
    return chunk;
  }

  /** The highest MODSEQ in an encoded chunk, without decoding it. */
  static highestModSeq(octets: Buffer): ModSeq {
    return brandNumber<ModSeq>(new Reader(octets, 8).u64());
  }
}

/** A chunk of one entry, as octets: what `set` and `encode` of an empty one give, without the room for 64. */
export function encodeSingle(entry: Entry): Buffer {
  const slot = entry.uid % chunkSlots;
  const bit = 2 ** (slot % 32);
  const w = new Writer(128);
  w.u32(slot < 32 ? bit : 0).u32(slot < 32 ? 0 : bit);
  w.u64(entry.modSeq);
  for (const column of columns) {
    const isDate = column === 'internalDate' || column === 'saveDate';
    w.u8(0).varint(entry[column] + (isDate ? dateBias : 0));
  }
  const { keywords, uidl } = entry;
  w.u8(keywords.length > 0 ? 1 : 0);
  if (keywords.length > 0) w.u8(slot).varint(keywords.length).bytes(Uint8Array.from(keywords));
  w.u8(uidl === '' ? 0 : 1);
  if (uidl !== '') w.u8(slot).text(uidl);
  return w.finish();
}

function encodeColumn(writer: Writer, cells: Float64Array, slots: readonly number[], column: number): void {
  let low = Number.MAX_SAFE_INTEGER;
  let high = 0;
  for (const slot of slots) {
    const value = cells[slot * columnCount + column] ?? 0;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const spread = high - low;
  const width = spread <= 0 ? 0 : spread < 0x100 ? 1 : spread < 0x1_0000 ? 2 : spread < 0x1_0000_0000 ? 4 : 8;
  writer.u8(width).varint(slots.length === 0 ? 0 : low);
  if (width === 0) return;
  for (const slot of slots) {
    const difference = (cells[slot * columnCount + column] ?? 0) - low;
    if (width === 1) writer.u8(difference);
    else if (width === 2) writer.u16(difference);
    else if (width === 4) writer.u32(difference);
    else writer.u64(difference);
  }
}

/** `octets`: what the reader reads. Values are taken from it directly: a scan of a large mailbox spends its time here. */
function decodeColumn(
  octets: Buffer,
  reader: Reader,
  cells: Float64Array,
  slots: readonly number[],
  column: number,
): void {
  const width = readWidth(reader);
  const low = reader.varint();
  let at = reader.skip(width * slots.length);
  for (const slot of slots) {
    let difference = 0;
    if (width === 1) difference = octets[at] ?? 0;
    else if (width === 2) difference = octets.readUInt16LE(at);
    else if (width === 4) difference = octets.readUInt32LE(at);
    else if (width === 8) difference = new Reader(octets, at).u64();
    cells[slot * columnCount + column] = low + difference;
    at += width;
  }
}

function bitsOf(word: number): number {
  let count = 0;
  for (let left = word; left !== 0; left = (left & (left - 1)) >>> 0) count++;
  return count;
}

function skipColumn(reader: Reader, slots: number): void {
  const width = readWidth(reader);
  reader.varint();
  reader.skip(width * slots);
}

function readWidth(reader: Reader): number {
  const width = reader.u8();
  if (width !== 0 && width !== 1 && width !== 2 && width !== 4 && width !== 8) {
    throw new DecodeError(`column width ${width}`);
  }
  return width;
}
