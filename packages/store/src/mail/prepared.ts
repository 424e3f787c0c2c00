/**
 * A message ready for the log: split, hashed and compressed without the writer. What the catalog held meanwhile was only a
 * hint; the writer looks again when it decides, so everything needed to store the message whole stays here until then.
 */
import type { Derived } from '../log/derive.ts';
import type { Manifest } from '../log/manifest.ts';
import { messagePayload, type Payload } from '../log/records.ts';
import type { Location, Sha256 } from '../types.ts';
import { compress } from './compress.ts';

/** Up to 1 MiB of a large part's content. */
export interface PreparedChunk {
  readonly offset: number;
  readonly contentBytes: number;
  /** Undefined once the chunk is in the heap. */
  payload: Payload | undefined;
  place: Location | undefined;
  readonly storedBytes: number;
}

/** A part's content, in one piece or, above 1 MiB, in chunks. */
export class PreparedPart {
  readonly sha: Sha256;
  /** Decoded octets. */
  readonly size: number;
  readonly chunks: readonly PreparedChunk[];
  #content: Buffer | undefined;
  #payload: Payload | undefined;

  constructor(sha: Sha256, size: number, content: Buffer | undefined, chunks: readonly PreparedChunk[]) {
    this.sha = sha;
    this.size = size;
    this.chunks = chunks;
    this.#content = content;
  }

  /** Octets held in memory. */
  get heldBytes(): number {
    const chunks = this.chunks.reduce((sum, chunk) => sum + (chunk.payload?.octets.length ?? 0), 0);
    return chunks + (this.#payload?.octets.length ?? this.#content?.length ?? 0);
  }

  /** The payload of a part without chunks, compressed once; undefined when the part went ahead. */
  payload(): Payload | undefined {
    if (this.#content !== undefined) this.#payload ??= compress(this.#content);
    return this.#payload;
  }

  /** The part is in the heap, ahead of its message: its octets need not be held. */
  wentAhead(): void {
    this.#content = undefined;
    this.#payload = undefined;
  }
}

/** What is to be stored of a message that the store may not have. */
export class PreparedContent {
  readonly headerBytes: number;
  readonly manifest: Manifest;
  readonly literals: readonly Buffer[];
  readonly parts: readonly PreparedPart[];
  readonly derived: Derived;
  #payload: Payload | undefined;

  constructor(
    headerBytes: number,
    manifest: Manifest,
    literals: readonly Buffer[],
    parts: readonly PreparedPart[],
    derived: Derived,
  ) {
    this.headerBytes = headerBytes;
    this.manifest = manifest;
    this.literals = literals;
    this.parts = parts;
    this.derived = derived;
  }

  /** Its parts, and their chunks. */
  pieces(): readonly object[] {
    return this.parts.flatMap((part) => [part, ...part.chunks]);
  }

  /** The MESSAGE record's payload, compressed once. */
  payload(): Payload {
    this.#payload ??= compress(messagePayload(this.manifest, this.literals));
    return this.#payload;
  }
}

export interface PreparedMessage {
  /** Over all octets, trace lines apart. */
  readonly sha: Sha256;
  readonly size: number;
  /** The content; made on the first call when the store seemed to have the message already. */
  content(): PreparedContent;
  /** Parts and chunks that may lie in the heap ahead of the message; what is asked for makes nothing. */
  ahead(): readonly object[];
}
