/**
 * What each failure of the store and of the directory means to a recipient, and whether trying again can help. How that is
 * said is the protocol's: replies in `reply.ts`.
 */
import { type DirectoryError, type DirectoryErrorCode, isDirectoryError } from '@mstore/directory';
import { isStoreError, type StoreError, type StoreErrorCode } from '@mstore/store';
import type { Refusal, RefusalKind } from './delivery.ts';

/** Every code of the store. What a bounce would not mend is temporary: an administrator will. */
const storeRefusals: Readonly<Record<StoreErrorCode, RefusalKind>> = {
  noStore: 'storage',
  storeExists: 'storage',
  unfinished: 'storage',
  noBackup: 'storage',
  newerFormat: 'storage',
  olderFormat: 'storage',
  locked: 'storage',
  noWriter: 'storage',
  closed: 'storage',
  readOnly: 'storage',
  diskFull: 'diskFull',
  ioError: 'storage',
  corrupt: 'storage',
  lostLog: 'storage',
  catalogMissing: 'storage',
  // Deleted while the directory still names its owner, or somebody else's under that id.
  noAccount: 'storage',
  accountExists: 'storage',
  noMailbox: 'storage',
  mailboxExists: 'storage',
  badName: 'storage',
  noMessage: 'storage',
  overQuota: 'overQuota',
  messageTooLarge: 'tooLarge',
  limitExceeded: 'storage',
  badIntent: 'storage',
};

/** Every code of the directory: "no such user" is an answer, none of these. */
const directoryRefusals: Readonly<Record<DirectoryErrorCode, RefusalKind>> = {
  unavailable: 'unavailable',
  closed: 'unavailable',
  exists: 'unavailable',
  noDomain: 'unavailable',
  noUser: 'unavailable',
  noAlias: 'unavailable',
  domainInUse: 'unavailable',
  badAddress: 'unavailable',
  badPassword: 'unavailable',
  badQuota: 'unavailable',
  badTarget: 'unavailable',
  limitExceeded: 'unavailable',
};

/** Whether the mail server is to try again; `overQuota` is for the administrator to say. */
const temporary: Readonly<Record<Exclude<RefusalKind, 'overQuota'>, boolean>> = {
  badAddress: false,
  unknownUser: false,
  foreign: false,
  loop: false,
  tooManyTargets: false,
  notHere: true,
  tooLarge: false,
  tooManyRecipients: true,
  unavailable: true,
  diskFull: true,
  storage: true,
};

/** True when the mail server is to try again. */
export function isTemporary(kind: RefusalKind, overQuota: 'temporary' | 'permanent'): boolean {
  return kind === 'overQuota' ? overQuota === 'temporary' : temporary[kind];
}

export function refusal(kind: RefusalKind, text: string): Refusal {
  return { ok: false, kind, text };
}

/** What a code of the store means to a recipient. */
export function storeRefusal(code: StoreErrorCode, text: string): Refusal {
  return refusal(storeRefusals[code], text);
}

/** A failure as a refusal. @throws what is neither the store's nor the directory's: a bug */
export function refusalOf(error: unknown): Refusal {
  if (isStoreError(error)) return ofStore(error);
  if (isDirectoryError(error)) return ofDirectory(error);
  throw error;
}

function ofStore({ code, message }: StoreError): Refusal {
  return storeRefusal(code, message);
}

function ofDirectory({ code, message }: DirectoryError): Refusal {
  return refusal(directoryRefusals[code], message);
}
