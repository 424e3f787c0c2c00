/** A segment's octets as counting gives them: what rows name, what else is content, and the rest. */
import type { Catalog } from '../catalog/catalog.ts';
import type { Heap } from '../heap/heap.ts';
import { recordType } from '../log/records.ts';
import type { CountedSegment } from '../writer/intents/mend.ts';
import { checkCatalog } from './check-catalog.ts';
import { Findings } from './findings.ts';

export async function countSegment(catalog: Catalog, heap: Heap, number: number): Promise<CountedSegment> {
  const live = checkCatalog(catalog.view, heap, new Findings()).liveBytes.get(number) ?? 0;
  const segment = heap.segments().find((one) => one.number === number);
  let content = 0;
  let other = 0;
  if (segment !== undefined) {
    const { baseLsn: from, endLsn: to } = segment;
    for await (const { type, location } of heap.scan({
      from,
      to,
      wantPayload: () => false,
      onDamage: () => undefined,
    })) {
      if (type === recordType.event || type === recordType.commit) other += location.bytes;
      else content += location.bytes;
    }
  }
  return { number, live, dead: content - live, other };
}
