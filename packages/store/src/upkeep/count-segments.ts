/** The octets of segments as counting gives them: what rows name, what else is content, and the rest. */
import type { Catalog } from '../catalog/catalog.ts';
import type { SegmentRow } from '../catalog/rows.ts';
import type { Heap, OnDamage, ScannedRecord } from '../heap/heap.ts';
import { recordType } from '../log/records.ts';
import { brandNumber, type Lsn } from '../types.ts';
import type { CountedSegment } from '../writer/intents/mend.ts';
import { checkCatalog, type Snapshot } from './check-catalog.ts';
import { Findings } from './findings.ts';

/** What of a segment's row can be counted. */
export const countedOctets: readonly (keyof CountedSegment & keyof SegmentRow)[] = ['live', 'dead', 'other'];

/**
 * Reads the whole log up to what the snapshot has applied, every crc, and counts. Segments with octets that cannot be read are left
 * out: they cannot be counted.
 */
export async function countSegments(heap: Heap, snapshot: Snapshot, onDamage: OnDamage): Promise<CountedSegment[]> {
  const sums = new Map<number, { content: number; other: number }>();
  const damaged = new Set<number>();
  const telling: OnDamage = (damage) => {
    damaged.add(damage.segment);
    onDamage(damage);
  };
  const range = { from: brandNumber<Lsn>(0), to: snapshot.appliedLsn };
  for await (const record of heap.scan({ ...range, onDamage: telling })) {
    const known = sums.get(record.segment) ?? { content: 0, other: 0 };
    sums.set(record.segment, known);
    known[accountOf(record)] += record.location.bytes;
  }
  return [...sums]
    .filter(([number]) => !damaged.has(number))
    .map(([number, { content, other }]) => {
      const live = snapshot.liveBytes.get(number) ?? 0;
      return { number, live, dead: content - live, other };
    });
}

/** What of its segment's octets a record counts among: content is live or dead. */
function accountOf({ type }: ScannedRecord): 'content' | 'other' {
  return type === recordType.event || type === recordType.commit ? 'other' : 'content';
}

/** Segments whose row is not what counting gives, as it should be. */
export async function miscounted(catalog: Catalog, heap: Heap): Promise<CountedSegment[]> {
  const snapshot = checkCatalog(catalog.view, heap, new Findings());
  const counted = await countSegments(heap, snapshot, () => undefined);
  return counted.filter((one) => {
    const row = snapshot.segments.get(one.number);
    return row === undefined || countedOctets.some((key) => row[key] !== one[key]);
  });
}
