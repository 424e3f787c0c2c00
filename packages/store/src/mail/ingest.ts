/**
 * Ingest: message octets in, a prepared message out. Splits, finds base64 that can be given back from its content, hashes,
 * compresses what the store does not seem to have. Memory stays bounded whatever the size: content beyond `partSpillBytes`
 * goes to the heap in chunks as it arrives, unreferenced until a closing record names it (docs/format/log.md, PART).
 *
 * Invariant: the pieces of the manifest, in order, give back every octet pushed.
 */
import { createHash } from 'node:crypto';
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import { derive } from '../log/derive.ts';
import type { Piece } from '../log/manifest.ts';
import type { SplitSink } from '../mime/entity.ts';
import { Splitter } from '../mime/splitter.ts';
import type { Location, Sha256 } from '../types.ts';
import { ContentCollector } from './content-collector.ts';
import { type PreparedChunk, PreparedContent, type PreparedMessage, type PreparedPart } from './prepared.ts';

/** What ingest asks of the store. */
export interface IngestPorts {
  /** A hint: does the store hold this part now? */
  hasPart(sha: Sha256): boolean;
  /** A hint: does the store hold this message now? */
  hasMessage(sha: Sha256): boolean;
  /** Appends a chunk that nothing references yet; durable on return. */
  appendChunk(chunk: PreparedChunk): Promise<Location>;
  /** Appends a part ahead of its message, unless the store has it; durable on return. */
  appendPart(part: PreparedPart): Promise<void>;
}

/** Takes a message in pieces of any size. Line ends must be CRLF already (`CrlfConverter`). */
export class Ingest implements SplitSink {
  readonly #ports: IngestPorts;
  readonly #bytesMax: number;
  readonly #keeps: boolean;
  readonly #hash = createHash('sha256');
  readonly #splitter: Splitter;
  readonly #manifest: Piece[] = [];
  readonly #literals: Buffer[] = [];
  readonly #parts = new Map<string, PreparedPart>();
  #content: ContentCollector | undefined;
  #size = 0;
  #inlineBytes = 0;
  /** Parts that are not in the heap yet, or not whole, and their octets in memory. */
  readonly #held: PreparedPart[] = [];
  #heldBytes = 0;

  /** `keeps`: what is pushed may be kept as it is, without a copy. */
  constructor(ports: IngestPorts, bytesMax: number = limits.messageBytes, keeps = false) {
    this.#ports = ports;
    this.#bytesMax = bytesMax;
    this.#keeps = keeps;
    this.#splitter = new Splitter(this);
  }

  /** Octets so far. */
  get size(): number {
    return this.#size;
  }

  /** Takes octets in; the buffer is the caller's again when the promise resolves.
   *  @throws {StoreError} messageTooLarge; diskFull, ioError, readOnly when a chunk cannot be written */
  async push(octets: Buffer): Promise<void> {
    for (let at = 0; at < octets.length; at += limits.ingestSliceBytes) {
      if (at > 0) await nextTurn();
      this.#take(octets.subarray(at, at + limits.ingestSliceBytes));
      const spill = this.#content?.spillable() ?? [];
      for (const chunk of spill) await spillChunk(this.#ports, chunk);
      if (this.#heldBytes > limits.partSpillBytes || this.#held.length > limits.partsHeld) await this.#sendAhead();
    }
  }

  /** Many parts, none large enough to flow: they go to the heap before their message does. */
  async #sendAhead(): Promise<void> {
    this.#heldBytes = 0;
    await Promise.all(this.#held.splice(0).map((part) => sendAhead(this.#ports, part)));
  }

  /** The prepared message; call once, after the last push. */
  end(): PreparedMessage {
    const content = this.#finish();
    return { sha: this.#hash.digest(), size: this.#size, content: () => content, ahead: () => content.pieces() };
  }

  /**
   * Prepares a message that is whole in memory. One that the store seems to have is hashed only; its content is made when
   * the writer finds otherwise. Small messages only: `octets` is at most one slice, and must not change any more.
   */
  static whole(ports: IngestPorts, octets: Buffer): PreparedMessage {
    const sha = createHash('sha256').update(octets).digest();
    let content: PreparedContent | undefined;
    const make = (): PreparedContent => {
      const ingest = new Ingest(ports, octets.length, true);
      ingest.#splitter.push(octets);
      return ingest.#finish();
    };
    if (!ports.hasMessage(sha)) content = make();
    return {
      sha,
      size: octets.length,
      content: () => {
        content ??= make();
        return content;
      },
      ahead: () => content?.pieces() ?? [],
    };
  }

  #take(slice: Buffer): void {
    this.#size += slice.length;
    if (this.#size > this.#bytesMax) {
      throw new StoreError('messageTooLarge', `message of more than ${this.#bytesMax} octets`);
    }
    this.#hash.update(slice);
    this.#splitter.push(slice);
  }

  #finish(): PreparedContent {
    const root = this.#splitter.end();
    const parts = [...this.#parts.values()];
    for (const part of parts) if (part.chunks.length === 0 && !this.#ports.hasPart(part.sha)) part.payload();
    const content = new PreparedContent(
      root.header.end - root.header.start,
      this.#manifest,
      this.#literals,
      parts,
      derive(root),
    );
    content.payload();
    return content;
  }

  structure(octets: Buffer): void {
    this.#literal(octets);
  }

  contentStart(encoding: string): void {
    this.#content = new ContentCollector(encoding, this.#keeps);
  }

  content(octets: Buffer): void {
    this.#content?.push(octets);
  }

  contentEnd(): void {
    const { pieces } = this.#content?.end(limits.inlineBytes - this.#inlineBytes) ?? { pieces: [] };
    this.#content = undefined;
    for (const piece of pieces) {
      if (piece.kind === 'inline') {
        this.#inlineBytes += piece.octets.length;
        this.#literal(piece.octets);
        continue;
      }
      this.#manifest.push(piece.reference);
      const text = piece.reference.sha.toString('latin1');
      if (this.#parts.has(text)) continue;
      this.#parts.set(text, piece.part);
      this.#held.push(piece.part);
      this.#heldBytes += piece.part.heldBytes;
    }
  }

  /** Keeps a copy, unless told otherwise: what the splitter gives belongs to the caller of push. */
  #literal(octets: Buffer): void {
    if (octets.length === 0) return;
    this.#literals.push(this.#keeps ? octets : Buffer.from(octets));
    const last = this.#manifest[this.#manifest.length - 1];
    if (last?.kind === 'literal') {
      this.#manifest[this.#manifest.length - 1] = { kind: 'literal', bytes: last.bytes + octets.length };
    } else this.#manifest.push({ kind: 'literal', bytes: octets.length });
  }
}

/** Puts a part, or its chunks, into the heap ahead of its message. */
export async function sendAhead(ports: IngestPorts, part: PreparedPart): Promise<void> {
  if (part.heldBytes === 0) return;
  for (const chunk of part.chunks) await spillChunk(ports, chunk);
  if (part.chunks.length > 0) return;
  await ports.appendPart(part);
  part.wentAhead();
}

async function spillChunk(ports: IngestPorts, chunk: PreparedChunk): Promise<void> {
  if (chunk.payload === undefined) return;
  chunk.place = await ports.appendChunk(chunk);
  chunk.payload = undefined;
}

/** Lets other work of the event loop go first. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
