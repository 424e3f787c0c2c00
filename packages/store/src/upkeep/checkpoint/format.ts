/**
 * A checkpoint's octets: header, blocks of rows, end. Implements docs/format/checkpoint.md; pure, and the only module that knows
 * an offset. Whatever is decoded here is checked in full: a decoder answers with a good value or throws `DecodeError`.
 */
import { crc32 } from 'node:zlib';
import zstd from 'zstd-napi/binding.js';
import { type TableName, tableNames } from '../../catalog/kv.ts';
import { DecodeError, Reader, Writer } from '../../codec/bytes.ts';
import { StoreError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { brandNumber, type Lsn } from '../../types.ts';

const magic = Buffer.from('MSTOREck', 'latin1');
const formatVersion = 1;

/** Octets of the header. */
export const headerBytes = 80;
/** Octets in front of each block's payload. */
export const blockHeadBytes = 24;
/** The table number of the last block, which holds no rows. */
const endTable = 255;

/** Which catalog a checkpoint is of, and at which place of the log. */
export interface CheckpointHeader {
  /** Format of the rows. */
  readonly catalogFormat: number;
  readonly storeId: Buffer;
  /** Everything in the log below is in it. */
  readonly lsn: Lsn;
  readonly batch: number;
  readonly sequence: number;
  readonly epoch: number;
  /** ms since 1970. */
  readonly time: number;
}

export function encodeHeader(header: CheckpointHeader): Buffer {
  const fixed = new Writer(headerBytes)
    .bytes(magic)
    .u16(formatVersion)
    .u16(header.catalogFormat)
    .u32(headerBytes)
    .bytes(header.storeId)
    .u64(header.lsn)
    .u64(header.batch)
    .u64(header.sequence)
    .u64(header.time)
    .u32(header.epoch)
    .u32(0)
    .u32(0)
    .finish();
  return Buffer.concat([fixed, new Writer(4).u32(crc32(fixed)).finish()]);
}

/** @throws {DecodeError} @throws {StoreError} newerFormat */
export function decodeHeader(octets: Buffer): CheckpointHeader {
  if (octets.length < headerBytes) throw new DecodeError('a checkpoint cut in its header');
  const reader = new Reader(octets.subarray(0, headerBytes));
  if (!reader.bytes(8).equals(magic)) throw new DecodeError('no checkpoint magic');
  if (octets.readUInt32LE(headerBytes - 4) !== crc32(octets.subarray(0, headerBytes - 4))) {
    throw new DecodeError('checkpoint header crc');
  }
  const version = reader.u16();
  if (version > formatVersion) {
    const text = `checkpoint format ${version}; this release reads up to ${formatVersion}`;
    throw new StoreError('newerFormat', text, { version });
  }
  const catalogFormat = reader.u16();
  if (version !== formatVersion || reader.u32() !== headerBytes) throw new DecodeError('checkpoint header length');
  const storeId = Buffer.from(reader.bytes(16));
  const lsn = brandNumber<Lsn>(reader.u64());
  const batch = reader.u64();
  const sequence = reader.u64();
  const time = reader.u64();
  return { catalogFormat, storeId, lsn, batch, sequence, time, epoch: reader.u32() };
}

/** What stands in front of a block. */
export interface BlockHead {
  /** Undefined: the end of the checkpoint. */
  readonly table: TableName | undefined;
  readonly codec: 0 | 1;
  readonly rows: number;
  readonly storedBytes: number;
  readonly decodedBytes: number;
  readonly payloadCrc: number;
  /** Of the head itself: the end block sums these up. */
  readonly headCrc: number;
}

/** A row's key and value. */
export type Row = readonly [Buffer, Buffer];

let compressor: zstd.CCtx | undefined;
let decompressor: zstd.DCtx | undefined;
let scratch = Buffer.alloc(0);
/** Level 3 makes checkpoints a tenth smaller and takes half as long again. */
const level = 1;

/** One block: its octets, and its head's crc for the end block. */
export interface EncodedBlock {
  readonly octets: Buffer;
  readonly headCrc: number;
}

function encodeBlock(table: number, rows: number, payload: Buffer): EncodedBlock {
  compressor ??= new zstd.CCtx();
  const bound = zstd.compressBound(payload.length);
  if (scratch.length < bound) scratch = Buffer.allocUnsafeSlow(bound);
  const length = compressor.compress(scratch, payload, level);
  const isSmaller = length < payload.length;
  const stored = isSmaller ? scratch.subarray(0, length) : payload;
  const head = new Writer(blockHeadBytes)
    .u8(table)
    .u8(isSmaller ? 1 : 0)
    .u16(0)
    .u32(rows)
    .u32(stored.length)
    .u32(payload.length)
    .u32(crc32(stored))
    .finish();
  const headCrc = crc32(head);
  return { octets: Buffer.concat([head, new Writer(4).u32(headCrc).finish(), stored]), headCrc };
}

/** Rows of one table, rising by key, as a block. */
export function encodeRows(table: TableName, rows: readonly Row[]): EncodedBlock {
  const writer = new Writer(limits.checkpointBlockBytes);
  let before: Buffer = Buffer.alloc(0);
  for (const [key, value] of rows) {
    const shared = sharedLength(before, key);
    writer.varint(shared).block(key.subarray(shared)).block(value);
    before = key;
  }
  return encodeBlock(tableNames.indexOf(table) + 1, rows.length, writer.finish());
}

function sharedLength(a: Buffer, b: Buffer): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at < most && a[at] === b[at]) at++;
  return at;
}

/** What the end block says of all others. */
export interface CheckpointSums {
  readonly blocks: number;
  /** In the order of the tables. */
  readonly rows: readonly number[];
  /** crc32 over the crcs of the blocks' heads, in order, each as a u32. */
  readonly headsCrc: number;
}

/** The sums of blocks that are met one after the other. */
export class BlockSums implements CheckpointSums {
  blocks = 0;
  readonly rows: number[] = tableNames.map(() => 0);
  headsCrc = 0;

  add(table: TableName, rows: number, headCrc: number): void {
    const at = tableNames.indexOf(table);
    this.blocks++;
    this.rows[at] = (this.rows[at] ?? 0) + rows;
    this.headsCrc = crc32(new Writer(4).u32(headCrc).finish(), this.headsCrc);
  }
}

export function encodeEnd(sums: CheckpointSums): Buffer {
  const writer = new Writer().varint(sums.blocks).varint(sums.rows.length);
  for (const count of sums.rows) writer.varint(count);
  return encodeBlock(endTable, 0, writer.u32(sums.headsCrc).finish()).octets;
}

/** @throws {DecodeError} */
export function decodeBlockHead(octets: Buffer): BlockHead {
  if (octets.length < blockHeadBytes) throw new DecodeError('a checkpoint that ends before its end block');
  const headCrc = octets.readUInt32LE(blockHeadBytes - 4);
  if (headCrc !== crc32(octets.subarray(0, blockHeadBytes - 4))) throw new DecodeError('crc of a block head');
  const reader = new Reader(octets);
  const number = reader.u8();
  const codec = reader.u8();
  reader.u16();
  const rows = reader.u32();
  const storedBytes = reader.u32();
  const decodedBytes = reader.u32();
  const payloadCrc = reader.u32();
  const table = tableNames[number - 1];
  if (codec !== 0 && codec !== 1) throw new DecodeError(`block codec ${codec}`);
  if (number !== endTable && table === undefined) throw new DecodeError(`rows of table ${number}`);
  if (Math.max(storedBytes, decodedBytes) > limits.recordBytes) throw new DecodeError('a block beyond its bound');
  return { table, codec, rows, storedBytes, decodedBytes, payloadCrc, headCrc };
}

/** A block's payload, decoded. @throws {DecodeError} */
export function decodePayload(head: BlockHead, stored: Buffer): Buffer {
  if (stored.length !== head.storedBytes) throw new DecodeError('a block cut short');
  if (crc32(stored) !== head.payloadCrc) throw new DecodeError('crc of a block');
  if (head.codec === 0) return stored;
  decompressor ??= new zstd.DCtx();
  const plain = Buffer.allocUnsafe(head.decodedBytes);
  try {
    if (decompressor.decompress(plain, stored) === head.decodedBytes) return plain;
  } catch {
    // Its crc was good, so it was written like this; to the reader that is damage all the same.
  }
  throw new DecodeError('a block that does not decompress');
}

/** The rows of a block; values share its octets. @throws {DecodeError} also where keys do not rise */
export function decodeRows(head: BlockHead, payload: Buffer): Row[] {
  const reader = new Reader(payload);
  const rows: Row[] = [];
  let before: Buffer = Buffer.alloc(0);
  for (let left = head.rows; left > 0; left--) {
    const shared = reader.varint();
    if (shared > before.length) throw new DecodeError('a key longer than it says');
    const key = Buffer.concat([before.subarray(0, shared), reader.block()]);
    if (rows.length > 0 && Buffer.compare(before, key) >= 0) throw new DecodeError('keys that do not rise');
    rows.push([key, reader.block()]);
    before = key;
  }
  reader.end();
  return rows;
}

/** @throws {DecodeError} */
export function decodeSums(payload: Buffer): CheckpointSums {
  const reader = new Reader(payload);
  const blocks = reader.varint();
  const tables = reader.varint();
  if (tables > reader.remaining) throw new DecodeError(`${tables} tables`);
  const rows = Array.from({ length: tables }, () => reader.varint());
  const headsCrc = reader.u32();
  reader.end();
  return { blocks, rows, headsCrc };
}

const pattern = /^(\d{16})\.ckp$/;

/** The file name of a checkpoint at this LSN. */
export function checkpointName(lsn: number): string {
  return `${String(lsn).padStart(16, '0')}.ckp`;
}

/** The LSN in a checkpoint's file name; undefined for any other name. */
export function checkpointLsn(name: string): Lsn | undefined {
  const [, digits] = pattern.exec(name) ?? [];
  return digits === undefined ? undefined : brandNumber<Lsn>(Number(digits));
}
