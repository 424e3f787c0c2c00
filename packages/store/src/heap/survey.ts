/**
 * The segment files of a folder one by one, whatever a newest header says of them: which have a header that checks, whose it is,
 * and which records in them check. For repairs, and for taking records from a copy of a heap. Believes nothing.
 */
import { DecodeError } from '../codec/bytes.ts';
import { isStoreError } from '../errors.ts';
import type { FileSystem } from '../sys/fs.ts';
import type { Lsn } from '../types.ts';
import { SegmentFiles } from './files.ts';
import { decodeSegmentHeader, type FixedHeader, lsnAt, segmentFixedBytes } from './format.ts';
import type { ScannedRecord } from './location.ts';
import { unpack } from './reader.ts';
import { RecordWalk } from './walk.ts';

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
  readonly format: number;
  readonly storeId: Buffer;
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
          format: header.format,
          codec,
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

  close(): Promise<void> {
    return this.#files.close();
  }
}

function headerIn(octets: Buffer): SurveyedHeader | undefined {
  try {
    const header: FixedHeader = decodeSegmentHeader(octets);
    const { number, format, storeId, salt, baseLsn, headerBytes } = header;
    return { number, format, storeId, salt, baseLsn, headerBytes };
  } catch (error) {
    if (error instanceof DecodeError || isStoreError(error, 'newerFormat')) return undefined;
    throw error;
  }
}
