/** Stores for tests: opened for the length of a scope, checked with everything fsck knows when it ends. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import {
  type CheckOptions,
  check,
  createStore,
  type RebuildOptions,
  type RebuildReport,
  rebuild,
  Store,
  type StoreOptions,
  type StoreReading,
} from '@mstore/store';
import { SimMachine, type SimMachineOptions, simDirectory } from './sim-machine.ts';
import { tempDirectory } from './temp.ts';

/** An open store and what can be done with it beyond its face. */
export interface TempStore extends AsyncDisposable {
  /** The store; another object after `reopen` and `rebuild`. */
  readonly store: Store;
  readonly directory: string;
  readonly options: StoreOptions;
  /** The machine under a simulated one. */
  readonly machine: SimMachine | undefined;
  /** Closes and opens again. */
  reopen(): Promise<void>;
  /** Closes, takes the catalog away, makes it again from the heap, and opens. */
  rebuild(options?: Pick<RebuildOptions, 'contentFirst'>): Promise<RebuildReport>;
}

/** Fails when fsck finds anything. The store must be settled. */
export async function assertClean(reading: StoreReading, options: CheckOptions = {}): Promise<void> {
  const { findings } = await check(reading.catalog().view, reading.heap, options);
  assert.deepEqual(
    findings.map(({ area, text }) => `${area}: ${text}`),
    [],
  );
}

class OpenedStore implements TempStore {
  readonly directory: string;
  readonly options: StoreOptions;
  readonly machine: SimMachine | undefined;
  readonly #remove: () => Promise<void>;
  readonly #loseCatalog: () => Promise<void>;
  #store: Store;

  constructor(store: Store, place: Place) {
    this.#store = store;
    this.directory = place.directory;
    this.options = place.options;
    this.machine = place.machine;
    this.#remove = place.remove;
    this.#loseCatalog = place.loseCatalog;
  }

  get store(): Store {
    return this.#store;
  }

  async reopen(): Promise<void> {
    await this.#store.close();
    this.#store = await Store.open(this.directory, this.options);
  }

  async rebuild(options: Pick<RebuildOptions, 'contentFirst'> = {}): Promise<RebuildReport> {
    await this.#store.close();
    await this.#loseCatalog();
    const report = await rebuild(this.directory, { ...this.options, ...options });
    this.#store = await Store.open(this.directory, this.options);
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#store.settle();
      await assertClean(this.#store);
    } finally {
      await this.#store.close();
      await this.#remove();
    }
  }
}

interface Place {
  readonly directory: string;
  readonly options: StoreOptions;
  readonly machine: SimMachine | undefined;
  readonly remove: () => Promise<void>;
  readonly loseCatalog: () => Promise<void>;
}

/** A new store in a directory of its own, on the real file system and LMDB. */
export async function tempStore(options: StoreOptions = {}): Promise<TempStore> {
  const temp = await tempDirectory();
  await createStore(temp.path, options);
  return new OpenedStore(await Store.open(temp.path, options), {
    directory: temp.path,
    options,
    machine: undefined,
    remove: async () => temp[Symbol.asyncDispose](),
    loseCatalog: () => rm(`${temp.path}/catalog`, { recursive: true }),
  });
}

/** A new store on a simulated machine; without idle COMMITs, which would come by the real clock. */
export async function simStore(options: StoreOptions = {}, simulated: SimMachineOptions = {}): Promise<TempStore> {
  const machine = new SimMachine(simulated);
  const all = { idleCommitMs: 0, ...options, ports: machine.ports };
  await createStore(simDirectory, all);
  return new OpenedStore(await Store.open(simDirectory, all), {
    directory: simDirectory,
    options: all,
    machine,
    remove: () => Promise.resolve(),
    loseCatalog: () => machine.loseCatalog(),
  });
}
