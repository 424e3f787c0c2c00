/**
 * Reading checkpoints: which there are, whether one can be used with a log, and putting one into an empty catalog.
 *
 * A checkpoint at an LSN stands for everything in the log below it, so it is good with a log only that goes on from there without
 * a gap: where a segment behind that LSN was retired, what was logged in it would be missed (`isWholeFrom`).
 */
import type { Kv, KvChange } from '../../catalog/kv.ts';
import { catalogFormat } from '../../catalog/schema.ts';
import { DecodeError } from '../../codec/bytes.ts';
import { errorText, isStoreError, StoreError } from '../../errors.ts';
import type { SegmentState } from '../../heap/location.ts';
import { limits } from '../../limits.ts';
import { listIfThere, removeIfThere } from '../../sys/files.ts';
import type { FileHandle, FileSystem } from '../../sys/fs.ts';
import type { Lsn } from '../../types.ts';
import {
  type BlockHead,
  BlockSums,
  blockHeadBytes,
  type CheckpointHeader,
  checkpointLsn,
  decodeBlockHead,
  decodeHeader,
  decodePayload,
  decodeRows,
  decodeSums,
  headerBytes,
} from './format.ts';

export const checkpointDirectory = (directory: string): string => `${directory}/checkpoint`;

export interface FoundCheckpoint {
  readonly path: string;
  readonly lsn: Lsn;
}

/** The checkpoints in a directory by their names, newest first. */
export async function listCheckpoints(fs: FileSystem, directory: string): Promise<FoundCheckpoint[]> {
  const found: FoundCheckpoint[] = [];
  for (const name of await listIfThere(fs, directory)) {
    const lsn = checkpointLsn(name);
    if (lsn !== undefined) found.push({ path: `${directory}/${name}`, lsn });
  }
  return found.sort((a, b) => b.lsn - a.lsn);
}

/** Whether a file's name can be a checkpoint's, whole or in the making. */
export function isCheckpointFile(name: string): boolean {
  return checkpointLsn(name.replace(/\.new$/, '')) !== undefined;
}

/** Removes all but the newest ones, and what crashes left. */
export async function pruneCheckpoints(fs: FileSystem, directory: string): Promise<void> {
  const kept = (await listCheckpoints(fs, directory)).slice(0, limits.checkpointsKept).map(({ path }) => path);
  for (const name of await listIfThere(fs, directory)) {
    if (isCheckpointFile(name) && !kept.includes(`${directory}/${name}`))
      await removeIfThere(fs, `${directory}/${name}`);
  }
}

/** True when the log of these segments goes on from `lsn` to its end and none behind was taken out. */
export function isWholeFrom(segments: readonly SegmentState[], lsn: Lsn): boolean {
  const at = segments.findLastIndex(({ baseLsn }) => baseLsn < lsn);
  const first = segments[at];
  if (first === undefined || lsn > first.endLsn) return false;
  return segments.slice(at + 1).every(({ predecessor }, index) => predecessor === segments[at + index]?.number);
}

/** @throws {StoreError} corrupt, newerFormat @throws the port's errors */
export async function readCheckpointHeader(fs: FileSystem, path: string): Promise<CheckpointHeader> {
  const file = await fs.open(path, 'read');
  try {
    return await new CheckpointReader(file, path).header();
  } finally {
    await file.close();
  }
}

/** Reads a whole checkpoint and checks all that can be checked of it alone. @throws {StoreError} corrupt, newerFormat */
export async function verifyCheckpoint(fs: FileSystem, path: string): Promise<CheckpointHeader> {
  return scanCheckpoint(fs, path, async () => undefined);
}

/** Rows given to the catalog in one transaction. */
const rowsPerWrite = 20_000;

/**
 * Puts a checkpoint's rows into an empty catalog. After an error the catalog is to be thrown away.
 * @throws {StoreError} corrupt: damaged, of another format of catalog, or of another store; newerFormat
 */
export async function loadCheckpoint(
  fs: FileSystem,
  path: string,
  storeId: Buffer,
  kv: Kv,
  onRows?: (rows: number) => void,
): Promise<CheckpointHeader> {
  const header = await readCheckpointHeader(fs, path);
  if (!header.storeId.equals(storeId)) throw corrupt(path, 'it is of another store');
  if (header.catalogFormat !== catalogFormat) {
    throw corrupt(path, `its rows have format ${header.catalogFormat}, this release writes ${catalogFormat}`);
  }
  let changes: KvChange[] = [];
  let rows = 0;
  const write = async (): Promise<void> => {
    await kv.write(changes);
    rows += changes.length;
    changes = [];
    onRows?.(rows);
  };
  await scanCheckpoint(fs, path, async (some) => {
    for (const change of some) changes.push(change);
    if (changes.length >= rowsPerWrite) await write();
  });
  await write();
  return header;
}

async function scanCheckpoint(
  fs: FileSystem,
  path: string,
  take: (rows: readonly KvChange[]) => Promise<void>,
): Promise<CheckpointHeader> {
  const file = await fs.open(path, 'read');
  try {
    const reader = new CheckpointReader(file, path);
    const header = await reader.header();
    for await (const rows of reader.rows()) await take(rows);
    return header;
  } finally {
    await file.close();
  }
}

function corrupt(path: string, why: string, cause?: unknown): StoreError {
  return new StoreError('corrupt', `checkpoint ${path}: ${why}`, { path }, cause);
}

class CheckpointReader {
  readonly #file: FileHandle;
  readonly #path: string;
  #position = 0;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  async header(): Promise<CheckpointHeader> {
    const octets = await this.#read(headerBytes);
    return this.#decoded(() => decodeHeader(octets));
  }

  /** The rows, block by block. */
  async *rows(): AsyncGenerator<KvChange[]> {
    const sums = new BlockSums();
    let before: KvChange | undefined;
    for (;;) {
      const head = await this.#head();
      const payload = await this.#payload(head);
      const { table } = head;
      if (table === undefined) {
        await this.#checkEnd(payload, sums);
        return;
      }
      sums.add(table, head.rows, head.headCrc);
      const rows = this.#decoded(() => decodeRows(head, payload).map(([key, value]) => ({ table, key, value })));
      const [first] = rows;
      if (first !== undefined && before?.table === table && Buffer.compare(before.key, first.key) >= 0) {
        throw corrupt(this.#path, 'blocks out of order');
      }
      before = rows.at(-1);
      yield rows;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #head(): Promise<BlockHead> {
    const octets = await this.#read(blockHeadBytes);
    return this.#decoded(() => decodeBlockHead(octets));
  }

  async #payload(head: BlockHead): Promise<Buffer> {
    const stored = await this.#read(head.storedBytes);
    return this.#decoded(() => decodePayload(head, stored));
  }

  async #checkEnd(payload: Buffer, sums: BlockSums): Promise<void> {
    const said = this.#decoded(() => decodeSums(payload));
    const isSame = said.blocks === sums.blocks && said.headsCrc === sums.headsCrc;
    const hasRows = said.rows.length === sums.rows.length && said.rows.every((count, at) => count === sums.rows[at]);
    if (!isSame || !hasRows) throw corrupt(this.#path, 'blocks are missing, or not its own');
    if ((await this.#file.size()) !== this.#position) throw corrupt(this.#path, 'octets behind its end');
  }

  async #read(bytes: number): Promise<Buffer> {
    const octets = Buffer.allocUnsafe(bytes);
    let done = 0;
    while (done < bytes) {
      const got = await this.#file.read(octets, done, bytes - done, this.#position + done);
      if (got === 0) break;
      done += got;
    }
    this.#position += done;
    return octets.subarray(0, done);
  }

  #decoded<T>(decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      if (error instanceof DecodeError || error instanceof RangeError) {
        throw corrupt(this.#path, `${errorText(error)} before octet ${this.#position}`, error);
      }
      throw error;
    }
  }
}

/** True for what makes a checkpoint unusable, so that another one, or the log from its start, takes its place. */
export function isUnusable(error: unknown): boolean {
  return isStoreError(error, 'corrupt') || isStoreError(error, 'newerFormat');
}
