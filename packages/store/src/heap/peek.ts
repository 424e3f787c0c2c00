/**
 * Records that can be had at once: their segments are open, the disk is quick as far as is known, and they are small. Whatever stands
 * against it, damage too, gives undefined: the caller then goes the way that waits (`Heap.read`), which says what is
 * wrong, if anything is. Records that lie side by side, as a message's mostly do, are one read. Where one call goes on behind the one
 * before, as in a fetch of a whole mailbox, some of what follows is read along and kept for the next calls: what was
 * written stays as it is, and each record is verified when it is asked for.
 *
 * All records lie in one buffer, which the next call uses again.
 */
import { crc32 } from 'node:zlib';
import type { Location } from '../types.ts';
import type { Segment } from './chain.ts';
import type { SegmentFiles } from './files.ts';
import { decodeRecordHead, recordHeaderBytes } from './format.ts';
import type { HeapRecord } from './location.ts';
import { unpackInto } from './reader.ts';

/** Octets that are read where calls follow one another: in the buffer's beginning. */
const aheadBytes = 65_536;

/** With those, octets for the records of one call, as stored and decoded: a message of 128 KiB, and what lies between its records. */
const bufferBytes = aheadBytes + 524_288;

/** Octets between two records that are read along: as quick as a call. */
const gapBytesMax = 16_384;

/** Where a record lies, and where its octets are once they were read. */
interface Wanted {
  readonly place: Location;
  readonly segment: Segment;
}

/** LSNs of a segment, from … to − 1. */
interface Stretch {
  readonly segment: number;
  readonly from: number;
  readonly to: number;
}

const nothing: Stretch = { segment: -1, from: 0, to: 0 };

export class RecordPeek {
  readonly #files: SegmentFiles;
  /** Made when it is first needed: the writer never looks here. */
  #octets: Buffer = Buffer.alloc(0);
  #used = 0;
  /** What lies in the buffer's beginning. */
  #ahead = nothing;
  /** What the last call asked for. */
  #last = nothing;

  constructor(files: SegmentFiles) {
    this.#files = files;
  }

  /** The records at these places, in their order, verified and decoded; valid until the next call. */
  records(
    places: readonly Location[],
    segmentOf: (place: Location) => Segment | undefined,
  ): readonly HeapRecord[] | undefined {
    if (this.#octets.length === 0) this.#octets = Buffer.allocUnsafeSlow(bufferBytes);
    this.#used = aheadBytes;
    const wanted: Wanted[] = [];
    for (const place of places) {
      const segment = segmentOf(place);
      if (segment === undefined) return undefined;
      wanted.push({ place, segment });
    }
    const joint = this.#readTogether(wanted);
    const records: HeapRecord[] = [];
    for (const { place, segment } of wanted) {
      const at = joint === undefined ? this.#read(segment, place.lsn, place.bytes) : joint + place.lsn;
      const record = at === undefined ? undefined : this.#recordAt(at, place, segment);
      if (record === undefined) {
        // It may have been written since that was read ahead.
        this.#ahead = nothing;
        return undefined;
      }
      records.push(record);
    }
    return records;
  }

  /** Reads what lies side by side in one segment; returns what leads from an LSN to its place in the buffer. */
  #readTogether(wanted: readonly Wanted[]): number | undefined {
    const [first] = wanted;
    if (first === undefined || wanted.length === 1) return undefined;
    let from = Number.POSITIVE_INFINITY;
    let to = 0;
    let bytes = 0;
    for (const { place, segment } of wanted) {
      if (segment.number !== first.segment.number) return undefined;
      from = Math.min(from, place.lsn);
      to = Math.max(to, place.lsn + place.bytes);
      bytes += place.bytes;
    }
    if (to - from > bytes + gapBytesMax) return undefined;
    const at = this.#readAhead(first.segment, from, to - from);
    return at === undefined ? undefined : at - from;
  }

  /** As `#read`, once in a call, from what was read ahead or reading ahead where that is worth it. */
  #readAhead(segment: Segment, lsn: number, bytes: number): number | undefined {
    const { number } = segment;
    const last = this.#last;
    const ahead = this.#ahead;
    this.#last = { segment: number, from: lsn, to: lsn + bytes };
    const isHere = ahead.segment === number && lsn >= ahead.from && lsn + bytes <= ahead.to;
    if (isHere && this.#files.isOpen(number)) return lsn - ahead.from;
    const follows = last.segment === number && lsn >= last.to && lsn - last.to <= gapBytesMax;
    if (!follows || bytes > aheadBytes) return this.#read(segment, lsn, bytes);
    this.#ahead = nothing;
    const count = this.#files.readNow(number, this.#octets, 0, aheadBytes, lsn - segment.baseLsn) ?? 0;
    this.#ahead = { segment: number, from: lsn, to: lsn + count };
    return count < bytes ? undefined : 0;
  }

  /** Where in the buffer the octets from this LSN on are now. */
  #read(segment: Segment, lsn: number, bytes: number): number | undefined {
    const at = this.#take(bytes);
    if (at === undefined) return undefined;
    const count = this.#files.readNow(segment.number, this.#octets, at, bytes, lsn - segment.baseLsn);
    return count === bytes ? at : undefined;
  }

  #recordAt(at: number, place: Location, segment: Segment): HeapRecord | undefined {
    const octets = this.#octets;
    const head = decodeRecordHead(octets, at, place.lsn, segment.salt);
    if (head === undefined || head.recordBytes !== place.bytes) return undefined;
    const fieldsEnd = at + recordHeaderBytes + head.fieldsBytes;
    const stored = octets.subarray(fieldsEnd, fieldsEnd + head.payloadBytes);
    if (crc32(stored, segment.salt) !== head.payloadCrc) return undefined;
    const payload = head.codec === 0 ? stored : this.#unpacked(stored, head.decodedBytes);
    if (payload === undefined) return undefined;
    const fields = octets.subarray(at + recordHeaderBytes, fieldsEnd);
    return {
      type: head.type,
      format: segment.format,
      location: place,
      fields,
      payload,
      storedBytes: head.payloadBytes,
    };
  }

  #unpacked(stored: Buffer, decodedBytes: number): Buffer | undefined {
    const at = this.#take(decodedBytes);
    if (at === undefined) return undefined;
    const plain = this.#octets.subarray(at, at + decodedBytes);
    return unpackInto(plain, stored) ? plain : undefined;
  }

  #take(bytes: number): number | undefined {
    const at = this.#used;
    if (bytes > this.#octets.length - at) return undefined;
    this.#used = at + bytes;
    return at;
  }
}
