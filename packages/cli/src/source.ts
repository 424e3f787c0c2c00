/** What an import reads from: files whole or as a flow, several ahead of their use. */
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import type { ChunkSource } from './mbox-reader.ts';

/** A message on its way into the store. */
export interface Incoming {
  /** What a report calls it. */
  readonly name: string;
  readonly mailbox: string;
  readonly octets: Buffer | AsyncIterable<Buffer>;
  readonly flags: number;
  readonly keywords: readonly string[];
  /** Seconds since 1970; undefined: what its header says, else `fileDate`. */
  readonly internalDate?: number;
  readonly fileDate?: number;
  readonly uidl?: string;
}

/** Messages to import, and how far they are. */
export interface Source {
  readonly messages: AsyncIterable<Incoming>;
  /** Octets or messages gone through, of so many. */
  progress(): { readonly done: number; readonly total: number };
  readonly unit: 'octets' | 'messages';
  /** What was passed over, to tell. */
  notes(): readonly string[];
  /** Messages that were there and could not be read: the import is not whole. */
  readonly missing?: () => number;
  /** Counts of this form only, for the report. */
  counts?(): Readonly<Record<string, number>>;
}

/** Octets of a file that is read whole. */
const wholeBytes = 1_048_576;
const chunkBytes = 262_144;
const aheadFiles = 16;

/** A message file: whole when it is small. */
export async function openFile(path: Buffer): Promise<{ octets: Buffer | AsyncIterable<Buffer>; modified: number }> {
  const { size, mtimeMs } = await stat(path);
  const octets = size <= wholeBytes ? await readFile(path) : createReadStream(path, { highWaterMark: 262_144 });
  return { octets, modified: Math.floor(mtimeMs / 1000) };
}

/** Runs `begin` for some items ahead of the one whose result is asked for; results come in order. */
export async function* ahead<Item, Result>(
  items: Iterable<Item>,
  begin: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const begun: Promise<Result>[] = [];
  for (const item of items) {
    const result = begin(item);
    // Looked at in its turn, or never.
    result.catch(() => undefined);
    begun.push(result);
    const first = begun.length > aheadFiles ? begun.shift() : undefined;
    if (first !== undefined) yield await first;
  }
  for (const result of begun) yield await result;
}

/** The file's octets in large chunks, one of them read ahead. */
export function fileChunks(file: FileHandle): ChunkSource {
  const read = async (): Promise<Buffer | undefined> => {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafeSlow(chunkBytes), 0, chunkBytes);
    return bytesRead === 0 ? undefined : buffer.subarray(0, bytesRead);
  };
  let next: Promise<Buffer | undefined> | undefined;
  return async () => {
    const chunk = await (next ?? read());
    next = chunk === undefined ? undefined : read();
    next?.catch(() => undefined);
    return chunk;
  };
}

/** Opens a file that is read from its start to its end. */
export async function openChunks(path: Buffer): Promise<{ file: FileHandle; size: number; modified: number }> {
  const file = await open(path, 'r');
  const { size, mtimeMs } = await file.stat();
  return { file, size, modified: Math.floor(mtimeMs / 1000) };
}
