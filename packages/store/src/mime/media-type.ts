/**
 * Reads Content-Type, Content-Disposition, Content-Transfer-Encoding and Content-Language (RFC 2045 §5 and §6, RFC 2183,
 * RFC 3282), from unfolded latin1 values. Mail is seldom as the grammar says: a missing semicolon, unquoted blanks, an open
 * quote or trailing garbage cost as little of the field as can be.
 *
 * RFC 2231 parameters stay as on the wire, except that segments (`name*0`, `name*1*`) which are complete are joined to one
 * `name`, or `name*` when any of them is encoded; incomplete ones stay apart. This is what widely used servers put into
 * BODYSTRUCTURE and what clients expect there.
 */

import { limits } from '../limits.ts';
import { matchAt, quotedString, skipComments, skipSpace, trimmedEnd } from './lexer.ts';

/** One parameter: the name as written, the value without quoting; latin1. */
export interface Parameter {
  readonly name: string;
  readonly value: string;
}

/** A Content-Type. */
export interface MediaType {
  /** Lower-case. */
  readonly type: string;
  /** Lower-case. */
  readonly subtype: string;
  readonly parameters: readonly Parameter[];
}

/** A Content-Disposition. */
export interface Disposition {
  /** Lower-case. */
  readonly value: string;
  readonly parameters: readonly Parameter[];
}

/** Longest boundary that can be matched: a delimiter line has to fit RFC 5322 §2.1.1's 998 octets with `--` at both ends. */
const boundaryLengthMax = 994;

// Sticky patterns, each a single class or a fixed sequence of classes: linear, no backtracking to speak of.
const tokenPattern = /[^\0-\x20()<>@,;:\\"/[\]?=\x7f]+/y;
const wordPattern = /[^\t\n\r ;]+/y;
const nextParameterPattern = /[^\0-\x20()<>@,;:\\"/[\]?=\x7f]+[\t ]*=/y;
const segmentPattern = /^([^*]+)\*(\d{1,4})(\*?)$/;

/** Reads an unquoted value: blanks inside it are kept when no parameter or comment follows them. */
function unquotedValue(text: string, at: number): { value: string; end: number } {
  let end = at;
  let next = at;
  for (;;) {
    const word = matchAt(wordPattern, text, next);
    if (word === '') break;
    end = next + word.length;
    next = skipSpace(text, end);
    const code = text.charCodeAt(next);
    if (next === end || code === 40 || code === 34) break;
    if (matchAt(nextParameterPattern, text, next) !== '') break;
  }
  return { value: text.slice(at, end), end };
}

function parameterValue(text: string, at: number): { value: string; end: number } {
  if (text.charCodeAt(at) !== 34) return unquotedValue(text, at);
  const quoted = quotedString(text, at);
  if (quoted.closed) return { value: quoted.text, end: quoted.end };
  return unquotedValue(text, at + 1);
}

/** Reads `; name=value` pairs up to the end. */
function readParameters(text: string, from: number): Parameter[] {
  const found: Parameter[] = [];
  let at = from;
  while (found.length < limits.headerParameters) {
    at = skipComments(text, at);
    if (at >= text.length) break;
    const name = matchAt(tokenPattern, text, at);
    if (name === '') {
      at++;
      continue;
    }
    at = skipComments(text, at + name.length);
    if (text.charCodeAt(at) !== 61) continue;
    const read = parameterValue(text, skipComments(text, at + 1));
    found.push({ name, value: read.value });
    at = read.end;
  }
  return joinSegments(found);
}

interface Segment {
  readonly index: number;
  readonly encoded: boolean;
  readonly value: string;
}

/** Joins segments numbered 0, 1, 2 …; undefined when one is missing or given twice. */
function joined(base: string, segments: Segment[]): Parameter | undefined {
  segments.sort((a, b) => a.index - b.index);
  if (segments.some((segment, position) => segment.index !== position)) return undefined;
  const encoded = segments.some((segment) => segment.encoded);
  if (!encoded) return { name: base, value: segments.map((segment) => segment.value).join('') };
  const prefix = segments[0]?.encoded === true ? '' : "''";
  const parts = segments.map((segment) => (segment.encoded ? segment.value : segment.value.replaceAll('%', '%25')));
  return { name: `${base}*`, value: prefix + parts.join('') };
}

/** RFC 2231 §3: the joined parameter stands where its first segment stood. */
function joinSegments(parameters: Parameter[]): Parameter[] {
  if (!parameters.some(({ name }) => name.includes('*'))) return parameters;
  const groups = new Map<string, Segment[]>();
  for (const { name, value } of parameters) {
    const match = segmentPattern.exec(name);
    if (match === null) continue;
    const base = (match[1] ?? '').toLowerCase();
    const segments = groups.get(base) ?? [];
    segments.push({ index: Number(match[2]), encoded: match[3] === '*', value });
    groups.set(base, segments);
  }
  const done = new Set<string>();
  const result: Parameter[] = [];
  for (const parameter of parameters) {
    const base = segmentPattern.exec(parameter.name)?.[1];
    const whole = base === undefined ? undefined : joined(base, groups.get(base.toLowerCase()) ?? []);
    if (base === undefined || whole === undefined) {
      result.push(parameter);
    } else if (!done.has(base.toLowerCase())) {
      done.add(base.toLowerCase());
      result.push(whole);
    }
  }
  return result;
}

/** Types whose missing subtype has an answer; any other single word is no media type. */
const missingSubtypes: ReadonlyMap<string, string> = new Map([
  ['text', 'plain'],
  ['multipart', 'mixed'],
  ['application', 'octet-stream'],
  ['image', 'unknown'],
  ['audio', 'unknown'],
  ['video', 'unknown'],
  ['message', 'unknown'],
]);

/** Reads a Content-Type; undefined when no type can be read (RFC 2045 §5.2 gives the default). */
export function mediaType(value: string): MediaType | undefined {
  let at = skipComments(value, 0);
  const quote = value.charCodeAt(at) === 34;
  if (quote) at++;
  const type = matchAt(tokenPattern, value, at).toLowerCase();
  if (type === '') return undefined;
  at = skipComments(value, at + type.length);
  let subtype = '';
  if (value.charCodeAt(at) === 47) {
    at = skipComments(value, at + 1);
    subtype = matchAt(tokenPattern, value, at).toLowerCase();
    at += subtype.length;
  }
  if (subtype === '') subtype = missingSubtypes.get(type) ?? '';
  if (subtype === '') return undefined;
  if (quote && value.charCodeAt(at) === 34) at++;
  return { type, subtype, parameters: readParameters(value, at) };
}

/** Reads a Content-Disposition; undefined when it names none. */
export function disposition(value: string): Disposition | undefined {
  const at = skipComments(value, 0);
  const name = matchAt(tokenPattern, value, at);
  if (name === '') return undefined;
  // A field that begins with a parameter has no disposition.
  const next = skipComments(value, at + name.length);
  if (value.charCodeAt(next) === 61) return { value: 'attachment', parameters: readParameters(value, at) };
  return { value: name.toLowerCase(), parameters: readParameters(value, next) };
}

/** The transfer encoding's name, lower-case; `7bit` when none can be read (RFC 2045 §6.1). */
export function transferEncoding(value: string): string {
  let at = skipComments(value, 0);
  if (value.charCodeAt(at) === 34) at++;
  return matchAt(tokenPattern, value, at).toLowerCase() || '7bit';
}

/** The language tags, in order; at most `limits.headerParameters`. */
export function languages(value: string): string[] {
  const tags: string[] = [];
  for (let at = 0; at < value.length && tags.length < limits.headerParameters; at++) {
    at = skipComments(value, at);
    const tag = matchAt(tokenPattern, value, at);
    if (tag !== '') tags.push(tag);
    at += tag.length;
    while (at < value.length && value.charCodeAt(at) !== 44) at++;
  }
  return tags;
}

/** Takes RFC 2231 §4's charset, language and percent signs off a value. */
function decodeExtended(value: string): string {
  const marks = /^[^']*'[^']*'/.exec(value);
  const rest = marks === null ? value : value.slice(marks[0].length);
  return rest.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** The value of the first parameter of this lower-case name, plain or in RFC 2231's form (then its octets, as latin1). */
export function parameterOf(parameters: readonly Parameter[], name: string): string | undefined {
  const plain = parameters.find((parameter) => parameter.name.toLowerCase() === name);
  if (plain !== undefined) return plain.value;
  const extended = parameters.find((parameter) => parameter.name.toLowerCase() === `${name}*`);
  return extended === undefined ? undefined : decodeExtended(extended.value);
}

/** The boundary by which parts can be told apart; undefined when there is none that a line could match. */
export function boundaryOf(media: MediaType): string | undefined {
  const value = parameterOf(media.parameters, 'boundary');
  if (value === undefined) return undefined;
  // RFC 2046 §5.1.1: blanks at the end are a gateway's doing.
  const boundary = value.slice(0, trimmedEnd(value));
  return boundary === '' || boundary.length > boundaryLengthMax || /[\r\n]/.test(boundary) ? undefined : boundary;
}
