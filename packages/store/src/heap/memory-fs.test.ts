/**
 * A file system in memory for the heap's own tests: fails the n-th call, forgets what was not synced, and lets a test
 * put its hands on octets.
 */
import { dirname } from 'node:path';
import type { FileHandle, FileSystem, OpenMode } from '../sys/fs.ts';

interface MemoryFile {
  octets: Buffer;
  /** As of the last datasync. */
  durable: Buffer;
  /** Ranges written since. */
  unsynced: { from: number; to: number }[];
}

/** An error as Node makes it. */
export function errnoError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

export class MemoryFs implements FileSystem {
  readonly files: Map<string, MemoryFile> = new Map();
  /** Names a power cut leaves. */
  durableNames: Set<string> = new Set();
  directories: Set<string> = new Set();
  /** Every call so far that changes something, by name. */
  readonly calls: string[] = [];
  /** Asked before each such call, with its index; an error it returns is thrown. */
  fault: (index: number, call: string, path: string) => Error | undefined = () => undefined;
  /** Whether reads can be made where they are called. */
  isQuick = true;
  /** Such reads so far. */
  quickReads = 0;
  /** Octets of a failing write that reach the file all the same. */
  tornBytes = 0;

  file(path: string): MemoryFile {
    const file = this.files.get(path);
    if (file === undefined) throw errnoError('ENOENT');
    return file;
  }

  #step(call: string, path: string): void {
    const index = this.calls.push(call) - 1;
    const error = this.fault(index, call, path);
    if (error !== undefined) throw error;
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    if (mode === 'create') {
      this.#step('create', path);
      if (this.files.has(path)) throw errnoError('EEXIST');
      this.files.set(path, { octets: Buffer.alloc(0), durable: Buffer.alloc(0), unsynced: [] });
    }
    const file = this.file(path);
    return {
      read: async (buffer, offset, length, position) => file.octets.copy(buffer, offset, position, position + length),
      readNow: (buffer, offset, length, position) => {
        if (!this.isQuick) return undefined;
        this.quickReads += 1;
        return file.octets.copy(buffer, offset, position, position + length);
      },
      write: async (buffers, position) => {
        const octets = Buffer.concat(buffers);
        try {
          this.#step('write', path);
        } catch (error) {
          if (this.tornBytes > 0) this.put(path, octets.subarray(0, this.tornBytes), position);
          throw error;
        }
        this.put(path, octets, position);
      },
      datasync: async () => {
        this.#step('datasync', path);
        file.durable = Buffer.from(file.octets);
        file.unsynced = [];
      },
      size: async () => file.octets.length,
      close: async () => undefined,
    };
  }

  put(path: string, octets: Buffer, position: number): void {
    const file = this.file(path);
    const to = position + octets.length;
    const grown = Buffer.alloc(Math.max(file.octets.length, to));
    file.octets.copy(grown);
    octets.copy(grown, position);
    file.octets = grown;
    file.unsynced.push({ from: position, to });
  }

  async list(directory: string): Promise<string[]> {
    if (!this.directories.has(directory)) throw errnoError('ENOENT');
    const names = [...this.files.keys()].filter((path) => dirname(path) === directory);
    return names.map((path) => path.slice(directory.length + 1)).sort();
  }

  async makeDirectory(path: string): Promise<void> {
    this.#step('makeDirectory', path);
    this.directories.add(path);
  }

  async rename(): Promise<void> {
    throw new Error('the heap never renames');
  }

  async unlink(path: string): Promise<void> {
    this.#step('unlink', path);
    if (!this.files.delete(path)) throw errnoError('ENOENT');
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#step('syncDirectory', directory);
    for (const path of this.durableNames) if (!this.files.has(path)) this.durableNames.delete(path);
    for (const path of this.files.keys()) if (dirname(path) === directory) this.durableNames.add(path);
  }

  /** What a power cut leaves: durable names and octets, and of unsynced writes the pages that `keep` chooses. */
  powerCut(pageBytes: number, keep: (path: string, page: number) => boolean): MemoryFs {
    const after = this.copy();
    for (const [path, file] of this.files) {
      const left = after.file(path);
      if (!this.durableNames.has(path) && !keep(path, -1)) {
        after.files.delete(path);
        continue;
      }
      const octets = Buffer.alloc(file.octets.length);
      file.durable.copy(octets);
      let length = file.durable.length;
      for (const { from, to } of file.unsynced) {
        for (let at = from; at < to; ) {
          const page = Math.floor(at / pageBytes);
          const end = Math.min(to, (page + 1) * pageBytes);
          if (keep(path, page)) {
            file.octets.copy(octets, at, at, end);
            length = Math.max(length, end);
          }
          at = end;
        }
      }
      left.octets = octets.subarray(0, length);
      left.durable = Buffer.from(left.octets);
      left.unsynced = [];
    }
    after.durableNames = new Set(after.files.keys());
    return after;
  }

  /** A deep copy without faults. */
  copy(): MemoryFs {
    const copy = new MemoryFs();
    copy.directories = new Set(this.directories);
    copy.durableNames = new Set(this.durableNames);
    for (const [path, { octets, durable, unsynced }] of this.files) {
      copy.files.set(path, { octets: Buffer.from(octets), durable: Buffer.from(durable), unsynced: [...unsynced] });
    }
    return copy;
  }
}
