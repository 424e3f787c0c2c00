/** The directory's face for daemons and commands. */
export { detailOf, formatAddress, normalAddress, normalDomain } from './address.ts';
export {
  type AdministrationOptions,
  DirectoryAdministration,
  type ImportOptions,
  type ImportProblem,
  type ImportReport,
  type KnownIds,
  type NewUser,
  type Quota,
} from './administration.ts';
export { CachedDirectory, type CacheOptions } from './cache.ts';
export type { Alias, Page } from './change-form.ts';
export { configuredDirectory, type DirectorySettings, directoryPath } from './configured.ts';
export type {
  Authentication,
  ChangeListener,
  Directory,
  DirectoryChange,
  DirectoryChanges,
  LoginAttempt,
  Resolution,
  ScramVerifier,
  Target,
} from './directory.ts';
export { DirectoryError, type DirectoryErrorCode, isDirectoryError } from './errors.ts';
export { parseQuota } from './import-line.ts';
export { limits } from './limits.ts';
export type { PasswordOptions } from './password.ts';
export { SqliteDirectory, type SqliteDirectoryOptions } from './sqlite.ts';
export { copyDirectoryFile } from './sqlite-copy.ts';
export { type User, type UserId, userId } from './types.ts';
