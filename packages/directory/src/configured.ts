/** The built-in directory of a store, as its configuration wants it: one place knows where the file is and which keys concern it. */
import { join } from 'node:path';
import { SqliteDirectory, type SqliteDirectoryOptions } from './sqlite.ts';

/** The keys of a configuration that concern the directory. */
export interface DirectorySettings {
  readonly delivery: { readonly detailSeparator: string };
  /** Empty: logins without a domain are unknown. */
  readonly login: { readonly defaultDomain: string };
  readonly server: { readonly route: string };
}

/** The directory's file in a store's folder. */
export function directoryPath(folder: string): string {
  return join(folder, 'directory.sqlite');
}

/** Opens when it is first asked: a file that is missing is `unavailable`. @throws {DirectoryError} badAddress */
export function configuredDirectory(
  folder: string,
  { delivery, login, server }: DirectorySettings,
  options: Pick<SqliteDirectoryOptions, 'clock'> = {},
): SqliteDirectory {
  return new SqliteDirectory(directoryPath(folder), {
    detailSeparator: delivery.detailSeparator,
    storeServer: server.route,
    ...(login.defaultDomain !== '' && { defaultDomain: login.defaultDomain }),
    ...options,
  });
}
