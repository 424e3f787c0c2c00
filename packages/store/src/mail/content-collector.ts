/**
 * Collects one run of content (a leaf's body, a preamble) and decides how it is kept: inline, as a part with its octets as
 * they came, or as a part of decoded base64 with a recipe that was proved to give the octets back.
 *
 * Up to `partChunkBytes` the run is held as it came and decided at its end. Beyond, it flows: base64 is decoded as it arrives
 * until it deviates from its recipe; content is cut into chunks, compressed, and offered for spilling once `partSpillBytes`
 * have come.
 */
import { createHash, type Hash } from 'node:crypto';
import { limits } from '../limits.ts';
import type { PartReference } from '../log/manifest.ts';
import { type Base64Recipe, Base64Unwrapper, encodedBytes, unwrapBase64 } from '../mime/transfer-encoding.ts';
import { compress } from './compress.ts';
import { type PreparedChunk, PreparedPart } from './prepared.ts';

export type CollectedPiece =
  | { readonly kind: 'inline'; readonly octets: Buffer }
  | { readonly kind: 'part'; readonly reference: PartReference; readonly part: PreparedPart };

const lineFeed = 10;

export class ContentCollector {
  readonly #base64: boolean;
  readonly #keeps: boolean;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #flow: ContentFlow | undefined;

  /** `keeps`: what is pushed may be kept as it is, without a copy. */
  constructor(encoding: string, keeps = false) {
    this.#base64 = encoding === 'base64';
    this.#keeps = keeps;
  }

  push(octets: Buffer): void {
    if (this.#flow !== undefined) {
      this.#flow.push(octets);
      return;
    }
    this.#held.push(this.#keeps ? octets : Buffer.from(octets));
    this.#heldBytes += octets.length;
    if (this.#heldBytes <= limits.partChunkBytes) return;
    this.#flow = new ContentFlow(this.#base64);
    for (const held of this.#held) this.#flow.push(held);
    this.#held = [];
  }

  /** Chunks that should go to the heap now. */
  spillable(): PreparedChunk[] {
    return this.#flow?.spillable() ?? [];
  }

  /** The run's pieces, in order. `inlineBytesLeft`: how much small content this message may still keep inline. */
  end(inlineBytesLeft: number): { pieces: CollectedPiece[] } {
    if (this.#flow !== undefined) return { pieces: this.#flow.end() };
    const [first] = this.#held;
    const octets = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held);
    if (octets.length < limits.partBytesMin && octets.length <= inlineBytesLeft) return { pieces: [inline(octets)] };
    const found = this.#base64 ? unwrapBase64(octets) : undefined;
    if (found === undefined) return { pieces: [keep(octets, inlineBytesLeft)] };
    if (found.content.length < limits.partBytesMin) return { pieces: [keep(octets, inlineBytesLeft)] };
    const pieces: CollectedPiece[] = [decoded(wholePart(found.content), found.recipe)];
    const rest = octets.subarray(found.sourceBytes);
    if (rest.length > 0) pieces.push(keep(rest, inlineBytesLeft));
    return { pieces };
  }
}

function inline(octets: Buffer): CollectedPiece {
  return { kind: 'inline', octets };
}

function wholePart(content: Buffer): PreparedPart {
  const sha = createHash('sha256').update(content).digest();
  return new PreparedPart(sha, content.length, content, []);
}

/** A part that stands in the message as base64. */
function decoded(part: PreparedPart, recipe: Base64Recipe): CollectedPiece {
  const { sha, size: contentBytes } = part;
  const bytes = encodedBytes(recipe, contentBytes);
  const lines = (bytes - 4 * Math.ceil(contentBytes / 3)) / 2;
  const endsWithLineEnd = recipe.finalLineEnd;
  return { kind: 'part', reference: { kind: 'part', sha, contentBytes, bytes, lines, endsWithLineEnd, recipe }, part };
}

/** A part that stands in the message as it is. */
function raw(part: PreparedPart, lines: number, endsWithLineEnd: boolean): CollectedPiece {
  const { sha, size } = part;
  const reference: PartReference = {
    kind: 'part',
    sha,
    contentBytes: size,
    bytes: size,
    lines,
    endsWithLineEnd,
    recipe: undefined,
  };
  return { kind: 'part', reference, part };
}

/** Octets as they came: inline when few, else a part. */
function keep(octets: Buffer, inlineBytesLeft: number): CollectedPiece {
  if (octets.length < limits.partBytesMin && octets.length <= inlineBytesLeft) return inline(octets);
  return raw(wholePart(octets), countLines(octets), octets[octets.length - 1] === lineFeed);
}

function countLines(octets: Buffer): number {
  let lines = 0;
  for (let at = octets.indexOf(lineFeed); at >= 0; at = octets.indexOf(lineFeed, at + 1)) lines++;
  return lines;
}

/** Large content on its way: first as decoded base64 while it lasts, then as it comes. */
class ContentFlow {
  readonly #pieces: CollectedPiece[] = [];
  #unwrapper: Base64Unwrapper | undefined;
  #chunker = new Chunker();
  #rawBytes = 0;
  #lines = 0;
  #last = 0;

  constructor(base64: boolean) {
    this.#unwrapper = base64 ? new Base64Unwrapper() : undefined;
  }

  push(octets: Buffer): void {
    if (this.#unwrapper === undefined) {
      this.#raw(octets);
      return;
    }
    this.#chunker.push(this.#unwrapper.push(octets));
    if (this.#unwrapper.ended) this.#leaveBase64();
  }

  spillable(): PreparedChunk[] {
    return this.#chunker.spillable();
  }

  end(): CollectedPiece[] {
    if (this.#unwrapper !== undefined) this.#leaveBase64();
    this.#closeRaw();
    return this.#pieces;
  }

  #raw(octets: Buffer): void {
    if (octets.length === 0) return;
    this.#rawBytes += octets.length;
    this.#lines += countLines(octets);
    this.#last = octets[octets.length - 1] ?? 0;
    this.#chunker.push(octets);
  }

  /** What decoded so far becomes a part; what was held back, and all that follows, is kept as it comes. */
  #leaveBase64(): void {
    const unwrapper = this.#unwrapper;
    if (unwrapper === undefined) return;
    this.#unwrapper = undefined;
    const found = unwrapper.finish();
    this.#chunker.push(found.content);
    if (found.sourceBytes > 0) {
      this.#pieces.push(decoded(this.#chunker.end(), found.recipe));
      this.#chunker = new Chunker();
    }
    this.#raw(found.rest);
  }

  #closeRaw(): void {
    if (this.#rawBytes === 0) return;
    this.#pieces.push(raw(this.#chunker.end(), this.#lines, this.#last === lineFeed));
  }
}

/** Buffers of ended chunkers, for the next ones: fresh memory costs more than what is done with it. */
const spareBuffers: Buffer[] = [];
const spareBuffersMax = 8;

/** Hashes content and cuts it into compressed chunks. */
class Chunker {
  readonly #hash: Hash = createHash('sha256');
  readonly #chunks: PreparedChunk[] = [];
  /** The chunk in the making. One buffer for all of them: they leave as frames or copies. */
  readonly #open: Buffer = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(limits.partChunkBytes);
  #openBytes = 0;
  #size = 0;
  #spilled = 0;

  push(content: Buffer): void {
    if (content.length === 0) return;
    this.#hash.update(content);
    for (let at = 0; at < content.length; ) {
      const taken = content.copy(this.#open, this.#openBytes, at);
      at += taken;
      this.#openBytes += taken;
      if (this.#openBytes === limits.partChunkBytes) this.#cut();
    }
  }

  spillable(): PreparedChunk[] {
    if (this.#size < limits.partSpillBytes) return [];
    const chunks = this.#chunks.slice(this.#spilled);
    this.#spilled = this.#chunks.length;
    return chunks;
  }

  /** The part; nothing is pushed any more. */
  end(): PreparedPart {
    const sha = this.#hash.digest();
    const isWhole = this.#chunks.length === 0;
    const content = isWhole ? Buffer.from(this.#open.subarray(0, this.#openBytes)) : undefined;
    if (!isWhole) this.#cut();
    if (spareBuffers.length < spareBuffersMax) spareBuffers.push(this.#open);
    return new PreparedPart(sha, content?.length ?? this.#size, content, this.#chunks);
  }

  #cut(): void {
    if (this.#openBytes === 0) return;
    const octets = this.#open.subarray(0, this.#openBytes);
    const compressed = compress(octets);
    const payload = compressed.codec === 0 ? { ...compressed, octets: Buffer.from(octets) } : compressed;
    const storedBytes = payload.octets.length;
    this.#chunks.push({ offset: this.#size, contentBytes: octets.length, payload, place: undefined, storedBytes });
    this.#size += octets.length;
    this.#openBytes = 0;
  }
}
