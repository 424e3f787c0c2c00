/** Parts of UID sets. */
import { UidSet } from '@mstore/store';
import type { Range } from './view.ts';

/** A range that may grow by what comes behind it. */
export interface RisingRange {
  readonly first: number;
  last: number;
}

/** Adds what lies above the last of them, to it where they are neighbours. */
export function addRange(ranges: RisingRange[], first: number, last: number): void {
  const before = ranges[ranges.length - 1];
  if (before?.last === first - 1) before.last = last;
  else ranges.push({ first, last });
}

/** Those up to a UID. */
export function upTo({ ranges }: UidSet, most: number): UidSet {
  return UidSet.ofRanges(ranges.map(({ first, last }) => ({ first, last: Math.min(last, most) })));
}

/** Those from a UID on. */
export function from({ ranges }: UidSet, least: number): UidSet {
  return UidSet.ofRanges(ranges.map(({ first, last }) => ({ first: Math.max(first, least), last })));
}

/** Those that are in both. */
export function intersection(some: UidSet, others: UidSet): UidSet {
  const ranges: Range[] = [];
  let at = 0;
  for (const { first, last } of some.ranges) {
    for (let other = others.ranges[at]; other !== undefined && other.first <= last; other = others.ranges[at]) {
      ranges.push({ first: Math.max(first, other.first), last: Math.min(last, other.last) });
      if (other.last > last) break;
      at += 1;
    }
  }
  return UidSet.ofRanges(ranges);
}
