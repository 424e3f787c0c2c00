/** How numbers and lists look to people. */

const units = ['K', 'M', 'G', 'T', 'P'];

/** Octets for people: `512`, `7.3K`, `128M`. */
export function humanBytes(bytes: number): string {
  if (Math.abs(bytes) < 1024) return String(bytes);
  let value = bytes;
  let unit = '';
  for (const next of units) {
    if (Math.abs(value) < 1023.5) break;
    value /= 1024;
    unit = next;
  }
  return `${Math.abs(value) < 9.95 ? value.toFixed(1) : Math.round(value)}${unit}`;
}

/** `1,234,567`. */
export function humanCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `1 message`, `2 messages`. */
export function counted(count: number, one: string, many: string = `${one}s`): string {
  return `${humanCount(count)} ${count === 1 ? one : many}`;
}

/** Seconds since 1970 as `2026-01-02 03:04:05Z`. */
export function humanTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** Text of strangers, made safe for a terminal. */
export function safeText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\u2028\u2029]/gu, '\uFFFD');
}

const number = /^-?[\d.,]+[KMGTP%]?$/;

/** Rows in columns as wide as they need to be; columns of numbers stand right, under a head or without one. */
export function table(rows: readonly (readonly string[])[]): string {
  // Not by spreading: there are more accounts than a call can have arguments.
  const largest = (sizes: readonly number[]): number => sizes.reduce((most, size) => Math.max(most, size), 0);
  const columns = largest(rows.map((row) => row.length));
  const cells = (at: number): string[] => rows.map((row) => row[at] ?? '');
  const widths = Array.from({ length: columns }, (_, at) => largest(cells(at).map((cell) => cell.length)));
  const isRight = widths.map((_, at) => {
    const below = cells(at).slice(1);
    return below.length > 0 && below.every((cell) => cell === '' || cell === '-' || number.test(cell));
  });
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (isRight[at] === true ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join('');
}
