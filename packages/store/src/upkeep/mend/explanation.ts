/**
 * The message that stands in for one whose octets are lost in part: everything that is left, as it was, and in the place of each
 * lost body a text that says what stood there. No octet is made up, and none is left blank.
 *
 * A leaf of which any octet is lost is replaced as a whole, with its Content-… fields (RFC 2045 §3): half an encoded file helps
 * nobody. What is lost between the parts of a multipart is replaced in place.
 */
import type { MessageRow } from '../../catalog/rows.ts';
import { treeOf } from '../../log/derive.ts';
import type { Manifest } from '../../log/manifest.ts';
import { partsOf } from '../../log/references.ts';
import type { StoredMessage } from '../../mail/assemble.ts';
import type { Entity } from '../../mime/entity.ts';
import { headerFields } from '../../mime/header.ts';

/** What the texts tell of. */
export interface Circumstances {
  /** Seconds since 1970: when the repair was made. */
  readonly time: number;
}

interface Edit {
  /** Octets of the message; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  readonly replacement: Buffer;
}

interface Lost {
  readonly start: number;
  readonly end: number;
  readonly sha: string;
}

/** The field that marks a message or a part that was replaced. */
const markName = 'X-Mstore-Damaged';

/** Columns of the explanations' lines. */
const lineColumns = 72;

function day(time: number): string {
  return new Date(time * 1000).toISOString().slice(0, 10);
}

/** The mark as a header field with its line end. */
export function markField({ time }: Circumstances, what: string): Buffer {
  return Buffer.from(`${markName}: ${day(time)}; ${what}\r\n`, 'latin1');
}

/** The octets of a message of which the parts in `lost` (SHA-256 in hexadecimal) cannot be had. */
export function withoutParts(
  message: StoredMessage,
  lost: ReadonlySet<string>,
  about: Circumstances,
): AsyncIterable<Buffer> {
  const spans = lostSpans(message.manifest, lost);
  const edits: Edit[] = [];
  const root = treeOf(message.manifest, message.literals);
  const rest = editLeaves(root, spans, about, edits);
  for (const span of rest)
    edits.push({ start: span.start, end: span.end, replacement: textFor(about, 'text between parts', span) });
  const mark = {
    start: 0,
    end: 0,
    replacement: markField(about, `${spans.length} ${spans.length === 1 ? 'part' : 'parts'} replaced`),
  };
  edits.push(mark);
  edits.sort((a, b) => a.start - b.start || a.end - b.end);
  return edited(message, edits);
}

function lostSpans(manifest: Manifest, lost: ReadonlySet<string>): Lost[] {
  const spans: Lost[] = [];
  let at = 0;
  for (const piece of manifest) {
    if (piece.kind === 'part') {
      const sha = piece.sha.toString('hex');
      if (lost.has(sha)) spans.push({ start: at, end: at + piece.bytes, sha });
    }
    at += piece.bytes;
  }
  return spans;
}

/** Makes the edits for each leaf that a span touches; returns the spans that touch none. */
function editLeaves(entity: Entity, spans: readonly Lost[], about: Circumstances, edits: Edit[]): readonly Lost[] {
  if (entity.kind !== 'leaf') {
    return entity.children.reduce((rest, child) => editLeaves(child, rest, about, edits), spans);
  }
  const { body, header } = entity;
  const inside = spans.filter(({ start, end }) => start < body.end && end > body.start);
  const [first] = inside;
  if (first === undefined) return spans;
  edits.push({ start: header.start, end: header.end, replacement: newHeader(entity, about) });
  edits.push({ start: body.start, end: body.end, replacement: textFor(about, describe(entity), first) });
  return spans.filter((span) => !inside.includes(span));
}

/** The header's fields but those that told of the lost body, and such that tell of the text. */
function newHeader({ headerOctets }: Entity, about: Circumstances): Buffer {
  const kept = keptFields(headerOctets);
  return Buffer.concat([
    kept,
    Buffer.from(`${contentFields}${markField(about, 'this part was replaced').toString('latin1')}\r\n`),
  ]);
}

const contentFields = 'Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n';

function keptFields(header: Buffer): Buffer {
  const kept = [...headerFields(header)].filter(({ name }) => !/^content-/i.test(name));
  return Buffer.concat(kept.map(({ span }) => ended(header.subarray(span.start, span.end))));
}

function ended(field: Buffer): Buffer {
  return field.at(-1) === 10 ? field : Buffer.concat([field, Buffer.from('\r\n')]);
}

/** Type and name of a part, in ASCII. */
function describe({ type, subtype, headerOctets }: Entity): string {
  const named = /(?:file)?name\*?\d*\*?\s*=\s*("[^"\r\n]{1,120}"|[^\s;"]{1,120})/i.exec(
    headerOctets.toString('latin1'),
  );
  const kind = `${type}/${subtype}`;
  return ascii(named === null ? kind : `${kind}, named ${named[1]}`);
}

function ascii(text: string): string {
  return text.replace(/[^ -~]/g, '?');
}

function textFor(about: Circumstances, what: string, { start, end, sha }: Lost): Buffer {
  return paragraphs([
    `What stood here cannot be read any more: its octets in the mail store were damaged, and there was no copy of them when the store was repaired on ${day(about.time)}.`,
    `It was ${what}: ${end - start} octets. SHA-256 of its content:`,
    sha,
    'Everything else of this message is as it was received. Ask the sender for it, or the administrator of the mail store whether a backup holds it.',
  ]);
}

/** A message whose own record is lost: the header fields that the catalog knows, and a text. */
export function onlyHeader(row: MessageRow | undefined, internalDate: number, about: Circumstances): Buffer {
  const known = row === undefined ? Buffer.alloc(0) : keptFields(row.listedFields);
  const mark = markField(about, 'the message was replaced');
  const missing = known.length === 0 ? `Date: ${mailDate(internalDate)}\r\nSubject: A message that was lost\r\n` : '';
  const size =
    row === undefined
      ? 'Its size is not known.'
      : `It had ${row.size} octets and ${[...partsOf(row)].length} stored parts.`;
  const text = paragraphs([
    `This message cannot be read any more: its octets in the mail store were damaged, and there was no copy of them when the store was repaired on ${day(about.time)}.`,
    `${size} ${known.length === 0 ? 'Its header is lost too.' : 'The header fields above are those that were kept apart.'}`,
    'Ask the sender for it, or the administrator of the mail store whether a backup holds it.',
  ]);
  return Buffer.concat([mark, known, Buffer.from(`${missing}${mimeVersion(known)}${contentFields}\r\n`), text]);
}

function mimeVersion(known: Buffer): string {
  return /^mime-version:/im.test(known.toString('latin1')) ? '' : 'MIME-Version: 1.0\r\n';
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** RFC 5322 §3.3. */
function mailDate(seconds: number): string {
  const date = new Date(seconds * 1000);
  const time = date.toISOString().slice(11, 19);
  return `${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()} ${time} +0000`;
}

function paragraphs(texts: readonly string[]): Buffer {
  return Buffer.from(`${texts.map(wrapped).join('\r\n\r\n')}\r\n`, 'latin1');
}

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > lineColumns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].join('\r\n');
}

async function* edited(message: StoredMessage, edits: readonly Edit[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const { start, end, replacement } of edits) {
    if (start > at) yield* message.octets(at, start);
    yield replacement;
    at = Math.max(at, end);
  }
  if (at < message.size) yield* message.octets(at, message.size);
}
