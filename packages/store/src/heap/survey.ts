/**
 * The segment files of a folder one by one, whatever a newest header says of them: which have a header that checks, whose it is,
 * and which records in them check. For repairs, and for taking records from a copy of a heap. Believes nothing.
 */
import { crc32 } from 'node:zlib';
import { DecodeError } from '../codec/bytes.ts';
import { isStoreError } from '../errors.ts';
import type { FileSystem } from '../sys/fs.ts';
import type { Lsn } from '../types.ts';
import { SegmentFiles } from './files.ts';
import {
  decodeRecordHead,
  decodeSegmentHeader,
  type FixedHeader,
  headBytesAt,
  lsnAt,
  type RecordHead,
  recordHeaderBytes,
  segmentFixedBytes,
} from './format.ts';
import type { ScannedRecord } from './location.ts';
import { withHeadBit, withHeaderBit, withPayloadBit } from './one-bit.ts';
import { unpack } from './reader.ts';
import { RecordWalk } from './walk.ts';

export { isSegmentName, segmentName } from './names.ts';

/** Octets of the longest head. */
const headBytesMax = recordHeaderBytes + 0xffff;

/** A segment's file. */
export interface SurveyedSegment {
  /** As its name has it. */
  readonly number: number;
  readonly fileBytes: number;
  /** What its header says; undefined where it is none, or not what was written. */
  readonly header: SurveyedHeader | undefined;
}

export interface SurveyedHeader {
  readonly number: number;
  readonly storeId: Buffer;
  readonly format: number;
  readonly salt: number;
  readonly baseLsn: Lsn;
  readonly headerBytes: number;
}

export class SegmentSurvey {
  readonly segments: readonly SurveyedSegment[];
  readonly #files: SegmentFiles;

  private constructor(files: SegmentFiles, segments: readonly SurveyedSegment[]) {
    this.#files = files;
    this.segments = segments;
  }

  /** Reads the headers in `heap/` of a store's directory; no segments where there is none. @throws {StoreError} ioError */
  static async open(fs: FileSystem, storeDirectory: string): Promise<SegmentSurvey> {
    const files = new SegmentFiles(fs, storeDirectory);
    const segments: SurveyedSegment[] = [];
    for (const number of await files.list()) {
      const octets = Buffer.alloc(segmentFixedBytes);
      const got = await files.read(number, octets, 0, octets.length, 0);
      segments.push({ number, fileBytes: await files.size(number), header: headerIn(octets.subarray(0, got)) });
      await files.forget(number);
    }
    return new SegmentSurvey(files, segments);
  }

  path(number: number): string {
    return this.#files.path(number);
  }

  /** Octets of a file, fewer at its end. @throws {StoreError} ioError */
  async octets(number: number, offset: number, length: number): Promise<Buffer> {
    const octets = Buffer.alloc(length);
    return octets.subarray(0, await this.#files.read(number, octets, 0, length, offset));
  }

  /**
   * The records of a file that check, COMMITs too, in order; what does not is passed over. From `from` up to `to`, offsets
   * that begin records.
   */
  async *records(
    segment: SurveyedSegment,
    from?: number,
    to: number = segment.fileBytes,
  ): AsyncGenerator<ScannedRecord> {
    const { header } = segment;
    if (header === undefined) return;
    const walk = new RecordWalk(this.#files, { ...header, number: segment.number }, to);
    for (let at = from ?? header.headerBytes; at < to; ) {
      const head = await walk.head(at);
      if (head === undefined) {
        at = await walk.findHead(at + 8);
        continue;
      }
      const fields = walk.fields(at, head);
      const stored = head.payloadBytes === 0 ? Buffer.alloc(0) : await walk.payload(at, head);
      const payload = stored === undefined || head.codec === 0 ? stored : unpack(stored, head.decodedBytes);
      if (payload !== undefined) {
        const { type, codec, decodedBytes, payloadBytes: storedBytes } = head;
        const location = { lsn: lsnAt(header.baseLsn, at), bytes: head.recordBytes };
        yield {
          type,
          codec,
          format: header.format,
          location,
          fields,
          payload,
          storedBytes,
          decodedBytes,
          segment: segment.number,
        };
      }
      at += head.recordBytes;
    }
  }

  /** The right octets of a record whose head or payload is one bit off; undefined where nothing is wrong, or more. */
  async withoutFlip({ number, header, fileBytes }: SurveyedSegment, offset: number): Promise<Buffer | undefined> {
    if (header === undefined || offset >= fileBytes) return undefined;
    const lsn = lsnAt(header.baseLsn, offset);
    const start = await this.octets(number, offset, Math.min(headBytesMax, fileBytes - offset));
    const stored = start.length < recordHeaderBytes ? undefined : decodeHead(start, lsn, header.salt);
    const found = stored === undefined ? withHeadBit(start, lsn, header.salt) : { right: start, head: stored };
    if (found === undefined) return undefined;
    const { head, right } = found;
    const headBytes = recordHeaderBytes + head.fieldsBytes;
    const payload = await this.octets(number, offset + headBytes, head.payloadBytes);
    if (payload.length < head.payloadBytes) return undefined;
    // The crc of nothing is the salt; zlib would say 0.
    const isRight = payload.length === 0 || crc32(payload, header.salt) === head.payloadCrc;
    const mended = isRight
      ? payload
      : stored === undefined
        ? undefined
        : withPayloadBit(payload, head.payloadCrc, header.salt);
    if (mended === undefined || (stored !== undefined && isRight)) return undefined;
    return Buffer.concat([right.subarray(0, headBytes), mended]);
  }

  /** The right octets of the fixed part of a header that is one bit off; undefined where that is not all that is wrong. */
  async headerWithoutFlip({ number }: SurveyedSegment): Promise<Buffer | undefined> {
    const fixed = await this.octets(number, 0, segmentFixedBytes);
    const right = withHeaderBit(fixed);
    if (right === undefined || !right.equals(fixed)) return right;
    const { headerBytes, listCrc } = decodeSegmentHeader(fixed);
    const list = await this.octets(number, fixed.length, headerBytes - fixed.length);
    const rightList = withPayloadBit(list, listCrc, 0);
    return rightList === undefined ? undefined : Buffer.concat([fixed, rightList]);
  }

  close(): Promise<void> {
    return this.#files.close();
  }
}

function decodeHead(octets: Buffer, lsn: Lsn, salt: number): RecordHead | undefined {
  return headBytesAt(octets, 0) > octets.length ? undefined : decodeRecordHead(octets, 0, lsn, salt);
}

/** True when both files are of one segment: same heap, number, place and salt. */
export function sameSegment({ header: a }: SurveyedSegment, { header: b }: SurveyedSegment): boolean {
  if (a === undefined || b === undefined) return false;
  return a.storeId.equals(b.storeId) && a.number === b.number && a.baseLsn === b.baseLsn && a.salt === b.salt;
}

function headerIn(octets: Buffer): SurveyedHeader | undefined {
  try {
    const header: FixedHeader = decodeSegmentHeader(octets);
    const { number, storeId, format, salt, baseLsn, headerBytes } = header;
    return { number, storeId, format, salt, baseLsn, headerBytes };
  } catch (error) {
    if (error instanceof DecodeError || isStoreError(error, 'newerFormat')) return undefined;
    throw error;
  }
}
