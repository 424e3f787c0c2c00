/**
 * Walks from record head to record head through one segment in large reads. Knows one segment's salt and base, nothing
 * of belief: whoever walks decides what a missing head means.
 */
import { crc32 } from 'node:zlib';
import type { Lsn } from '../types.ts';
import type { SegmentFiles } from './files.ts';
import {
  alignUp,
  baseLsnUnit,
  decodeRecordHead,
  headBytesAt,
  indexOfRecordMagic,
  lsnAt,
  peekRecordHead,
  type RecordHead,
  recordHeaderBytes,
} from './format.ts';

/** Octets of the first read at a place, enough for many small records: what follows a head may be skipped. */
const firstWindowBytes = 64 * 1024;
/** Octets of one read of a run of them; larger ones gain nothing, and a slice that someone keeps holds the whole. */
const windowBytesMax = 1024 * 1024;

/** What a walk needs to know of a segment. */
export interface WalkedSegment {
  readonly number: number;
  readonly salt: number;
  readonly baseLsn: Lsn;
}

/** The octets at hand do not reach: `load` first. */
export const unread: unique symbol = Symbol('unread');

export class RecordWalk {
  readonly segment: WalkedSegment;
  /** Offset that no record passes: the end of the log, or of the file. */
  readonly end: number;
  readonly #files: SegmentFiles;
  #window: Buffer = Buffer.alloc(0);
  /** Offset in the file of the window's first octet. */
  #start = 0;
  #nextWindowBytes = firstWindowBytes;

  constructor(files: SegmentFiles, segment: WalkedSegment, end: number) {
    this.#files = files;
    this.segment = segment;
    this.end = end;
  }

  /** The head at an offset; undefined when there is none that checks or its record would pass the end. */
  headNow(at: number): RecordHead | undefined | typeof unread {
    if (at + recordHeaderBytes > this.end) return undefined;
    if (!this.#holds(at, recordHeaderBytes)) return unread;
    const inWindow = at - this.#start;
    const headBytes = headBytesAt(this.#window, inWindow);
    if (at + headBytes > this.end) return undefined;
    if (!this.#holds(at, headBytes)) {
      // A wrong place is not worth the read of what would be its fields.
      const looks = peekRecordHead(this.#window, inWindow);
      return looks?.lsn === lsnAt(this.segment.baseLsn, at) ? unread : undefined;
    }
    const head = decodeRecordHead(this.#window, inWindow, lsnAt(this.segment.baseLsn, at), this.segment.salt);
    return head !== undefined && at + head.recordBytes <= this.end ? head : undefined;
  }

  /** As `headNow`, reading what is missing. */
  async head(at: number): Promise<RecordHead | undefined> {
    const head = this.headNow(at);
    if (head !== unread) return head;
    await this.load(at, recordHeaderBytes);
    const loaded = this.headNow(at);
    if (loaded !== unread) return loaded;
    if (!this.#holds(at, recordHeaderBytes)) return undefined;
    await this.load(at, headBytesAt(this.#window, at - this.#start));
    const whole = this.headNow(at);
    return whole === unread ? undefined : whole;
  }

  /** Makes the octets from `at` on available: `length` of them or as many as there are before the end. */
  async load(at: number, length: number): Promise<void> {
    const wanted = Math.min(length, this.end - at);
    if (wanted <= 0 || this.#holds(at, wanted)) return;
    const goesOn = at >= this.#start && at <= this.#start + this.#window.length;
    this.#nextWindowBytes = goesOn ? Math.min(this.#nextWindowBytes * 4, windowBytesMax) : firstWindowBytes;
    const size = Math.min(Math.max(length, this.#nextWindowBytes), this.end - at);
    const held = goesOn ? this.#window.subarray(at - this.#start) : Buffer.alloc(0);
    const next = Buffer.allocUnsafeSlow(size);
    held.copy(next);
    const room = size - held.length;
    const got = await this.#files.read(this.segment.number, next, held.length, room, at + held.length);
    this.#window = next.subarray(0, held.length + got);
    this.#start = at;
  }

  /** The octets of a range, sharing the window; undefined when the file ends within. `load` them first. */
  octets(at: number, length: number): Buffer | undefined {
    if (!this.#holds(at, length)) return undefined;
    return this.#window.subarray(at - this.#start, at - this.#start + length);
  }

  /** The fields of a record whose head was just seen at `at`. */
  fields(at: number, head: RecordHead): Buffer {
    const from = at - this.#start + recordHeaderBytes;
    return this.#window.subarray(from, from + head.fieldsBytes);
  }

  /** The payload as stored of a record whose head was just seen at `at`; undefined when its crc is wrong. */
  async payload(at: number, head: RecordHead): Promise<Buffer | undefined> {
    const bytes = recordHeaderBytes + head.fieldsBytes + head.payloadBytes;
    if (!this.#holds(at, bytes)) await this.load(at, bytes);
    const payload = this.octets(at + recordHeaderBytes + head.fieldsBytes, head.payloadBytes);
    if (payload === undefined || crc32(payload, this.segment.salt) !== head.payloadCrc) return undefined;
    return payload;
  }

  /** The header octets of the record at `at`, for the crc of crcs. */
  header(at: number): { readonly octets: Buffer; readonly at: number } {
    return { octets: this.#window, at: at - this.#start };
  }

  /** The first offset from `from` on with a head that checks; the end when there is none. */
  async findHead(from: number): Promise<number> {
    for await (const at of this.#magics(from)) {
      if ((await this.head(at)) !== undefined) return at;
    }
    return this.end;
  }

  /** The first offset from `from` on where something looks like a record, unverified, and its base LSN. */
  async findLooks(from: number): Promise<{ readonly at: number; readonly baseLsn: number } | undefined> {
    for await (const at of this.#magics(from)) {
      const looks = peekRecordHead(this.#window, at - this.#start);
      const baseLsn = looks === undefined ? 0 : looks.lsn - at;
      if (baseLsn > 0 && baseLsn === alignUp(baseLsn, baseLsnUnit)) return { at, baseLsn };
    }
    return undefined;
  }

  /** Offsets, multiples of 8, that hold a record's magic; a whole header's octets are at hand. */
  async *#magics(from: number): AsyncGenerator<number> {
    let at = alignUp(from, 8);
    while (at + recordHeaderBytes <= this.end) {
      if (!this.#holds(at, recordHeaderBytes)) await this.load(at, recordHeaderBytes);
      if (!this.#holds(at, recordHeaderBytes)) return;
      const found = indexOfRecordMagic(this.#window, at - this.#start);
      const windowEnd = this.#start + this.#window.length;
      // The last octets of the window may be the first of a magic.
      const next = found < 0 ? alignUp(windowEnd - 3, 8) : alignUp(this.#start + found, 8);
      const hit = found >= 0 && this.#start + found === next;
      at = Math.max(at, next);
      if (!hit) continue;
      if (!this.#holds(at, recordHeaderBytes)) await this.load(at, recordHeaderBytes);
      if (!this.#holds(at, recordHeaderBytes)) return;
      yield at;
      at += 8;
    }
  }

  #holds(at: number, length: number): boolean {
    return at >= this.#start && at + length <= this.#start + this.#window.length;
  }
}
