/**
 * Sequence sets (RFC 9051 §9, sequence-set): `1,3:5,7:*`, of message numbers or of UIDs, and `$`, what the last SEARCH kept
 * (RFC 5182). A range stays two numbers, whatever lies between; `*` is the largest number in use and is known only when the set is
 * used.
 */
import { UidSet } from '@mstore/store';
import type { Decoder } from './decoder.ts';
import { octetClass } from './octet-class.ts';

interface Range {
  readonly first: number;
  readonly last: number;
}

const numberMax = 0xffff_ffff;

/** Stands for `*`: beyond every number. */
const star = numberMax + 1;

/** Messages as a command names them. */
export type MessageSet = SequenceSet | 'saved';

export class SequenceSet {
  /** As they were written; `star` for `*`. */
  readonly #ranges: readonly Range[];

  constructor(ranges: readonly Range[]) {
    this.#ranges = ranges;
  }

  /** The largest number that is named; 0 when that is `*` alone. */
  get largestNamed(): number {
    let largest = 0;
    for (const { first, last } of this.#ranges) {
      if (last !== star) largest = Math.max(largest, last);
      if (first !== star) largest = Math.max(largest, first);
    }
    return largest;
  }

  /** True when `*` is in it. */
  get hasStar(): boolean {
    return this.#ranges.some(({ last }) => last === star);
  }

  /** The numbers, with `*` as `largest`; of those beyond it, `*` alone stands for one. None where `largest` is 0 and it is named. */
  resolve(largest: number): UidSet {
    const ranges: Range[] = [];
    for (const { first, last } of this.#ranges) {
      if (last !== star) ranges.push({ first, last });
      // `n:*` holds the largest number even where n is beyond it.
      else if (largest > 0)
        ranges.push({ first: Math.min(first, largest), last: Math.max(first === star ? 0 : first, largest) });
    }
    return UidSet.ofRanges(ranges);
  }

  /** As it was written, but for the order within a range. */
  toString(): string {
    const number = (value: number): string => (value === star ? '*' : `${value}`);
    return this.#ranges
      .map(({ first, last }) => (first === last ? number(first) : `${number(first)}:${number(last)}`))
      .join(',');
  }
}

/** A set, or `$`. */
export function expectMessageSet(decoder: Decoder, what: string = 'message numbers'): MessageSet {
  const text = decoder.tryRun(octetClass.sequence) ?? '';
  return text === '$' ? 'saved' : (parsed(text) ?? failed(decoder, what));
}

/** A set of numbers; without `*` where that would mean nothing. */
export function expectSequenceSet(decoder: Decoder, what: string, allowsStar: boolean = true): SequenceSet {
  const set = parsed(decoder.tryRun(octetClass.sequence) ?? '');
  return set === undefined || (!allowsStar && set.hasStar) ? failed(decoder, what) : set;
}

/** True where a set may begin. */
export function isSequenceStart(octet: number): boolean {
  return octet === 0x2a || (octet >= 0x31 && octet <= 0x39);
}

function failed(decoder: Decoder, what: string): SequenceSet {
  decoder.fail(`${what} such as 1,3:5,7:*`);
  return new SequenceSet([]);
}

/** Undefined for what is no set. */
function parsed(text: string): SequenceSet | undefined {
  const ranges: Range[] = [];
  for (const part of text.split(',')) {
    const colon = part.indexOf(':');
    const one = numberOf(colon === -1 ? part : part.slice(0, colon));
    const other = colon === -1 ? one : numberOf(part.slice(colon + 1));
    if (one === undefined || other === undefined) return undefined;
    ranges.push({ first: Math.min(one, other), last: Math.max(one, other) });
  }
  return new SequenceSet(ranges);
}

function numberOf(text: string): number | undefined {
  if (text === '*') return star;
  if (!/^[1-9][0-9]{0,9}$/.test(text)) return undefined;
  const number = Number(text);
  return number <= numberMax ? number : undefined;
}
