/**
 * The catalog's key-value store in memory: the twin of `lmdb-kv.ts`, with the same contract (`test/contract/kv.ts`), that
 * can crash, fail and be copied at no cost.
 *
 * A table is a sorted list of sorted chunks, none of which is changed once a write is done; a write makes new ones. So a
 * state is a value: copies, snapshots and running iterations share it.
 */
import { setImmediate } from 'node:timers/promises';
import {
  type Kv,
  type KvChange,
  type KvRange,
  type KvSnapshot,
  type TableName,
  tableNames,
} from '@mstore/store/internal/catalog/kv';
import { lmdbKeyBytesMax } from '@mstore/store/internal/catalog/lmdb-kv';
import { invariant, StoreError } from '@mstore/store/internal/errors';

/** Entries of a chunk; a larger one is halved. */
const chunkMax = 256;

interface Entry {
  /** The key's octets as latin1, which sorts as `Buffer.compare` does. */
  readonly key: string;
  readonly value: Buffer;
}
type Chunk = readonly Entry[];
type State = ReadonlyMap<TableName, readonly Chunk[]>;

export interface MemoryKvOptions {
  /** Called around the moment at which write `call` (from 1) becomes durable; a crash may be taken at either. */
  readonly onWrite?: (moment: 'before' | 'after', call: number) => void | Promise<void>;
  /** Lets write `call` fail with what it returns; as with LMDB, all later ones then fail too. */
  readonly failWrite?: (call: number) => Error | undefined;
}

export class MemoryKv implements Kv {
  #state: State;
  /** The state before the last write. */
  #previous: State;
  readonly #options: MemoryKvOptions;
  #calls = 0;
  #writing = false;
  #closed = false;
  #failure: Error | undefined;

  constructor(options: MemoryKvOptions = {}, state: State = new Map()) {
    this.#options = options;
    this.#state = state;
    this.#previous = state;
  }

  get(table: TableName, key: Buffer): Buffer | undefined {
    this.#checkOpen();
    return getFrom(this.#state, table, key);
  }

  peek(table: TableName, key: Buffer): Buffer | undefined {
    return this.get(table, key);
  }

  range(table: TableName, range: KvRange): Iterable<readonly [Buffer, Buffer]> {
    this.#checkOpen();
    return rangeOf(this.#state, table, range);
  }

  async write(changes: readonly KvChange[]): Promise<void> {
    this.#checkOpen();
    if (this.#failure !== undefined) throw this.#failure;
    invariant(!this.#writing, 'one catalog write at a time');
    for (const { table, key } of changes) {
      invariant(key.length > 0 && key.length <= lmdbKeyBytesMax, `a key of ${key.length} octets in table ${table}`);
    }
    if (changes.length === 0) return;
    this.#writing = true;
    try {
      await this.#commit(changes);
    } finally {
      this.#writing = false;
    }
  }

  async #commit(changes: readonly KvChange[]): Promise<void> {
    const call = ++this.#calls;
    const state = changed(this.#state, changes);
    await setImmediate();
    await this.#options.onWrite?.('before', call);
    this.#failure = this.#options.failWrite?.(call);
    if (this.#failure !== undefined) throw this.#failure;
    this.#previous = this.#state;
    this.#state = state;
    await this.#options.onWrite?.('after', call);
  }

  refresh(): void {
    this.#checkOpen();
  }

  snapshot(): KvSnapshot {
    const state = this.#state;
    return {
      get: (table, key) => getFrom(state, table, key),
      range: (table, range) => rangeOf(state, table, range),
      release: () => undefined,
    };
  }

  async close(): Promise<void> {
    invariant(!this.#writing, 'the catalog is not closed under a write');
    this.#closed = true;
  }

  /** The store as another start finds it after a crash now; `loseLast` as LMDB may without `metaSync`. */
  crash(options: MemoryKvOptions & { readonly loseLast?: boolean } = {}): MemoryKv {
    return new MemoryKv(options, options.loseLast === true ? this.#previous : this.#state);
  }

  /** An independent copy. */
  clone(options: MemoryKvOptions = {}): MemoryKv {
    return new MemoryKv(options, this.#state);
  }

  /** A handle that only reads, from the snapshot of its last `refresh`. */
  reader(): Kv {
    let state = this.#state;
    return {
      get: (table, key) => getFrom(state, table, key),
      peek: (table, key) => getFrom(state, table, key),
      range: (table, range) => rangeOf(state, table, range),
      write: () => Promise.reject(new StoreError('readOnly', 'a handle that only reads')),
      refresh: () => {
        state = this.#state;
      },
      snapshot: () => this.snapshot(),
      close: () => Promise.resolve(),
    };
  }

  /** Every entry, in order: what two stores are compared by. */
  *entries(): Iterable<readonly [TableName, Buffer, Buffer]> {
    for (const table of tableNames) {
      for (const { key, value } of (this.#state.get(table) ?? []).flat())
        yield [table, Buffer.from(key, 'latin1'), value];
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError('closed', 'the catalog is closed');
  }
}

function getFrom(state: State, table: TableName, key: Buffer): Buffer | undefined {
  const chunks = state.get(table) ?? [];
  const name = key.toString('latin1');
  const chunk = chunks[chunkOf(chunks, name)] ?? [];
  const entry = chunk[lowerBound(chunk, name)];
  return entry?.key === name ? Buffer.from(entry.value) : undefined;
}

function* rangeOf(state: State, table: TableName, range: KvRange): Iterable<readonly [Buffer, Buffer]> {
  const from = range.from.toString('latin1');
  const to = range.to.toString('latin1');
  const chunks = state.get(table) ?? [];
  const step = range.reverse ? -1 : 1;
  let left = range.limit ?? Number.POSITIVE_INFINITY;
  let chunkIndex = chunkOf(chunks, range.reverse ? to : from);
  let index = lowerBound(chunks[chunkIndex] ?? [], range.reverse ? to : from) - (range.reverse ? 1 : 0);
  while (left > 0) {
    const chunk = chunks[chunkIndex];
    if (chunk === undefined) return;
    const entry = chunk[index];
    if (entry === undefined) {
      chunkIndex += step;
      index = range.reverse ? (chunks[chunkIndex]?.length ?? 0) - 1 : 0;
      continue;
    }
    if (range.reverse ? entry.key < from : entry.key >= to) return;
    yield [Buffer.from(entry.key, 'latin1'), Buffer.from(entry.value)];
    left--;
    index += step;
  }
}

/** The state with `changes` made in order. */
function changed(state: State, changes: readonly KvChange[]): State {
  const next = new Map(state);
  const edits = new Map<TableName, TableEdit>();
  for (const { table, key, value } of changes) {
    let edit = edits.get(table);
    if (edit === undefined) {
      edit = new TableEdit(state.get(table) ?? []);
      edits.set(table, edit);
    }
    edit.change(key.toString('latin1'), value);
  }
  for (const [table, edit] of edits) next.set(table, edit.chunks);
  return next;
}

/** A table being written: each change makes a new chunk. */
class TableEdit {
  readonly chunks: Chunk[];

  constructor(chunks: readonly Chunk[]) {
    this.chunks = [...chunks];
  }

  change(key: string, value: Buffer | undefined): void {
    const at = chunkOf(this.chunks, key);
    const chunk = this.#copyOf(at);
    const index = lowerBound(chunk, key);
    const present = chunk[index]?.key === key ? 1 : 0;
    if (value !== undefined) chunk.splice(index, present, { key, value: Buffer.from(value) });
    else chunk.splice(index, present);
    if (chunk.length > chunkMax) {
      const upper = chunk.splice(chunkMax / 2);
      this.chunks.splice(at + 1, 0, upper);
    } else if (chunk.length === 0) this.chunks.splice(at, 1);
  }

  #copyOf(at: number): Entry[] {
    const copy = [...(this.chunks[at] ?? [])];
    this.chunks[at] = copy;
    return copy;
  }
}

/** The chunk that holds or would hold `key`: the last that does not begin after it, else the first. */
function chunkOf(chunks: readonly Chunk[], key: string): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((chunks[middle]?.[0]?.key ?? '') <= key) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

/** The first entry whose key is not below `key`. */
function lowerBound(chunk: Chunk, key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((chunk[middle]?.key ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
