/**
 * Write sets: the changes of a batch, in memory, on their way to the catalog; and the view through them.
 *
 * A view reads the newest layer that knows a key, and the key-value store beneath. Rows in a layer stay decoded until the
 * layer is written, so a row that a batch touches a hundred times is encoded once. Invariant: only the top layer of a view
 * changes; lower ones and the rows in them are shared and frozen by convention (`edit` copies).
 */
import { invariant } from '../errors.ts';
import { limits } from '../limits.ts';
import { type KeyText, keyOctets, keyText, passingKey, prefixEnd } from './keys.ts';
import type { Kv, KvChange, KvRange, TableName } from './kv.ts';
import type { RowCodec } from './row-codecs.ts';
import type { Table } from './schema.ts';

interface Change {
  /** Means nothing while the row is removed: a removal may cover several kinds of row. */
  codec: RowCodec<unknown>;
  /** Undefined: removed. */
  row: unknown;
}

/** Tables of which small ranges are asked: all keys of an account or a mailbox, which have their first octets in common. */
const groupedTables: ReadonlySet<TableName> = new Set(['accounts', 'mailboxes', 'expunged', 'due']);
const groupOctets = 5;

type Changes = Map<KeyText, Change>;

export class WriteSet {
  readonly #tables = new Map<TableName, Changes>();
  /** The changes of `groupedTables` by the first octets of their keys, so that a small range need not look at all of them. */
  readonly #groups = new Map<TableName, Map<KeyText, Changes>>();
  #size = 0;

  find(table: TableName, key: KeyText): Change | undefined {
    return this.#tables.get(table)?.get(key);
  }

  put<Row>(table: TableName, key: KeyText, codec: RowCodec<Row>, row: Row | undefined): void {
    let changes = this.#tables.get(table);
    if (changes === undefined) {
      changes = new Map();
      this.#tables.set(table, changes);
    }
    const known = changes.get(key);
    if (known === undefined) {
      const change = { codec, row };
      changes.set(key, change);
      this.#size++;
      if (groupedTables.has(table)) this.#group(table, key).set(key, change);
    } else {
      invariant(
        row === undefined || known.row === undefined || known.codec === codec,
        'two kinds of row under one key',
      );
      known.codec = codec;
      known.row = row;
    }
  }

  #group(table: TableName, key: KeyText): Changes {
    let groups = this.#groups.get(table);
    if (groups === undefined) {
      groups = new Map();
      this.#groups.set(table, groups);
    }
    const start = key.slice(0, groupOctets);
    let group = groups.get(start);
    if (group === undefined) {
      group = new Map();
      groups.set(start, group);
    }
    return group;
  }

  changesOf(table: TableName): Iterable<readonly [KeyText, Change]> {
    return this.#tables.get(table) ?? [];
  }

  /** Those with keys from … to, and maybe others. */
  changesAround(table: TableName, from: KeyText, to: KeyText): Iterable<readonly [KeyText, Change]> {
    if (!groupedTables.has(table) || from.length < groupOctets) return this.changesOf(table);
    const start = from.slice(0, groupOctets);
    const isOneGroup = to.startsWith(start) || to === keyText(prefixEnd(keyOctets(start)));
    return isOneGroup ? (this.#groups.get(table)?.get(start) ?? []) : this.changesOf(table);
  }

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  /** Number of rows changed. */
  get size(): number {
    return this.#size;
  }

  /** The changes of `sets`, later ones over earlier ones, as octets. */
  static encode(sets: readonly WriteSet[]): KvChange[] {
    const changes: KvChange[] = [];
    for (const [at, set] of sets.entries()) {
      const later = sets.slice(at + 1);
      for (const [table, rows] of set.#tables) {
        for (const [key, change] of rows) {
          if (later.some((other) => other.find(table, key) !== undefined)) continue;
          const value = change.row === undefined ? undefined : change.codec.encode(change.row);
          changes.push({ table, key: keyOctets(key), value });
        }
      }
    }
    return changes;
  }
}

/** The tables whose rows deliveries change again and again. */
const cachedTables: readonly TableName[] = ['accounts', 'mailboxes', 'uids', 'index'];

/**
 * Rows of the catalog as they were last written, decoded: who alone writes the catalog need not read and decode what it wrote.
 * Rows are shared, as those of lower layers are.
 */
export class RowCache {
  readonly #tables = new Map<TableName, Map<KeyText, Change>>();

  constructor() {
    for (const name of cachedTables) this.#tables.set(name, new Map());
  }

  find(table: TableName, key: KeyText): Change | undefined {
    return this.#tables.get(table)?.get(key);
  }

  /** Takes over what is in the catalog now; the rows written longest ago leave. */
  keep(sets: readonly WriteSet[]): void {
    for (const [name, rows] of this.#tables) {
      for (const set of sets) {
        for (const [key, change] of set.changesOf(name)) {
          rows.delete(key);
          if (change.row !== undefined) rows.set(key, change);
        }
      }
      for (const key of rows.keys()) {
        if (rows.size <= limits.cachedRows) break;
        rows.delete(key);
      }
    }
  }
}

/** Reads through layers of write sets; writes into the top one, if the view has one. */
export class View {
  readonly #kv: Kv;
  readonly #below: readonly WriteSet[];
  readonly #top: WriteSet | undefined;
  readonly #cache: RowCache | undefined;

  /** `below` from oldest to newest; `cache` holds rows as they stand in `kv`. */
  constructor(kv: Kv, below: readonly WriteSet[] = [], top?: WriteSet, cache?: RowCache) {
    this.#kv = kv;
    this.#below = below;
    this.#top = top;
    this.#cache = cache;
  }

  /** The row, shared: not to be changed. */
  read<Key extends readonly unknown[], Row>(table: Table<Key, Row>, ...key: Key): Row | undefined {
    const text = table.key(...key);
    const known = this.#top?.find(table.name, text) ?? this.#findBelow(table.name, text);
    return known === undefined ? this.#stored(table, text) : rowOf(known, table.codec);
  }

  /** The row's octets, valid until the next read of the view; not to be changed. */
  peek<Key extends readonly unknown[], Row>(table: Table<Key, Row>, ...key: Key): Buffer | undefined {
    const text = table.key(...key);
    const known =
      this.#top?.find(table.name, text) ?? this.#findBelow(table.name, text) ?? this.#cache?.find(table.name, text);
    if (known === undefined) return this.#kv.peek(table.name, passingKey(text));
    const row = rowOf(known, table.codec);
    return row === undefined ? undefined : table.codec.encode(row);
  }

  /** A row the caller may change in place: its changes are in the top write set at once. */
  edit<Key extends readonly unknown[], Row>(table: Table<Key, Row>, ...key: Key): Row | undefined {
    const top = this.#writable();
    const text = table.key(...key);
    const mine = top.find(table.name, text);
    if (mine !== undefined) return rowOf(mine, table.codec);
    const below = this.#findBelow(table.name, text) ?? this.#cache?.find(table.name, text);
    let row: Row | undefined;
    if (below !== undefined) {
      const shared = rowOf(below, table.codec);
      row = shared === undefined ? undefined : table.codec.copy(shared);
    } else row = this.#stored(table, text);
    if (row !== undefined) top.put(table.name, text, table.codec, row);
    return row;
  }

  put<Key extends readonly unknown[], Row>(table: Table<Key, Row>, row: Row, ...key: Key): Row {
    this.#writable().put(table.name, table.key(...key), table.codec, row);
    return row;
  }

  remove<Key extends readonly unknown[], Row>(table: Table<Key, Row>, ...key: Key): void {
    this.#writable().put(table.name, table.key(...key), table.codec, undefined);
  }

  /** Removes every key in the range, whatever kind of row. */
  removeRange(table: TableName, range: KvRange, codec: RowCodec<unknown>): void {
    const top = this.#writable();
    for (const key of this.keys(table, range)) top.put(table, keyText(key), codec, undefined);
  }

  /** Keys present in the range, in order. */
  keys(table: TableName, range: KvRange): Buffer[] {
    return [...this.#merged(table, range)].map(([key]) => key);
  }

  /** Keys and rows of one kind in the range, in order; rows are shared. */
  *range<Row>(table: Table<never, Row>, range: KvRange): Generator<readonly [Buffer, Row]> {
    for (const [key, found] of this.#merged(table.name, range)) {
      if (Buffer.isBuffer(found)) yield [key, table.codec.decode(found)];
      else {
        const row = rowOf(found, table.codec);
        if (row !== undefined) yield [key, row];
      }
    }
  }

  /** As `range`, but that of what is stored `decode` says what there is to know; it may be nothing. */
  *rangeBy<Row>(
    table: Table<never, Row>,
    range: KvRange,
    decode: (octets: Buffer) => Row | undefined,
  ): Generator<readonly [Buffer, Row | undefined]> {
    for (const [key, found] of this.#merged(table.name, range)) {
      yield [key, Buffer.isBuffer(found) ? decode(found) : rowOf(found, table.codec)];
    }
  }

  /** What the store holds in the range, overlaid with what the layers say, in order. */
  *#merged(table: TableName, range: KvRange): Generator<readonly [Buffer, Buffer | Change]> {
    const layered = new Map<KeyText, Change>();
    const from = keyText(range.from);
    const to = keyText(range.to);
    for (const set of [...this.#below, ...(this.#top === undefined ? [] : [this.#top])]) {
      // Texts of octets compare as the octets do.
      for (const [key, change] of set.changesAround(table, from, to)) {
        if (key >= from && key < to) layered.set(key, change);
      }
    }
    if (layered.size === 0) {
      yield* this.#kv.range(table, range);
      return;
    }
    const sign = range.reverse === true ? -1 : 1;
    const extra = [...layered]
      .filter(([, change]) => change.row !== undefined)
      .map(([key, change]) => ({ key: keyOctets(key), change }))
      .sort((a, b) => sign * a.key.compare(b.key));
    let left = range.limit ?? Number.POSITIVE_INFINITY;
    let at = 0;
    const { limit: _limit, ...unlimited } = range;
    for (const [key, value] of this.#kv.range(table, unlimited)) {
      for (let next = extra[at]; next !== undefined && sign * next.key.compare(key) < 0; next = extra[++at]) {
        if (left-- <= 0) return;
        yield [next.key, next.change];
      }
      if (layered.has(keyText(key))) continue;
      if (left-- <= 0) return;
      yield [key, value];
    }
    for (const next of extra.slice(at)) {
      if (left-- <= 0) return;
      yield [next.key, next.change];
    }
  }

  /** The row as it stands in the catalog. */
  #stored<Row>(table: Table<never, Row>, text: KeyText): Row | undefined {
    const cached = this.#cache?.find(table.name, text);
    if (cached !== undefined) return rowOf(cached, table.codec);
    const value = this.#kv.get(table.name, passingKey(text));
    return value === undefined ? undefined : table.codec.decode(value);
  }

  #findBelow(table: TableName, text: KeyText): Change | undefined {
    for (let at = this.#below.length - 1; at >= 0; at--) {
      const known = this.#below[at]?.find(table, text);
      if (known !== undefined) return known;
    }
    return undefined;
  }

  #writable(): WriteSet {
    invariant(this.#top !== undefined, 'a view without a write set is for reading');
    return this.#top;
  }
}

/** The row in a change, which was put through a table of the same codec; undefined when it was removed. */
function rowOf<Row>(change: Change, codec: RowCodec<Row>): Row | undefined {
  if (change.row === undefined) return undefined;
  invariant(change.codec === codec, 'two kinds of row under one key');
  return change.row as Row | undefined;
}
