/** A mailbox's entries, some thousands at a time: a snapshot of the catalog is never held across an await. */
import { type Entry, type MailboxId, type StoreReading, UidSet } from '@mstore/store';

const sliceEntries = 2_000;
const uidMax = 0xffff_ffff;

export async function* entriesOf(reading: StoreReading, mailbox: MailboxId): AsyncGenerator<Entry> {
  for (let next = 1; next <= uidMax; ) {
    const slice: Entry[] = [];
    for (const entry of reading.catalog().entries(mailbox, UidSet.range(next, uidMax))) {
      slice.push(entry);
      if (slice.length === sliceEntries) break;
    }
    yield* slice;
    const last = slice.at(-1);
    if (last === undefined || slice.length < sliceEntries) return;
    next = last.uid + 1;
  }
}
