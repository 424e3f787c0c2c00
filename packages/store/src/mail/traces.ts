/** The trace lines of many entries at once: a COPY writes them into each new ENTRY, and they stand nowhere but in the old one. */
import type { Catalog } from '../catalog/catalog.ts';
import type { Entry } from '../catalog/index-chunk.ts';
import type { UidSet } from '../codec/uid-set.ts';
import { isSegmentGone } from '../heap/heap.ts';
import type { Lsn, MailboxId } from '../types.ts';
import { type RecordReader, readTrace, traceOf } from './assemble.ts';
import type { RecordPeeker } from './at-hand.ts';

/** Octets between entries that are read along, in all: as quick as a few calls. */
const betweenBytesMax = 16_384;

/** By the places of the entries; without those that were compacted meanwhile. @throws {StoreError} corrupt */
export async function readTraces(
  heap: RecordReader & RecordPeeker,
  catalog: Catalog,
  mailbox: MailboxId,
  uids: UidSet,
): Promise<Map<Lsn, Buffer>> {
  const traces = new Map<Lsn, Buffer>();
  for (const entries of [...neighbours(catalog.entries(mailbox, uids))]) {
    const records = heap.peek(entries);
    for (const [at, { lsn, bytes }] of entries.entries()) {
      const record = records?.[at];
      // The next look overwrites what this one found.
      if (record !== undefined) traces.set(lsn, Buffer.from(traceOf(record)));
      else await readOne(heap, { lsn, bytes }, traces);
    }
  }
  return traces;
}

async function readOne(heap: RecordReader, entry: Pick<Entry, 'lsn' | 'bytes'>, to: Map<Lsn, Buffer>): Promise<void> {
  try {
    to.set(entry.lsn, await readTrace(heap, entry));
  } catch (error) {
    if (!isSegmentGone(error)) throw error;
  }
}

/** Entries in groups that lie side by side. */
function* neighbours(entries: Iterable<Entry>): Generator<readonly Entry[]> {
  let group: Entry[] = [];
  let end = 0;
  let between = 0;
  for (const entry of entries) {
    between += entry.lsn - end;
    if (group.length > 0 && (entry.lsn < end || between > betweenBytesMax)) {
      yield group;
      group = [];
    }
    if (group.length === 0) between = 0;
    group.push(entry);
    end = entry.lsn + entry.bytes;
  }
  if (group.length > 0) yield group;
}
