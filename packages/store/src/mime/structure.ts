/**
 * Makes IMAP's BODY and BODYSTRUCTURE in wire form from a part tree, and finds the entity that a section number names
 * (RFC 9051 §7.5.2 and §6.4.5.1, RFC 3501 §7.4.2).
 *
 * The grammar has no multipart without parts. Where none could be found (no boundary given, no delimiter line, a nesting
 * beyond the limit) the multipart shows one text/plain part that spans its whole body, so that clients can show and fetch
 * what is there; `section` knows that part too. A message/rfc822 that was not entered, for its encoding or its depth, is
 * shown as application/octet-stream, since the grammar wants an envelope behind the true name.
 */

import type { Entity } from './entity.ts';
import { envelopeText } from './envelope.ts';
import { fieldTexts } from './header.ts';
import { disposition, languages, mediaType, type Parameter } from './media-type.ts';
import { wireNString, wireString } from './wire-string.ts';

const structureFields: ReadonlySet<string> = new Set([
  'content-type',
  'content-id',
  'content-description',
  'content-md5',
  'content-disposition',
  'content-language',
  'content-location',
]);

const noOctets = Buffer.alloc(0);

/** The part that stands for the body of a multipart in which no parts were found. */
function wholeBodyPart(entity: Entity): Entity {
  return {
    kind: 'leaf',
    header: { start: entity.body.start, end: entity.body.start },
    headerOctets: noOctets,
    body: entity.body,
    bodyLines: entity.bodyLines,
    type: 'text',
    subtype: 'plain',
    encoding: entity.encoding,
    children: [],
  };
}

/** The parts of a multipart as IMAP numbers them: never none. Undefined when the entity is no multipart. */
function partsOf(entity: Entity): readonly Entity[] | undefined {
  if (entity.type !== 'multipart') return undefined;
  return entity.children.length > 0 ? entity.children : [wholeBodyPart(entity)];
}

function wireParameters(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return 'NIL';
  return `(${parameters.map(({ name, value }) => `${wireString(name)} ${wireString(value)}`).join(' ')})`;
}

/** The Content-* fields of one entity, in wire form. */
class ContentFields {
  readonly #texts: ReadonlyMap<string, readonly string[]>;

  constructor(headerOctets: Buffer) {
    this.#texts = fieldTexts(headerOctets, structureFields);
  }

  #first(name: string): string | undefined {
    return this.#texts.get(name)?.[0];
  }

  nstring(name: string): string {
    return wireNString(this.#first(name));
  }

  /** The Content-Type's parameters; RFC 2045 §5.2's charset where a text has no Content-Type. */
  typeParameters(type: string): string {
    const value = this.#first('content-type');
    const media = value === undefined ? undefined : mediaType(value);
    if (media !== undefined) return wireParameters(media.parameters);
    return type === 'text' ? '("charset" "us-ascii")' : 'NIL';
  }

  /** Disposition, language and location: the extension data that every part has. */
  extension(): string {
    const value = this.#first('content-disposition');
    const read = value === undefined ? undefined : disposition(value);
    const wire = read === undefined ? 'NIL' : `(${wireString(read.value)} ${wireParameters(read.parameters)})`;
    const tags = languages(this.#first('content-language') ?? '');
    const language = tags.length === 0 ? 'NIL' : `(${tags.map(wireString).join(' ')})`;
    return `${wire} ${language} ${this.nstring('content-location')}`;
  }
}

function multipartText(entity: Entity, parts: readonly Entity[], extended: boolean): string {
  let text = '(';
  for (const part of parts) text += structureText(part, extended);
  text += ` ${wireString(entity.subtype)}`;
  if (!extended) return `${text})`;
  const fields = new ContentFields(entity.headerOctets);
  return `${text} ${fields.typeParameters('multipart')} ${fields.extension()})`;
}

/** Type and subtype as the grammar can bear them. */
function shownType(entity: Entity): readonly [string, string] {
  const unentered =
    entity.kind === 'leaf' && entity.type === 'message' && (entity.subtype === 'rfc822' || entity.subtype === 'global');
  return unentered ? ['application', 'octet-stream'] : [entity.type, entity.subtype];
}

/** One entity's list. Recursion is bounded by `limits.mimeDepth`, which bounds the tree. */
function structureText(entity: Entity, extended: boolean): string {
  const parts = partsOf(entity);
  if (parts !== undefined) return multipartText(entity, parts, extended);
  const fields = new ContentFields(entity.headerOctets);
  const [type, subtype] = shownType(entity);
  const size = entity.body.end - entity.body.start;
  let text = `(${wireString(type)} ${wireString(subtype)} ${fields.typeParameters(type)}`;
  text += ` ${fields.nstring('content-id')} ${fields.nstring('content-description')}`;
  text += ` ${wireString(entity.encoding)} ${size}`;
  const inner = entity.kind === 'message' ? entity.children[0] : undefined;
  if (inner !== undefined) {
    text += ` ${envelopeText(inner.headerOctets)} ${structureText(inner, extended)} ${entity.bodyLines}`;
  } else if (type === 'text') {
    text += ` ${entity.bodyLines}`;
  }
  return extended ? `${text} ${fields.nstring('content-md5')} ${fields.extension()})` : `${text})`;
}

/** IMAP's BODYSTRUCTURE with extension data; sizes are octets as transferred. */
export function bodyStructure(root: Entity): Buffer {
  return Buffer.from(structureText(root, true), 'latin1');
}

/** IMAP's BODY, without extension data. */
export function body(root: Entity): Buffer {
  return Buffer.from(structureText(root, false), 'latin1');
}

/** Part `number` of a message: of its multipart, or the body of a message that is none. */
function partOfMessage(message: Entity, number: number): Entity | undefined {
  const parts = partsOf(message);
  if (parts !== undefined) return parts[number - 1];
  return number === 1 ? message : undefined;
}

/**
 * The entity that a part number names: its `body` is what `BODY[path]` shows, its `header` what `BODY[path.MIME]` shows,
 * and for `BODY[path.HEADER]` and `BODY[path.TEXT]` of a message the entity inside it counts. The empty path is the
 * message itself; part 1 of a message that is no multipart is that message. Undefined when there is no such part.
 */
export function section(root: Entity, path: readonly number[]): Entity | undefined {
  let part: Entity | undefined = root;
  let within: Entity | undefined = root;
  for (const number of path) {
    if (within === undefined) return undefined;
    part = partOfMessage(within, number);
    if (part === undefined) return undefined;
    // Numbers behind a part go into its parts, or into the message that it holds; any other part has none.
    within = part.kind === 'message' ? part.children[0] : part.type === 'multipart' ? part : undefined;
  }
  return part;
}
