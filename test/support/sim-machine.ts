/**
 * A machine that keeps nothing it need not: the store's ports on a simulated disk and catalogs in memory, with a clock that
 * moves a little at each look. The same seed gives the same run.
 */
import { posix } from 'node:path';
import type { StorePorts } from '@mstore/store';
import type { Kv } from '@mstore/store/internal/catalog/kv';
import { StoreError } from '@mstore/store/internal/errors';
import type { FileSystem } from '@mstore/store/internal/sys/fs';
import { MemoryKv, type MemoryKvOptions } from './memory-kv.ts';
import { type Random, seededRandom } from './random.ts';
import { SimDisk, type SimDiskOptions } from './sim-disk.ts';

/** The one store of a simulated machine. */
export const simDirectory = '/store';

export interface SimMachineOptions {
  readonly disk?: SimDiskOptions;
  readonly kv?: MemoryKvOptions;
  readonly seed?: number;
}

interface Durable {
  readonly disk: SimDisk;
  readonly catalogs: ReadonlyMap<string, MemoryKv>;
  readonly nowMs: number;
}

export class SimMachine {
  readonly disk: SimDisk;
  readonly ports: StorePorts;
  readonly #catalogs: Map<string, MemoryKv>;
  readonly #options: SimMachineOptions;
  #nowMs: number;
  #monotonicMs = 0;
  readonly #locked: Set<string> = new Set();

  constructor(options: SimMachineOptions = {}, found?: Durable) {
    const random = seededRandom(options.seed ?? 1);
    this.#options = options;
    this.disk = found?.disk ?? new SimDisk(options.disk);
    this.#catalogs = new Map(found?.catalogs);
    this.#nowMs = found?.nowMs ?? 1_800_000_000_000;
    this.ports = {
      fs: this.#fileSystem(),
      clock: { now: () => ++this.#nowMs, monotonic: () => (this.#monotonicMs += 0.02) },
      random: (bytes) => random.bytes(bytes),
      openKv: async (path, readOnly) => this.#openKv(path, readOnly),
      lock: (path) => this.#lock(path),
    };
  }

  /** Lets time pass. */
  passMs(ms: number): void {
    this.#nowMs += ms;
    this.#monotonicMs += ms;
  }

  /** The machine after power loss now. `loseLast`: the catalog's last transaction is undone, as LMDB may without its last sync. */
  crash(random: Random, loseLast: boolean, options: SimMachineOptions = {}): SimMachine {
    const disk = this.disk.crash(random, options.disk);
    const catalogs = [...this.#catalogs].map(([path, kv]) => [path, kv.crash({ ...options.kv, loseLast })] as const);
    return this.#next(disk, new Map(catalogs), options);
  }

  /** The machine after its process was killed. */
  kill(options: SimMachineOptions = {}): SimMachine {
    const catalogs = [...this.#catalogs].map(([path, kv]) => [path, kv.clone(options.kv)] as const);
    return this.#next(this.disk.afterKill(options.disk), new Map(catalogs), options);
  }

  /** The same machine for another process, with other options; the one before must have stopped. */
  restart(options: SimMachineOptions = {}): SimMachine {
    return this.kill(options);
  }

  /** Takes the catalogs away, and what names the current one. */
  async loseCatalog(): Promise<void> {
    this.#catalogs.clear();
    await this.disk.unlink(`${simDirectory}/catalog/CURRENT`);
  }

  /** The current catalog's content. */
  async catalog(directory: string = simDirectory): Promise<MemoryKv> {
    const current = this.disk.contents(`${directory}/catalog/CURRENT`).toString('latin1').trim();
    const kv = this.#catalogs.get(`${directory}/catalog/${current}`);
    if (kv === undefined) throw new StoreError('catalogMissing', `no catalog ${current}`);
    return kv;
  }

  #next(disk: SimDisk, catalogs: Map<string, MemoryKv>, options: SimMachineOptions): SimMachine {
    return new SimMachine(options, { disk, catalogs, nowMs: this.#nowMs + 1000 });
  }

  #openKv(path: string, readOnly: boolean): Kv {
    const known = this.#catalogs.get(path);
    if (readOnly) {
      if (known === undefined) throw new StoreError('catalogMissing', `no catalog in ${path}`);
      return known.reader();
    }
    // A closed one opens again with what it held.
    const kv = known?.clone(this.#options.kv) ?? new MemoryKv(this.#options.kv);
    this.#catalogs.set(path, kv);
    return kv;
  }

  /** Generations of the catalog are directories; here they lie beside the disk. */
  #fileSystem(): FileSystem {
    const { disk } = this;
    return {
      open: (path, mode) => disk.open(path, mode),
      list: async (directory) => {
        const generations = [...this.#catalogs.keys()].filter((path) => posix.dirname(path) === directory);
        return [...(await disk.list(directory)), ...generations.map((path) => posix.basename(path))].sort();
      },
      makeDirectory: (path) => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      unlink: (path) => disk.unlink(path),
      syncDirectory: (directory) => disk.syncDirectory(directory),
    };
  }

  #lock(path: string): { release(): void } | undefined {
    if (this.#locked.has(path)) return undefined;
    this.#locked.add(path);
    return { release: () => void this.#locked.delete(path) };
  }
}
