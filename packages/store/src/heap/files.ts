/**
 * The segment files of one heap for reading: opens them when asked, keeps a bounded number of descriptors, counts what
 * is read. Knows names and octets; not what they mean.
 */
import { join } from 'node:path';
import { errnoOf, errorText, isStoreError, StoreError, type StoreErrorCode } from '../errors.ts';
import type { FileHandle, FileSystem } from '../sys/fs.ts';
import { segmentName, segmentNumber } from './names.ts';

/** Descriptors kept open for reading; hot mail lies in few segments, and a process has 1,024 by default. */
const descriptorsMax = 128;

/** What the heap did to the disk since it was opened. */
export interface HeapCounters {
  readCalls: number;
  readBytes: number;
  writeCalls: number;
  writtenBytes: number;
  /** Calls that made files or names durable. */
  syncs: number;
  segmentsCreated: number;
}

/** All zero. */
export function newCounters(): HeapCounters {
  return { readCalls: 0, readBytes: 0, writeCalls: 0, writtenBytes: 0, syncs: 0, segmentsCreated: 0 };
}

/** A failed system call as a StoreError; one that is a StoreError already stays as it is. */
export function asStoreError(error: unknown, code: StoreErrorCode, doing: string, path: string): StoreError {
  if (isStoreError(error)) return error;
  return new StoreError(code, `${doing} ${path}: ${errorText(error)}`, { path }, error);
}

/** True when the device has no room for what was asked. */
export function isFull(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOSPC' || errno === 'EDQUOT';
}

interface Descriptor {
  readonly file: Promise<FileHandle>;
  /** The same, once it is open. */
  open: FileHandle | undefined;
  users: number;
  /** Closed when the last user leaves. */
  doomed: boolean;
}

export class SegmentFiles {
  readonly fs: FileSystem;
  /** The heap's directory. */
  readonly directory: string;
  readonly counters: HeapCounters = newCounters();
  /** By segment number; least recently used first. */
  readonly #descriptors: Map<number, Descriptor> = new Map();
  #closed = false;

  constructor(fs: FileSystem, storeDirectory: string) {
    this.fs = fs;
    this.directory = join(storeDirectory, 'heap');
  }

  /** True after `close`. */
  get closed(): boolean {
    return this.#closed;
  }

  path(number: number): string {
    return join(this.directory, segmentName(number));
  }

  /** Numbers of all segment files present, rising; none when there is no directory. */
  async list(): Promise<number[]> {
    try {
      const names = await this.fs.list(this.directory);
      return names.map(segmentNumber).filter((number) => number !== undefined);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw asStoreError(error, 'ioError', 'listing', this.directory);
    }
  }

  /** The length of a segment's file. @throws {StoreError} ioError, with ENOENT as the cause when it is not there */
  async size(number: number): Promise<number> {
    return this.#use(number, (file) => file.size());
  }

  /**
   * Reads up to `length` octets at `position` into `buffer` from `offset`; fewer only at the end of the file.
   * @throws {StoreError} ioError, with ENOENT as the cause when the file is not there
   */
  read(number: number, buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
    return this.#use(number, async (file) => {
      let done = 0;
      while (done < length) {
        const got = await file.read(buffer, offset + done, length - done, position + done);
        this.counters.readCalls++;
        this.counters.readBytes += got;
        if (got === 0) break;
        // A read may be cut short anywhere, not only at the end of the file.
        done += got;
      }
      return done;
    });
  }

  /**
   * As `read`, of a segment that is open and a disk that is quick; undefined where that is not so, or the read failed: `read` says
   * how.
   */
  readNow(number: number, buffer: Buffer, offset: number, length: number, position: number): number | undefined {
    const descriptor = this.#closed ? undefined : this.#descriptors.get(number);
    if (descriptor?.open?.readNow === undefined) return undefined;
    this.#descriptors.delete(number);
    this.#descriptors.set(number, descriptor);
    try {
      const count = descriptor.open.readNow(buffer, offset, length, position);
      if (count === undefined) return undefined;
      this.counters.readCalls++;
      this.counters.readBytes += count;
      return count;
    } catch {
      return undefined;
    }
  }

  /** Whether the segment is open for reading. */
  isOpen(number: number): boolean {
    return !this.#closed && this.#descriptors.has(number);
  }

  /** Closes the segment's descriptor, after its running reads. */
  async forget(number: number): Promise<void> {
    const descriptor = this.#descriptors.get(number);
    if (descriptor === undefined) return;
    this.#descriptors.delete(number);
    await retire(descriptor);
  }

  /** Takes the segment's file away, if it is there, durably. @throws {StoreError} ioError */
  async unlink(number: number): Promise<void> {
    const path = this.path(number);
    try {
      await this.fs.unlink(path);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw asStoreError(error, 'ioError', 'unlinking', path);
    }
    try {
      // Whoever logs that the file is gone must not find it again after a power cut.
      await this.fs.syncDirectory(this.directory);
    } catch (error) {
      throw asStoreError(error, 'ioError', 'syncing', this.directory);
    }
  }

  /** Closes descriptors of files that are no longer there. @throws {StoreError} ioError */
  async forgetUnlinked(): Promise<void> {
    if (this.#descriptors.size === 0) return;
    const present = new Set(await this.list());
    for (const number of [...this.#descriptors.keys()]) if (!present.has(number)) await this.forget(number);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#descriptors.values()];
    this.#descriptors.clear();
    for (const descriptor of all) await retire(descriptor);
  }

  async #use<T>(number: number, body: (file: FileHandle) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('closed', 'the heap is closed');
    const descriptor = this.#take(number);
    try {
      descriptor.open ??= await descriptor.file;
      return await body(descriptor.open);
    } catch (error) {
      if (this.#descriptors.get(number) === descriptor) this.#descriptors.delete(number);
      descriptor.doomed = true;
      throw asStoreError(error, 'ioError', 'reading', this.path(number));
    } finally {
      descriptor.users--;
      if (descriptor.doomed && descriptor.users === 0) await closeQuietly(descriptor.file);
    }
  }

  #take(number: number): Descriptor {
    const known = this.#descriptors.get(number);
    this.#descriptors.delete(number);
    const descriptor = known ?? {
      file: this.fs.open(this.path(number), 'read'),
      open: undefined,
      users: 0,
      doomed: false,
    };
    descriptor.users++;
    this.#descriptors.set(number, descriptor);
    if (this.#descriptors.size > descriptorsMax) this.#evict();
    return descriptor;
  }

  #evict(): void {
    for (const [number, descriptor] of this.#descriptors) {
      if (descriptor.users > 0) continue;
      this.#descriptors.delete(number);
      void closeQuietly(descriptor.file);
      return;
    }
  }
}

async function retire(descriptor: Descriptor): Promise<void> {
  descriptor.doomed = true;
  if (descriptor.users === 0) await closeQuietly(descriptor.file);
}

/** Closes a file that was only read, or whose fate is known: an error changes nothing. */
export async function closeQuietly(file: FileHandle | Promise<FileHandle> | undefined): Promise<void> {
  try {
    await (await file)?.close();
  } catch {
    // Nothing that was promised depends on it.
  }
}
