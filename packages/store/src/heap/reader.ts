/**
 * Reads one record at a place: a single read for typical ones, everything verified before anything is returned.
 * Which segment a place lies in is the caller's business.
 */
import { crc32 } from 'node:zlib';
import zstd from 'zstd-napi/binding.js';
import { isStoreError, StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Lsn } from '../types.ts';
import { corruptAt } from './chain.ts';
import type { SegmentFiles } from './files.ts';
import { decodeRecordHead, headBytesAt, peekRecordHead, recordBytes, recordHeaderBytes } from './format.ts';
import type { HeapRecord, StoredRecord } from './location.ts';
import type { WalkedSegment } from './walk.ts';

/** Octets read when the caller does not know how many: the whole of most ENTRYs, EVENTs and small MESSAGEs. */
const guessBytes = 8 * 1024;

/** The error for a place that no segment holds. */
export function segmentGone(lsn: Lsn, cause: unknown): StoreError {
  return new StoreError('corrupt', `no segment holds LSN ${lsn}`, { segment: 0, offset: 0, lsn, gone: 1 }, cause);
}

/** True when nothing holds the record's place any more: its segment was dropped. Look the location up once more. */
export function isSegmentGone(error: unknown): boolean {
  return isStoreError(error, 'corrupt') && error.details.gone === 1;
}

/** Octets of the largest record. */
const recordBytesMax = recordBytes(0xffff, limits.recordBytes);

/** Reads the record at `lsn`, payload as stored. @throws {StoreError} corrupt, ioError */
export async function readStored(
  files: SegmentFiles,
  segment: WalkedSegment,
  lsn: Lsn,
  bytes: number | undefined,
): Promise<StoredRecord> {
  const offset = lsn - segment.baseLsn;
  let octets = Buffer.allocUnsafe(Math.min(Math.max(bytes ?? guessBytes, recordHeaderBytes), recordBytesMax));
  let held = await files.read(segment.number, octets, 0, octets.length, offset);
  const extend = async (needed: number): Promise<void> => {
    if (needed <= octets.length) return;
    const longer = Buffer.allocUnsafe(needed);
    octets.copy(longer, 0, 0, held);
    held += await files.read(segment.number, longer, held, needed - held, offset + held);
    octets = longer;
  };
  const looks = held < recordHeaderBytes ? undefined : peekRecordHead(octets, 0);
  if (looks === undefined || looks.lsn !== lsn) throw corruptAt('recordHead', segment.number, offset, lsn);
  await extend(headBytesAt(octets, 0));
  const headBytes = headBytesAt(octets, 0);
  const head = held < headBytes ? undefined : decodeRecordHead(octets, 0, lsn, segment.salt);
  if (head === undefined) throw corruptAt('recordHead', segment.number, offset, lsn);
  await extend(headBytes + head.payloadBytes);
  const payload = octets.subarray(headBytes, headBytes + head.payloadBytes);
  if (held < headBytes + head.payloadBytes || crc32(payload, segment.salt) !== head.payloadCrc) {
    throw corruptAt('payload', segment.number, offset, lsn);
  }
  return {
    type: head.type,
    location: { lsn, bytes: head.recordBytes },
    fields: octets.subarray(recordHeaderBytes, headBytes),
    payload,
    codec: head.codec,
    decodedBytes: head.decodedBytes,
  };
}

/** The record with its payload decoded. @throws {StoreError} corrupt */
export function decodeStored(stored: StoredRecord, segment: WalkedSegment & { readonly format: number }): HeapRecord {
  const { type, location, fields } = stored;
  const payload = stored.codec === 0 ? stored.payload : unpack(stored.payload, stored.decodedBytes);
  if (payload === undefined) {
    throw corruptAt('payload', segment.number, location.lsn - segment.baseLsn, location.lsn);
  }
  return { type, format: segment.format, location, fields, payload, storedBytes: stored.payload.length };
}

/** The payload of a record that was read as it is stored, decoded. @throws {StoreError} corrupt */
export function unpackPayload(record: StoredRecord & { readonly segment: number }): Buffer {
  const { lsn } = record.location;
  const plain = record.codec === 0 ? record.payload : unpack(record.payload, record.decodedBytes);
  if (plain === undefined) throw corruptAt('payload', record.segment, 0, lsn);
  return plain;
}

let context: zstd.DCtx | undefined;

/** zstd frames decoded into exactly `decodedBytes` octets; undefined when they are something else. */
export function unpack(packed: Buffer, decodedBytes: number): Buffer | undefined {
  const plain = Buffer.allocUnsafe(decodedBytes);
  return unpackInto(plain, packed) ? plain : undefined;
}

/** Fills `plain` with what zstd frames hold; false when that is not exactly as much. */
export function unpackInto(plain: Buffer, packed: Buffer): boolean {
  context ??= new zstd.DCtx();
  try {
    return context.decompress(plain, packed) === plain.length;
  } catch {
    // Its crc was good, so it was stored like this; to the reader that is damage all the same.
    return false;
  }
}
