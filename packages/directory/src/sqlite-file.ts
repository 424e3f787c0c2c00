/**
 * The SQLite file: opening it for reading or for changes, bringing its schema up to date, and telling what SQLite's errors
 * mean. Nothing else opens the file.
 *
 * A reader waits for no lock: it would stop the event loop. In WAL mode it meets one only while another process recovers or
 * tidies up, and then asks again later.
 */
import { closeSync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import { codeOf, DirectoryError, errorText } from './errors.ts';
import { limits } from './limits.ts';
import { migrations, schemaVersion } from './schema/migrations.ts';

/** True for an error that asking again soon may cure. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(?:BUSY|LOCKED)/.test(codeOf(error) ?? '');
}

/** What a failure of SQLite means to those who asked; everything it may do is "cannot tell now". */
export function asDirectoryError(error: unknown, path: string): DirectoryError {
  if (error instanceof DirectoryError) return error;
  if (codeOf(error) === 'SQLITE_FULL' && errorText(error).includes('database or disk is full')) {
    return new DirectoryError('unavailable', `no space to change ${path}, or no user id is left`, error);
  }
  if (codeOf(error) === 'SQLITE_IOERR_SHMSIZE') {
    return new DirectoryError('unavailable', `there is no room for what SQLite keeps beside ${path}`, error);
  }
  return new DirectoryError('unavailable', `${path}: ${errorText(error)}`, error);
}

function versionOf(connection: Database.Database): number {
  return Number(connection.pragma('user_version', { simple: true }));
}

/** Opens the file for reading. @throws {DirectoryError} unavailable @throws a busy error of SQLite */
export function openForReading(path: string): Database.Database {
  let connection: Database.Database | undefined;
  try {
    connection = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
    const version = versionOf(connection);
    if (version !== schemaVersion) {
      const release = version > schemaVersion ? 'a later release' : 'an earlier release, or is empty';
      throw new DirectoryError('unavailable', `${path} is of ${release}: schema ${version}, not ${schemaVersion}`);
    }
    return connection;
  } catch (error) {
    connection?.close();
    if (isBusy(error)) throw error;
    throw asDirectoryError(error, path);
  }
}

function migrate(connection: Database.Database, path: string): void {
  const step = connection.transaction((): boolean => {
    const version = versionOf(connection);
    if (version > schemaVersion) {
      throw new DirectoryError('unavailable', `${path} is of a later release: schema ${version}, not ${schemaVersion}`);
    }
    const sql = migrations[version];
    if (sql === undefined) return false;
    connection.exec(sql);
    connection.pragma(`user_version = ${version + 1}`);
    return true;
  });
  // Each step looks at the version under the lock: another process may be doing the same.
  while (step.immediate());
}

/**
 * Opens the file for changes and brings its schema up to date; waits for other processes, so in sqlite-worker.ts only.
 * @throws {DirectoryError} unavailable
 */
export function openForChanges(path: string): Database.Database {
  return opened(path, false);
}

function opened(path: string, isNew: boolean): Database.Database {
  let connection: Database.Database | undefined;
  try {
    connection = new Database(path, { fileMustExist: true, timeout: limits.writeWaitMs });
    if (!isNew && versionOf(connection) === 0) {
      // A copy that failed, perhaps. As a directory with nobody in it, it would refuse mail for good.
      const remedy = 'bring it back, or move it away and let `mstore init` make one with nobody in it';
      throw new DirectoryError('unavailable', `${path} is empty: ${remedy}`);
    }
    connection.pragma('journal_mode = WAL');
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = ON');
    if (versionOf(connection) !== schemaVersion) migrate(connection, path);
    return connection;
  } catch (error) {
    connection?.close();
    throw asDirectoryError(error, path);
  }
}

/** Makes an empty file that only its owner may read: it will hold passwords. @throws {DirectoryError} exists, unavailable */
export function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw new DirectoryError('exists', `${path} is there already`, error);
    throw asDirectoryError(error, path);
  }
}

/** Makes an empty directory, open for changes for a moment only. @throws {DirectoryError} exists, unavailable */
export function createDirectory(path: string): void {
  createFile(path);
  opened(path, true).close();
}
