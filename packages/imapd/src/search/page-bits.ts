/**
 * Sets of the 8,192 UIDs of a page as bits, 32 a word: what keys on bitmaps are decided with. Of a tree two sets are made: what
 * surely belongs to it, and what may. What lies between is for dearer keys to say.
 */
import { pageUids, type UidPage, type UidSet } from '@mstore/store';
import type { Page } from '../view.ts';
import type { Leaf, Tree } from './key-tree.ts';

const pageWords = pageUids / 32;

/** Never changed, as no bounds are that were given out. */
const nothing: Bits = new Uint32Array(pageWords);

/** One bit a UID of the page. */
export type Bits = Uint32Array;

export interface Bounds {
  /** What belongs to it. */
  readonly sure: Bits;
  /** What may belong to it: `sure`, and what is not known yet. */
  readonly possible: Bits;
}

/** The bits of a bitmap of the catalog. */
export function bitsOf(octets: Buffer): Bits {
  const bits = new Uint32Array(pageWords);
  for (let word = 0; word < pageWords; word += 1) bits[word] = octets.readUInt32LE(word * 4);
  return bits;
}

export function hasBit(bits: Bits, bit: number): boolean {
  return (((bits[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
}

export function setBit(bits: Bits, bit: number): void {
  bits[bit >>> 5] = (bits[bit >>> 5] ?? 0) | (1 << (bit & 31));
}

export function clearBit(bits: Bits, bit: number): void {
  bits[bit >>> 5] = (bits[bit >>> 5] ?? 0) & ~(1 << (bit & 31));
}

/** What is in the first and not in the second. */
export function bitsWithout(bits: Bits, others: Bits): Bits {
  const left = new Uint32Array(pageWords);
  for (let word = 0; word < pageWords; word += 1) left[word] = (bits[word] ?? 0) & ~(others[word] ?? 0);
  return left;
}

/** What is in both. */
export function bitsInBoth(bits: Bits, others: Bits): Bits {
  const both = new Uint32Array(pageWords);
  for (let word = 0; word < pageWords; word += 1) both[word] = (bits[word] ?? 0) & (others[word] ?? 0);
  return both;
}

/** The bits that are set, rising. */
export function* bitsSet(bits: Bits): Generator<number> {
  for (let word = 0; word < pageWords; word += 1) {
    for (let left = bits[word] ?? 0; left !== 0; left &= left - 1) yield word * 32 + 31 - Math.clz32(left & -left);
  }
}

/** The page's UIDs of a set. */
export function bitsWithin(uids: UidSet, pageNumber: number): Bits {
  const bits = new Uint32Array(pageWords);
  const start = pageNumber * pageUids;
  const { ranges } = uids;
  for (let at = firstReaching(ranges, start); at < ranges.length; at += 1) {
    const { first, last } = ranges[at] ?? { first: Number.POSITIVE_INFINITY, last: 0 };
    if (first >= start + pageUids) break;
    setRange(bits, Math.max(first - start, 0), Math.min(last - start, pageUids - 1));
  }
  return bits;
}

/** The first range that reaches up to this UID or beyond. */
function firstReaching(ranges: UidSet['ranges'], uid: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.last ?? 0) < uid) low = middle + 1;
    else high = middle;
  }
  return low;
}

function setRange(bits: Bits, first: number, last: number): void {
  for (let word = first >>> 5; word <= last >>> 5; word += 1) {
    const from = Math.max(first - word * 32, 0);
    const to = Math.min(last - word * 32, 31);
    bits[word] = (bits[word] ?? 0) | ((0xffff_ffff >>> (31 - to)) & (0xffff_ffff << from));
  }
}

/** A page of the view, and what the catalog says of it. */
export class PageBounds {
  readonly #number: number;
  readonly #there: Bits;
  readonly #stored: UidPage | undefined;
  /** The same however often it is asked for. */
  #unseen: Bounds | undefined;

  constructor(page: Page, stored: UidPage | undefined) {
    this.#number = page.number;
    this.#there = bitsOf(page.bits);
    this.#stored = stored;
  }

  /** The page's messages that belong to the tree. */
  of(tree: Tree): Bounds {
    if (typeof tree === 'boolean') return this.#exactly(tree ? this.#there : nothing);
    switch (tree.kind) {
      case 'not': {
        const { sure, possible } = this.of(tree.tree);
        if (sure === possible) return this.#exactly(bitsWithout(this.#there, sure));
        return { sure: bitsWithout(this.#there, possible), possible: bitsWithout(this.#there, sure) };
      }
      case 'and':
      case 'or':
        return this.#joined(tree.kind, tree.trees);
      default:
        return this.#ofLeaf(tree);
    }
  }

  #joined(kind: 'and' | 'or', trees: readonly Tree[]): Bounds {
    const sure = this.of(kind === 'and').sure.slice();
    // One set for both, until something is not known.
    let possible = sure;
    for (const tree of trees) {
      const one = this.of(tree);
      if (possible === sure && one.possible !== one.sure) possible = sure.slice();
      combine(kind, sure, one.sure);
      if (possible !== sure) combine(kind, possible, one.possible);
    }
    return { sure, possible };
  }

  #ofLeaf(leaf: Leaf): Bounds {
    if (leaf.kind === 'uids') return this.#exactly(bitsInBoth(bitsWithin(leaf.uids, this.#number), this.#there));
    if (leaf.kind !== 'unseen') return { sure: nothing, possible: this.#there };
    this.#unseen ??= this.#ofUnseen();
    return this.#unseen;
  }

  #ofUnseen(): Bounds {
    // Of what was expunged meanwhile the entry says whether it was seen.
    if (this.#stored === undefined) return { sure: nothing, possible: this.#there };
    const stored = bitsOf(this.#stored.present);
    const sure = bitsInBoth(bitsInBoth(bitsOf(this.#stored.unseen), stored), this.#there);
    const gone = bitsWithout(this.#there, stored);
    return { sure, possible: sure.map((word, at) => word | (gone[at] ?? 0)) };
  }

  #exactly(bits: Bits): Bounds {
    return { sure: bits, possible: bits };
  }
}

function combine(kind: 'and' | 'or', into: Bits, bits: Bits): void {
  for (let word = 0; word < pageWords; word += 1) {
    const other = bits[word] ?? 0;
    into[word] = kind === 'and' ? (into[word] ?? 0) & other : (into[word] ?? 0) | other;
  }
}
