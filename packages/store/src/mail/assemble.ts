/**
 * The way out: the octets of a message, whole or any range, from its MESSAGE record and the parts it names. What is not in the
 * range is not read; nothing larger than a chunk is held.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { EntryPlace } from '../catalog/index-chunk.ts';
import type { PartPiece, PartRow } from '../catalog/rows.ts';
import { StoreError } from '../errors.ts';
import { isSegmentGone } from '../heap/heap.ts';
import type { HeapRecord } from '../heap/location.ts';
import type { Manifest, PartReference } from '../log/manifest.ts';
import { decodeMessage, decodeRecord } from '../log/records.ts';
import { contentWindow, wrapBase64Window } from '../mime/transfer-encoding.ts';
import type { Location, Lsn, MessageId } from '../types.ts';

/** What reading asks of the heap. @throws {StoreError} corrupt, with the location */
export interface RecordReader {
  read(lsn: Lsn, bytes?: number): Promise<HeapRecord>;
}

/** Octets of a message given out at a time. */
const windowBytes = 262_144;

/** What base64 stands for. */
export interface StoredContent {
  readonly bytes: number;
  /** The octets from … to − 1, in order. @throws {StoreError} corrupt */
  octets(from: number, to: number): AsyncGenerator<Buffer>;
}

/** A message that lies in a mailbox, ready to be read. */
export class StoredMessage {
  /** The lines its delivery put on top. */
  readonly trace: Buffer;
  /** Octets with trace lines. */
  readonly size: number;
  /** Octets of the header with trace lines and blank line. */
  readonly headerBytes: number;
  readonly manifest: Manifest;
  readonly literals: Buffer;
  readonly #parts: PartReader;

  constructor(
    trace: Buffer,
    size: number,
    headerBytes: number,
    manifest: Manifest,
    literals: Buffer,
    parts: PartReader,
  ) {
    this.trace = trace;
    this.size = size;
    this.headerBytes = headerBytes;
    this.manifest = manifest;
    this.literals = literals;
    this.#parts = parts;
  }

  /** This message with trace lines on top; for one that has none yet. */
  below(trace: Buffer): StoredMessage {
    const { size, headerBytes, manifest, literals } = this;
    return new StoredMessage(trace, trace.length + size, trace.length + headerBytes, manifest, literals, this.#parts);
  }

  /** The octets from … to − 1, in order; the buffers must not be changed. @throws {StoreError} corrupt */
  async *octets(from = 0, to: number = this.size): AsyncGenerator<Buffer> {
    let at = 0;
    if (from < this.trace.length) yield this.trace.subarray(from, Math.min(to, this.trace.length));
    at = this.trace.length;
    let literalAt = 0;
    for (const piece of this.manifest) {
      const first = Math.max(from - at, 0);
      const behind = Math.min(to - at, piece.bytes);
      if (first < behind) {
        if (piece.kind === 'literal') yield this.literals.subarray(literalAt + first, literalAt + behind);
        else yield* this.#partOctets(piece, first, behind);
      }
      if (piece.kind === 'literal') literalAt += piece.bytes;
      at += piece.bytes;
      if (at >= to) return;
    }
  }

  /** The content of the octets from … to − 1, where all of them are base64 of one part, which is stored decoded. */
  content(from: number, to: number): StoredContent | undefined {
    let at = this.trace.length;
    for (const piece of this.manifest) {
      if (at >= from) {
        const isAll = at === from && at + piece.bytes === to && piece.kind === 'part' && piece.recipe !== undefined;
        return isAll ? { bytes: piece.contentBytes, octets: (...range) => this.#windows(piece, ...range) } : undefined;
      }
      at += piece.bytes;
    }
    return undefined;
  }

  /** All octets in one buffer; for messages known to be small. */
  async whole(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const octets of this.octets()) pieces.push(octets);
    return Buffer.concat(pieces);
  }

  async *#windows({ sha }: PartReference, from: number, to: number): AsyncGenerator<Buffer> {
    for (let at = from; at < to; at += windowBytes) {
      yield await this.#parts.content(sha, at, Math.min(at + windowBytes, to));
    }
  }

  async *#partOctets(piece: PartReference, from: number, to: number): AsyncGenerator<Buffer> {
    for (let at = from; at < to; at += windowBytes) {
      const end = Math.min(at + windowBytes, to);
      if (piece.recipe === undefined) yield await this.#parts.content(piece.sha, at, end);
      else {
        const window = contentWindow(piece.recipe, piece.contentBytes, at, end);
        const content = await this.#parts.content(piece.sha, window.from, window.to);
        yield wrapBase64Window(piece.recipe, piece.contentBytes, content, at, end);
      }
    }
  }
}

/** Reads parts by hash; keeps the record it read last, since windows of one part follow one another. */
class PartReader {
  readonly #heap: RecordReader;
  /** The catalog as it is now. */
  readonly #catalog: () => Catalog;
  #last: { readonly lsn: Lsn; readonly content: Buffer } | undefined;
  #rows = new Map<string, PartRow>();

  constructor(heap: RecordReader, catalog: () => Catalog) {
    this.#heap = heap;
    this.#catalog = catalog;
  }

  /** The part's decoded octets from … to − 1. */
  async content(sha: Buffer, from: number, to: number): Promise<Buffer> {
    try {
      return await this.#contentAt(this.#row(sha), from, to);
    } catch (error) {
      if (!isSegmentGone(error)) throw error;
      // It was compacted since its place was looked up.
      this.#rows.delete(sha.toString('hex'));
      return this.#contentAt(this.#row(sha), from, to);
    }
  }

  async #contentAt(row: PartRow, from: number, to: number): Promise<Buffer> {
    const found: Buffer[] = [];
    let at = 0;
    for (const piece of row.pieces) {
      const first = Math.max(from - at, 0);
      const behind = Math.min(to - at, piece.contentBytes);
      if (first < behind) found.push((await this.#piece(piece)).subarray(first, behind));
      at += piece.contentBytes;
      if (at >= to) break;
    }
    const [only] = found;
    return found.length === 1 && only !== undefined ? only : Buffer.concat(found);
  }

  #row(sha: Buffer): PartRow {
    const hex = sha.toString('hex');
    const row = this.#rows.get(hex) ?? this.#catalog().part(sha);
    if (row === undefined || row.pieces.length === 0)
      throw new StoreError('corrupt', `part ${hex} is missing`, { part: hex });
    this.#rows.set(hex, row);
    return row;
  }

  async #piece(piece: PartPiece): Promise<Buffer> {
    if (this.#last?.lsn === piece.lsn) return this.#last.content;
    const { payload } = await this.#heap.read(piece.lsn, piece.bytes);
    if (payload.length !== piece.contentBytes) {
      throw new StoreError('corrupt', `a part record of ${payload.length} octets at ${piece.lsn}`, { lsn: piece.lsn });
    }
    this.#last = { lsn: piece.lsn, content: payload };
    return payload;
  }
}

/** Opens the message behind an entry: reads its ENTRY and MESSAGE records, both at once. @throws {StoreError} corrupt */
export async function openMessage(
  heap: RecordReader,
  catalog: () => Catalog,
  entry: EntryPlace,
): Promise<StoredMessage> {
  const content = openContent(heap, catalog, entry.message);
  // Whoever fails first is reported; nobody else hears of the other.
  content.catch(() => undefined);
  const trace = await readTrace(heap, entry);
  return (await content).below(trace);
}

/** Opens a stored message, without trace lines. @throws {StoreError} corrupt */
export async function openContent(heap: RecordReader, catalog: () => Catalog, id: MessageId): Promise<StoredMessage> {
  const row = catalog().message(id);
  if (row === undefined) throw new StoreError('corrupt', `message ${id} is missing`, { message: id });
  const message = decodeMessage(
    await heap.read(row.record.lsn, row.record.bytes).catch((error: unknown) => {
      const now = isSegmentGone(error) ? catalog().message(id)?.record : undefined;
      if (now === undefined || now.lsn === row.record.lsn) throw error;
      return heap.read(now.lsn, now.bytes);
    }),
  );
  const { size, headerBytes, manifest, literals } = message;
  const parts = new PartReader(heap, catalog);
  return new StoredMessage(Buffer.alloc(0), size, headerBytes, manifest, literals, parts);
}

/** The trace lines of an entry. @throws {StoreError} corrupt */
export async function readTrace(heap: RecordReader, entry: { lsn: Lsn } & Pick<Location, 'bytes'>): Promise<Buffer> {
  return traceOf(await heap.read(entry.lsn, entry.bytes));
}

/** The lines on top that an ENTRY, or a RESTATE of one, holds. @throws {StoreError} corrupt for another record */
export function traceOf(read: HeapRecord): Buffer {
  const record = decodeRecord(read);
  if (record.type === 'entry') return record.trace;
  if (record.type === 'restate' && record.body.kind === 'entry') return record.body.trace;
  const { lsn } = read.location;
  throw new StoreError('corrupt', `the record at ${lsn} is no entry`, { lsn });
}
