/**
 * A disk that lies until it is told to sync: the file system port in memory, with a durable image beneath the visible one.
 *
 * Octets: `sim-file.ts`. Names: creations, renames, removals and new directories are durable after `syncDirectory`;
 * before, power loss leaves the first of a directory's changes and undoes the rest, as a journal does, each directory
 * for itself (a rename across two counts in both). A rename is kept or undone as a whole.
 *
 * `crash` and `afterKill` give new disks that share all octets with this one, so that a test can take one at each
 * call (`onCall`) of a history. Files only can be renamed.
 */
import { posix } from 'node:path';
import type { FileHandle, FileSystem, OpenMode } from '@mstore/store/internal/sys/fs';
import { type Random, seededRandom } from './random.ts';
import { SimFile } from './sim-file.ts';

export type DiskOperation = 'write' | 'datasync' | 'create' | 'rename' | 'unlink' | 'makeDirectory' | 'syncDirectory';

/** One call that changes the disk or its durability. */
export interface DiskCall {
  /** From 1, in the order in which calls began. */
  readonly number: number;
  readonly operation: DiskOperation;
  readonly path: string;
}

export interface DiskFault {
  /** The number of the first call that fails. */
  readonly call: number;
  readonly errno: 'EIO' | 'ENOSPC';
  /** Whether all later calls fail, too. */
  readonly sticky?: boolean;
  /** The operations that can fail; by default all. A call of another kind passes. */
  readonly operations?: readonly DiskOperation[];
}

export interface SimDiskOptions {
  /** Called before and after each call's effect, also of one that fails. A test may take an image there, or throw. */
  readonly onCall?: (call: DiskCall, moment: 'before' | 'after') => void | Promise<void>;
  readonly fault?: DiskFault;
  /** The errno with which a read fails; undefined lets it pass. */
  readonly failRead?: (path: string, position: number, length: number) => 'EIO' | undefined;
  /** Decides how much of a failed write is applied. */
  readonly random?: Random;
}

/** One change of names, not yet durable: what each path names afterwards. */
interface NameChange {
  readonly directories: readonly string[];
  readonly names: readonly (readonly [string, Entry | undefined])[];
}

type Entry = SimFile | 'directory';
type Names = Map<string, Entry>;

export class SimDisk implements FileSystem {
  readonly #names: Names;
  readonly #durableNames: Names;
  #unsyncedNames: NameChange[];
  readonly #options: SimDiskOptions;
  readonly #random: Random;
  #calls = 0;

  constructor(options: SimDiskOptions = {}, image: SimDiskImage = emptyImage()) {
    this.#options = options;
    this.#random = options.random ?? seededRandom(1);
    this.#names = image.names;
    this.#durableNames = image.durableNames;
    this.#unsyncedNames = image.unsyncedNames;
  }

  /** How many calls were made. */
  get calls(): number {
    return this.#calls;
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    const name = posix.resolve('/', path);
    if (mode === 'create') return new SimHandle(this.#access(), name, await this.#create(name), true);
    return new SimHandle(this.#access(), name, this.#file(name, 'open'), mode === 'write');
  }

  async #create(name: string): Promise<SimFile> {
    const file = new SimFile();
    await this.#call('create', name, () => {
      if (this.#names.has(name)) throw failure('EEXIST', 'open', name);
      this.#checkParent(name, 'open');
      this.#rename([[name, file]]);
    });
    return file;
  }

  async list(directory: string): Promise<string[]> {
    const name = this.#directory(directory, 'scandir');
    return [...this.#names.keys()]
      .filter((path) => path !== '/' && posix.dirname(path) === name)
      .map((path) => posix.basename(path))
      .sort();
  }

  async makeDirectory(path: string): Promise<void> {
    const name = posix.resolve('/', path);
    await this.#call('makeDirectory', name, () => {
      let made = '';
      for (const part of name.split('/').slice(1)) {
        made += `/${part}`;
        const entry = this.#names.get(made);
        if (entry instanceof SimFile) throw failure('EEXIST', 'mkdir', made);
        if (entry === undefined) this.#rename([[made, 'directory']]);
      }
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [posix.resolve('/', from), posix.resolve('/', to)];
    await this.#call('rename', source, () => {
      const file = this.#file(source, 'rename');
      this.#checkParent(target, 'rename');
      if (this.#names.get(target) === 'directory') throw failure('EISDIR', 'rename', target);
      if (source !== target)
        this.#rename([
          [source, undefined],
          [target, file],
        ]);
    });
  }

  async unlink(path: string): Promise<void> {
    const name = posix.resolve('/', path);
    await this.#call('unlink', name, () => {
      this.#file(name, 'unlink');
      this.#rename([[name, undefined]]);
    });
  }

  async syncDirectory(directory: string): Promise<void> {
    const name = this.#directory(directory, 'fsync');
    await this.#call('syncDirectory', name, () => this.#syncNames(name));
  }

  /** A file's octets as programs see them. */
  contents(path: string): Buffer {
    const file = this.#file(posix.resolve('/', path), 'open');
    const octets = Buffer.alloc(file.length);
    file.read(octets, 0, octets.length, 0);
    return octets;
  }

  /** Changes octets of a file on the medium behind everybody's back. */
  damage(path: string, position: number, octets: Buffer): void {
    this.#file(posix.resolve('/', path), 'open').damage(octets, position);
  }

  /** The disk as the next process finds it when this one is killed: all is there, no more is durable. */
  afterKill(options: SimDiskOptions = {}): SimDisk {
    const copies = new Map<Entry, Entry>([['directory', 'directory']]);
    const copy = (entry: Entry): Entry => {
      const known = copies.get(entry);
      if (known !== undefined) return known;
      const made = entry instanceof SimFile ? entry.clone() : entry;
      copies.set(entry, made);
      return made;
    };
    const names = mapNames(this.#names, copy);
    const durableNames = mapNames(this.#durableNames, copy);
    const unsyncedNames = this.#unsyncedNames.map((change) => ({
      directories: change.directories,
      names: change.names.map(([path, entry]) => [path, entry && copy(entry)] as const),
    }));
    return new SimDisk(options, { names, durableNames, unsyncedNames });
  }

  /** A disk as it may be found after power loss now; the same for the same random source. */
  crash(random: Random, options: SimDiskOptions = {}): SimDisk {
    const names = new Map(this.#durableNames);
    const stopped = new Set<string>();
    const stopChance = random.pick([0, 0.3, 1]);
    for (const change of this.#unsyncedNames) {
      const lost = random.chance(stopChance) || change.directories.some((directory) => stopped.has(directory));
      if (lost) for (const directory of change.directories) stopped.add(directory);
      else applyNames(names, change);
    }
    removeOrphans(names);
    const found = mapNames(names, (entry) => (entry instanceof SimFile ? entry.crash(random) : entry));
    return new SimDisk(options, { names: found, durableNames: new Map(found), unsyncedNames: [] });
  }

  #access(): DiskAccess {
    return {
      random: this.#random,
      failRead: this.#options.failRead,
      call: (operation, path, effect, failed) => this.#call(operation, path, effect, failed),
    };
  }

  /** Makes one call: hook, fault or effect, hook. */
  async #call(operation: DiskOperation, path: string, effect: () => void, failed?: () => void): Promise<void> {
    const call: DiskCall = { number: ++this.#calls, operation, path };
    await this.#options.onCall?.(call, 'before');
    const errno = this.#faultOf(call);
    if (errno === undefined) effect();
    else failed?.();
    await this.#options.onCall?.(call, 'after');
    if (errno !== undefined) throw failure(errno, operation, path);
  }

  #faultOf(call: DiskCall): string | undefined {
    const { fault } = this.#options;
    if (fault === undefined || !(fault.operations?.includes(call.operation) ?? true)) return undefined;
    const hit = fault.sticky === true ? call.number >= fault.call : call.number === fault.call;
    return hit ? fault.errno : undefined;
  }

  #rename(names: NameChange['names']): void {
    const change = { directories: [...new Set(names.map(([path]) => posix.dirname(path)))], names };
    applyNames(this.#names, change);
    this.#unsyncedNames.push(change);
  }

  /** Makes the changes in `directory` durable, and those of other directories that came before one of them. */
  #syncNames(directory: string): void {
    const needed = new Set([directory]);
    const synced: NameChange[] = [];
    for (const change of this.#unsyncedNames.toReversed()) {
      if (!change.directories.some((name) => needed.has(name))) continue;
      for (const name of change.directories) needed.add(name);
      synced.push(change);
    }
    for (const change of synced.reverse()) applyNames(this.#durableNames, change);
    this.#unsyncedNames = this.#unsyncedNames.filter((change) => !synced.includes(change));
  }

  #file(name: string, call: string): SimFile {
    const entry = this.#names.get(name);
    if (entry === undefined) throw failure('ENOENT', call, name);
    if (entry === 'directory') throw failure('EISDIR', call, name);
    return entry;
  }

  #directory(path: string, call: string): string {
    const name = posix.resolve('/', path);
    const entry = this.#names.get(name);
    if (entry === undefined) throw failure('ENOENT', call, name);
    if (entry !== 'directory') throw failure('ENOTDIR', call, name);
    return name;
  }

  #checkParent(name: string, call: string): void {
    if (this.#names.get(posix.dirname(name)) !== 'directory') throw failure('ENOENT', call, name);
  }
}

interface SimDiskImage {
  readonly names: Names;
  readonly durableNames: Names;
  readonly unsyncedNames: NameChange[];
}

/** What a handle needs of its disk. */
interface DiskAccess {
  readonly random: Random;
  readonly failRead: SimDiskOptions['failRead'];
  call(operation: DiskOperation, path: string, effect: () => void, failed?: () => void): Promise<void>;
}

class SimHandle implements FileHandle {
  readonly #disk: DiskAccess;
  readonly #path: string;
  readonly #file: SimFile;
  readonly #writable: boolean;
  #closed = false;

  constructor(disk: DiskAccess, path: string, file: SimFile, writable: boolean) {
    this.#disk = disk;
    this.#path = path;
    this.#file = file;
    this.#writable = writable;
  }

  async read(buffer: Buffer, offset: number, length: number, position: number): Promise<number> {
    this.#checkOpen('read');
    const errno = this.#disk.failRead?.(this.#path, position, length);
    if (errno !== undefined) throw failure(errno, 'read', this.#path);
    return this.#file.read(buffer, offset, length, position);
  }

  async write(buffers: readonly Buffer[], position: number): Promise<void> {
    this.#checkOpen('write');
    if (!this.#writable) throw failure('EBADF', 'write', this.#path);
    const octets = Buffer.concat(buffers);
    const partly = () => {
      const done = this.#disk.random.int(octets.length + 1);
      this.#file.write(octets.subarray(0, done), position);
    };
    await this.#disk.call('write', this.#path, () => this.#file.write(octets, position), partly);
  }

  async datasync(): Promise<void> {
    this.#checkOpen('fdatasync');
    const finish = this.#file.beginSync();
    await this.#disk.call('datasync', this.#path, finish, () => this.#file.failSync());
  }

  async size(): Promise<number> {
    this.#checkOpen('fstat');
    return this.#file.length;
  }

  async close(): Promise<void> {
    this.#checkOpen('close');
    this.#closed = true;
  }

  #checkOpen(call: string): void {
    if (this.#closed) throw failure('EBADF', call, this.#path);
  }
}

function emptyImage(): SimDiskImage {
  return { names: new Map([['/', 'directory']]), durableNames: new Map([['/', 'directory']]), unsyncedNames: [] };
}

function applyNames(names: Names, change: NameChange): void {
  for (const [path, entry] of change.names) {
    if (entry === undefined) names.delete(path);
    else names.set(path, entry);
  }
}

/** Removes what lies in directories that are not there. */
function removeOrphans(names: Names): void {
  for (const path of [...names.keys()].sort()) {
    if (path !== '/' && !names.has(posix.dirname(path))) names.delete(path);
  }
}

function mapNames(names: Names, map: (entry: Entry) => Entry): Names {
  return new Map([...names].map(([path, entry]) => [path, map(entry)]));
}

function failure(errno: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${errno}: ${call} '${path}'`), { code: errno, syscall: call, path });
}
