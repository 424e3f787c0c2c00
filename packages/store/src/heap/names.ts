/** File names of segments and their numbers (docs/format/heap.md, Files). */

const pattern = /^\d{16}\.seg$/;

/** The file name of a segment. */
export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.seg`;
}

/** Whether a file's name is of the form that segments' names have. */
export function isSegmentName(name: string): boolean {
  return pattern.test(name);
}

/** The number in a segment's file name; undefined for any other name. */
export function segmentNumber(name: string): number | undefined {
  if (!isSegmentName(name)) return undefined;
  const number = Number(name.slice(0, 16));
  return Number.isSafeInteger(number) && number >= 1 ? number : undefined;
}
