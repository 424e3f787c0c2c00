/**
 * Making a checkpoint: the whole catalog as it is at one LSN, in a file beside the heap (docs/format/checkpoint.md).
 *
 * One snapshot of the catalog is held from the first row to the last, so that all rows are of the same state: the counts of
 * one table are sums over others, and no rule could mend a mixture. While it is held, LMDB cannot reuse the pages that the
 * writer replaces. So the time is bounded (`limits.checkpointMs`); what takes longer is given up, and the catalog shrinks back
 * by reuse. Neither writer nor readers wait for anything: reading goes in slices of a block.
 *
 * The crash argument. The file is written under another name, synced, and renamed; the directory is synced; only then are older
 * ones removed. A crash before the rename leaves a `.new` file, which nobody reads and the next run removes; after it, one
 * checkpoint more than needed. What a checkpoint says is checked block by block when it is read: a rename that came to the disk
 * without all of the octets would be noticed and the checkpoint passed over.
 */

import { keyOctets, stateText } from '../../catalog/keys.ts';
import type { Kv, KvSnapshot, TableName } from '../../catalog/kv.ts';
import { tableNames } from '../../catalog/kv.ts';
import { stateCodec } from '../../catalog/row-codecs.ts';
import type { StateRow } from '../../catalog/rows.ts';
import { StoreError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import type { Clock } from '../../sys/clock.ts';
import { removeIfThere } from '../../sys/files.ts';
import type { FileHandle, FileSystem } from '../../sys/fs.ts';
import type { Lsn } from '../../types.ts';
import { BlockSums, checkpointName, encodeEnd, encodeHeader, encodeRows, type Row } from './format.ts';

/** What a checkpoint in the making needs of the machine. */
export interface CheckpointPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
}

export interface MadeCheckpoint {
  readonly path: string;
  readonly lsn: Lsn;
  readonly batch: number;
  readonly sequence: number;
  readonly rows: number;
  readonly bytes: number;
}

export type OnRows = (rows: number) => void;

/** Octets written between two syncs: one large sync at the end would hold up the writer's. */
const syncBytes = 8_388_608;
/** Every key is below this. */
const highest: Buffer = Buffer.alloc(64, 0xff);

/**
 * Writes the catalog's newest state to `directory`; durable on return. Where a checkpoint of that LSN is there, it is replaced.
 * @throws {StoreError} limitExceeded when it takes too long; what the file system throws as it is
 */
export async function writeCheckpoint(
  ports: CheckpointPorts,
  kv: Kv,
  directory: string,
  onRows?: OnRows,
): Promise<MadeCheckpoint> {
  const { fs } = ports;
  await fs.makeDirectory(directory);
  const snapshot = kv.snapshot();
  try {
    const state = stateOf(snapshot);
    const path = `${directory}/${checkpointName(state.appliedLsn)}`;
    const temporary = `${path}.new`;
    const written = await writeNew(ports, temporary, snapshot, state, onRows).catch(async (error: unknown) => {
      // Where the disk is full, it is the first to go.
      await removeIfThere(fs, temporary).catch(() => undefined);
      throw error;
    });
    await fs.rename(temporary, path);
    await fs.syncDirectory(directory);
    const { appliedLsn: lsn, batch, sequence } = state;
    return { path, lsn, batch, sequence, ...written };
  } finally {
    snapshot.release();
  }
}

async function writeNew(
  { fs, clock }: CheckpointPorts,
  path: string,
  snapshot: KvSnapshot,
  state: StateRow,
  onRows: OnRows | undefined,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  await removeIfThere(fs, path);
  const file = await fs.open(path, 'create');
  try {
    return await new CheckpointFile(file, clock, onRows).write(snapshot, state);
  } finally {
    await file.close();
  }
}

function stateOf(snapshot: KvSnapshot): StateRow {
  const octets = snapshot.get('meta', keyOctets(stateText));
  if (octets === undefined) throw new StoreError('catalogMissing', 'the catalog is empty; run mstore rebuild');
  return stateCodec.decode(octets);
}

class CheckpointFile {
  readonly #file: FileHandle;
  readonly #clock: Clock;
  readonly #onRows: OnRows | undefined;
  readonly #sums = new BlockSums();
  readonly #startedMs: number;
  #position = 0;
  #syncedTo = 0;
  #rows = 0;

  constructor(file: FileHandle, clock: Clock, onRows: OnRows | undefined) {
    this.#file = file;
    this.#clock = clock;
    this.#onRows = onRows;
    this.#startedMs = clock.monotonic();
  }

  async write(snapshot: KvSnapshot, state: StateRow): Promise<{ readonly rows: number; readonly bytes: number }> {
    const { format: catalogFormat, storeId, appliedLsn: lsn, batch, sequence, epoch } = state;
    const time = this.#clock.now();
    await this.#append(encodeHeader({ catalogFormat, storeId, lsn, batch, sequence, epoch, time }));
    for (const table of tableNames) await this.#table(snapshot, table);
    await this.#append(encodeEnd(this.#sums));
    await this.#file.datasync();
    return { rows: this.#rows, bytes: this.#position };
  }

  async #table(snapshot: KvSnapshot, table: TableName): Promise<void> {
    let from: Buffer = Buffer.alloc(0);
    for (;;) {
      const rows = slice(snapshot, table, from);
      const last = rows.at(-1);
      if (last === undefined) return;
      const { octets, headCrc } = encodeRows(table, rows);
      this.#sums.add(table, rows.length, headCrc);
      await this.#append(octets);
      this.#rows += rows.length;
      this.#onRows?.(this.#rows);
      if (this.#clock.monotonic() - this.#startedMs > limits.checkpointMs) {
        throw new StoreError(
          'limitExceeded',
          `the checkpoint was given up after ${limits.checkpointMs / 60_000} minutes`,
        );
      }
      from = Buffer.concat([last[0], Buffer.of(0)]);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #append(octets: Buffer): Promise<void> {
    await this.#file.write([octets], this.#position);
    this.#position += octets.length;
    if (this.#position - this.#syncedTo < syncBytes) return;
    await this.#file.datasync();
    this.#syncedTo = this.#position;
  }
}

/** Rows from a key on, as many as fill a block; none behind the last. */
function slice(snapshot: KvSnapshot, table: TableName, from: Buffer): Row[] {
  const rows: Row[] = [];
  let bytes = 0;
  for (const row of snapshot.range(table, { from, to: highest, limit: limits.checkpointBlockRows })) {
    rows.push(row);
    bytes += row[0].length + row[1].length;
    if (bytes >= limits.checkpointBlockBytes) break;
  }
  return rows;
}
