/**
 * A manifest: a message as a sequence of pieces, literal octets kept in its MESSAGE record and parts named by SHA-256 with
 * the recipe that gives back their octets as they came (docs/format/log.md, "Manifest").
 */
import { DecodeError, type Reader, type Writer } from '../codec/bytes.ts';
import { limits } from '../limits.ts';
import { type Base64Recipe, encodedBytes } from '../mime/transfer-encoding.ts';
import type { Sha256 } from '../types.ts';

export interface LiteralPiece {
  readonly kind: 'literal';
  readonly bytes: number;
}

export interface PartReference {
  readonly kind: 'part';
  readonly sha: Sha256;
  /** Decoded octets: the part's own size. */
  readonly contentBytes: number;
  /** Octets in the message. */
  readonly bytes: number;
  /** Line ends among those, and whether they end with one: what structure needs to know of them. */
  readonly lines: number;
  readonly endsWithLineEnd: boolean;
  /** Undefined: the content stands in the message as it is. */
  readonly recipe: Base64Recipe | undefined;
}

export type Piece = LiteralPiece | PartReference;

export type Manifest = readonly Piece[];

const literalKind = 0;
const rawKind = 1;
const base64Kind = 2;
const lineEndBit = 1;

export function encodeManifest(writer: Writer, manifest: Manifest): void {
  writer.varint(manifest.length);
  for (const piece of manifest) {
    if (piece.kind === 'literal') {
      writer.u8(literalKind).varint(piece.bytes);
      continue;
    }
    writer.u8(piece.recipe === undefined ? rawKind : base64Kind).bytes(piece.sha);
    writer.varint(piece.contentBytes).varint(piece.lines);
    writer.u8(piece.endsWithLineEnd ? lineEndBit : 0);
    if (piece.recipe !== undefined) writer.varint(piece.recipe.lineBytes);
  }
}

export function decodeManifest(reader: Reader): Manifest {
  const count = reader.varint();
  if (count > reader.remaining) throw new DecodeError(`manifest of ${count} pieces in ${reader.remaining} octets`);
  const manifest: Piece[] = [];
  for (let i = 0; i < count; i++) {
    const kind = reader.u8();
    if (kind === literalKind) {
      manifest.push({ kind: 'literal', bytes: reader.varint() });
      continue;
    }
    if (kind !== rawKind && kind !== base64Kind) throw new DecodeError(`manifest piece of kind ${kind}`);
    const sha = Buffer.from(reader.bytes(32));
    const contentBytes = reader.varint();
    const lines = reader.varint();
    const endsWithLineEnd = (reader.u8() & lineEndBit) !== 0;
    let recipe: Base64Recipe | undefined;
    if (kind === base64Kind) {
      const lineBytes = reader.varint();
      if (lineBytes > limits.base64LineBytes) throw new DecodeError(`base64 lines of ${lineBytes} columns`);
      recipe = { lineBytes, finalLineEnd: endsWithLineEnd };
    }
    const bytes = recipe === undefined ? contentBytes : encodedBytes(recipe, contentBytes);
    manifest.push({ kind: 'part', sha, contentBytes, bytes, lines, endsWithLineEnd, recipe });
  }
  return manifest;
}

/** The distinct parts a manifest names, 32 octets each, in order of first use. */
export function manifestParts(manifest: Manifest): Buffer {
  const seen = new Set<string>();
  const parts: Buffer[] = [];
  for (const piece of manifest) {
    if (piece.kind === 'literal') continue;
    const text = piece.sha.toString('latin1');
    if (seen.has(text)) continue;
    seen.add(text);
    parts.push(piece.sha);
  }
  return Buffer.concat(parts);
}
