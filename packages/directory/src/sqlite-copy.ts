/** A copy of the directory's file as it is at one moment, taken while others change it. */
import Database from 'better-sqlite3';
import { DirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import { asDirectoryError, createFile } from './sqlite-file.ts';

/**
 * Writes a copy to a path where nothing is, for the owner's eyes alone, as one file that needs no other; its octets are not synced.
 * @throws {DirectoryError} exists, unavailable
 */
export async function copyDirectoryFile(path: string, target: string): Promise<void> {
  createFile(target);
  try {
    const source = new Database(path, { readonly: true, fileMustExist: true, timeout: limits.writeWaitMs });
    try {
      await source.backup(target);
    } finally {
      source.close();
    }
    const copy = new Database(target, { fileMustExist: true });
    try {
      // Else it would need the file of its log beside it.
      copy.pragma('journal_mode = DELETE');
      const verdict = String(copy.pragma('integrity_check', { simple: true }));
      if (verdict !== 'ok') throw new DirectoryError('unavailable', `${path} is damaged: ${verdict}`);
    } finally {
      copy.close();
    }
  } catch (error) {
    throw asDirectoryError(error, path);
  }
}
