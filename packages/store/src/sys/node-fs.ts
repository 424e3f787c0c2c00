/**
 * The real file system: the port of `fs.ts` over Node's callback calls and bare descriptors, which cost a third less of the
 * main thread than `FileHandle` objects. New files are 0600, new directories 0700.
 *
 * A failed call's error names the path, which Node leaves out where a descriptor is used.
 */
import fs from 'node:fs';
import { mkdir, readdir, rename, rm, statfs, unlink } from 'node:fs/promises';
import type { FileHandle, FileSystem, OpenMode } from './fs.ts';

/** Buffers in one writev. The kernel takes 1024; beyond that libuv splits by itself, and would misplace what follows a
 *  short write. */
const vectorMax = 1024;

/**
 * Octets that are read or written on the calling thread. The page cache takes or gives them in some 30 µs, and a turn of Node's
 * threads costs several times that.
 */
const hereBytes = 262_144; // 256 * KiB

/**
 * A call of more ms may have waited for the disk, or for the processor, which others have for some ms at a time: one such call
 * among many quick ones says nothing about the disk. Several close together do, and so does a very long one.
 */
const slowMs = 2;
const verySlowMs = 50;

/** What a slow call counts, and each quick one makes up for 1 of it; at `slowEnough` the disk is slow. */
const slowCounts = 16;
const slowEnough = 40;

/** ms for which calls then go to the threads, so that they do not hold the event loop. */
const slowForMs = 1_000;

/** Whether calls of a kind are quick now; times each that is made here. */
export class Quickness {
  readonly #now: () => number;
  #slowUntil = 0;
  #slowness = 0;

  /** @param now ms on a clock that never steps back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get isQuick(): boolean {
    return this.#slowUntil === 0 || this.#now() >= this.#slowUntil;
  }

  timed<T>(call: () => T): T {
    const start = this.#now();
    try {
      return call();
    } finally {
      this.#note(this.#now(), start);
    }
  }

  #note(end: number, start: number): void {
    const ms = end - start;
    if (ms <= slowMs) {
      if (this.#slowness > 0) this.#slowness -= 1;
      return;
    }
    this.#slowness += ms > verySlowMs ? slowEnough : slowCounts;
    if (this.#slowness < slowEnough) return;
    this.#slowUntil = end + slowForMs;
    // Behind that time one more is enough.
    this.#slowness = slowEnough - slowCounts;
  }
}

const reads: Quickness = new Quickness();
const writes: Quickness = new Quickness();

const flags: Record<OpenMode, number> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
};

function naming(path: string, error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  if (error.path !== undefined) return error;
  error.path = path;
  error.message += ` '${path}'`;
  return error;
}

class NodeFile implements FileHandle {
  readonly #fd: number;
  readonly #path: string;
  readonly #neverHere: boolean;

  constructor(fd: number, path: string, neverHere: boolean) {
    this.#fd = fd;
    this.#path = path;
    this.#neverHere = neverHere;
  }

  async read(buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
    return (
      this.readNow(buffer, offset, length, position) ?? (await this.#readElsewhere(buffer, offset, length, position))
    );
  }

  readNow(buffer: Buffer, offset: number, length: number, position: number): number | undefined {
    if (length > hereBytes || this.#neverHere || !reads.isQuick) return undefined;
    return this.#named(() => reads.timed(() => fs.readSync(this.#fd, buffer, offset, length, position)));
  }

  #readElsewhere(buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#fd, buffer, offset, length, position, (error, count) => {
        if (error) reject(naming(this.#path, error));
        else resolve(count);
      });
    });
  }

  async write(buffers: readonly Buffer[], position: number): Promise<void> {
    let at = position;
    let rest = buffers.filter((buffer) => buffer.length > 0);
    const bytes = rest.reduce((sum, buffer) => sum + buffer.length, 0);
    if (rest.length <= vectorMax && bytes <= hereBytes && writes.isQuick) {
      const count = this.#named(() => writes.timed(() => fs.writevSync(this.#fd, rest, position)));
      at += count;
      rest = after(rest, count);
    }
    while (rest.length > 0) {
      const count = await this.#writeSome(rest.length > vectorMax ? rest.slice(0, vectorMax) : rest, at);
      at += count;
      rest = after(rest, count);
    }
  }

  /** Writes a first part of `buffers`; returns how many octets. */
  #writeSome(buffers: Buffer[], position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const done = (error: NodeJS.ErrnoException | null, count: number) => {
        if (error) reject(naming(this.#path, error));
        else if (count === 0)
          reject(naming(this.#path, Object.assign(new Error('EIO: nothing written'), { code: 'EIO' })));
        else resolve(count);
      };
      const [only] = buffers;
      if (buffers.length === 1 && only !== undefined) fs.write(this.#fd, only, 0, only.length, position, done);
      else fs.writev(this.#fd, buffers, position, done);
    });
  }

  datasync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => {
        if (error) reject(naming(this.#path, error));
        else resolve();
      });
    });
  }

  /** Of an open file, which the kernel knows without the disk. */
  async size(): Promise<number> {
    return this.#named(() => fs.fstatSync(this.#fd).size);
  }

  /** What `call` gives; its error names the path. */
  #named<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw error instanceof Error ? naming(this.#path, error) : error;
    }
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.#fd, (error) => {
        if (error) reject(naming(this.#path, error));
        else resolve();
      });
    });
  }
}

/** What is left of `buffers` behind their first `count` octets. */
function after(buffers: Buffer[], count: number): Buffer[] {
  let left = count;
  for (const [index, buffer] of buffers.entries()) {
    if (left < buffer.length) {
      const rest = buffers.slice(index);
      rest[0] = buffer.subarray(left);
      return rest;
    }
    left -= buffer.length;
  }
  return [];
}

function openDescriptor(path: string, flag: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flag, 0o600, (error, fd) => {
      if (error) reject(error);
      else resolve(fd);
    });
  });
}

function syncAll(fd: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(fd, (error) => {
      if (error) reject(naming(path, error));
      else resolve();
    });
  });
}

export const nodeFs: FileSystem = {
  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    return new NodeFile(await openDescriptor(path, flags[mode]), path, false);
  },
  async list(directory: string): Promise<string[]> {
    return (await readdir(directory)).sort();
  },
  async makeDirectory(path: string): Promise<void> {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  rename,
  unlink,
  async syncDirectory(directory: string): Promise<void> {
    const fd = await openDescriptor(directory, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      await syncAll(fd, directory);
    } finally {
      fs.closeSync(fd);
    }
  },
};

/** Another text when another file bears the name; undefined when none does. Costs a few microseconds, and no thread. */
export function fileStamp(path: string): string | undefined {
  const stats = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.ino} ${stats.mtimeNs}`;
}

/** As `nodeFs`, for background work: it reads what is in no cache, and never on the calling thread. */
export const patientFs: FileSystem = {
  ...nodeFs,
  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    return new NodeFile(await openDescriptor(path, flags[mode]), path, true);
  },
};

/** Removes a directory with all that is in it. Who has its files open, or mapped, goes on reading them. */
export async function removeDirectory(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

/** Octets of the file system that holds a directory: in all, and free to this process. */
export async function diskSpace(
  directory: string,
): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
  const { bsize, blocks, bavail } = await statfs(directory);
  return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
}
