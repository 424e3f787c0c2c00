/**
 * LMDB environments as this process has them open: each once, whatever number of handles there are. The only module that imports
 * lmdb-js.
 *
 * - An environment that is opened while another process commits to it may lose that transaction. So who opens and who commits take
 *   turns (open-gate.ts).
 * - A process that opens an environment a second time closes a descriptor of `lock.mdb` doing so, and with that the process's fcntl
 *   lock on the file is gone: the next process to open would take itself for the only one, and begin the table of readers anew under
 *   the others. So the handles of a process share one.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase, type Transaction } from 'lmdb';
import { errnoOf, invariant, StoreError } from '../errors.ts';
import { type TableName, tableNames } from './kv.ts';
import { OpenGate } from './open-gate.ts';

export interface LmdbKvOptions {
  readonly readOnly: boolean;
  /** Octets of address space, the same for every process and more than the catalog will ever need: lmdb-js would grow it
   *  under running readers rather than fail. */
  readonly mapBytes: number;
  /** Whether a commit waits for its meta page (default) or leaves it to the next one's sync. */
  readonly metaSync?: boolean;
}

/** Processes and handles that may read at a time. */
const readersMax = 1_024;

/** Octets of the file of readers' slots, and some for its head. */
const slotsBytes = readersMax * 64 + 256;

/** The table directory's own tables, and room for those of later formats. */
const tablesMax = 64;

export type LmdbTable = Database<Buffer, Buffer>;
export type LmdbTransaction = Transaction;

/** By the path of their directories; closed ones leave. */
const environments = new Map<string, { readonly opening: Promise<LmdbEnvironment>; handles: number }>();

export class LmdbEnvironment {
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly tables: ReadonlyMap<TableName, LmdbTable>;
  readonly gate: OpenGate | undefined;
  readonly #path: string;
  readonly #readOnly: boolean;

  private constructor(path: string, options: LmdbKvOptions, gate: OpenGate | undefined) {
    this.root = openRoot(path, options);
    this.tables = openTables(this.root);
    this.gate = gate;
    this.#path = path;
    this.#readOnly = options.readOnly;
  }

  /** A handle's share in the environment in directory `path`. @throws {StoreError} catalogMissing; what LMDB says */
  static async share(path: string, options: LmdbKvOptions): Promise<LmdbEnvironment> {
    const isNew = !fs.existsSync(join(path, 'data.mdb'));
    if (isNew && options.readOnly) throw new StoreError('catalogMissing', `no catalog in ${path}`);
    if (isNew) fs.mkdirSync(path, { recursive: true, mode: 0o700 });
    const real = fs.realpathSync(path);
    const shared = environments.get(real) ?? { opening: LmdbEnvironment.#open(real, options), handles: 0 };
    environments.set(real, shared);
    // Before anything is waited for, lest another handle's end closes it meanwhile.
    shared.handles++;
    const environment = await shared.opening.catch((error: unknown) => {
      if (environments.get(real) === shared) environments.delete(real);
      throw error;
    });
    invariant(options.readOnly || !environment.#readOnly, 'a process that writes a catalog opens it for that first');
    if (isNew) syncDirectory(real);
    return environment;
  }

  static async #open(path: string, options: LmdbKvOptions): Promise<LmdbEnvironment> {
    const gate = OpenGate.at(path);
    try {
      if (gate === undefined) return new LmdbEnvironment(path, options, gate);
      return await gate.pass(() => {
        makeSlots(join(path, 'lock.mdb'));
        return new LmdbEnvironment(path, options, gate);
      });
    } catch (error) {
      gate?.close();
      throw error;
    }
  }

  /** Gives a handle's share back. */
  async leave(): Promise<void> {
    const shared = environments.get(this.#path);
    invariant(shared !== undefined, 'an environment that has handles is open');
    if (--shared.handles > 0) return;
    environments.delete(this.#path);
    await this.root.close();
    this.gate?.close();
  }
}

/**
 * Makes the file of readers' slots with all its blocks, where there is none: nobody has the environment open then. LMDB would make it
 * of holes and write to them through its map, and where a full disk has no block for one, that kills the process (SIGBUS).
 */
function makeSlots(path: string): void {
  if (fs.existsSync(path)) return;
  try {
    fs.writeFileSync(path, Buffer.alloc(slotsBytes), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    // Who passed the gate by has made it meanwhile, and uses it.
    if (errnoOf(error) === 'EEXIST') return;
    fs.rmSync(path, { force: true });
    throw error;
  }
}

function openRoot(path: string, options: LmdbKvOptions): RootDatabase<Buffer, Buffer> {
  // A variable, because lmdb-js's declarations miss `permissionsMode`.
  const environment = {
    path,
    noSubdir: false,
    permissionsMode: 0o600,
    readOnly: options.readOnly,
    mapSize: options.mapBytes,
    maxDbs: tablesMax,
    maxReaders: readersMax,
    encoding: 'binary',
    keyEncoding: 'binary',
    cache: false,
    overlappingSync: false,
    eventTurnBatching: false,
    noMetaSync: options.metaSync === false,
  } as const;
  return open<Buffer, Buffer>(environment);
}

/** A catalog of an earlier format can lack some; who only reads cannot make them, and has to see its format first. */
function openTables(root: RootDatabase<Buffer, Buffer>): Map<TableName, LmdbTable> {
  const tables = new Map<TableName, LmdbTable>();
  for (const name of tableNames) {
    const table: LmdbTable | undefined = root.openDB({ name, encoding: 'binary', keyEncoding: 'binary', cache: false });
    if (table !== undefined) tables.set(name, table);
  }
  return tables;
}

function syncDirectory(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
