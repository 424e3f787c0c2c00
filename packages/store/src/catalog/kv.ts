/**
 * The port to the ordered key-value store that the catalog lives in. `lmdb-kv.ts` is the real one, `test/support/memory-kv.ts`
 * its twin in memory; both pass `test/contract/kv.ts`.
 *
 * Keys and values are octets; keys sort as `Buffer.compare` does. Reads see one snapshot: the newest committed write when
 * the handle that writes is asked, or the one taken by the last `refresh` of a read-only handle.
 */

/** Details of an error after which nobody knows what the device holds of the store: it must not be written again. */
export const suspect: { readonly suspect: 1 } = { suspect: 1 };

/** The tables (docs/format/catalog.md says what each holds). Checkpoints number them in this order: new ones come last. */
export const tableNames = [
  'meta',
  'accounts',
  'mailboxes',
  'keywords',
  'uids',
  'index',
  'retained',
  'expunged',
  'uidls',
  'messages',
  'messageHashes',
  'threads',
  'parts',
  'segments',
  'due',
] as const;

export type TableName = (typeof tableNames)[number];

/** One change: a value to put, or `undefined` to remove the key. */
export interface KvChange {
  readonly table: TableName;
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

export interface KvRange {
  /** First key, inclusive. */
  readonly from: Buffer;
  /** Last key, exclusive. */
  readonly to: Buffer;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/**
 * One state of the store, kept over turns of the event loop. The octets of that state cannot be reused until `release`, so
 * that it is held for as long as its work takes and no longer.
 */
export interface KvSnapshot {
  get(table: TableName, key: Buffer): Buffer | undefined;
  /** Not to be iterated across an await: ask for the next slice behind the last key instead. */
  range(table: TableName, range: KvRange): Iterable<readonly [Buffer, Buffer]>;
  release(): void;
}

export interface Kv {
  /** The value, as a copy that the caller owns; undefined when absent. */
  get(table: TableName, key: Buffer): Buffer | undefined;
  /** The value as `get` gives it, in octets that may be overwritten by the next read; not to be changed. */
  peek(table: TableName, key: Buffer): Buffer | undefined;
  /** Key and value pairs in order (from the end when `reverse`), each a copy. Not to be held across an await. */
  range(table: TableName, range: KvRange): Iterable<readonly [Buffer, Buffer]>;
  /** Applies all changes in one transaction; durable on return. At most one call at a time.
   *  @throws when nothing was changed; with `suspect` among the details when the device failed or an earlier write was lost */
  write(changes: readonly KvChange[]): Promise<void>;
  /** Takes a new snapshot, so that reads see what other processes committed. */
  refresh(): void;
  /** The newest committed state, kept until it is released. */
  snapshot(): KvSnapshot;
  close(): Promise<void>;
}
