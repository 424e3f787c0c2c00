/**
 * The heap's octets: segment header, record head, COMMIT fields. Implements docs/format/heap.md; pure, and the only
 * module that knows an offset.
 *
 * A record's *head* is its 32 octets of header and its fields. One crc covers the head, another the payload, so that a
 * walk from head to head believes the fields without reading payloads. Whatever is decoded here is checked in full:
 * a decoder answers with a good value or not at all.
 *
 * Both crcs of a record start from the segment's salt, which nobody outside the store can know: octets of a mail that
 * look like records of this very place do not check.
 */
import { crc32 } from 'node:zlib';
import { DecodeError, Reader, Writer } from '../codec/bytes.ts';
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import { brandNumber, type Lsn } from '../types.ts';
import type { Commit, HighWater } from './location.ts';

const segmentMagic = Buffer.from('MSTOREhp', 'latin1');
/** The format version of segments that are written. */
export const heapFormat = 2;
/** The earliest version that is read. What each may hold is in docs/format/heap.md, Versions; the octets are the same. */
const oldestFormat = 1;
const recordMagic = Buffer.from('mREC', 'latin1');
const recordMagicValue = recordMagic.readUInt32LE(0);

/** Octets of a segment header without its list. */
export const segmentFixedBytes = 152;
const listEntryBytes = 16;
/** Octets of a record's header, without fields. */
export const recordHeaderBytes = 32;
const commitFieldsBytes = 56;
/** Octets of a COMMIT. */
export const commitBytes: number = recordHeaderBytes + commitFieldsBytes;
/** A COMMIT's record type; the lower ones, from 1, are the log's. */
export const commitType = 6;
/** Base LSNs are multiples of this; so that LSN 0 means none, it is also the first of them. */
export const baseLsnUnit = 4096;

/** `value` or the next multiple of `unit`. */
export function alignUp(value: number, unit: number): number {
  const over = value % unit;
  return over === 0 ? value : value + unit - over;
}

/** An LSN from a base and an offset. */
export function lsnAt(base: number, offset: number): Lsn {
  return brandNumber<Lsn>(base + offset);
}

/** A live segment as a later segment's header lists it. */
export interface ListedSegment {
  readonly number: number;
  /** Where the log ends in it. */
  readonly endLsn: Lsn;
}

/** The fixed part of a segment's header. */
export interface SegmentHeader {
  readonly storeId: Buffer;
  readonly number: number;
  readonly epoch: number;
  readonly salt: number;
  readonly baseLsn: Lsn;
  readonly predecessor: number;
  readonly predecessorEnd: Lsn;
  readonly highWater: HighWater;
  /** ms since 1970. */
  readonly time: number;
  /** Number of the last batch before this segment; 0 for none. */
  readonly lastBatch: number;
}

/** A decoded fixed part: the header, and what is needed to read and check the list behind it. */
export interface FixedHeader extends SegmentHeader {
  /** The segment's format version. */
  readonly format: number;
  /** Octets of the whole header. */
  readonly headerBytes: number;
  readonly listCrc: number;
}

/** Octets of a header that lists `count` segments. */
export function segmentHeaderBytes(count: number): number {
  return segmentFixedBytes + count * listEntryBytes;
}

/** The whole header; `live` rises by number. */
export function encodeSegmentHeader(header: SegmentHeader, live: readonly ListedSegment[]): Buffer {
  const list = new Writer(live.length * listEntryBytes);
  for (const segment of live) list.u64(segment.number).u64(segment.endLsn);
  const listOctets = list.finish();
  const { highWater } = header;
  const fixed = new Writer(segmentFixedBytes)
    .bytes(segmentMagic)
    .u16(heapFormat)
    .u16(0)
    .u32(segmentFixedBytes + listOctets.length)
    .bytes(header.storeId)
    .u64(header.number)
    .u32(header.epoch)
    .u32(header.salt)
    .u64(header.baseLsn)
    .u64(header.predecessor)
    .u64(header.predecessorEnd)
    .u64(highWater.sequence)
    .u64(highWater.account)
    .u64(highWater.mailbox)
    .u64(highWater.message)
    .u64(highWater.thread)
    .u64(highWater.uidValidity)
    .u64(header.time)
    .u64(header.lastBatch)
    .u32(live.length)
    .u32(crc32(listOctets))
    .u32(0)
    .finish();
  const crc = new Writer(4).u32(crc32(fixed)).finish();
  return Buffer.concat([fixed, crc, listOctets]);
}

/**
 * Decodes the first `segmentFixedBytes` octets of a file.
 * @throws {DecodeError} they are not a header
 * @throws {StoreError} newerFormat
 */
export function decodeSegmentHeader(octets: Buffer): FixedHeader {
  const reader = new Reader(octets.subarray(0, segmentFixedBytes));
  if (!reader.bytes(8).equals(segmentMagic)) throw new DecodeError('no segment magic');
  if (octets.length < segmentFixedBytes) throw new DecodeError('segment header cut short');
  if (octets.readUInt32LE(segmentFixedBytes - 4) !== crc32(octets.subarray(0, segmentFixedBytes - 4))) {
    throw new DecodeError('segment header crc');
  }
  // Only now: a flipped bit in the version is damage and not a later release.
  const format = reader.u16();
  if (format > heapFormat) {
    const text = `format ${format}, and this release reads up to ${heapFormat}: run the release that wrote it, or a later one`;
    throw new StoreError('newerFormat', text, { format });
  }
  reader.u16();
  const headerBytes = reader.u32();
  const header = {
    storeId: Buffer.from(reader.bytes(16)),
    number: reader.u64(),
    epoch: reader.u32(),
    salt: reader.u32(),
    baseLsn: brandNumber<Lsn>(reader.u64()),
    predecessor: reader.u64(),
    predecessorEnd: brandNumber<Lsn>(reader.u64()),
    highWater: {
      sequence: reader.u64(),
      account: reader.u64(),
      mailbox: reader.u64(),
      message: reader.u64(),
      thread: reader.u64(),
      uidValidity: reader.u64(),
    },
    time: reader.u64(),
    lastBatch: reader.u64(),
  };
  const count = reader.u32();
  const listCrc = reader.u32();
  if (format < oldestFormat || count > limits.segments || headerBytes !== segmentHeaderBytes(count)) {
    throw new DecodeError('segment header length');
  }
  if (header.baseLsn === 0 || header.baseLsn % baseLsnUnit !== 0 || header.predecessor >= header.number) {
    throw new DecodeError('segment header contradicts itself');
  }
  if (header.predecessorEnd > header.baseLsn) throw new DecodeError('base LSN before the predecessor ended');
  return { ...header, format, headerBytes, listCrc };
}

/**
 * Decodes the list that follows a fixed part: `octets` are the header's rest.
 * @throws {DecodeError} it is not the list that was written
 */
export function decodeSegmentList(octets: Buffer, header: FixedHeader): ListedSegment[] {
  if (octets.length !== header.headerBytes - segmentFixedBytes) throw new DecodeError('segment list cut short');
  if (crc32(octets) !== header.listCrc) throw new DecodeError('segment list crc');
  const reader = new Reader(octets);
  const live: ListedSegment[] = [];
  let above = 0;
  while (reader.remaining > 0) {
    const number = reader.u64();
    if (number <= above || number >= header.number) throw new DecodeError('segment list out of order');
    above = number;
    live.push({ number, endLsn: brandNumber<Lsn>(reader.u64()) });
  }
  return live;
}

/** A record's head, decoded and checked. */
export interface RecordHead {
  readonly type: number;
  readonly codec: 0 | 1;
  readonly fieldsBytes: number;
  /** Octets of the payload as stored. */
  readonly payloadBytes: number;
  readonly decodedBytes: number;
  readonly lsn: Lsn;
  readonly payloadCrc: number;
  /** Octets of the whole record, padding included. */
  readonly recordBytes: number;
}

/** Octets of a record with these lengths, padding included. */
export function recordBytes(fieldsBytes: number, payloadBytes: number): number {
  return (recordHeaderBytes + fieldsBytes + payloadBytes + 7) & ~7;
}

/** What of a record's header is chosen by who appends it. */
export interface HeadValues {
  readonly type: number;
  readonly codec: 0 | 1;
  readonly decodedBytes: number;
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  readonly lsn: number;
}

/** Writes the head into `octets` from `at`: header and fields. */
export function encodeRecordHead(octets: Buffer, at: number, values: HeadValues, fields: Buffer, salt: number): void {
  octets.writeUInt32LE(recordMagicValue, at);
  octets[at + 4] = values.type;
  octets[at + 5] = values.codec;
  octets.writeUInt16LE(fields.length, at + 6);
  octets.writeUInt32LE(values.payloadBytes, at + 8);
  octets.writeUInt32LE(values.decodedBytes, at + 12);
  writeU64(octets, values.lsn, at + 16);
  octets.writeUInt32LE(values.payloadCrc, at + 24);
  fields.copy(octets, at + recordHeaderBytes);
  octets.writeUInt32LE(headCrc(octets, at, fields.length, salt), at + 28);
}

function headCrc(octets: Buffer, at: number, fieldsBytes: number, salt: number): number {
  const crc = crc32(octets.subarray(at, at + 28), salt);
  if (fieldsBytes === 0) return crc;
  return crc32(octets.subarray(at + recordHeaderBytes, at + recordHeaderBytes + fieldsBytes), crc);
}

/** Octets of the head at `at`, from its unverified header of which `recordHeaderBytes` octets must be there. */
export function headBytesAt(octets: Buffer, at: number): number {
  return recordHeaderBytes + octets.readUInt16LE(at + 6);
}

/**
 * The head at `at` of a record whose LSN must be `lsn`; undefined when there is none that checks. All of
 * `headBytesAt` octets must be there.
 */
export function decodeRecordHead(octets: Buffer, at: number, lsn: Lsn, salt: number): RecordHead | undefined {
  const head = peekRecordHead(octets, at);
  if (head === undefined || head.lsn !== lsn) return undefined;
  if (octets.readUInt32LE(at + 28) !== headCrc(octets, at, head.fieldsBytes, salt)) return undefined;
  return head;
}

/** What looks like a record's header at `at`, nothing of it verified: for judging a segment whose salt is lost. */
export function peekRecordHead(octets: Buffer, at: number): RecordHead | undefined {
  if (octets.readUInt32LE(at) !== recordMagicValue) return undefined;
  const type = octets[at + 4]!;
  const codec = octets[at + 5]!;
  const fieldsBytes = octets.readUInt16LE(at + 6);
  const payloadBytes = octets.readUInt32LE(at + 8);
  const decodedBytes = octets.readUInt32LE(at + 12);
  if (type < 1 || type > commitType || (codec !== 0 && codec !== 1)) return undefined;
  if (payloadBytes > limits.recordBytes || decodedBytes > limits.recordBytes) return undefined;
  if (codec === 0 && payloadBytes !== decodedBytes) return undefined;
  if (type === commitType && (fieldsBytes !== commitFieldsBytes || payloadBytes !== 0)) return undefined;
  const bytes = recordBytes(fieldsBytes, payloadBytes);
  const payloadCrc = octets.readUInt32LE(at + 24);
  const lsn = brandNumber<Lsn>(readU64(octets, at + 16));
  return { type, codec, fieldsBytes, payloadBytes, decodedBytes, lsn, payloadCrc, recordBytes: bytes };
}

/** Where the record magic next stands in `octets` from `from` on; −1 for nowhere. */
export function indexOfRecordMagic(octets: Buffer, from: number): number {
  return octets.indexOf(recordMagic, from);
}

/** The crc of crcs goes over a batch's records in order: the value after the record whose header is at `at`. */
export function addToBatchCrc(crc: number, octets: Buffer, at: number): number {
  return crc32(octets.subarray(at + 24, at + 32), crc);
}

const cleanStopBit = 1;
const idleBit = 2;

/** A COMMIT's fields: what it says, and the crc of crcs of its batch. */
export function encodeCommit(commit: Commit, batchCrc: number): Buffer {
  return new Writer(commitFieldsBytes)
    .u64(commit.number)
    .u64(commit.firstLsn)
    .u64(commit.lastLsn)
    .u64(commit.durableLsn)
    .u64(commit.time)
    .u32(commit.records)
    .u32(commit.epoch)
    .u32(batchCrc)
    .u32((commit.cleanStop ? cleanStopBit : 0) | (commit.idle ? idleBit : 0))
    .finish();
}

/** Decodes the fields of a COMMIT whose head checked. */
export function decodeCommit(fields: Buffer): { readonly commit: Commit; readonly batchCrc: number } {
  const reader = new Reader(fields);
  const number = reader.u64();
  const firstLsn = brandNumber<Lsn>(reader.u64());
  const lastLsn = brandNumber<Lsn>(reader.u64());
  const durableLsn = brandNumber<Lsn>(reader.u64());
  const time = reader.u64();
  const records = reader.u32();
  const epoch = reader.u32();
  const batchCrc = reader.u32();
  const bits = reader.u32();
  const cleanStop = (bits & cleanStopBit) !== 0;
  const idle = (bits & idleBit) !== 0;
  return { commit: { number, epoch, records, firstLsn, lastLsn, durableLsn, time, cleanStop, idle }, batchCrc };
}

function writeU64(octets: Buffer, value: number, at: number): void {
  octets.writeUInt32LE(value % 0x1_0000_0000, at);
  octets.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

function readU64(octets: Buffer, at: number): number {
  return octets.readUInt32LE(at) + octets.readUInt32LE(at + 4) * 0x1_0000_0000;
}
