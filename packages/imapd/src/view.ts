/**
 * A mailbox as a session sees it: which UIDs are there, and so which number each message has. Pages of 8,192
 * UIDs are bitmaps; a view never changes, what changes is a new one that shares the pages that stayed. A session thus costs a
 * pointer for as long as nothing happens, however many messages there are.
 *
 * Invariants: pages rise by number and none is empty; `before[i]` is the number of messages on the pages in front of page i.
 */
import { pageUids, UidSet } from '@mstore/store';

export interface Page {
  /** UID ÷ 8192. */
  readonly number: number;
  /** Bit n: UID number × 8192 + n is there. Never changed. */
  readonly bits: Buffer;
  /** Messages on the page. */
  readonly count: number;
}

/** UIDs first … last, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** A page of those bits, which belong to it from now on. */
export function pageOf(number: number, bits: Buffer): Page {
  let count = 0;
  for (let at = 0; at < bits.length; at += 4) count += bitCount(bits.readUInt32LE(at));
  return { number, bits, count };
}

export class View {
  readonly pages: readonly Page[];
  /** Messages. */
  readonly count: number;
  readonly #before: Uint32Array;

  constructor(pages: readonly Page[]) {
    this.pages = pages.filter((page) => page.count > 0);
    this.#before = new Uint32Array(this.pages.length);
    let count = 0;
    for (const [index, page] of this.pages.entries()) {
      this.#before[index] = count;
      count += page.count;
    }
    this.count = count;
  }

  static readonly empty: View = new View([]);

  has(uid: number): boolean {
    const page = this.pages[this.#indexOf(uid)];
    return page !== undefined && isSet(page.bits, uid % pageUids);
  }

  /** The message's number, from 1; 0 for a UID that is not there. */
  numberOf(uid: number): number {
    const index = this.#indexOf(uid);
    const page = this.pages[index];
    if (page === undefined || !isSet(page.bits, uid % pageUids)) return 0;
    return (this.#before[index] ?? 0) + rank(page.bits, uid % pageUids) + 1;
  }

  /** How many messages have a UID up to this one. */
  countUpTo(uid: number): number {
    const index = this.#indexFrom(uid);
    const page = this.pages[index];
    if (page === undefined) return this.count;
    const before = this.#before[index] ?? 0;
    if (page.number > Math.floor(uid / pageUids)) return before;
    return before + rank(page.bits, uid % pageUids) + (isSet(page.bits, uid % pageUids) ? 1 : 0);
  }

  /** The UID of a message's number; 0 for a number beyond the last. */
  uidAt(number: number): number {
    if (number < 1 || number > this.count) return 0;
    let low = 0;
    let high = this.pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#before[middle] ?? 0) < number) low = middle;
      else high = middle - 1;
    }
    const page = this.pages[low];
    return page === undefined ? 0 : page.number * pageUids + select(page.bits, number - (this.#before[low] ?? 0) - 1);
  }

  /** The largest UID; 0 in an empty mailbox. */
  get largestUid(): number {
    return this.uidAt(this.count);
  }

  /** The messages with one of these UIDs, number and UID, rising. */
  *messages(uids: UidSet): Generator<readonly [number, number]> {
    for (const { first, last } of uids.ranges) {
      let number = this.countUpTo(first - 1);
      for (let index = this.#indexFrom(first); index < this.pages.length; index += 1) {
        const page = this.pages[index];
        if (page === undefined || page.number * pageUids > last) break;
        const start = page.number * pageUids;
        const end = Math.min(last - start, pageUids - 1);
        for (let bit = Math.max(first - start, 0); bit <= end; bit += 1) {
          // Whole octets of nothing are passed over.
          if ((bit & 7) === 0 && page.bits[bit >>> 3] === 0) bit += 7;
          else if (isSet(page.bits, bit)) {
            number += 1;
            yield [number, start + bit];
          }
        }
      }
    }
  }

  /** The UIDs of message numbers: as ranges, which hold those of these messages and no other of the view. */
  uidsOf(numbers: UidSet): UidSet {
    const ranges: { first: number; last: number }[] = [];
    for (const { first, last } of numbers.ranges) {
      if (first > this.count) break;
      ranges.push({ first: this.uidAt(first), last: this.uidAt(Math.min(last, this.count)) });
    }
    return UidSet.ofRanges(ranges);
  }

  /** The numbers of the messages with one of these UIDs. */
  numbersOf(uids: UidSet): UidSet {
    const numbers: { first: number; last: number }[] = [];
    for (const { first, last } of uids.ranges) {
      numbers.push({ first: this.countUpTo(first - 1) + 1, last: this.countUpTo(last) });
    }
    return UidSet.ofRanges(numbers);
  }

  /** True when `other` has every UID that is here. */
  isWithin(other: View): boolean {
    return this.pages.every((page) => {
      const twin = other.#pageOf(page.number);
      return twin === page || (twin !== undefined && isSubset(page.bits, twin.bits));
    });
  }

  /** The UIDs of one page, by its index, that `other` has not: as ranges, rising. */
  goneOf(index: number, other: View): readonly Range[] {
    const page = this.pages[index];
    const twin = page === undefined ? undefined : other.#pageOf(page.number);
    if (page === undefined || twin === page) return [];
    const bits = twin === undefined ? page.bits : difference(page.bits, twin.bits);
    return [...runs(bits, { first: 0, last: pageUids - 1 }, true, page.number * pageUids)];
  }

  /** The UIDs of a range that are not here: as ranges, rising. Two of them may meet, where pages do. */
  *gaps({ first, last }: Range): Generator<Range> {
    let next = first;
    for (let index = this.#indexFrom(first); index < this.pages.length; index += 1) {
      const page = this.pages[index];
      if (page === undefined || page.number * pageUids > last) break;
      const start = page.number * pageUids;
      if (next < start) yield { first: next, last: start - 1 };
      const inside = { first: Math.max(first - start, 0), last: Math.min(last - start, pageUids - 1) };
      yield* runs(page.bits, inside, false, start);
      next = start + inside.last + 1;
    }
    if (next <= last) yield { first: next, last };
  }

  /** The index of the first page that may hold this UID or a larger one. */
  #indexFrom(uid: number): number {
    const number = Math.floor(uid / pageUids);
    let low = 0;
    let high = this.pages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.pages[middle]?.number ?? 0) < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #pageOf(number: number): Page | undefined {
    const page = this.pages[this.#indexFrom(number * pageUids)];
    return page?.number === number ? page : undefined;
  }

  #indexOf(uid: number): number {
    const index = this.#indexFrom(uid);
    return this.pages[index]?.number === Math.floor(uid / pageUids) ? index : -1;
  }
}

function isSet(bits: Buffer, bit: number): boolean {
  return (((bits[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
}

function bitCount(word: number): number {
  let count = word - ((word >>> 1) & 0x5555_5555);
  count = (count & 0x3333_3333) + ((count >>> 2) & 0x3333_3333);
  return Math.imul((count + (count >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** Bits that are set in front of a bit. */
function rank(bits: Buffer, bit: number): number {
  const word = bit >>> 5;
  let count = 0;
  for (let at = 0; at < word; at += 1) count += bitCount(bits.readUInt32LE(at * 4));
  const mask = 2 ** (bit & 31) - 1;
  return count + bitCount(bits.readUInt32LE(word * 4) & mask);
}

/** The bit in front of which `count` bits are set. */
function select(bits: Buffer, count: number): number {
  let left = count;
  for (let at = 0; at < bits.length; at += 4) {
    let word = bits.readUInt32LE(at);
    const here = bitCount(word);
    if (left >= here) {
      left -= here;
      continue;
    }
    for (let bit = 0; ; bit += 1, word >>>= 1) {
      if ((word & 1) === 0) continue;
      if (left === 0) return at * 8 + bit;
      left -= 1;
    }
  }
  return -1;
}

function isSubset(some: Buffer, others: Buffer): boolean {
  for (let at = 0; at < some.length; at += 4) {
    if ((some.readUInt32LE(at) & ~others.readUInt32LE(at)) !== 0) return false;
  }
  return true;
}

/** The bits that are set in the first alone. */
function difference(some: Buffer, others: Buffer): Buffer {
  const bits = Buffer.allocUnsafe(some.length);
  for (let at = 0; at < some.length; at += 4) {
    bits.writeUInt32LE((some.readUInt32LE(at) & ~others.readUInt32LE(at)) >>> 0, at);
  }
  return bits;
}

/** The runs of bits with that value, within a range of bits; `start` is added to each. */
function* runs(bits: Buffer, { first, last }: Range, value: boolean, start: number): Generator<Range> {
  for (let at = nextBit(bits, first, last, value); at <= last; ) {
    const end = nextBit(bits, at + 1, last, !value);
    yield { first: start + at, last: start + end - 1 };
    at = nextBit(bits, end + 1, last, value);
  }
}

/** The first bit with that value from `at` to `last`, else the one behind `last`. */
function nextBit(bits: Buffer, at: number, last: number, value: boolean): number {
  const skipped = value ? 0 : 0xff;
  for (let bit = at; bit <= last; bit += 1) {
    if ((bit & 7) === 0 && bits[bit >>> 3] === skipped) bit += 7;
    else if (isSet(bits, bit) === value) return bit;
  }
  return last + 1;
}
