/** The highest MODSEQ of messages that a search found (RFC 7162 §3.1.5). */
import { type Catalog, type MailboxId, modSeqOf, UidSet } from '@mstore/store';
import { limits } from '../limits.ts';
import type { Selected } from '../selected.ts';
import type { Session } from '../session.ts';
import { Pace } from './pace.ts';

const chunkUids = 64;

/** As clients see it; of what was expunged meanwhile that of the last change before. 0 where there is no message. */
export async function highestModSeq(session: Session, selected: Selected, uids: UidSet): Promise<number> {
  const { mailbox } = selected;
  const pace = new Pace(session);
  let highest = 0;
  let missing = uids.size;
  let rest = wholeChunks(uids);
  /** The UID to go on with, 0 at the end. */
  const slice = (): number => {
    const catalog = session.services.reading.catalog();
    const floor = { modSeqFloor: catalog.mailbox(mailbox)?.modSeqFloor ?? 0 };
    for (const entry of missing === 0 ? [] : entries(catalog, mailbox, rest)) {
      const isFound = uids.has(entry.uid);
      if (isFound) highest = Math.max(highest, modSeqOf(floor, entry));
      missing -= isFound ? 1 : 0;
      if (pace.isDue(limits.searchEntryWork)) return entry.uid + 1;
    }
    return 0;
  };
  let entries = (catalog: Catalog, of: MailboxId, among: UidSet): ReturnType<Catalog['entries']> =>
    catalog.entries(of, among);
  for (const isRetained of [false, true]) {
    if (isRetained) entries = retainedEntries;
    rest = isRetained ? uids : rest;
    for (let next = slice(); next > 0; next = slice()) {
      rest = UidSet.ofRanges(rest.ranges.map(({ first, last }) => ({ first: Math.max(first, next), last })));
      await pace.turn();
    }
  }
  return highest;
}

function* retainedEntries(catalog: Catalog, mailbox: MailboxId, uids: UidSet): ReturnType<Catalog['entries']> {
  for (const { entry } of catalog.retained(mailbox, uids)) yield entry;
}

/** The UIDs and those that lie in a chunk of the index with one of them: few ranges, however many gaps there are. */
function wholeChunks(uids: UidSet): UidSet {
  const ranges: { first: number; last: number }[] = [];
  for (const range of uids.ranges) {
    const first = range.first - (range.first % chunkUids);
    const last = range.last - (range.last % chunkUids) + chunkUids - 1;
    const before = ranges[ranges.length - 1];
    if (before !== undefined && first <= before.last + 1) before.last = last;
    else ranges.push({ first, last });
  }
  return UidSet.ofRising(ranges);
}
