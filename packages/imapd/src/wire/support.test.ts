/** What the tests of the grammar share: commands as text, with their literals in place. */
import assert from 'node:assert/strict';
import { Decoder, type Failure, type Segment } from './decoder.ts';
import { announcedLiteral } from './literal.ts';

/** A command as it stands on the wire, less its last CRLF, cut at its literals; in latin1. */
export function segmentsOf(text: string): Segment[] {
  const octets = Buffer.from(text, 'latin1');
  const segments: Segment[] = [];
  for (let at = 0; ; ) {
    const end = octets.indexOf('\r\n', at);
    const line = octets.subarray(at, end === -1 ? undefined : end);
    const announced = end === -1 ? undefined : announcedLiteral(line);
    if (announced === undefined) return [...segments, { line }];
    const from = end + 2;
    segments.push({ line, literal: octets.subarray(from, from + announced.bytes) });
    at = from + announced.bytes;
  }
}

/** What a parser makes of a whole command, or how it fails. */
export function read<Value>(
  text: string,
  parse: (decoder: Decoder) => Value,
  isUtf8: boolean = false,
): { readonly value: Value } | { readonly failure: Failure } {
  const decoder = new Decoder(segmentsOf(text), isUtf8);
  const value = parse(decoder);
  decoder.expectEnd();
  const { failure } = decoder;
  return failure === undefined ? { value } : { failure };
}

/** What a parser makes of a command that it takes. */
export function accepted<Value>(text: string, parse: (decoder: Decoder) => Value, isUtf8?: boolean): Value {
  const result = read(text, parse, isUtf8);
  assert.ok('value' in result, `${JSON.stringify(text)}: ${'failure' in result ? result.failure.why : ''}`);
  return result.value;
}

/** Why a parser does not take a command. */
export function refused(text: string, parse: (decoder: Decoder) => unknown, isUtf8?: boolean): Failure {
  const result = read(text, parse, isUtf8);
  assert.ok('failure' in result, `${JSON.stringify(text)} is taken`);
  return result.failure;
}
