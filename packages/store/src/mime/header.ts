/**
 * Reads the fields of a header from its octets (RFC 5322 §2.2); knows nothing of what a field means, but for the
 * Message-IDs that threading wants.
 *
 * Octets become strings as latin1, one character an octet, so that 8-bit text survives as it came. A field runs from its
 * name to the last line that folding adds; lines without a colon, and blank-led lines before the first field, belong to no
 * field and are passed over. At most `limits.headerFields` fields are looked at.
 */

import { limits } from '../limits.ts';
import type { Span } from './entity.ts';

/** One field of a header. */
export interface HeaderField {
  /** As written, without the blanks that may stand before the colon. */
  readonly name: string;
  /** The octets behind the colon, folding included, without the last line end; shares the header's buffer. */
  readonly value: Buffer;
  /** The whole field with its last line end, counted from the header's first octet. */
  readonly span: Span;
}

/** The fields that clients list in bulk, lower-case: these are kept in the catalog. Trace fields are none of them. */
export const listedFieldNames: readonly string[] = [
  'date',
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'subject',
  'message-id',
  'in-reply-to',
  'references',
  'newsgroups',
  'content-type',
  'mime-version',
  'content-transfer-encoding',
  'content-disposition',
  'content-language',
  'priority',
  'x-priority',
  'importance',
  'x-mailer',
  'user-agent',
  'list-id',
  'list-post',
  'list-unsubscribe',
  'auto-submitted',
  'precedence',
  'x-spam-flag',
  'x-spam-status',
  'return-receipt-to',
  'disposition-notification-to',
];

const listed: ReadonlySet<string> = new Set(listedFieldNames);
const threading: ReadonlySet<string> = new Set(['message-id', 'in-reply-to', 'references']);

/** Longest name worth comparing with a list of names. */
const nameLengthMax = 64;
/** Longest Message-ID that is believed: RFC 5322 §2.1.1's longest line. */
const messageIdLengthMax = 998;

const lf = 10;
const cr = 13;
const colon = 58;

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** Called with offsets: the field's start, its name's end, the octet behind the colon, the field's end. */
type FieldVisitor = (start: number, nameEnd: number, valueStart: number, end: number) => void;

/** Visits the fields in order, up to a blank line or the limit. */
export function visitFields(octets: Buffer, visit: FieldVisitor): void {
  const { length } = octets;
  let left: number = limits.headerFields;
  for (let start = 0; start < length; ) {
    const first = octets[start]!;
    if (first === lf || (first === cr && octets[start + 1] === lf)) return;
    let colonAt = start;
    while (colonAt < length && octets[colonAt] !== colon && octets[colonAt] !== lf) colonAt++;
    let end = lineEnd(octets, colonAt);
    while (end < length && isBlank(octets[end]!)) end = lineEnd(octets, end);
    if (octets[colonAt] === colon && !isBlank(first)) {
      if (left-- === 0) return;
      let nameEnd = colonAt;
      while (nameEnd > start && isBlank(octets[nameEnd - 1]!)) nameEnd--;
      visit(start, nameEnd, colonAt + 1, end);
    }
    start = end;
  }
}

/** Where the line ends that goes on at this octet. */
function lineEnd(octets: Buffer, from: number): number {
  const at = octets.indexOf(lf, from);
  return at === -1 ? octets.length : at + 1;
}

/** The end of a field without its line end. */
function contentEnd(text: string, start: number, end: number): number {
  let at = end;
  if (at > start && text.charCodeAt(at - 1) === lf) {
    at--;
    if (at > start && text.charCodeAt(at - 1) === cr) at--;
  }
  return at;
}

/** Takes folding's line ends out, and the blanks at both ends (RFC 5322 §2.2.3). */
function unfold(text: string, from: number, to: number): string {
  let start = from;
  let end = contentEnd(text, from, to);
  // Leading and trailing folding goes with the blanks.
  for (; start < end; start++) {
    const code = text.charCodeAt(start);
    if (!isBlank(code) && code !== lf && !(code === cr && text.charCodeAt(start + 1) === lf)) break;
  }
  for (; end > start; end--) {
    const code = text.charCodeAt(end - 1);
    if (!isBlank(code) && code !== lf && !(code === cr && text.charCodeAt(end) === lf)) break;
  }
  const value = text.slice(start, end);
  return value.includes('\n') ? value.replace(/\r?\n/g, '') : value;
}

/** The fields in order. */
export function headerFields(octets: Buffer): Iterable<HeaderField> {
  const text = octets.toString('latin1');
  const fields: HeaderField[] = [];
  visitFields(octets, (start, nameEnd, valueStart, end) => {
    const value = octets.subarray(valueStart, contentEnd(text, valueStart, end));
    fields.push({ name: text.slice(start, nameEnd), value, span: { start, end } });
  });
  return fields;
}

/**
 * The unfolded values of the wanted fields, by lower-case name and in order of appearance.
 * @param wanted lower-case names of at most 64 octets
 */
export function fieldTexts(octets: Buffer, wanted: ReadonlySet<string>): Map<string, string[]> {
  const text = octets.toString('latin1');
  const found = new Map<string, string[]>();
  visitFields(octets, (start, nameEnd, valueStart, end) => {
    if (nameEnd - start > nameLengthMax) return;
    const name = text.slice(start, nameEnd).toLowerCase();
    if (!wanted.has(name)) return;
    const value = unfold(text, valueStart, end);
    const values = found.get(name);
    if (values === undefined) found.set(name, [value]);
    else values.push(value);
  });
  return found;
}

/** The unfolded values of every field of this name, without blanks at their ends. Case of `name` does not matter. */
export function fieldValues(octets: Buffer, name: string): Buffer[] {
  const wanted = name.toLowerCase();
  const text = octets.toString('latin1');
  const values: Buffer[] = [];
  visitFields(octets, (start, nameEnd, valueStart, end) => {
    if (nameEnd - start !== wanted.length || text.slice(start, nameEnd).toLowerCase() !== wanted) return;
    values.push(Buffer.from(unfold(text, valueStart, end), 'latin1'));
  });
  return values;
}

/** The unfolded value of the first field of this name; undefined when there is none. */
export function fieldValue(octets: Buffer, name: string): Buffer | undefined {
  return fieldValues(octets, name)[0];
}

/** The listed fields as they stand, in order, each ending in CRLF; no blank line. */
export function listedFields(headerOctets: Buffer): Buffer {
  const text = headerOctets.toString('latin1');
  let kept = '';
  let runStart = 0;
  let runEnd = 0;
  visitFields(headerOctets, (start, nameEnd, _valueStart, end) => {
    if (nameEnd - start > nameLengthMax || !listed.has(text.slice(start, nameEnd).toLowerCase())) return;
    if (start !== runEnd) {
      kept += text.slice(runStart, runEnd);
      runStart = start;
    }
    runEnd = end;
  });
  kept += text.slice(runStart, runEnd);
  if (kept !== '' && !kept.endsWith('\n')) kept += '\r\n';
  return Buffer.from(kept, 'latin1');
}

/** Adds each `<…>` of the text, blanks taken out. */
function collectIds(text: string, into: Set<string>): void {
  let open = text.indexOf('<');
  while (open !== -1) {
    const close = text.indexOf('>', open);
    if (close === -1) return;
    // Of several opening brackets the last one counts.
    open = text.lastIndexOf('<', close);
    const inner = text.slice(open + 1, close).replace(/[\0-\x20]+/g, '');
    if (inner !== '' && inner.length <= messageIdLengthMax - 2) into.add(`<${inner}>`);
    open = text.indexOf('<', close);
  }
}

/** The message's own id; some mailers forget the brackets. */
function ownId(value: string): string | undefined {
  const ids = new Set<string>();
  collectIds(value, ids);
  for (const id of ids) return id;
  const bare = value.replace(/[\0-\x20<>]+/g, '');
  return bare === '' || bare.length > messageIdLengthMax - 2 ? undefined : `<${bare}>`;
}

/**
 * The Message-IDs that take part in threading, each `<…>` without blanks and once: the message's own, then those of
 * In-Reply-To, then References with the oldest first. Beyond `limits.threadKeys` the own, the first and the last are kept.
 */
export function messageIds(headerOctets: Buffer): string[] {
  const fields = fieldTexts(headerOctets, threading);
  const ids = new Set<string>();
  for (const value of fields.get('message-id') ?? []) {
    const own = ownId(value);
    if (own === undefined) continue;
    ids.add(own);
    break;
  }
  const ownCount = ids.size;
  for (const value of fields.get('in-reply-to') ?? []) collectIds(value, ids);
  const replyCount = ids.size - ownCount;
  for (const value of fields.get('references') ?? []) collectIds(value, ids);
  const all = [...ids];
  if (all.length <= limits.threadKeys) return all;
  // The oldest reference is the thread's root; In-Reply-To has room for a few only, being rarely more than one.
  const root = all[ownCount + replyCount];
  const head = all.slice(0, ownCount + Math.min(replyCount, limits.threadKeys / 4));
  const oldest = root === undefined ? head : [...head, root];
  return [...new Set([...oldest, ...all.slice(oldest.length - limits.threadKeys)])];
}
