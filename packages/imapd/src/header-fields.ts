/**
 * HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 9051 §6.4.5): some fields of a header as they stand, and the blank line. A message of nothing
 * but fields has no blank line, and HEADER.FIELDS.NOT adds none; of the fields alone, which the catalog keeps, nobody can tell.
 */
import { headerFields, listedFieldNames } from '@mstore/store';

const listed: ReadonlySet<string> = new Set(listedFieldNames);

const crlf = Buffer.from('\r\n');

/** The end of the last field's line, and an empty one. */
const blankLine = Buffer.from('\n\r\n');

/** True when all these fields are among those that the catalog keeps. */
export function areListed(names: readonly string[]): boolean {
  return names.every((name) => listed.has(name.toLowerCase()));
}

/** The fields of these names, or all others. */
export function pickFields(header: Buffer, names: readonly string[], isNot: boolean): Buffer {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const pieces: Buffer[] = [];
  for (const { name, span } of headerFields(header)) {
    if (wanted.has(name.toLowerCase()) === isNot) continue;
    const field = header.subarray(span.start, span.end);
    pieces.push(field);
    if (field[field.length - 1] !== 0x0a) pieces.push(crlf);
  }
  if (!isNot || endsWithBlankLine(header)) pieces.push(crlf);
  return Buffer.concat(pieces);
}

function endsWithBlankLine(header: Buffer): boolean {
  return header.equals(crlf) || header.subarray(-3).equals(blankLine);
}
