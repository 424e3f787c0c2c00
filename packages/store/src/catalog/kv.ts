/**
 * The port to the ordered key-value store that the catalog lives in. `lmdb-kv.ts` is the real one, `test/support/memory-kv.ts`
 * its twin in memory; both pass `test/contract/kv.ts`.
 *
 * Keys and values are octets; keys sort as `Buffer.compare` does. Reads see one snapshot: the newest committed write when
 * the handle that writes is asked, or the one taken by the last `refresh` of a read-only handle.
 */

/** The tables (docs/format/catalog.md says what each holds). */
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

export interface Kv {
  /** The value, as a copy that the caller owns; undefined when absent. */
  get(table: TableName, key: Buffer): Buffer | undefined;
  /** Key and value pairs in order (from the end when `reverse`), each a copy. Not to be held across an await. */
  range(table: TableName, range: KvRange): Iterable<readonly [Buffer, Buffer]>;
  /** Applies all changes in one transaction; durable on return. At most one call at a time.
   *  @throws when nothing was changed */
  write(changes: readonly KvChange[]): Promise<void>;
  /** Takes a new snapshot, so that reads see what other processes committed. */
  refresh(): void;
  close(): Promise<void>;
}
