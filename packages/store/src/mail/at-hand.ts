/**
 * The way out for small messages whose records can be had at once: the whole message, in one buffer, in one turn and without a
 * promise. Most mail that clients fetch is such mail, and what it costs is mostly what lies around it. Everything else, and whatever
 * looks wrong, is left to assemble.ts.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { EntryPlace } from '../catalog/index-chunk.ts';
import type { MessageRow } from '../catalog/rows.ts';
import type { HeapRecord } from '../heap/location.ts';
import type { PartReference } from '../log/manifest.ts';
import { decodeMessage } from '../log/records.ts';
import { wrapBase64Window } from '../mime/transfer-encoding.ts';
import type { Location } from '../types.ts';
import { traceOf } from './assemble.ts';

/** What is asked for around the message's octets. */
export interface Margins {
  /** Octets left free in front of the message. */
  readonly before: number;
  /** Octets left free behind it. */
  readonly behind: number;
  /** Octets of the largest message, without its trace lines. */
  readonly bytesMax: number;
  /** Where all that is put: so many octets. Without it, a buffer of its own. */
  readonly room?: (bytes: number) => Buffer;
}

/** Where records can be had at once. */
export interface RecordPeeker {
  peek(places: readonly Location[]): readonly HeapRecord[] | undefined;
}

const shaBytes = 32;

/** Parts of a message that are looked up one after the other; one with more is hardly small. */
const partsMax = 16;

/** The message between its margins, whose row is known or looked up; undefined where it is not small, or not all of it is at hand. */
export function messageAtHand(
  heap: RecordPeeker,
  catalog: Catalog,
  entry: EntryPlace,
  margins: Margins,
  row: MessageRow | undefined = catalog.message(entry.message),
): Buffer | undefined {
  if (row === undefined || row.size > margins.bytesMax) return undefined;
  const places = placesOf(catalog, row, entry);
  const records = places === undefined ? undefined : heap.peek(places);
  const [entryRecord, messageRecord] = records ?? [];
  if (records === undefined || entryRecord === undefined || messageRecord === undefined) return undefined;
  const trace = traceOf(entryRecord);
  const { size, manifest, literals } = decodeMessage(messageRecord);
  if (size !== row.size) return undefined;
  const bytes = margins.before + trace.length + size + margins.behind;
  const octets = margins.room?.(bytes) ?? Buffer.allocUnsafe(bytes);
  let at = margins.before + trace.copy(octets, margins.before);
  const end = at + size;
  let literalAt = 0;
  for (const piece of manifest) {
    if (piece.bytes > end - at) return undefined;
    if (piece.kind === 'literal') {
      literals.copy(octets, at, literalAt, literalAt + piece.bytes);
      literalAt += piece.bytes;
    } else {
      const record = records[2 + partIndex(row, piece.sha)];
      if (record?.payload.length !== piece.contentBytes) return undefined;
      putPart(piece, record.payload, octets.subarray(at, at + piece.bytes));
    }
    at += piece.bytes;
  }
  return at === end ? octets : undefined;
}

/** The records of ENTRY, MESSAGE and each part; undefined where a part is missing, or has several. */
function placesOf(catalog: Catalog, row: MessageRow, entry: EntryPlace): readonly Location[] | undefined {
  const places: Location[] = [entry, row.record];
  if (row.parts.length > partsMax * shaBytes) return undefined;
  for (let at = 0; at < row.parts.length; at += shaBytes) {
    const [piece, ...others] = catalog.part(row.parts.subarray(at, at + shaBytes))?.pieces ?? [];
    if (piece === undefined || others.length > 0) return undefined;
    places.push(piece);
  }
  return places;
}

/** Which of the row's parts that is; beyond all where it is none of them. */
function partIndex({ parts }: MessageRow, sha: Buffer): number {
  let at = 0;
  while (at < parts.length && parts.compare(sha, 0, shaBytes, at, at + shaBytes) !== 0) at += shaBytes;
  return at / shaBytes;
}

/** Fills `octets` with the part as it stands in the message. */
function putPart({ recipe, contentBytes, bytes }: PartReference, content: Buffer, octets: Buffer): void {
  if (recipe === undefined) content.copy(octets);
  else wrapBase64Window(recipe, contentBytes, content, 0, bytes, octets);
}
