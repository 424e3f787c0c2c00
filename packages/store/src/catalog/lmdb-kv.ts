/**
 * The catalog's key-value store on LMDB. It and lmdb-environment.ts are all that knows of lmdb-js; what they rely on was read in the
 * source of the pinned version (3.5.6):
 *
 * - `batch` with `eventTurnBatching: false` makes one LMDB transaction of everything its callback puts and removes: the
 *   worker thread stays inside the block until its end was written, and commits nothing before. `transaction` would run
 *   every put on the main thread, page faults included, and commit the rest when one of them fails.
 * - A change that `batch` refuses while it is noted down (key too long) would leave the changes before it to be
 *   committed. So all changes are checked first.
 * - With `overlappingSync: false` the promise settles after `mdb_txn_commit` has synced data and meta page; a failed put,
 *   write or sync aborts the transaction and rejects. A rejection carries `commitError`, a second promise that rejects
 *   with the cause; unheard it would end the process.
 * - `error.code` of the cause is errno or LMDB's own number. A write that came short, as on a full disk, is EIO too.
 * - After a failed commit the environment may refuse to begin a transaction, and then lmdb-js never settles the next
 *   write's promise. So the first failure is the last: later writes throw it again.
 * - lmdb-js also prints a failed commit on stderr.
 * - A page that cannot be written overruns a buffer: the message about it can be longer than the 100 octets that are taken for it.
 *   The process's memory is damaged from then on. It should end soon, and its end may be SIGABRT, whatever code it exits with.
 * - The octets of a change are read by the worker thread: they must stay as they are until the write has settled.
 * - lmdb-js takes a new snapshot by itself at a later turn of the event loop, on a timer: one synchronous slice sees one
 *   snapshot, two slices may see two; and the writer's own commit may be seen shortly before its promise resolves.
 * - `useReadTransaction` hands the current read transaction out, counted: the timer then leaves it alone and begins another
 *   one for everybody else, until `done`.
 *
 * A transaction has the number behind that of the one before it. Where it has not, somebody opened the environment past the gate
 * (open-gate.ts) and a transaction is lost: the writer ends with a failure that has the catalog made again.
 *
 * `metaSync: false` (MDB_NOMETASYNC) leaves the meta page to the next commit's sync. A crash may then undo the last
 * transaction, never more and never in part: the sync of transaction n makes meta page n−1 durable before meta page n
 * is written, and pages freed in n are not used again before n+2, so that snapshot n−1 is whole as long as meta page n may
 * be lost. Whoever uses it must be able to apply the last write again.
 */
import { errorText, invariant, StoreError, type StoreErrorCode } from '../errors.ts';
import { type Kv, type KvChange, type KvRange, type KvSnapshot, suspect, type TableName } from './kv.ts';
import { LmdbEnvironment, type LmdbKvOptions, type LmdbTable, type LmdbTransaction } from './lmdb-environment.ts';

/** Octets of the longest key. */
export const lmdbKeyBytesMax = 1_978;

const lowestKey = Buffer.of(0);

/**
 * Opens the environment in directory `path`. The writer makes what is missing, durably, and there must be only one;
 * a reader needs a writer to have opened it before. In one process, who writes opens before who reads.
 *
 * @throws {StoreError} catalogMissing, corrupt, ioError
 */
export async function openLmdbKv(path: string, options: LmdbKvOptions): Promise<Kv> {
  try {
    return new LmdbKv(await LmdbEnvironment.share(path, options), options.readOnly);
  } catch (error) {
    throw storeError(error, `cannot open the catalog in ${path}`);
  }
}

class LmdbKv implements Kv {
  readonly #environment: LmdbEnvironment;
  readonly #root: LmdbEnvironment['root'];
  readonly #readOnly: boolean;
  #writing = false;
  #closed = false;
  #failure: StoreError | undefined;
  /** The number of the last transaction of this handle's. */
  #transaction: number;

  constructor(environment: LmdbEnvironment, readOnly: boolean) {
    this.#environment = environment;
    this.#root = environment.root;
    this.#readOnly = readOnly;
    this.#transaction = this.#lastTransaction();
  }

  get(table: TableName, key: Buffer): Buffer | undefined {
    const octets = this.peek(table, key);
    if (octets === undefined) return undefined;
    const own = Buffer.allocUnsafe(octets.length);
    own.set(octets);
    return own;
  }

  peek(table: TableName, key: Buffer): Buffer | undefined {
    const shared = this.#table(table).getBinaryFast(key);
    // lmdb-js's one buffer for all reads; only its `length` property tells where the value ends.
    return shared === undefined ? undefined : Buffer.from(shared.buffer, shared.byteOffset, shared.length);
  }

  range(table: TableName, range: KvRange): Iterable<readonly [Buffer, Buffer]> {
    return this.#range(table, range);
  }

  *#range(table: TableName, range: KvRange, transaction?: LmdbTransaction): Iterable<readonly [Buffer, Buffer]> {
    const from = range.from.length === 0 ? lowestKey : range.from;
    const to = range.to;
    if (Buffer.compare(from, to) >= 0) return;
    const bounds = range.reverse
      ? { reverse: true, start: to, exclusiveStart: true, end: from, inclusiveEnd: true }
      : { start: from, end: to };
    const limit = range.limit === undefined ? {} : { limit: range.limit };
    const state = transaction === undefined ? {} : { transaction };
    // With encoding and keyEncoding `binary`, keys and values are copies already.
    for (const { key, value } of this.#table(table).getRange({ ...bounds, ...limit, ...state })) yield [key, value];
  }

  snapshot(): KvSnapshot {
    this.refresh();
    const transaction = this.#root.useReadTransaction();
    let isHeld = true;
    return {
      get: (table, key) => {
        for (const [, value] of this.#range(table, { from: key, to: behind(key) }, transaction)) return value;
        return undefined;
      },
      range: (table, range) => this.#range(table, range, transaction),
      release: () => {
        if (isHeld && !this.#closed) transaction.done();
        isHeld = false;
      },
    };
  }

  async write(changes: readonly KvChange[]): Promise<void> {
    if (this.#closed) throw closedError();
    if (this.#readOnly) throw new StoreError('readOnly', 'this handle of the catalog only reads');
    if (this.#failure !== undefined) throw this.#failure;
    invariant(!this.#writing, 'one catalog write at a time');
    for (const change of changes) checkChange(change);
    if (changes.length === 0) return;
    this.#writing = true;
    const { gate } = this.#environment;
    try {
      const waiting = gate?.enter();
      if (waiting !== undefined) await waiting;
      try {
        await this.#commit(changes);
      } finally {
        gate?.leave();
      }
    } catch (error) {
      this.#failure = storeError(await commitCause(error), 'catalog commit failed');
      throw this.#failure;
    } finally {
      this.#writing = false;
    }
  }

  async #commit(changes: readonly KvChange[]): Promise<void> {
    const before = this.#transaction;
    await this.#root.batch(() => {
      for (const { table, key, value } of changes) {
        const target = this.#table(table);
        if (value === undefined) void target.remove(key);
        else void target.put(key, value);
      }
    });
    this.#transaction = this.#lastTransaction();
    // One that changes nothing takes no number.
    const isNext = this.#transaction === before + 1 || changes.every(({ value }) => value === undefined);
    if (isNext) return;
    const text = `transaction ${before + 1} of the catalog came out as ${this.#transaction}: one before it is lost`;
    throw new StoreError('corrupt', text, suspect);
  }

  #lastTransaction(): number {
    const { lastTxnId }: { readonly lastTxnId?: number } = this.#root.getStats();
    invariant(lastTxnId !== undefined, 'LMDB numbers its transactions');
    return lastTxnId;
  }

  refresh(): void {
    if (this.#closed) throw closedError();
    this.#root.resetReadTxn();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    invariant(!this.#writing, 'the catalog is not closed under a write');
    this.#closed = true;
    await this.#environment.leave();
  }

  #table(name: TableName): LmdbTable {
    if (this.#closed) throw closedError();
    const table = this.#environment.tables.get(name);
    if (table === undefined) throw new StoreError('catalogMissing', `the catalog lacks table ${name}`);
    return table;
  }
}

/** The first key behind this one. */
function behind(key: Buffer): Buffer {
  return Buffer.concat([key, lowestKey]);
}

function closedError(): StoreError {
  return new StoreError('closed', 'the catalog is closed');
}

function checkChange(change: KvChange): void {
  const { length } = change.key;
  invariant(length > 0 && length <= lmdbKeyBytesMax, `a key of ${length} octets in table ${change.table}`);
}

/** What made a commit fail. */
async function commitCause(error: unknown): Promise<unknown> {
  if (!(error instanceof Error && 'commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** LMDB's numbers (lmdb.h) and errno's that mean something else than a failed device. */
const codes = new Map<unknown, StoreErrorCode>([
  [-30792, 'diskFull'], // MDB_MAP_FULL
  [28, 'diskFull'], // ENOSPC
  [-30797, 'corrupt'], // MDB_PAGE_NOTFOUND
  [-30796, 'corrupt'], // MDB_CORRUPTED
  [-30793, 'corrupt'], // MDB_INVALID
  [-30794, 'newerFormat'], // MDB_VERSION_MISMATCH
  [2, 'catalogMissing'], // ENOENT
  ['ENOSPC', 'diskFull'],
]);

/** After one of these nobody knows what the file holds: it is not to be written again. */
const suspicious: ReadonlySet<unknown> = new Set<unknown>([
  5, // EIO; a short write too
  30, // EROFS: the kernel gave the file system up
  -30779, // MDB_PROBLEM
  -30797, // MDB_PAGE_NOTFOUND
  -30796, // MDB_CORRUPTED
  -30795, // MDB_PANIC: the meta page could not be written
]);

function storeError(error: unknown, doing: string): StoreError {
  if (error instanceof StoreError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const details = suspicious.has(code) ? suspect : {};
  return new StoreError(codes.get(code) ?? 'ioError', `${doing}: ${errorText(error)}`, details, error);
}
