/**
 * The folder of a backup: what makes it one, and which files in it are a backup's to remove.
 *
 * `backup.lock` stands there before any segment does, durably. So a first backup that was interrupted is told from a folder with
 * segments that somebody put there, the copy of a store perhaps, which a backup would write over. Files with names that no backup
 * gives are somebody's own, and stay.
 *
 * Who reads a backup for long shares the lock of `backup.readers`. A backup that is made meanwhile takes no file away: what the reader's
 * manifest names stays as it is, and the next backup tidies up.
 */
import { errnoOf, StoreError } from '../../errors.ts';
import { isSegmentName, segmentName } from '../../heap/survey.ts';
import type { FileLock } from '../../sys/file-lock.ts';
import { isFileThere, listIfThere, removeIfThere } from '../../sys/files.ts';
import type { FileSystem } from '../../sys/fs.ts';
import { backupLockName, type StorePorts } from '../../writer/store-directory.ts';
import { isCheckpointFile } from '../checkpoint/read.ts';
import { type BackupManifest, manifestPath, needManifest } from './manifest.ts';

export const backupFolders = ['heap', 'checkpoint', 'files'] as const;

/** Names that a backup gives in each of its folders. */
const isOurs: Readonly<Record<(typeof backupFolders)[number], (name: string) => boolean>> = {
  heap: isSegmentName,
  checkpoint: isCheckpointFile,
  files: (name) => /^\d+\./.test(name),
};

const readersName = 'backup.readers';
/** How often it is tried to share the lock that who tidies up has alone, and ms between. */
const shareTries = 300;
const shareAgainMs = 100;

/**
 * Keeps the files that the manifest names, which is to be read behind this, until the lock is released.
 * @throws {StoreError} noBackup, locked
 */
export async function keepFiles(ports: StorePorts, directory: string): Promise<FileLock> {
  await needManifest(ports.fs, directory);
  for (let tries = 0; tries < shareTries; tries++) {
    const lock = shareIfPossible(ports, `${directory}/${readersName}`);
    if (lock !== undefined) return lock;
    await new Promise((resolve) => setTimeout(resolve, shareAgainMs));
  }
  throw new StoreError('locked', `a backup to ${directory} is tidying up`);
}

/**
 * Who may not open the file reads without a lock. It is never made here: root's would be in the way of the backups that the service's
 * user makes. A folder without one is an earlier release's.
 */
function shareIfPossible(ports: StorePorts, path: string): FileLock | undefined {
  const nothing = { release: (): void => undefined };
  try {
    return ports.share === undefined ? nothing : ports.share(path);
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return nothing;
    throw error;
  }
}

/** Makes what a backup needs in its folder. @throws {StoreError} storeExists when that holds something else */
export async function makeFolders(fs: FileSystem, target: string): Promise<void> {
  for (const name of ['catalog/CURRENT', 'writer.lock']) {
    if (await isFileThere(fs, `${target}/${name}`)) {
      throw new StoreError('storeExists', `${target} is a store: name a folder of its own for the backup`);
    }
  }
  const lock = `${target}/${backupLockName}`;
  const isBackup = (await isFileThere(fs, lock)) || (await isFileThere(fs, manifestPath(target)));
  if (!isBackup && (await listIfThere(fs, `${target}/heap`)).some(isSegmentName)) {
    const text = `${target} holds segments and is no backup: name a folder of its own for the backup`;
    throw new StoreError('storeExists', text);
  }
  await fs.makeDirectory(target);
  await makeFile(fs, lock);
  await makeFile(fs, `${target}/${readersName}`);
  await fs.syncDirectory(target);
  for (const name of backupFolders) await fs.makeDirectory(`${target}/${name}`);
}

async function makeFile(fs: FileSystem, path: string): Promise<void> {
  try {
    await (await fs.open(path, 'create')).close();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** Removes what earlier backups left and the manifest, which is durable, does not name; nothing while somebody reads one. */
export async function tidyUp(
  ports: StorePorts,
  target: string,
  manifest: Omit<BackupManifest, 'format'>,
): Promise<void> {
  const lock = ports.lock(`${target}/${readersName}`);
  if (lock === undefined) return;
  try {
    await removeUnnamed(ports.fs, target, manifest);
  } finally {
    lock.release();
  }
}

async function removeUnnamed(
  fs: FileSystem,
  target: string,
  { segments, checkpoint, files }: Omit<BackupManifest, 'format'>,
): Promise<void> {
  const named: Readonly<Record<(typeof backupFolders)[number], ReadonlySet<string>>> = {
    heap: new Set(segments.map(({ number }) => segmentName(number))),
    checkpoint: new Set(checkpoint === null ? [] : [checkpoint.path]),
    files: new Set(files.map(({ path }) => path)),
  };
  for (const folder of backupFolders) {
    for (const name of await listIfThere(fs, `${target}/${folder}`)) {
      if (isOurs[folder](name) && !named[folder].has(name)) await removeIfThere(fs, `${target}/${folder}/${name}`);
    }
  }
}
