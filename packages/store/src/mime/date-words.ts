/** What dates in mail have in common, however they are written around it (RFC 5322 §3.3, §4.3). */

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Hours east of UTC. */
const namedZones: ReadonlyMap<string, number> = new Map([
  ['edt', -4],
  ['est', -5],
  ['cdt', -5],
  ['cst', -6],
  ['mdt', -6],
  ['mst', -7],
  ['pdt', -7],
  ['pst', -8],
]);

/** 0 to 11 for the first three letters of a month in any case; -1 for what is none. */
export function monthOf(name: string): number {
  return months.indexOf(name.toLowerCase());
}

/** The year of two to four digits: two below 50 are of this century, other short ones count from 1900. */
export function fullYear(digits: string): number {
  const year = Number(digits);
  if (digits.length === 4) return year;
  return digits.length === 3 || year >= 50 ? 1_900 + year : 2_000 + year;
}

/** Seconds east of UTC of a zone by its name; undefined for one that says nothing, or is none. */
export function namedZoneSeconds(name: string): number | undefined {
  const hours = namedZones.get(name.toLowerCase());
  return hours === undefined ? undefined : hours * 3_600;
}
