/** The octets of segments as counting gives them: what rows name, what else is content, and the rest. */
import type { Catalog } from '../catalog/catalog.ts';
import type { Heap, OnDamage, ScannedRecord } from '../heap/heap.ts';
import { isCreation } from '../log/events.ts';
import { decodeRecord, recordType } from '../log/records.ts';
import { restatesThing } from '../log/restate.ts';
import { brandNumber, type Lsn } from '../types.ts';
import type { CountedSegment } from '../writer/intents/mend.ts';
import { checkCatalog, type Snapshot } from './check-catalog.ts';
import { Findings } from './findings.ts';

/** What of a segment's row can be counted. */
export const countedOctets: readonly ('live' | 'dead' | 'other' | 'restated')[] = ['live', 'dead', 'other', 'restated'];

/**
 * Reads the whole log up to what the snapshot has applied, every crc, and counts. Segments with octets that cannot be read are left
 * out: they cannot be counted.
 */
export async function countSegments(heap: Heap, snapshot: Snapshot, onDamage: OnDamage): Promise<CountedSegment[]> {
  const sums = new Map<number, { content: number; other: number; restated: number }>();
  const damaged = new Set<number>();
  const telling: OnDamage = (damage) => {
    damaged.add(damage.segment);
    onDamage(damage);
  };
  const range = { from: brandNumber<Lsn>(0), to: snapshot.appliedLsn };
  for await (const record of heap.scan({ ...range, onDamage: telling })) {
    const known = sums.get(record.segment) ?? { content: 0, other: 0, restated: 0 };
    sums.set(record.segment, known);
    known[accountOf(record)] += record.location.bytes;
  }
  return [...sums]
    .filter(([number]) => !damaged.has(number))
    .map(([number, { content, other, restated }]) => {
      const live = snapshot.liveBytes.get(number) ?? 0;
      const idle = snapshot.idleBytes.get(number) ?? 0;
      return { number, live, dead: content - live, other, restated, idle };
    });
}

/** What of its segment's octets a record counts among: content is live or dead. */
function accountOf(record: ScannedRecord): 'content' | 'other' | 'restated' {
  if (record.type === recordType.commit) return 'other';
  if (record.type !== recordType.event && record.type !== recordType.restate) return 'content';
  const decoded = decodeRecord(record);
  if (decoded.type === 'event') return isCreation(decoded.body) ? 'content' : 'other';
  return decoded.type === 'restate' && !restatesThing(decoded.body) ? 'restated' : 'content';
}

/** Segments whose row is not what counting gives, as it should be. */
export async function miscounted(catalog: Catalog, heap: Heap): Promise<CountedSegment[]> {
  const snapshot = checkCatalog(catalog.view, heap, new Findings());
  const counted = await countSegments(heap, snapshot, () => undefined);
  return counted.filter((one) => {
    const row = snapshot.segments.get(one.number);
    return row === undefined || row.idle !== one.idle || countedOctets.some((key) => row[key] !== one[key]);
  });
}
