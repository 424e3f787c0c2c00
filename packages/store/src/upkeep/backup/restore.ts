/**
 * Restore of a whole store, into a folder of its own.
 *
 * Clients of the store have seen numbers that the backup does not know: UIDs, MODSEQs, ids of mailboxes and threads, UIDVALIDITYs.
 * None of them may come to name something else. So the restored store begins with an event *restored* (docs/format/log.md) that
 * passes over what can have been given since, as many times as the backup was restored: that is kept in the backup itself, as the
 * highest epoch that a store which came out of it got.
 *
 * In order, and what a crash between any two leaves:
 *
 *   1. mark       `restore.unfinished` in the new folder, durable: from now on no store opens there, and the restore can be repeated.
 *   2. count      the new epoch, durable in the backup. A crash from here on wastes one: the next restore's is higher.
 *   3. clear      what an earlier attempt left in the folder.
 *   4. copy       segments, checkpoint, files: compared with their SHA-256, and synced.
 *   5. rebuild    a catalog from the checkpoint and the log behind it; the event, in a new segment of a higher epoch with a number
 *                 and LSNs that the lost log cannot have used; the catalog is named.
 *   6. unmark     the mark is removed and the folder synced: a store. Before, none.
 *
 * What is damaged in the backup is named and restored all the same: some mail is better than none.
 */
import { dirname } from 'node:path';
import { isGenerationFile } from '../../catalog/generations.ts';
import { errnoOf, isStoreError, StoreError } from '../../errors.ts';
import { isSegmentName, segmentName } from '../../heap/survey.ts';
import { isFileThere, listIfThere, removeIfThere } from '../../sys/files.ts';
import type { FileSystem } from '../../sys/fs.ts';
import {
  backupLockName,
  catalogDirectory,
  isStore,
  machinePorts,
  making,
  type StoreOptions,
  type StorePorts,
  takeLock,
  unfinishedName,
} from '../../writer/store-directory.ts';
import { checkpointDirectory, isCheckpointFile } from '../checkpoint/read.ts';
import { Pace } from '../pace.ts';
import { type RebuildReport, rebuildLocked } from '../rebuild.ts';
import { copyRange } from './copy.ts';
import { type BackupManifest, countRestore, needManifest, segmentBytes } from './manifest.ts';

export interface RestoreOptions extends StoreOptions {
  /** Octets copied in a second; 0: as fast as it goes. */
  readonly rateBytes?: number;
  /** The highest epoch that the store had after restores of other backups, or of other copies of this one. */
  readonly epochAbove?: number;
  /** Told of octets of log that are copied, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface RestoreReport {
  readonly manifest: BackupManifest;
  /** Which restore of this backup it was. */
  readonly restores: number;
  readonly bytes: number;
  readonly files: readonly string[];
  /** What is wrong with the backup's files. */
  readonly findings: readonly string[];
  readonly rebuilt: RebuildReport;
}

/**
 * Restores the backup in `source` into `directory`, which is new, or was left by a restore that did not finish.
 * @throws {StoreError} noBackup, corrupt when the manifest is damaged, storeExists, locked, diskFull, ioError
 */
export async function restoreStore(
  source: string,
  directory: string,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  const ports = options.ports ?? machinePorts;
  return making(directory, async () => {
    const manifest = await needManifest(ports.fs, source);
    await refuseOthers(ports.fs, directory, manifest);
    await ports.fs.makeDirectory(directory);
    const lock = takeLock(ports, directory);
    // A backup that is made meanwhile would take files away.
    const sourceLock = ports.lock(`${source}/${backupLockName}`);
    try {
      if (sourceLock === undefined) throw new StoreError('locked', `a backup to ${source} is under way`);
      return await new Restore(ports, source, directory, manifest, options).run();
    } finally {
      sourceLock?.release();
      lock.release();
    }
  });
}

/**
 * Refuses a folder with a store, or with a file that the restore would write over: users of a store that lost its heap may be newer
 * than the backup's. @throws {StoreError} storeExists
 */
async function refuseOthers(fs: FileSystem, directory: string, manifest: BackupManifest): Promise<void> {
  if (await isFileThere(fs, `${directory}/${unfinishedName}`)) return;
  const isThere = (await isStore(fs, directory)) || (await isFileThere(fs, `${directory}/catalog/CURRENT`));
  if (isThere) throw new StoreError('storeExists', `${directory} holds a store: name a folder that does not exist yet`);
  const [first] = await ofFiles(fs, directory, manifest);
  if (first === undefined) return;
  const text = `${directory} holds ${first}, and the backup has its own: move it away, or name a folder that does not exist yet`;
  throw new StoreError('storeExists', text);
}

/** What is there of the files beside a store. SQLite's log of a file bears its name and more, and is read into whatever has the name. */
async function ofFiles(fs: FileSystem, directory: string, { files }: BackupManifest): Promise<string[]> {
  const there = await listIfThere(fs, directory);
  return there.filter((found) => files.some(({ name }) => found === name || found.startsWith(`${name}-`))).sort();
}

class Restore {
  readonly #ports: StorePorts;
  readonly #fs: FileSystem;
  readonly #source: string;
  readonly #directory: string;
  readonly #manifest: BackupManifest;
  readonly #options: RestoreOptions;
  readonly #pace: Pace;
  readonly #findings: string[] = [];
  #bytes = 0;

  constructor(ports: StorePorts, source: string, directory: string, manifest: BackupManifest, options: RestoreOptions) {
    this.#ports = ports;
    this.#fs = ports.fs;
    this.#source = source;
    this.#directory = directory;
    this.#manifest = manifest;
    this.#options = options;
    this.#pace = new Pace({ clock: ports.clock, rateBytes: options.rateBytes ?? 0 });
  }

  async run(): Promise<RestoreReport> {
    const directory = this.#directory;
    const fs = this.#fs;
    await this.#mark();
    // A clock that was set back would give MODSEQs that were given before.
    const now = Math.max(this.#ports.clock.now(), this.#manifest.time);
    const { epochAbove } = this.#options;
    const begun = await countRestore(fs, this.#source, this.#manifest, { now, epochAbove });
    await this.#clear();
    for (const name of ['heap', 'checkpoint', 'run', 'lost+found']) await fs.makeDirectory(`${directory}/${name}`);
    await this.#segments();
    await this.#others();
    for (const name of ['heap', 'checkpoint']) await fs.syncDirectory(`${directory}/${name}`);
    await fs.syncDirectory(directory);
    const rebuilt = await rebuildLocked(directory, this.#options, begun);
    await fs.unlink(`${directory}/${unfinishedName}`);
    await fs.syncDirectory(directory);
    return {
      manifest: this.#manifest,
      restores: begun.restores,
      bytes: this.#bytes,
      files: this.#manifest.files.map(({ name }) => name),
      findings: this.#findings,
      rebuilt,
    };
  }

  async #mark(): Promise<void> {
    const path = `${this.#directory}/${unfinishedName}`;
    if (!(await isFileThere(this.#fs, path))) {
      const file = await this.#fs.open(path, 'create');
      try {
        await file.write(
          [Buffer.from('mstore restore fills this folder; it is no store until this file is gone.\n')],
          0,
        );
        await file.datasync();
      } finally {
        await file.close();
      }
    }
    await this.#fs.syncDirectory(this.#directory);
    await this.#fs.syncDirectory(dirname(this.#directory));
  }

  /** Removes what an earlier attempt left, but for segments that may be right; what is no store's stays. */
  async #clear(): Promise<void> {
    const directory = this.#directory;
    const wanted = new Map(this.#manifest.segments.map((one) => [segmentName(one.number), segmentBytes(one)]));
    for (const name of await listIfThere(this.#fs, `${directory}/heap`)) {
      const path = `${directory}/heap/${name}`;
      if (!isSegmentName(name)) continue;
      if ((await this.#length(path)) > (wanted.get(name) ?? -1)) await removeIfThere(this.#fs, path);
    }
    const checkpoints = checkpointDirectory(directory);
    for (const name of await listIfThere(this.#fs, checkpoints)) {
      if (isCheckpointFile(name)) await removeIfThere(this.#fs, `${checkpoints}/${name}`);
    }
    const catalogs = catalogDirectory(directory);
    await removeIfThere(this.#fs, `${catalogs}/CURRENT`);
    for (const name of await listIfThere(this.#fs, catalogs)) {
      if (isGenerationFile(name)) await this.#ports.removeKv?.(`${catalogs}/${name}`);
    }
    const left = await ofFiles(this.#fs, directory, this.#manifest);
    for (const name of left) await removeIfThere(this.#fs, `${directory}/${name}`);
  }

  async #length(path: string): Promise<number> {
    const file = await this.#fs.open(path, 'read');
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  }

  async #segments(): Promise<void> {
    const total = this.#manifest.segments.reduce((sum, segment) => sum + segmentBytes(segment), 0);
    let done = 0;
    for (const { number, pieces } of this.#manifest.segments) {
      const name = `heap/${segmentName(number)}`;
      let from = 0;
      for (const { bytes, sha256 } of pieces) {
        await this.#copy(name, name, { from, to: from + bytes }, sha256);
        from += bytes;
        done += bytes;
        this.#options.onProgress?.(done, total);
      }
    }
  }

  async #others(): Promise<void> {
    const { checkpoint, files } = this.#manifest;
    if (checkpoint !== null) {
      const name = `checkpoint/${checkpoint.path}`;
      await this.#copy(name, name, { from: 0, to: checkpoint.bytes }, checkpoint.sha256);
    }
    for (const { path, name, bytes, sha256 } of files) {
      await this.#copy(`files/${path}`, name, { from: 0, to: bytes }, sha256);
    }
  }

  /** Copies a range; what is wrong with it is a finding. */
  async #copy(
    from: string,
    to: string,
    range: { readonly from: number; readonly to: number },
    sha256: string,
  ): Promise<void> {
    const source = `${this.#source}/${from}`;
    try {
      const copied = await copyRange(this.#fs, source, `${this.#directory}/${to}`, range, this.#pace);
      this.#bytes += range.to - range.from;
      if (copied.sha256 !== sha256) {
        this.#findings.push(`${source}: octets ${range.from} to ${range.to} are not those it was made with`);
      }
    } catch (error) {
      if (isStoreError(error, 'corrupt')) this.#findings.push(error.message);
      else if (errnoOf(error) === 'ENOENT') this.#findings.push(`${source} is missing`);
      else throw error;
    }
  }
}
