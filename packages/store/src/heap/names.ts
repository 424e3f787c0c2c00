/** File names of segments and their numbers (docs/format/heap.md, Files). */

const pattern = /^\d{16}\.seg$/;

/** The file name of a segment. */
export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.seg`;
}

/** The number in a segment's file name; undefined for any other name. */
export function segmentNumber(name: string): number | undefined {
  if (!pattern.test(name)) return undefined;
  const number = Number(name.slice(0, 16));
  return Number.isSafeInteger(number) && number >= 1 ? number : undefined;
}
