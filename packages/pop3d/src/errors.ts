/**
 * What POP3 clients are told when something fails: one line for each code of the store, the directory and the network, so that a
 * new code does not compile until it has one. Texts name no path, no id and nothing that a peer sent.
 *
 * `[SYS/TEMP]` and `[SYS/PERM]` (RFC 3206 §4) keep a client from asking for another password; `[AUTH]` (§5) makes it ask.
 */
import { type DirectoryErrorCode, isDirectoryError } from '@mstore/directory';
import { isPeerError, type PeerErrorCode } from '@mstore/net';
import { isStoreError, type StoreErrorCode } from '@mstore/store';

/** A negative answer: its response code (RFC 2449 §8), empty for none, and its text. */
export interface Refusal {
  readonly code: '' | 'AUTH' | 'SYS/TEMP' | 'SYS/PERM' | 'LOGIN-DELAY';
  readonly text: string;
}

function temporary(text: string): Refusal {
  return { code: 'SYS/TEMP', text };
}

function permanent(text: string): Refusal {
  return { code: 'SYS/PERM', text };
}

function plain(text: string): Refusal {
  return { code: '', text };
}

const tryLater = temporary('the mail store cannot answer now, try again later');
const cannotChange = temporary('the mail store takes no changes now, try again later');
const notYours = permanent('this mailbox cannot be opened, tell the administrator');
const ourMistake = permanent('an error of the mail store, tell the administrator');

const ofStore: Readonly<Record<StoreErrorCode, Refusal>> = {
  noStore: tryLater,
  storeExists: ourMistake,
  unfinished: tryLater,
  noBackup: ourMistake,
  newerFormat: tryLater,
  olderFormat: tryLater,
  locked: tryLater,
  noWriter: cannotChange,
  closed: tryLater,
  readOnly: cannotChange,
  diskFull: cannotChange,
  ioError: tryLater,
  corrupt: permanent('this message is damaged, tell the administrator'),
  lostLog: tryLater,
  catalogMissing: tryLater,
  noAccount: notYours,
  accountExists: notYours,
  noMailbox: notYours,
  mailboxExists: ourMistake,
  badName: notYours,
  noMessage: plain('this message is gone'),
  overQuota: ourMistake,
  messageTooLarge: ourMistake,
  limitExceeded: ourMistake,
  badIntent: ourMistake,
};

const cannotTell = temporary('logins cannot be checked now, try again later');

const ofDirectory: Readonly<Record<DirectoryErrorCode, Refusal>> = {
  unavailable: cannotTell,
  closed: cannotTell,
  exists: cannotTell,
  noDomain: cannotTell,
  noUser: cannotTell,
  noAlias: cannotTell,
  domainInUse: cannotTell,
  badAddress: cannotTell,
  badPassword: cannotTell,
  badQuota: cannotTell,
  badTarget: cannotTell,
  limitExceeded: cannotTell,
};

const lineTooLong = plain('the line is too long');

/** Undefined: the connection is of no more use. */
const ofPeer: Readonly<Record<PeerErrorCode, Refusal | undefined>> = {
  gone: undefined,
  timeout: undefined,
  lineTooLong,
  lineEndless: undefined,
  bareLineFeed: plain('a line ends with CRLF'),
  saslAborted: plain('login given up'),
  saslMalformed: plain('this is no answer to the challenge'),
  unreadBeforeUpgrade: undefined,
};

/** What a client is told of a failure; undefined when the session cannot go on. */
export function refusalFor(error: unknown): Refusal | undefined {
  if (isStoreError(error)) return ofStore[error.code];
  if (isDirectoryError(error)) return ofDirectory[error.code];
  return isPeerError(error) ? ofPeer[error.code] : undefined;
}

/** What a session itself says no to. */
type RefusalName =
  | 'unknown'
  | 'lineTooLong'
  | 'arguments'
  | 'logInFirst'
  | 'loggedIn'
  | 'noApop'
  | 'userFirst'
  | 'noMechanism'
  | 'noMessage'
  | 'deleted'
  | 'tooManyErrors'
  | 'stopping'
  | 'loginTooLate'
  | 'wrong'
  | 'otherIdentity'
  | 'disabled'
  | 'elsewhere'
  | 'locked'
  | 'loginDelay'
  | 'notExpunged'
  | 'tooManyConnections';

export const refusals: Readonly<Record<RefusalName, Refusal>> = {
  unknown: plain('no such command'),
  lineTooLong,
  arguments: plain('the arguments do not fit this command'),
  logInFirst: plain('not before the login'),
  loggedIn: plain('not after the login'),
  noApop: plain('APOP is not offered: passwords are not kept in the clear'),
  userFirst: plain('USER comes first'),
  noMechanism: plain('no such mechanism'),
  noMessage: plain('no such message'),
  deleted: plain('this message is marked as deleted'),
  tooManyErrors: plain('too many errors'),
  stopping: temporary('the server stops, come again soon'),
  loginTooLate: plain('the login took too long'),
  wrong: { code: 'AUTH', text: 'wrong login or password' },
  otherIdentity: { code: 'AUTH', text: 'nobody may act for somebody else here' },
  disabled: temporary('this account may not log in now'),
  elsewhere: temporary('this account is not on this server'),
  locked: temporary('too many failed logins, try again later'),
  loginDelay: { code: 'LOGIN-DELAY', text: 'the last login was too short a time ago' },
  notExpunged: temporary('the deleted messages may not all have been removed'),
  tooManyConnections: temporary('too many connections, try again later'),
};
