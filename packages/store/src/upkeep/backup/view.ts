/**
 * A backup as its manifest has it, through the port of the file system, for reading alone: of each segment the octets that belong to
 * the backup and no more, and no segment that does not. An unfinished later backup in the same folder is so never seen.
 */
import { dirname } from 'node:path';
import { StoreError } from '../../errors.ts';
import { segmentName } from '../../heap/survey.ts';
import { listIfThere } from '../../sys/files.ts';
import type { FileHandle, FileSystem, OpenMode } from '../../sys/fs.ts';
import { type BackupManifest, segmentBytes } from './manifest.ts';

export function backupView(fs: FileSystem, directory: string, manifest: BackupManifest): FileSystem {
  const heap = `${directory}/heap`;
  const bytes = new Map(manifest.segments.map((one) => [`${heap}/${segmentName(one.number)}`, segmentBytes(one)]));
  const refuse = async (): Promise<never> => {
    throw new StoreError('readOnly', `the backup in ${directory} is only read`);
  };
  return {
    open: async (path: string, mode: OpenMode): Promise<FileHandle> => {
      if (mode !== 'read') return refuse();
      const most = dirname(path) === heap ? (bytes.get(path) ?? 0) : Number.POSITIVE_INFINITY;
      return cut(await fs.open(path, 'read'), most);
    },
    list: async (at: string) =>
      (await listIfThere(fs, at)).filter((name) => at !== heap || bytes.has(`${heap}/${name}`)),
    makeDirectory: refuse,
    rename: refuse,
    unlink: refuse,
    syncDirectory: refuse,
  };
}

/** The first `most` octets of a file. */
function cut(file: FileHandle, most: number): FileHandle {
  const refuse = async (): Promise<never> => {
    throw new StoreError('readOnly', 'a backup is only read');
  };
  return {
    read: async (buffer, offset, length, position) => {
      const wanted = Math.min(length, most - position);
      return wanted <= 0 ? 0 : file.read(buffer, offset, wanted, position);
    },
    size: async () => Math.min(await file.size(), most),
    write: refuse,
    datasync: refuse,
    close: () => file.close(),
  };
}
