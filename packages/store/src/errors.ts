/**
 * How the store says no. Three kinds of error exist: a `StoreError` (this file; the store refuses or cannot), a peer's
 * breach of protocol (the daemons'), and a failed `invariant` (our bug).
 *
 * The message is for the log: it may hold paths, locations and ids. What a client may read comes from its daemon's own
 * table, keyed by `code`.
 */

export type StoreErrorCode =
  | 'noStore' // the directory holds no store
  | 'storeExists' // init on a store
  | 'unfinished' // a restore into this directory was not finished
  | 'noBackup' // the directory holds no complete backup
  | 'newerFormat' // written by a later release
  | 'olderFormat' // written by an earlier release: upgrade
  | 'locked' // another writer holds the lock
  | 'noWriter' // no writer answers, or it went away before it answered
  | 'closed' // this store was closed
  | 'readOnly' // the store refuses changes after a device error
  | 'diskFull' // no space for this change
  | 'ioError' // the device failed
  | 'corrupt' // octets on disk are not what was written
  | 'lostLog' // the catalog is ahead of the heap: log octets are gone
  | 'catalogMissing' // CURRENT or its generation is gone: rebuild
  | 'noAccount'
  | 'accountExists'
  | 'noMailbox'
  | 'mailboxExists'
  | 'badName' // a name that no mailbox or account may bear
  | 'noMessage' // the UID names no message here
  | 'overQuota'
  | 'messageTooLarge'
  | 'limitExceeded' // a bound of limits.ts; the message says which
  | 'badIntent'; // a malformed request on the writer's socket, or from a caller

/** The store's refusal; `details` carries what a report needs (location, ids), never message content. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly details: Readonly<Record<string, string | number>>;

  constructor(
    code: StoreErrorCode,
    message: string,
    details: Readonly<Record<string, string | number>> = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.code = code;
    this.details = details;
  }
}

/** True when `error` is a StoreError with this code. */
export function isStoreError(error: unknown, code?: StoreErrorCode): error is StoreError {
  return error instanceof StoreError && (code === undefined || error.code === code);
}

/** Throws when our own reasoning is wrong; never for what a disk, peer or user can cause. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant failed: ${message}`);
}

/** The message of anything thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno name of a failed system call (`ENOENT` …), or undefined: other errors have codes as well. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return undefined;
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}
