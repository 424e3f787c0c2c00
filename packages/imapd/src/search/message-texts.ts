/**
 * The texts of a message in the heap, in the order in which they stand there and in pieces: its header, then part by part what can be read.
 * Texts are those of text/* and of message/* that was not entered, without transfer encoding, character set and HTML; what else is
 * attached is not read. Of a message inside of a message header and texts count as texts.
 */
import { type Entity, fieldTexts, mediaType, parameterOf, type StoredMessage } from '@mstore/store';
import { type CharsetDecoder, charsetDecoder, GuessingDecoder } from '../charset.ts';
import { gathered } from '../gathered-octets.ts';
import { limits } from '../limits.ts';
import { treeWithRests } from '../part-tree.ts';
import { FoldedPieces } from './folded-text.ts';
import { fieldsAtPace } from './header-text.ts';
import { HtmlText } from './html-text.ts';
import type { Pace } from './pace.ts';
import { transferDecoder } from './transfer-decoding.ts';

/** A piece of text, folded. */
export interface TextPiece {
  readonly text: string;
  /** `header`: of the message's own header or that of a part. */
  readonly of: 'header' | 'body';
  /** Nothing goes on from the piece before. */
  readonly isFirst: boolean;
}

/** An octet of structure costs about as much as so many of text. */
const structureWork = 2;

const contentType: ReadonlySet<string> = new Set(['content-type']);

/** The message's own header. @throws {StoreError} corrupt */
export function headerOf(message: StoredMessage): Promise<Buffer> {
  return gathered(message.octets(0, message.headerBytes));
}

/** Everything that BODY looks at, and with `headers` what TEXT does beside. @throws {StoreError} corrupt */
export async function* textsOf(message: StoredMessage, withHeaders: boolean, pace: Pace): AsyncGenerator<TextPiece> {
  if (withHeaders) yield* headerTexts(await headerOf(message), 'header', pace);
  const rest = (): Promise<void> => pace.worked(limits.searchPieceBytes * structureWork);
  yield* new Texts(message, withHeaders, pace).of(await treeWithRests(message, limits.searchPieceBytes, rest));
}

async function* headerTexts(header: Buffer, of: TextPiece['of'], pace: Pace): AsyncGenerator<TextPiece> {
  for await (const text of fieldsAtPace(header, pace)) yield { text, of, isFirst: true };
}

/** An entity to come, and what its header is read as. */
interface Step {
  readonly entity: Entity;
  readonly header: TextPiece['of'] | undefined;
}

class Texts {
  readonly #message: StoredMessage;
  readonly #withHeaders: boolean;
  readonly #pace: Pace;

  constructor(message: StoredMessage, withHeaders: boolean, pace: Pace) {
    this.#message = message;
    this.#withHeaders = withHeaders;
    this.#pace = pace;
  }

  /** The texts of an entity and below; its own header is the caller's. Without recursion: each level would pass every piece on. */
  async *of(root: Entity): AsyncGenerator<TextPiece> {
    const left: Step[] = [{ entity: root, header: undefined }];
    for (let step = left.pop(); step !== undefined; step = left.pop()) {
      const { entity, header } = step;
      if (header === 'body' || (header === 'header' && this.#withHeaders)) {
        yield* headerTexts(entity.headerOctets, header, this.#pace);
      }
      const below = entity.kind === 'message' ? 'body' : 'header';
      for (const part of entity.children.toReversed()) left.push({ entity: part, header: below });
      if (entity.children.length === 0 && isText(entity)) yield* this.#ofPart(entity);
      await this.#pace.worked(limits.searchRowWork);
    }
  }

  async *#ofPart(part: Entity): AsyncGenerator<TextPiece> {
    const { trace } = this.#message;
    const transfer = transferDecoder(part.encoding);
    const charset = charsetOf(part);
    const pieceBytes = limits.searchPieceBytes / charset.dearness;
    const html = part.type === 'text' && part.subtype === 'html' ? new HtmlText() : undefined;
    const pieces = new FoldedPieces();
    let isFirst = true;
    const piece = (text: string): TextPiece => {
      const made: TextPiece = { text, of: 'body', isFirst };
      isFirst = false;
      return made;
    };
    await this.#pace.worked(limits.searchOpenWork);
    for await (const octets of this.#message.octets(trace.length + part.body.start, trace.length + part.body.end)) {
      for (let at = 0; at < octets.length; at += pieceBytes) {
        const decoded = charset.push(transfer.push(octets.subarray(at, at + pieceBytes)));
        yield piece(pieces.push(html === undefined ? decoded : html.push(decoded)));
        await this.#pace.worked(limits.searchPieceBytes);
      }
    }
    const rest = charset.push(transfer.end()) + charset.end();
    yield piece(pieces.push(html === undefined ? rest : html.push(rest) + html.end()) + pieces.end());
  }
}

/** A multipart in which no parts were found is shown as text, too. */
function isText({ type }: Entity): boolean {
  return type === 'text' || type === 'message' || type === 'multipart';
}

function charsetOf({ headerOctets }: Entity): CharsetDecoder {
  const value = fieldTexts(headerOctets, contentType).get('content-type')?.[0];
  const media = value === undefined ? undefined : mediaType(value);
  const name = media === undefined ? undefined : parameterOf(media.parameters, 'charset');
  if (name === undefined || /^(?:us-)?ascii$/i.test(name)) return new GuessingDecoder();
  return charsetDecoder(name) ?? new GuessingDecoder();
}
