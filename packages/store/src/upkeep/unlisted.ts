/**
 * Files of segments that no header lists. One that compaction retired is on its way out (docs/compaction.md): its file goes a while
 * after, or waits for a pin, and is nobody's business until then. What is left is foreign: an old file that came back.
 *
 * Who says that a segment is retired: its row in the catalog, until the file is gone; and the log from where the catalog stands, or
 * all of it where there is no catalog. A header that lists the segment no more stands behind that event, so whoever saw the header
 * finds the one or the other. Beside a writer both may be gone by the time of the question: then so is the file.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { Heap } from '../heap/heap.ts';
import { segmentName } from '../heap/survey.ts';
import { decodeRecord, recordType } from '../log/records.ts';
import { isFileThere } from '../sys/files.ts';
import type { FileSystem } from '../sys/fs.ts';
import { brandNumber, type Lsn } from '../types.ts';

/** Where to look. */
export interface UnlistedPlace {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly heap: Heap;
  /** Undefined where none can be read. */
  readonly catalog: Catalog | undefined;
}

/** Numbers of files that no header lists and that were not retired, those without a header among them. @throws {StoreError} ioError */
export async function foreignSegments(place: UnlistedPlace): Promise<number[]> {
  const { fs, directory, heap } = place;
  const { unlisted } = heap.report;
  if (unlisted.length === 0) return [];
  const retired = await retiredSegments(place);
  const foreign: number[] = [];
  for (const number of unlisted) {
    if (retired.has(number)) continue;
    if (await isFileThere(fs, `${directory}/heap/${segmentName(number)}`)) foreign.push(number);
  }
  return foreign;
}

/** Segments that were retired and whose files were not said to be gone. */
async function retiredSegments({ heap, catalog }: UnlistedPlace): Promise<ReadonlySet<number>> {
  const retired = new Set<number>();
  for (const [number, { retiredAt }] of [...(catalog?.segments() ?? [])]) if (retiredAt > 0) retired.add(number);
  const from = catalog?.state()?.appliedLsn ?? brandNumber<Lsn>(0);
  const wantPayload = (type: number): boolean => type === recordType.event;
  // Damage is told by who checks the log.
  for await (const record of heap.scan({ from, wantPayload, onDamage: () => undefined })) {
    if (record.type !== recordType.event) continue;
    const decoded = decodeRecord(record);
    if (decoded.type !== 'event' || decoded.body.kind !== 'segmentsRetired') continue;
    const { segments, dropped } = decoded.body;
    for (const number of segments) {
      if (dropped) retired.delete(number);
      else retired.add(number);
    }
  }
  return retired;
}
