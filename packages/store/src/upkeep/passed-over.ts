/**
 * Bad places that a repair has passed over: what they held was written again, replaced, or known to be lost, and told. They stay
 * where they are until their segment is compacted away, and would be found anew by each check. Kept in `lost+found/`, one
 * JSON file; without it they are findings again, and another repair finds nothing to do for them.
 */
import { z } from 'zod';
import type { Heap } from '../heap/heap.ts';
import type { FileSystem } from '../sys/fs.ts';
import type { PassedOver } from './check.ts';
import type { FindingPlace } from './findings.ts';
import { readKept, writeKept } from './kept-file.ts';

const shape = z.object({
  version: z.literal(1),
  places: z.array(z.object({ segment: z.number(), offset: z.number(), bytes: z.number() })),
});

type Places = z.infer<typeof shape>['places'];

const path = (directory: string): string => `${directory}/lost+found/passed-over.json`;

async function places(fs: FileSystem, directory: string): Promise<Places> {
  return (await readKept(fs, path(directory), shape))?.places ?? [];
}

/** Says of damage whether all of it was passed over. */
export async function readPassedOver(fs: FileSystem, directory: string): Promise<PassedOver> {
  const known = await places(fs, directory);
  return ({ segment, offset, bytes }) =>
    known.some((one) => one.segment === segment && one.offset <= offset && offset + bytes <= one.offset + one.bytes);
}

/** Adds places, and forgets those whose segment is gone; durable on return. */
export async function passOver(
  fs: FileSystem,
  directory: string,
  heap: Heap,
  bad: readonly FindingPlace[] = [],
): Promise<void> {
  const known = await places(fs, directory);
  const kept = known.filter(({ segment }) => isThere(heap, segment));
  if (bad.length === 0 && kept.length === known.length) return;
  const added = bad.map(({ segment, offset, bytes }) => ({ segment, offset, bytes }));
  await writeKept(fs, path(directory), { version: 1, places: [...kept, ...added] });
}

/** False of a segment that was compacted away or given up: its number is not given again. */
function isThere(heap: Heap, number: number): boolean {
  const segments = heap.segments();
  if (segments.some((segment) => segment.number === number)) return true;
  // What cannot be read now may be mended; what a reader has not seen yet is new.
  const isLost = heap.lostSegments().some(({ damage }) => damage.segment === number);
  return isLost || number > (segments.at(-1)?.number ?? 0);
}
