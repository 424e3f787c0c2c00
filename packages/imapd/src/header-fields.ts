/**
 * HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 9051 §6.4.5): some fields of a header as they stand, and the blank line. A message of nothing
 * but fields has no blank line, and HEADER.FIELDS.NOT adds none; of the fields alone, which the catalog keeps, nobody can tell.
 */
import { listedFieldNames, visitFields } from '@mstore/store';

const listed: ReadonlySet<string> = new Set(listedFieldNames);

const lineFeed = 0x0a;

const crlf = Buffer.from('\r\n');

/** The end of the last field's line, and an empty one. */
const blankLine = Buffer.from('\n\r\n');

/** Small letters of octets, by octet: as latin1. */
const smallLetters = Uint8Array.from({ length: 256 }, (_, octet) =>
  String.fromCharCode(octet).toLowerCase().charCodeAt(0),
);

/** True when all these fields are among those that the catalog keeps. */
export function areListed(names: readonly string[]): boolean {
  return names.every((name) => listed.has(name.toLowerCase()));
}

/** More names are looked up, fewer compared. */
const comparedMax = 32;

/** Names of fields, in any letter case. */
export class FieldNames {
  /** In small letters. */
  readonly #names: readonly string[];
  /** The same, where there are many. */
  readonly #set: ReadonlySet<string> | undefined;

  constructor(names: readonly string[]) {
    this.#names = names.map((name) => name.toLowerCase());
    this.#set = names.length > comparedMax ? new Set(this.#names) : undefined;
  }

  /** Whether the octets from … to − 1 are one of them. */
  has(octets: Buffer, from: number, to: number): boolean {
    if (this.#set !== undefined) return this.#set.has(octets.toString('latin1', from, to).toLowerCase());
    for (const name of this.#names) {
      if (name.length !== to - from) continue;
      let index = 0;
      while (index < name.length && smallLetters[octets[from + index] ?? 0] === name.charCodeAt(index)) index += 1;
      if (index === name.length) return true;
    }
    return false;
  }
}

/** The fields of these names, or all others. */
export function pickFields(header: Buffer, names: FieldNames, isNot: boolean): Buffer {
  // What stands side by side is one run.
  const starts: number[] = [];
  const ends: number[] = [];
  let bytes = crlf.length;
  visitFields(header, (start, nameEnd, _valueStart, end) => {
    if (names.has(header, start, nameEnd) === isNot) return;
    bytes += end - start;
    if (ends[ends.length - 1] === start) ends[ends.length - 1] = end;
    else {
      starts.push(start);
      ends.push(end);
    }
  });
  // Only the header's last line can lack its end.
  const lacksEnd = ends[ends.length - 1] === header.length && header[header.length - 1] !== lineFeed;
  if (lacksEnd) bytes += crlf.length;
  if (isNot && !endsWithBlankLine(header)) bytes -= crlf.length;
  const picked = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const [run, start] of starts.entries()) at += header.copy(picked, at, start, ends[run]);
  while (at < bytes) at += crlf.copy(picked, at);
  return picked;
}

function endsWithBlankLine(header: Buffer): boolean {
  return header.equals(crlf) || header.subarray(-3).equals(blankLine);
}
