/**
 * The folder of a backup: what makes it one, and which files in it are a backup's to remove.
 *
 * `backup.lock` stands there before any segment does, durably. So a first backup that was interrupted is told from a folder with
 * segments that somebody put there, the copy of a store perhaps, which a backup would write over. Files with names that no backup
 * gives are somebody's own, and stay.
 */
import { errnoOf, StoreError } from '../../errors.ts';
import { isFileThere, listIfThere, removeIfThere } from '../../sys/files.ts';
import type { FileSystem } from '../../sys/fs.ts';
import { backupLockName } from '../../writer/store-directory.ts';
import { isCheckpointFile } from '../checkpoint/read.ts';
import { type BackupManifest, manifestPath } from './manifest.ts';
import { isSegmentFile, segmentFile } from './view.ts';

export const backupFolders = ['heap', 'checkpoint', 'files'] as const;

/** Names that a backup gives in each of its folders. */
const isOurs: Readonly<Record<(typeof backupFolders)[number], (name: string) => boolean>> = {
  heap: isSegmentFile,
  checkpoint: isCheckpointFile,
  files: (name) => /^\d+\./.test(name),
};

/** Makes what a backup needs in its folder. @throws {StoreError} storeExists when that holds something else */
export async function makeFolders(fs: FileSystem, target: string): Promise<void> {
  for (const name of ['catalog/CURRENT', 'writer.lock']) {
    if (await isFileThere(fs, `${target}/${name}`)) {
      throw new StoreError('storeExists', `${target} is a store: name a folder of its own for the backup`);
    }
  }
  const lock = `${target}/${backupLockName}`;
  const isBackup = (await isFileThere(fs, lock)) || (await isFileThere(fs, manifestPath(target)));
  if (!isBackup && (await listIfThere(fs, `${target}/heap`)).some(isSegmentFile)) {
    const text = `${target} holds segments and is no backup: name a folder of its own for the backup`;
    throw new StoreError('storeExists', text);
  }
  await fs.makeDirectory(target);
  await makeFile(fs, lock);
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

/** Removes what earlier backups left and the manifest, which is durable, does not name. */
export async function tidyUp(
  fs: FileSystem,
  target: string,
  { segments, checkpoint, files }: Pick<BackupManifest, 'segments' | 'checkpoint' | 'files'>,
): Promise<void> {
  const named: Readonly<Record<(typeof backupFolders)[number], ReadonlySet<string>>> = {
    heap: new Set(segments.map(({ number }) => segmentFile(number))),
    checkpoint: new Set(checkpoint === null ? [] : [checkpoint.path]),
    files: new Set(files.map(({ path }) => path)),
  };
  for (const folder of backupFolders) {
    for (const name of await listIfThere(fs, `${target}/${folder}`)) {
      if (isOurs[folder](name) && !named[folder].has(name)) await removeIfThere(fs, `${target}/${folder}/${name}`);
    }
  }
}
