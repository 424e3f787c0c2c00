/**
 * One flipped bit, found again: memory and cables flip single bits, and a crc says which one it was.
 *
 * A crc is linear, so an error changes it by an amount, the *syndrome*, that depends on the error alone. Single bits at different
 * places of anything shorter than 2^32 bits have different syndromes (CRC-32's polynomial is primitive), so at most one place fits. An
 * error of several bits can pass for one by chance, at bits ÷ 2^32: where content has a SHA-256, that decides; heads and the small
 * records without one are too short for the chance to count.
 */
import { crc32 } from 'node:zlib';
import type { Lsn } from '../types.ts';
import { decodeRecordHead, type RecordHead, recordHeaderBytes, segmentFixedBytes } from './format.ts';

const polynomial = 0xedb8_8320;

/** The bit of `bits` transmitted ones whose flip gives this syndrome, counted from the first octet's lowest; undefined for none. */
function bitOfSyndrome(syndrome: number, bits: number): number | undefined {
  const wanted = syndrome | 0;
  let state: number = polynomial | 0;
  for (let behind = 0; behind < bits; behind++) {
    if (state === wanted) return bits - 1 - behind;
    state = (state >>> 1) ^ (-(state & 1) & polynomial);
  }
  return undefined;
}

function flip(octets: Buffer, bit: number): void {
  const at = bit >>> 3;
  octets.writeUInt8(octets.readUInt8(at) ^ (1 << (bit & 7)), at);
}

/** The octets with one bit turned so that their crc is `crc`; undefined when none does that. */
export function withPayloadBit(octets: Buffer, crc: number, salt: number): Buffer | undefined {
  const bit = bitOfSyndrome((crc32(octets, salt) ^ crc) >>> 0, octets.length * 8);
  if (bit === undefined) return undefined;
  const right = Buffer.from(octets);
  flip(right, bit);
  return right;
}

/** The head in `octets` with one bit turned so that it checks, header or fields; `octets` may go on behind it. */
export function withHeadBit(octets: Buffer, lsn: Lsn, salt: number): { right: Buffer; head: RecordHead } | undefined {
  if (octets.length < recordHeaderBytes) return undefined;
  const tried = Buffer.from(octets);
  const check = (): RecordHead | undefined => {
    const bytes = recordHeaderBytes + tried.readUInt16LE(6);
    return bytes > tried.length ? undefined : decodeRecordHead(tried, 0, lsn, salt);
  };
  for (let bit = 0; bit < recordHeaderBytes * 8; bit++) {
    flip(tried, bit);
    const head = check();
    if (head !== undefined) return { right: tried, head };
    flip(tried, bit);
  }
  return withFieldBit(tried, check, salt);
}

/** As the header is right, its crc and the fields' length are: what is wrong stands in the fields. */
function withFieldBit(
  tried: Buffer,
  check: () => RecordHead | undefined,
  salt: number,
): { right: Buffer; head: RecordHead } | undefined {
  const fieldsBytes = tried.readUInt16LE(6);
  if (recordHeaderBytes + fieldsBytes > tried.length) return undefined;
  const covered = Buffer.concat([tried.subarray(0, 28), tried.subarray(32, 32 + fieldsBytes)]);
  const bit = bitOfSyndrome((crc32(covered, salt) ^ tried.readUInt32LE(28)) >>> 0, covered.length * 8);
  if (bit === undefined || bit < 28 * 8) return undefined;
  flip(tried, bit + 4 * 8);
  const head = check();
  return head === undefined ? undefined : { right: tried, head };
}

/** The fixed part of a segment's header, with one bit turned where its crc is not right; undefined when none does that. */
export function withHeaderBit(octets: Buffer): Buffer | undefined {
  if (octets.length < segmentFixedBytes) return undefined;
  const tried = Buffer.from(octets.subarray(0, segmentFixedBytes));
  const crcAt = segmentFixedBytes - 4;
  if (tried.readUInt32LE(crcAt) === crc32(tried.subarray(0, crcAt))) return tried;
  for (let bit = 0; bit < segmentFixedBytes * 8; bit++) {
    flip(tried, bit);
    if (tried.readUInt32LE(crcAt) === crc32(tried.subarray(0, crcAt))) return tried;
    flip(tried, bit);
  }
  return undefined;
}
