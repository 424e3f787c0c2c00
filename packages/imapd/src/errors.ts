/**
 * What IMAP clients are told when something fails: one line for each code of the store, the directory and the network, so that a new
 * code does not compile until it has one. Texts name no path, no id and nothing that a peer sent.
 *
 * NO is for what could be done another time or by somebody else, BAD for what is no command. Codes are those of RFC 9051 §7.1 and
 * RFC 5530; `[UNAVAILABLE]` keeps a client from asking for another password.
 */
import { type DirectoryErrorCode, isDirectoryError } from '@mstore/directory';
import { isPeerError, type PeerErrorCode } from '@mstore/net';
import { isStoreError, type StoreErrorCode } from '@mstore/store';

type Code =
  | ''
  | 'ALREADYEXISTS'
  | 'AUTHENTICATIONFAILED'
  | 'AUTHORIZATIONFAILED'
  | 'BADCHARSET (US-ASCII UTF-8)'
  | 'CANNOT'
  | 'CLIENTBUG'
  | 'COMPRESSIONACTIVE'
  | 'CONTACTADMIN'
  | 'CORRUPTION'
  | 'EXPUNGEISSUED'
  | 'LIMIT'
  | `MODIFIED ${string}`
  | 'NONEXISTENT'
  | 'NOPERM'
  | 'OVERQUOTA'
  | 'SERVERBUG'
  | 'TOOBIG'
  | 'TRYCREATE'
  | 'UNKNOWN-CTE'
  | 'UNAVAILABLE'
  | 'USEATTR';

/** A negative answer: its response code, empty for none, and its text. */
export interface Refusal {
  readonly status: 'NO' | 'BAD' | 'BYE';
  readonly code: Code;
  readonly text: string;
}

function no(code: Code, text: string): Refusal {
  return { status: 'NO', code, text };
}

function bad(text: string): Refusal {
  return { status: 'BAD', code: '', text };
}

function bye(code: Code, text: string): Refusal {
  return { status: 'BYE', code, text };
}

const tryLater = no('UNAVAILABLE', 'the mail store cannot answer now, try again later');
const cannotChange = no('UNAVAILABLE', 'the mail store takes no changes now, try again later');
const notYours = no('CONTACTADMIN', 'this account cannot be opened, tell the administrator');
const ourMistake = no('SERVERBUG', 'an error of the mail store, tell the administrator');

const ofStore: Readonly<Record<StoreErrorCode, Refusal>> = {
  noStore: tryLater,
  storeExists: ourMistake,
  newerFormat: tryLater,
  olderFormat: tryLater,
  unfinished: tryLater,
  noBackup: tryLater,
  locked: tryLater,
  noWriter: no('UNAVAILABLE', 'the mail store did not answer; it may have been done or not'),
  closed: tryLater,
  readOnly: cannotChange,
  diskFull: cannotChange,
  ioError: tryLater,
  corrupt: no('CORRUPTION', 'this message is damaged, tell the administrator'),
  lostLog: tryLater,
  catalogMissing: tryLater,
  noAccount: notYours,
  accountExists: notYours,
  noMailbox: no('NONEXISTENT', 'no such mailbox'),
  mailboxExists: no('ALREADYEXISTS', 'a mailbox of that name exists'),
  badName: no('CANNOT', 'no mailbox and no keyword can be called so'),
  noMessage: no('EXPUNGEISSUED', 'this message is gone'),
  overQuota: no('OVERQUOTA', 'the account is full'),
  messageTooLarge: no('TOOBIG', 'the message is too large'),
  limitExceeded: no('LIMIT', 'this would be more than is allowed'),
  badIntent: ourMistake,
};

const cannotTell = no('UNAVAILABLE', 'logins cannot be checked now, try again later');

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

/** Undefined: the connection is of no more use. */
const ofPeer: Readonly<Record<PeerErrorCode, Refusal | undefined>> = {
  gone: undefined,
  timeout: undefined,
  lineTooLong: { status: 'BAD', code: 'TOOBIG', text: 'the command line is too long' },
  lineEndless: bye('TOOBIG', 'the command line has no end'),
  bareLineFeed: bad('a line ends with CRLF'),
  saslAborted: bad('login given up'),
  saslMalformed: bad('this is no answer to the challenge'),
  unreadBeforeUpgrade: undefined,
};

/** What a client is told of a failure; undefined when the session cannot go on. */
export function refusalFor(error: unknown): Refusal | undefined {
  if (error instanceof RefusedError) return error.refusal;
  if (isStoreError(error)) return ofStore[error.code];
  if (isDirectoryError(error)) return ofDirectory[error.code];
  return isPeerError(error) ? ofPeer[error.code] : undefined;
}

/** A command ends here, with this answer; for the log it is no failure. */
export class RefusedError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.text);
    this.name = 'RefusedError';
    this.refusal = refusal;
  }
}

/** A command that cannot be read: what was expected. */
export function syntaxError(why: string, at: number): Refusal {
  return bad(`${why}, at octet ${at}`);
}

/** A command that asks about a name that no mailbox can have, or in a character set that is not known. */
export function unreadable(kind: 'name' | 'charset', why: string): Refusal {
  return no(kind === 'name' ? 'CANNOT' : 'BADCHARSET (US-ASCII UTF-8)', why);
}

/** A message that cannot be shown; the others can. */
export function damaged(uid: number): Refusal {
  return no('CORRUPTION', `the message with UID ${uid} is damaged, tell the administrator`);
}

/** A conditional STORE that left some messages, by number, as others had changed them, and found some gone (RFC 7162 §3.1.3). */
export function partlyExpunged(left: string): Refusal {
  return left === '' ? refusals.expunged : no(`MODIFIED ${left}`, refusals.expunged.text);
}

/** What a session itself says no to. */
type RefusalName =
  | 'noTag'
  | 'unknown'
  | 'logInFirst'
  | 'loggedIn'
  | 'selectFirst'
  | 'commandTooLong'
  | 'literalTooLarge'
  | 'literalEndless'
  | 'noMechanism'
  | 'wrong'
  | 'otherIdentity'
  | 'disabled'
  | 'elsewhere'
  | 'locked'
  | 'tooManySessions'
  | 'noMailbox'
  | 'inboxExists'
  | 'inboxStays'
  | 'noSuchUse'
  | 'tooManyPatterns'
  | 'mailboxDeleted'
  | 'noSuchNumber'
  | 'noSuchFlag'
  | 'notEnabled'
  | 'vanishedByUid'
  | 'searchTooLong'
  | 'noCharset'
  | 'noSortReturn'
  | 'unknownEncoding'
  | 'bareLineFeed'
  | 'readOnly'
  | 'expunged'
  | 'tryCreate'
  | 'emptyMessage'
  | 'doneExpected'
  | 'messageTooLarge'
  | 'tooManyMessages'
  | 'overQuota'
  | 'noQuotaRoot'
  | 'noRecent'
  | 'noAlgorithm'
  | 'isCompressed'
  | 'tooEarly'
  | 'tooManyCompressed'
  | 'noQuotaSetting'
  | 'tooManyErrors'
  | 'stopping'
  | 'loginTooLate'
  | 'idle'
  | 'tooManyConnections';

export const refusals: Readonly<Record<RefusalName, Refusal>> = {
  noTag: bad('expected a tag and a command'),
  unknown: bad('no such command'),
  logInFirst: bad('not before the login'),
  loggedIn: bad('not after the login'),
  selectFirst: bad('no mailbox is selected'),
  commandTooLong: { status: 'BAD', code: 'TOOBIG', text: 'the command is too long' },
  literalTooLarge: { status: 'BAD', code: 'TOOBIG', text: 'the literal is too large for this command' },
  literalEndless: bye('TOOBIG', 'the literal is too large to be passed over'),
  noMechanism: no('CANNOT', 'no such mechanism'),
  wrong: no('AUTHENTICATIONFAILED', 'wrong login or password'),
  otherIdentity: no('AUTHORIZATIONFAILED', 'nobody may act for somebody else here'),
  disabled: no('CONTACTADMIN', 'this account may not log in now'),
  elsewhere: no('UNAVAILABLE', 'this account is not on this server'),
  locked: no('UNAVAILABLE', 'too many failed logins, try again later'),
  tooManySessions: no('LIMIT', 'too many connections of this user, close some'),
  noMailbox: no('NONEXISTENT', 'no such mailbox'),
  inboxExists: no('ALREADYEXISTS', 'INBOX is always there'),
  inboxStays: no('CANNOT', 'INBOX cannot be deleted'),
  noSuchUse: no('USEATTR', 'no mailbox can be made with this special use'),
  tooManyPatterns: no('LIMIT', 'too many patterns, or wildcards in them'),
  noSuchNumber: bad('no message has this number'),
  noSuchFlag: bad('there is no such system flag'),
  notEnabled: bad('QRESYNC is not enabled'),
  vanishedByUid: bad('VANISHED goes with UID FETCH'),
  searchTooLong: no('LIMIT', 'a text to search for is too long, or there are too many keys'),
  noCharset: bad('CHARSET is not for who enabled UTF8=ACCEPT'),
  noSortReturn: bad('SORT with RETURN is not offered'),
  unknownEncoding: no('UNKNOWN-CTE', 'a part is encoded in a way that is not known'),
  bareLineFeed: no('UNKNOWN-CTE', 'line feeds without CR cannot be kept'),
  readOnly: no('CANNOT', 'the mailbox is selected to be read only'),
  expunged: no('EXPUNGEISSUED', 'some of the messages are gone'),
  tryCreate: no('TRYCREATE', 'no such mailbox'),
  doneExpected: bad('expected DONE'),
  emptyMessage: no('', 'there is no message without octets'),
  messageTooLarge: ofStore.messageTooLarge,
  tooManyMessages: no('LIMIT', 'too many messages in one command'),
  overQuota: ofStore.overQuota,
  noRecent: bad('RECENT is no item of IMAP4rev2'),
  noAlgorithm: no('CANNOT', 'no such algorithm'),
  isCompressed: no('COMPRESSIONACTIVE', 'this connection is compressed already'),
  tooEarly: bad('nothing is sent behind COMPRESS before its answer'),
  tooManyCompressed: no('LIMIT', 'too many compressed connections'),
  noQuotaRoot: no('NONEXISTENT', 'no such quota root'),
  noQuotaSetting: no('NOPERM', 'limits are set by the administrator'),
  mailboxDeleted: bye('', 'the selected mailbox was deleted'),
  tooManyErrors: bye('CLIENTBUG', 'too many errors'),
  stopping: bye('UNAVAILABLE', 'the server stops, come again soon'),
  loginTooLate: bye('', 'the login took too long'),
  idle: bye('', 'nothing came for too long'),
  tooManyConnections: bye('UNAVAILABLE', 'too many connections, try again later'),
};
