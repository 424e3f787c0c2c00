/**
 * Octets from file to file, hashed on the way and durable at the end. Where the target holds the same octets already, they are read
 * instead of written: so a copy that was interrupted is finished, and never trusted unseen.
 */
import { createHash, type Hash } from 'node:crypto';
import { errnoOf, StoreError } from '../../errors.ts';
import type { FileHandle, FileSystem } from '../../sys/fs.ts';
import type { Pace } from '../pace.ts';

/** Octets copied at a time. */
const sliceBytes = 1_048_576;
/** Octets written between two syncs: one large sync would hold up whoever shares the device. */
const syncBytes = 33_554_432;

export interface CopyRange {
  readonly from: number;
  /** Behind the last octet. */
  readonly to: number;
}

export interface Copied {
  /** Of the octets of the range. */
  readonly sha256: string;
  /** Octets that were not there yet. */
  readonly writtenBytes: number;
}

/** Copies a range to the same place of another file; durable on return but for the file's name.
 *  @throws {StoreError} corrupt when the source is shorter */
export async function copyRange(
  fs: FileSystem,
  source: string,
  target: string,
  { from, to }: CopyRange,
  pace: Pace,
): Promise<Copied> {
  const input = await fs.open(source, 'read');
  try {
    const output = await openTarget(fs, target);
    try {
      return await new Copy(input, output, source, pace).run(from, to);
    } finally {
      await output.close();
    }
  } finally {
    await input.close();
  }
}

async function openTarget(fs: FileSystem, path: string): Promise<FileHandle> {
  try {
    return await fs.open(path, 'write');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return fs.open(path, 'create');
  }
}

class Copy {
  readonly #input: FileHandle;
  readonly #output: FileHandle;
  readonly #source: string;
  readonly #pace: Pace;
  readonly #hash: Hash = createHash('sha256');
  #written = 0;

  constructor(input: FileHandle, output: FileHandle, source: string, pace: Pace) {
    this.#input = input;
    this.#output = output;
    this.#source = source;
    this.#pace = pace;
  }

  async run(from: number, to: number): Promise<Copied> {
    const slice = Buffer.allocUnsafe(Math.min(sliceBytes, Math.max(to - from, 1)));
    const held = Buffer.allocUnsafe(slice.length);
    const there = await this.#output.size();
    let unsynced = 0;
    for (let at = from; at < to; ) {
      const length = Math.min(slice.length, to - at);
      const octets = slice.subarray(0, length);
      if ((await readFully(this.#input, octets, at)) < length) {
        throw new StoreError('corrupt', `${this.#source} ends before octet ${to}`, { path: this.#source });
      }
      this.#hash.update(octets);
      const known = at + length <= there ? await readFully(this.#output, held.subarray(0, length), at) : 0;
      if (known < length || !octets.equals(held.subarray(0, length))) {
        await this.#output.write([octets], at);
        this.#written += length;
        unsynced += length;
      }
      if (unsynced >= syncBytes) {
        await this.#output.datasync();
        unsynced = 0;
      }
      at += length;
      await this.#pace.spend(length);
    }
    // Also what was there already may never have been synced.
    await this.#output.datasync();
    return { sha256: this.#hash.digest('hex'), writtenBytes: this.#written };
  }
}

/** Fills the buffer from a place on; fewer octets only at the end of the file. */
export async function readFully(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const got = await file.read(buffer, done, buffer.length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** SHA-256 of a range of a file, in hexadecimal digits; undefined where the file ends before. */
export async function hashRange(file: FileHandle, { from, to }: CopyRange, pace: Pace): Promise<string | undefined> {
  const hash = createHash('sha256');
  const slice = Buffer.allocUnsafe(Math.min(sliceBytes, Math.max(to - from, 1)));
  for (let at = from; at < to; ) {
    const octets = slice.subarray(0, Math.min(slice.length, to - at));
    if ((await readFully(file, octets, at)) < octets.length) return undefined;
    hash.update(octets);
    at += octets.length;
    await pace.spend(octets.length);
  }
  return hash.digest('hex');
}
