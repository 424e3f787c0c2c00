/** SEARCH and ESEARCH lines (RFC 9051 §7.3.4, RFC 3501 §7.2.5, RFC 4731), however long, as fast as the client reads. */
import { setImmediate as turn } from 'node:timers/promises';
import type { UidSet } from '@mstore/store';
import type { Numbering } from '../message-set.ts';
import type { Session } from '../session.ts';
import type { View } from '../view.ts';
import type { SearchReturn } from '../wire/search-arguments.ts';
import { LongLine } from './long-line.ts';

type Range = UidSet['ranges'][number];

/** What was found, and how it is to be told. */
export interface Found {
  /** Of messages in the view. */
  readonly uids: UidSet;
  readonly view: View;
  readonly numbering: Numbering;
  /** What MODSEQ says; undefined where nobody asked for it. */
  readonly modSeq: number | undefined;
}

/** Ranges dealt with in one turn of the event loop: each may be a walk over a page of the view. */
const turnRanges = 5_000;

/** `* SEARCH 2 3 6 (MODSEQ 917162500)`. */
export async function saySearch(session: Session, found: Found): Promise<void> {
  const line = new LongLine(session, session.encoder().raw('* SEARCH'));
  for await (const { first, last } of rangesOf(found)) {
    for (let number = first; number <= last; number += 1) {
      line.raw(` ${number}`);
      if (line.isFull) await line.send();
    }
  }
  if (found.modSeq !== undefined) line.raw(` (MODSEQ ${found.modSeq})`);
  await line.end();
}

/** `* ESEARCH (TAG "a") UID MIN 2 COUNT 3 ALL 2:4`. */
export async function sayExtendedSearch(
  session: Session,
  tag: string,
  returns: ReadonlySet<SearchReturn>,
  found: Found,
): Promise<void> {
  const { uids, numbering } = found;
  const line = new LongLine(session, session.encoder().raw('* ESEARCH (TAG ').string(tag).raw(')'));
  if (numbering === 'uid') line.raw(' UID');
  const first = uids.ranges[0]?.first;
  const last = uids.ranges[uids.ranges.length - 1]?.last;
  if (returns.has('MIN') && first !== undefined) line.raw(` MIN ${numberOf(found, first)}`);
  if (returns.has('MAX') && last !== undefined) line.raw(` MAX ${numberOf(found, last)}`);
  if (returns.has('COUNT')) line.raw(` COUNT ${uids.size}`);
  if (returns.has('ALL') && first !== undefined) await writeSet(line, found);
  if (found.modSeq !== undefined) line.raw(` MODSEQ ${found.modSeq}`);
  await line.end();
}

async function writeSet(line: LongLine, found: Found): Promise<void> {
  let sign = ' ALL ';
  let open: Range | undefined;
  const write = (range: Range): void => {
    line.raw(range.first === range.last ? `${sign}${range.first}` : `${sign}${range.first}:${range.last}`);
    sign = ',';
  };
  for await (const range of rangesOf(found)) {
    // Gaps between UIDs are none between numbers.
    if (open?.last === range.first - 1) open = { first: open.first, last: range.last };
    else {
      if (open !== undefined) write(open);
      open = range;
    }
    if (line.isFull) await line.send();
  }
  if (open !== undefined) write(open);
}

/** Numbers of what was found, rising. */
async function* rangesOf(found: Found): AsyncGenerator<Range> {
  let count = 0;
  for (const { first, last } of found.uids.ranges) {
    const number = numberOf(found, first);
    yield { first: number, last: number + last - first };
    count += 1;
    if (count % turnRanges === 0) await turn();
  }
}

function numberOf({ view, numbering }: Found, uid: number): number {
  return numbering === 'uid' ? uid : view.numberOf(uid);
}
