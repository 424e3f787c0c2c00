/**
 * Backup: a copy of a store in a folder of its own, taken while the store works (docs/format/backup.md).
 *
 * The log is append-only, so what was copied of it stays true: a backup copies what is new, up to the LSN that the writer calls
 * durable, and describes it in a manifest. In order, and what a crash between any two leaves:
 *
 *   1. pin          the writer keeps the segments' files.            Crash: the pin goes with the connection.
 *   2. checkpoint   the catalog at an LSN c, under its own name.     The manifest of before names another: a left-over.
 *   3. pin again    the durable LSN d, which is not below c: the log is copied up to d, a whole batch's end.
 *   4. segments     octets behind those that the manifest of before names are written and synced. What it names stays as it
 *                   is, so it stays true; more octets, or files, than it names are no part of it.
 *   5. files        directory of users and configuration, under new names.
 *   6. names        `heap/`, `checkpoint/`, `files/` and the folder are synced.
 *   7. manifest     replaced by rename. Before: the old backup, whole. After: the new one, whole.
 *   8. tidy up      files that the new manifest does not name are removed. A crash leaves some for the next backup.
 *
 * Octets that an interrupted backup left are compared, not believed (`copy.ts`). A file that the store lost since the last backup
 * stays in the backup. Only one backup runs in a folder at a time.
 */
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { stateTable } from '../../catalog/schema.ts';
import { View } from '../../catalog/write-set.ts';
import { isStoreError, StoreError } from '../../errors.ts';
import { Heap } from '../../heap/heap.ts';
import type { SegmentState } from '../../heap/location.ts';
import { segmentName } from '../../heap/survey.ts';
import { isFileThere, removeIfThere } from '../../sys/files.ts';
import type { FileSystem } from '../../sys/fs.ts';
import type { Lsn } from '../../types.ts';
import type { LogKeeper, PinnedLog } from '../../writer/pins.ts';
import {
  backupLockName,
  heapPorts,
  machinePorts,
  making,
  openCatalog,
  type StoreOptions,
  type StorePorts,
} from '../../writer/store-directory.ts';
import { refuseSuspect } from '../checkpoint/make.ts';
import { type MadeCheckpoint, writeCheckpoint } from '../checkpoint/write.ts';
import { Pace } from '../pace.ts';
import { copyRange, hashRange, readFully } from './copy.ts';
import { backupFolders, makeFolders, tidyUp } from './folder.ts';
import {
  type BackedUpFile,
  type BackupManifest,
  type BackupSegment,
  readManifest,
  segmentBytes,
  writeManifest,
} from './manifest.ts';

/** How often the log is pinned before it is given up, and ms between: a new segment is durable within its first flush. */
const pinTries = 200;
const pinAgainMs = 5;

/** A file beside the store that belongs into a backup. */
export interface FileToBackUp {
  /** Its name in the store's directory. */
  readonly name: string;
  /** Writes a copy of it to a path where nothing is; false when there is no such file. */
  readonly write: (path: string) => Promise<boolean>;
}

export interface BackupOptions extends StoreOptions {
  readonly files?: readonly FileToBackUp[];
  /** Octets copied in a second; 0: as fast as it goes. */
  readonly rateBytes?: number;
  /** Told of octets of log that are done, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface BackupReport {
  readonly number: number;
  readonly durableLsn: Lsn;
  readonly segments: number;
  /** Octets of all that belongs to the backup, and of those that were written now. */
  readonly bytes: number;
  readonly writtenBytes: number;
  readonly checkpointLsn: number | undefined;
  readonly files: readonly string[];
  /** Segments that the store has lost: those of them that an earlier backup still has, and the others. */
  readonly keptSegments: readonly number[];
  readonly lostSegments: readonly number[];
  /** What a person should know. */
  readonly notes: readonly string[];
}

/**
 * Backs the store in `directory` up to `target`, beside its writer; durable on return.
 * @throws {StoreError} storeExists when the folder holds something else; locked while another backup runs there; diskFull, ioError …
 */
export async function backup(
  directory: string,
  target: string,
  writer: LogKeeper,
  options: BackupOptions = {},
): Promise<BackupReport> {
  const ports = options.ports ?? machinePorts;
  return making(target, async () => {
    await makeFolders(ports.fs, target);
    const lock = ports.lock(`${target}/${backupLockName}`);
    if (lock === undefined) throw new StoreError('locked', `another backup to ${target} is under way`);
    try {
      return await new Backup({ ports, directory, target, writer, options }).run();
    } finally {
      lock.release();
    }
  });
}

interface BackupParts {
  readonly ports: StorePorts;
  readonly directory: string;
  readonly target: string;
  readonly writer: LogKeeper;
  readonly options: BackupOptions;
}

class Backup {
  readonly #parts: BackupParts;
  readonly #fs: FileSystem;
  readonly #pace: Pace;
  readonly #notes: string[] = [];
  #before: BackupManifest | undefined;
  #writtenBytes = 0;

  constructor(parts: BackupParts) {
    this.#parts = parts;
    this.#fs = parts.ports.fs;
    this.#pace = new Pace({ clock: parts.ports.clock, rateBytes: parts.options.rateBytes ?? 0 });
  }

  async run(): Promise<BackupReport> {
    const { target, writer, ports } = this.#parts;
    this.#before = await this.#readBefore();
    const number = (this.#before?.number ?? 0) + 1;
    const first = await writer.pinLog();
    try {
      const { checkpoint, storeId } = await this.#checkpoint();
      const { pin: second, heap } = await this.#pinnedHeap();
      try {
        const copied = await this.#heap(heap, second.durableLsn).finally(() => heap.close());
        const files = await this.#files(number);
        for (const name of backupFolders) await this.#fs.syncDirectory(`${target}/${name}`);
        await this.#fs.syncDirectory(target);
        await this.#fs.syncDirectory(dirname(target));
        const { durableLsn } = second;
        const { segments, epoch } = copied;
        const time = ports.clock.now();
        const manifest = { store: storeId, number, time, durableLsn, epoch, segments, checkpoint, files };
        await writeManifest(this.#fs, target, manifest);
        await tidyUp(ports, target, manifest);
        return this.#report(manifest, durableLsn, copied);
      } finally {
        await second.release().catch(ignore);
      }
    } finally {
      await first.release().catch(ignore);
    }
  }

  /** The manifest there is; one that cannot be read does not keep a new backup from being made over it. */
  async #readBefore(): Promise<BackupManifest | undefined> {
    try {
      return await readManifest(this.#fs, this.#parts.target);
    } catch (error) {
      if (!isStoreError(error, 'corrupt')) throw error;
      this.#notes.push(`${error.message}; everything is compared anew`);
      return undefined;
    }
  }

  async #checkpoint(): Promise<{ checkpoint: BackupManifest['checkpoint']; storeId: string }> {
    const { ports, directory, target } = this.#parts;
    const heap = await Heap.openForReading(heapPorts(ports), directory);
    try {
      const storeId = heap.storeId.toString('hex');
      if (this.#before !== undefined && this.#before.store !== storeId) {
        throw new StoreError('storeExists', `${target} is the backup of another store`);
      }
      await refuseSuspect(ports, directory);
      const kv = await openCatalog(ports, directory, heap, true);
      try {
        const known = this.#before?.checkpoint ?? undefined;
        const { appliedLsn } = new View(kv).read(stateTable) ?? {};
        // Nothing was logged since: the file belongs to the backup that there is.
        const isKnown = known !== undefined && known.lsn === appliedLsn;
        if (isKnown && (await this.#isAsLong(`${target}/checkpoint/${known.path}`, known.bytes))) {
          return { checkpoint: known, storeId };
        }
        const made = await writeCheckpoint(ports, kv, `${target}/checkpoint`);
        return { checkpoint: await this.#checkpointFile(made), storeId };
      } catch (error) {
        if (!isStoreError(error, 'limitExceeded')) throw error;
        this.#notes.push(`${error.message}: a restore of this backup reads the whole log`);
        return { checkpoint: null, storeId };
      } finally {
        await kv.close();
      }
    } finally {
      await heap.close();
    }
  }

  async #checkpointFile(made: MadeCheckpoint): Promise<BackupManifest['checkpoint']> {
    this.#writtenBytes += made.bytes;
    const path = made.path.slice(made.path.lastIndexOf('/') + 1);
    return { path, bytes: made.bytes, sha256: await this.#hashFile(made.path, made.bytes), lsn: made.lsn };
  }

  async #hashFile(path: string, bytes: number): Promise<string> {
    const file = await this.#fs.open(path, 'read');
    try {
      const hash = await hashRange(file, { from: 0, to: bytes }, this.#pace);
      if (hash === undefined) throw new StoreError('ioError', `${path} became shorter while it was read`);
      return hash;
    } finally {
      await file.close();
    }
  }

  /**
   * The log as it is pinned. One whose newest segment was begun behind the pin is looked at again: its header may no longer list what
   * the newest header that is copied lists, and a backup holds what its newest header lists.
   */
  async #pinnedHeap(): Promise<{ readonly pin: PinnedLog; readonly heap: Heap }> {
    const { ports, directory, writer } = this.#parts;
    for (let tries = 0; tries < pinTries; tries++) {
      const pin = await writer.pinLog();
      try {
        const heap = await Heap.openForReading(heapPorts(ports), directory);
        if ((heap.segments().at(-1)?.baseLsn ?? 0) < pin.durableLsn) return { pin, heap };
        await heap.close();
      } catch (error) {
        await pin.release().catch(ignore);
        throw error;
      }
      await pin.release();
      await new Promise((resolve) => setTimeout(resolve, pinAgainMs));
    }
    throw new StoreError(
      'ioError',
      'segments are begun faster than the log can be pinned: try again, or make heap.segmentBytes larger',
    );
  }

  /** The log up to `durableLsn`: what the backup has of it, and what is new. */
  async #heap(heap: Heap, durableLsn: Lsn): Promise<CopiedHeap> {
    const { options } = this.#parts;
    this.#refuseOther(heap, durableLsn);
    const known = new Map(this.#before?.segments.map((segment) => [segment.number, segment]));
    const wanted = heap.segments().filter(({ baseLsn }) => baseLsn < durableLsn);
    const end = wanted.at(-1)?.endLsn ?? 0;
    if (end < durableLsn) {
      throw new StoreError('corrupt', `the log can be read up to ${end}; its writer has it up to ${durableLsn}`);
    }
    const total = wanted.reduce((sum, segment) => sum + wantedBytes(segment, durableLsn), 0);
    let done = 0;
    const segments: BackupSegment[] = [];
    for (const segment of wanted) {
      const to = wantedBytes(segment, durableLsn);
      segments.push(await this.#segment(segment.number, to, known.get(segment.number)));
      done += to;
      options.onProgress?.(done, total);
    }
    const lost = heap.lostSegments().map(({ damage }) => damage.segment);
    const kept = lost.flatMap((number) => known.get(number) ?? []);
    const all = [...segments, ...kept].sort((a, b) => a.number - b.number);
    const epoch = wanted.at(-1)?.epoch ?? heap.epoch;
    return { segments: all, epoch, kept: kept.map(({ number }) => number), lost };
  }

  /**
   * What the backup before ended with must lie in this log: not behind its end, and not between two segments, where a store that was
   * restored leaves out what the original gave. Segments alone do not tell, where the two went apart between two of them.
   * @throws {StoreError} storeExists
   */
  #refuseOther(heap: Heap, durableLsn: Lsn): void {
    const end = this.#before?.durableLsn ?? 0;
    const behind = heap.segments().find(({ baseLsn }) => baseLsn >= end);
    if (end <= durableLsn && (behind === undefined || behind.predecessorEnd >= end)) return;
    const text = `${this.#parts.target} has log that the store does not have: it is of another history of it, make a new folder`;
    throw new StoreError('storeExists', text);
  }

  async #segment(number: number, to: number, known: BackupSegment | undefined): Promise<BackupSegment> {
    const { directory, target } = this.#parts;
    const source = `${directory}/heap/${segmentName(number)}`;
    const path = `${target}/heap/${segmentName(number)}`;
    const headerCrc = await this.#headerCrc(source);
    const from = known === undefined ? 0 : segmentBytes(known);
    if (known !== undefined && (known.headerCrc !== headerCrc || from > to)) {
      throw new StoreError(
        'storeExists',
        `${target} has another segment ${number} than the store: it is of another history of it, make a new folder`,
      );
    }
    if (known !== undefined && !(await this.#isAsLong(path, from))) {
      this.#notes.push(`segment ${number} of the backup was cut or gone, and was copied anew`);
      return this.#segment(number, to, undefined);
    }
    if (known !== undefined && from === to) return known;
    const { sha256, writtenBytes } = await copyRange(this.#fs, source, path, { from, to }, this.#pace);
    this.#writtenBytes += writtenBytes;
    return { number, headerCrc, pieces: [...(known?.pieces ?? []), { bytes: to - from, sha256 }] };
  }

  async #headerCrc(path: string): Promise<number> {
    const file = await this.#fs.open(path, 'read');
    try {
      const octets = Buffer.alloc(headerBytes);
      return crc32(octets.subarray(0, await readFully(file, octets, 0)));
    } finally {
      await file.close();
    }
  }

  async #isAsLong(path: string, bytes: number): Promise<boolean> {
    if (!(await isFileThere(this.#fs, path))) return false;
    const file = await this.#fs.open(path, 'read');
    try {
      return (await file.size()) >= bytes;
    } finally {
      await file.close();
    }
  }

  async #files(number: number): Promise<BackedUpFile[]> {
    const { target, options } = this.#parts;
    const files: BackedUpFile[] = [];
    for (const { name, write } of options.files ?? []) {
      const path = `${number}.${name}`;
      const at = `${target}/files/${path}`;
      await removeIfThere(this.#fs, at);
      if (!(await write(at))) continue;
      const file = await this.#fs.open(at, 'write');
      let bytes: number;
      try {
        await file.datasync();
        bytes = await file.size();
      } finally {
        await file.close();
      }
      this.#writtenBytes += bytes;
      files.push({ name, path, bytes, sha256: await this.#hashFile(at, bytes) });
    }
    return files;
  }

  #report(manifest: Omit<BackupManifest, 'format'>, durableLsn: Lsn, copied: CopiedHeap): BackupReport {
    const heapBytes = manifest.segments.reduce((sum, segment) => sum + segmentBytes(segment), 0);
    const fileBytes = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      number: manifest.number,
      durableLsn,
      segments: manifest.segments.length,
      bytes: heapBytes + fileBytes + (manifest.checkpoint?.bytes ?? 0),
      writtenBytes: this.#writtenBytes,
      checkpointLsn: manifest.checkpoint?.lsn,
      files: manifest.files.map(({ name }) => name),
      keptSegments: copied.kept,
      lostSegments: copied.lost.filter((number) => !copied.kept.includes(number)),
      notes: this.#notes,
    };
  }
}

interface CopiedHeap {
  readonly epoch: number;
  readonly segments: BackupSegment[];
  readonly kept: readonly number[];
  /** Listed segments that the store cannot read. */
  readonly lost: readonly number[];
}

/** Octets of a segment's header that no other segment has: its fixed part. */
const headerBytes = 152;

/** Octets of a segment that are log up to `durableLsn`. */
function wantedBytes({ baseLsn, endLsn }: SegmentState, durableLsn: Lsn): number {
  return Math.min(endLsn, durableLsn) - baseLsn;
}

/** The pin is gone with the writer, or its connection. */
function ignore(): void {}
