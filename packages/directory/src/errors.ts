/**
 * How the directory says that it cannot answer, or will not change. That an address or a login is unknown is an answer, not
 * an error: see `Resolution` and `Authentication` in directory.ts.
 *
 * The message is for the log: it may hold paths, addresses and ids, never a password or a hash. What a client may read comes
 * from its daemon's own table, keyed by `code`.
 */

export type DirectoryErrorCode =
  | 'unavailable' // cannot tell now: file missing, locked, damaged or of another release, or too many passwords to check
  | 'closed' // this directory was closed
  | 'exists' // the domain, the user or the directory is there already
  | 'noDomain'
  | 'noUser'
  | 'noAlias'
  | 'domainInUse' // users or aliases bear the domain, or aliases lead into it
  | 'badAddress' // no address or domain that could be one of ours
  | 'badPassword' // empty, too long, holds a control character, or a hash that we cannot verify
  | 'badQuota'
  | 'badTarget' // an alias may not lead there: outside our domains, or in a circle
  | 'limitExceeded'; // a bound of limits.ts; the message says which

/** The directory's refusal. */
export class DirectoryError extends Error {
  readonly code: DirectoryErrorCode;

  constructor(code: DirectoryErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DirectoryError';
    this.code = code;
  }
}

/** True when `error` is a DirectoryError with this code. */
export function isDirectoryError(error: unknown, code?: DirectoryErrorCode): error is DirectoryError {
  return error instanceof DirectoryError && (code === undefined || error.code === code);
}

/** The message of anything thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The name that Node, SQLite and others give a failure (`ENOENT`, `SQLITE_BUSY` …), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
