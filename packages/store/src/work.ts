/**
 * How a command or a daemon comes to a store: as its writer when nobody is, with the socket that others then use, else as a
 * client of the one that runs.
 */
import type { Config } from './config.ts';
import { isStoreError, StoreError } from './errors.ts';
import { limits } from './limits.ts';
import { Store, StoreReader, type StoreReading } from './store.ts';
import { WriterClient } from './writer/client.ts';
import { WriterServer } from './writer/server.ts';
import { machinePorts, type StoreOptions } from './writer/store-directory.ts';
import type { StoreWriter } from './writer/store-writer.ts';

/** Access to a store for changes and for reading. */
export interface WorkingStore {
  readonly writer: StoreWriter;
  readonly reading: StoreReading;
  /** True when this process holds the writer's lock. */
  readonly isWriter: boolean;
  /** Finishes, and gives the lock back where this process held it. */
  close(): Promise<void>;
}

export interface WorkOptions extends StoreOptions {
  /** ms to wait for a lock that is held while no socket answers. Default 30 s. */
  readonly waitMs?: number;
}

/** What a configuration says about opening its store. */
export function storeOptions({
  limits: { messageBytes },
  heap: { segmentBytes },
  compaction,
  space,
}: Config): StoreOptions {
  const { newMail: newMailBytes, changes: changesBytes, reserve: reserveBytes } = space;
  const retiredFileMs = compaction.keep * 1_000;
  return { messageBytes, segmentBytes, retiredFileMs, space: { newMailBytes, changesBytes, reserveBytes } };
}

const retryMs = 50;

/** @throws {StoreError} noStore, locked after the wait, and what opening throws */
export function workOn(directory: string, options: WorkOptions = {}): Promise<WorkingStore> {
  return whenFree(
    () => asWriter(directory, options),
    async () => {
      const client = await tryConnect(directory);
      return client === undefined ? undefined : asClient(directory, client, options);
    },
    options,
  );
}

/** What `open` gives once the lock is free, or before that what there is for those without it; tried until the wait is over. */
async function whenFree<T>(
  open: () => Promise<T>,
  instead: () => Promise<T | undefined>,
  options: WorkOptions,
): Promise<T> {
  const { clock } = options.ports ?? machinePorts;
  const deadline = clock.monotonic() + (options.waitMs ?? limits.lockWaitMs);
  for (;;) {
    try {
      return await open();
    } catch (error) {
      if (!isStoreError(error, 'locked')) throw error;
      const other = await instead();
      if (other !== undefined) return other;
      if (clock.monotonic() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** A store of which this process is the writer. */
export interface OwnStore {
  readonly store: Store;
  /** Answers what others asked, finishes, and gives the lock back. */
  close(): Promise<void>;
}

/**
 * Becomes the store's writer, with the socket for others, as soon as nobody else is.
 * @throws {StoreError} noStore, locked after the wait, and what opening throws
 */
export function openAsWriter(directory: string, options: WorkOptions = {}): Promise<OwnStore> {
  return whenFree(
    () => ownStore(directory, options),
    async () => undefined,
    options,
  );
}

async function ownStore(directory: string, options: StoreOptions): Promise<OwnStore> {
  const store = await Store.open(directory, options);
  const server = await WriterServer.listen(store, socketPath(directory)).catch(async (error: unknown) => {
    await store.close();
    if (isStoreError(error)) throw error;
    throw new StoreError('ioError', `cannot listen on ${socketPath(directory)}`, {}, error);
  });
  const close = async (): Promise<void> => {
    await server.close();
    await store.close();
  };
  return { store, close };
}

async function asWriter(directory: string, options: StoreOptions): Promise<WorkingStore> {
  const { store, close } = await ownStore(directory, options);
  return { writer: store, reading: store, isWriter: true, close };
}

async function tryConnect(directory: string): Promise<WriterClient | undefined> {
  try {
    return await WriterClient.connect(socketPath(directory));
  } catch (error) {
    if (isStoreError(error, 'noWriter')) return undefined;
    throw error;
  }
}

/**
 * Keeps the files of the log that are there now, for who reads all of it beside a writer; undefined where no writer can be asked,
 * and so nobody takes files away. @throws what is no StoreError
 */
export async function keepLog(directory: string): Promise<{ release(): Promise<void> } | undefined> {
  let client: WriterClient | undefined;
  try {
    client = await tryConnect(directory);
    await client?.pinLog();
  } catch (error) {
    await client?.close();
    if (!isStoreError(error)) throw error;
    return undefined;
  }
  // A pin goes with its connection.
  const connected = client;
  return connected === undefined ? undefined : { release: () => connected.close() };
}

async function asClient(directory: string, client: WriterClient, options: StoreOptions): Promise<WorkingStore> {
  const reading = await StoreReader.open(directory, options).catch(async (error: unknown) => {
    await client.close();
    throw error;
  });
  return {
    writer: client,
    reading,
    isWriter: false,
    close: async () => {
      await client.close();
      await reading.close();
    },
  };
}

/**
 * For reading, while others write: the lock is held only where no writer runs and the last one did not finish its work, for as
 * long as recovery takes. @throws {StoreError} noStore, newerFormat, corrupt, lostLog, catalogMissing, ioError
 */
export async function readFrom(directory: string, options: StoreOptions = {}): Promise<StoreReading> {
  const reader = await StoreReader.open(directory, options);
  if (reader.catalog().state()?.appliedLsn === reader.heap.durableLsn) return reader;
  await reader.close();
  try {
    const recovered = await Store.open(directory, options);
    await recovered.close();
  } catch (error) {
    // A writer runs: what it has not applied yet comes with the snapshots of its catalog.
    if (!isStoreError(error, 'locked')) throw error;
  }
  return StoreReader.open(directory, options);
}

export function socketPath(directory: string): string {
  return `${directory}/run/writer.sock`;
}
