/**
 * A set of UIDs as sorted, disjoint, non-adjacent ranges: what EVENT records, the expunge log and intents carry.
 * Immutable. Encoded as varints: number of ranges, then per range the gap to the one before and its length − 1.
 */
import { brandNumber, type Uid } from '../types.ts';
import { DecodeError, type Reader, type Writer } from './bytes.ts';

interface UidRange {
  readonly first: number;
  readonly last: number;
}

const maxUid = 0xffff_ffff;

export class UidSet {
  readonly ranges: readonly UidRange[];

  private constructor(ranges: readonly UidRange[]) {
    this.ranges = ranges;
  }

  static readonly empty: UidSet = new UidSet([]);

  /** UIDs first … last, both included. */
  static range(first: number, last: number): UidSet {
    return first > last ? UidSet.empty : new UidSet([{ first, last }]);
  }

  /** From UIDs in any order; doubles count once. */
  static of(uids: Iterable<number>): UidSet {
    const sorted = new Uint32Array(Array.isArray(uids) ? uids : [...uids]).sort();
    const ranges: { first: number; last: number }[] = [];
    let open: { first: number; last: number } | undefined;
    for (const uid of sorted) {
      if (open !== undefined && uid <= open.last + 1) open.last = uid;
      else {
        open = { first: uid, last: uid };
        ranges.push(open);
      }
    }
    return new UidSet(ranges);
  }

  /** From ranges in any order, overlapping or not. */
  static ofRanges(ranges: Iterable<UidRange>): UidSet {
    const sorted = [...ranges].filter((r) => r.first <= r.last).sort((a, b) => a.first - b.first);
    const merged: { first: number; last: number }[] = [];
    for (const range of sorted) {
      const before = merged[merged.length - 1];
      if (before !== undefined && range.first <= before.last + 1) before.last = Math.max(before.last, range.last);
      else merged.push({ first: range.first, last: range.last });
    }
    return new UidSet(merged);
  }

  /** From ranges that rise and do not touch, as they are; the set's own from now on. */
  static ofRising(ranges: readonly UidRange[]): UidSet {
    return new UidSet(ranges);
  }

  get size(): number {
    let size = 0;
    for (const { first, last } of this.ranges) size += last - first + 1;
    return size;
  }

  has(uid: number): boolean {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.ranges[middle];
      if (range === undefined) return false;
      if (uid < range.first) high = middle;
      else if (uid > range.last) low = middle + 1;
      else return true;
    }
    return false;
  }

  *[Symbol.iterator](): Iterator<Uid> {
    for (const { first, last } of this.ranges) {
      for (let uid = first; uid <= last; uid++) yield brandNumber<Uid>(uid);
    }
  }

  /** The UIDs, rising, so many at a time; the last ones may be fewer. */
  *slices(most: number): Generator<UidSet> {
    let ranges: UidRange[] = [];
    let left = most;
    for (const { first, last } of this.ranges) {
      for (let from = first; from <= last; ) {
        const to = Math.min(last, from + left - 1);
        ranges.push({ first: from, last: to });
        left -= to - from + 1;
        from = to + 1;
        if (left > 0) continue;
        yield new UidSet(ranges);
        ranges = [];
        left = most;
      }
    }
    if (ranges.length > 0) yield new UidSet(ranges);
  }

  encode(writer: Writer): void {
    writer.varint(this.ranges.length);
    let before = 0;
    for (const { first, last } of this.ranges) {
      writer.varint(first - before).varint(last - first);
      before = last;
    }
  }

  static decode(reader: Reader): UidSet {
    const count = reader.varint();
    if (count > reader.remaining) throw new DecodeError(`${count} UID ranges in ${reader.remaining} octets`);
    const ranges: UidRange[] = [];
    let before = 0;
    for (let i = 0; i < count; i++) {
      const first = before + reader.varint();
      const last = first + reader.varint();
      if (first <= before || last > maxUid) throw new DecodeError(`UID range ${first}:${last} after ${before}`);
      ranges.push({ first, last });
      before = last;
    }
    return new UidSet(ranges);
  }

  /** As RFC 9051 writes it: `1:3,7`. */
  toString(): string {
    return this.ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}:${last}`)).join(',');
  }
}
