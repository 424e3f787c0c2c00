/** The highest MODSEQ of messages that a search found (RFC 7162 §3.1.5, §7 search-sort-mod-seq). */
import { type Catalog, chunkSlots, type Entry, modSeqOf, UidSet } from '@mstore/store';
import { limits } from '../limits.ts';
import type { Selected } from '../selected.ts';
import type { Session } from '../session.ts';
import { from } from '../uid-ranges.ts';
import type { SearchKey } from '../wire/search-keys.ts';
import { Pace } from './pace.ts';

/** Whether keys speak of MODSEQs: the answer then ends with the highest one. */
export function asksForModSeq(key: SearchKey): boolean {
  if (key.kind === 'not') return asksForModSeq(key.key);
  if (key.kind === 'and' || key.kind === 'or') return key.keys.some(asksForModSeq);
  return key.kind === 'modSeq';
}

/** As clients see it; of what was expunged meanwhile that of the last change before. 0 where there is no message. */
export async function highestModSeq(session: Session, { mailbox }: Selected, uids: UidSet): Promise<number> {
  const pace = new Pace(session);
  let highest = 0;
  let missing = uids.size;
  /** Looks at entries until it is time for a turn; the UID to go on with, 0 at the end. */
  const look = (entries: Iterable<Entry>, row: { readonly modSeqFloor: number }): number => {
    for (const entry of entries) {
      if (uids.has(entry.uid)) {
        highest = Math.max(highest, modSeqOf(row, entry));
        missing -= 1;
      }
      if (pace.isDue(limits.searchEntryWork)) return entry.uid + 1;
    }
    return 0;
  };
  const lookAtAll = async (
    all: UidSet,
    entriesOf: (catalog: Catalog, some: UidSet) => Iterable<Entry>,
  ): Promise<void> => {
    for (let rest = all; missing > 0; ) {
      const catalog = session.services.reading.catalog();
      const next = look(entriesOf(catalog, rest), catalog.mailbox(mailbox) ?? { modSeqFloor: 0 });
      if (next === 0) return;
      rest = from(rest, next);
      await pace.turn();
    }
  };
  await lookAtAll(wholeChunks(uids), (catalog, some) => catalog.entries(mailbox, some));
  await lookAtAll(uids, (catalog, some) => retainedEntries(catalog.retained(mailbox, some)));
  return highest;
}

function* retainedEntries(rows: Iterable<{ readonly entry: Entry }>): Generator<Entry> {
  for (const { entry } of rows) yield entry;
}

/** The UIDs and those that lie in a chunk of the index with one of them: few ranges, however many gaps there are. */
function wholeChunks(uids: UidSet): UidSet {
  const ranges: { first: number; last: number }[] = [];
  for (const range of uids.ranges) {
    const first = range.first - (range.first % chunkSlots);
    const last = range.last - (range.last % chunkSlots) + chunkSlots - 1;
    const before = ranges[ranges.length - 1];
    if (before !== undefined && first <= before.last + 1) before.last = last;
    else ranges.push({ first, last });
  }
  return UidSet.ofRising(ranges);
}
