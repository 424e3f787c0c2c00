/** The octets of segments as counting gives them: what rows name, what else is content, and the rest. */
import type { Catalog } from '../catalog/catalog.ts';
import type { Heap } from '../heap/heap.ts';
import { recordType } from '../log/records.ts';
import { brandNumber, type Lsn } from '../types.ts';
import type { CountedSegment } from '../writer/intents/mend.ts';
import { checkCatalog } from './check-catalog.ts';
import { Findings } from './findings.ts';

/**
 * Segments whose row is not what counting gives, as it should be. Those with octets that cannot be read are left out: they cannot
 * be counted.
 */
export async function miscounted(catalog: Catalog, heap: Heap): Promise<CountedSegment[]> {
  const { liveBytes, segments, appliedLsn } = checkCatalog(catalog.view, heap, new Findings());
  const sums = new Map<number, { content: number; other: number }>();
  const damaged = new Set<number>();
  const scanning = {
    from: brandNumber<Lsn>(0),
    to: appliedLsn,
    wantPayload: () => false,
    onDamage: ({ segment }: { readonly segment: number }) => void damaged.add(segment),
  };
  for await (const { type, location, segment } of heap.scan(scanning)) {
    const known = sums.get(segment) ?? { content: 0, other: 0 };
    sums.set(segment, known);
    known[type === recordType.event || type === recordType.commit ? 'other' : 'content'] += location.bytes;
  }
  const wrong: CountedSegment[] = [];
  for (const [number, { content, other }] of sums) {
    const live = liveBytes.get(number) ?? 0;
    const dead = content - live;
    const row = segments.get(number);
    const isRight = row?.live === live && row.dead === dead && row.other === other;
    if (!isRight && !damaged.has(number)) wrong.push({ number, live, dead, other });
  }
  return wrong;
}
