/**
 * How a command says no: one line on standard error that a person can act on, and an exit code of sysexits(3). 0 is done, 1
 * findings or a refusal, 2 wrong usage. An error nobody foresaw is a bug: 70, with the stack only where MSTORE_DEBUG=1.
 */
import { type DirectoryErrorCode, isDirectoryError } from '@mstore/directory';
import { ConfigError, errnoOf, errorText, isStoreError, type StoreErrorCode } from '@mstore/store';

export const exit = {
  done: 0,
  findings: 1,
  usage: 2,
  badData: 65,
  noInput: 66,
  noUser: 67,
  unavailable: 69,
  internal: 70,
  systemFile: 72,
  cannotCreate: 73,
  ioError: 74,
  tryAgain: 75,
  noPermission: 77,
  configuration: 78,
} as const;

/** A command's own refusal. */
export class CommandError extends Error {
  readonly exit: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.name = 'CommandError';
    this.exit = exitCode;
  }
}

interface Meaning {
  readonly exit: number;
  /** What to do about it; empty where the message says it all. */
  readonly text: string;
}

/** Every code of the store. */
export const meanings: Readonly<Record<StoreErrorCode, Meaning>> = {
  noStore: { exit: exit.noInput, text: 'name another with --data, or make one with `mstore init`' },
  storeExists: { exit: exit.cannotCreate, text: 'nothing was changed' },
  unfinished: { exit: exit.noInput, text: 'run the same `mstore restore` again' },
  noBackup: { exit: exit.noInput, text: '`mstore backup` makes one' },
  newerFormat: { exit: exit.configuration, text: 'nothing was changed' },
  olderFormat: { exit: exit.configuration, text: 'nothing was changed; `mstore upgrade --help` says more' },
  locked: { exit: exit.tryAgain, text: 'try again when it has ended' },
  noWriter: { exit: exit.tryAgain, text: 'what was not answered may or may not be done; try again' },
  closed: { exit: exit.tryAgain, text: 'try again' },
  readOnly: { exit: exit.tryAgain, text: 'the device failed: look at the system log before you go on' },
  diskFull: { exit: exit.tryAgain, text: 'free some space and try again' },
  ioError: { exit: exit.ioError, text: 'look at the device and at the permissions of the store' },
  corrupt: { exit: exit.ioError, text: '`mstore fsck` names all damage' },
  lostLog: {
    exit: exit.ioError,
    text: 'segments are missing or cut: bring them back, or run `mstore rebuild` without them',
  },
  catalogMissing: { exit: exit.systemFile, text: '`mstore rebuild` makes it again from the heap' },
  noAccount: { exit: exit.noUser, text: '`mstore user list` names those there are' },
  accountExists: { exit: exit.findings, text: '' },
  noMailbox: { exit: exit.findings, text: '' },
  mailboxExists: { exit: exit.findings, text: '' },
  badName: { exit: exit.findings, text: '' },
  noMessage: { exit: exit.findings, text: '' },
  overQuota: { exit: exit.findings, text: '`mstore quota` changes the limits' },
  messageTooLarge: { exit: exit.badData, text: 'limits.messageBytes in mstore.toml is the bound' },
  limitExceeded: { exit: exit.findings, text: '' },
  badIntent: { exit: exit.internal, text: 'this is a bug in mstore' },
};

/** Every code of the directory. */
const directoryMeanings: Readonly<Record<DirectoryErrorCode, Meaning>> = {
  unavailable: { exit: exit.tryAgain, text: 'the directory of users cannot be asked now' },
  closed: { exit: exit.tryAgain, text: 'try again' },
  exists: { exit: exit.findings, text: '' },
  noDomain: { exit: exit.findings, text: '`mstore domain list` names those there are' },
  noUser: { exit: exit.noUser, text: '`mstore user list` names those there are' },
  noAlias: { exit: exit.noUser, text: '`mstore alias list` names those there are' },
  domainInUse: { exit: exit.findings, text: '' },
  badAddress: { exit: exit.findings, text: '' },
  badPassword: { exit: exit.badData, text: '' },
  badQuota: { exit: exit.findings, text: '' },
  badTarget: { exit: exit.findings, text: '' },
  limitExceeded: { exit: exit.findings, text: '' },
};

const fileProblems: Readonly<Record<string, { readonly exit: number; readonly text: string }>> = {
  ENOENT: { exit: exit.noInput, text: 'no such file or directory' },
  ENOTDIR: { exit: exit.noInput, text: 'not a directory' },
  EISDIR: { exit: exit.noInput, text: 'is a directory' },
  EACCES: { exit: exit.noPermission, text: 'permission denied' },
  EPERM: { exit: exit.noPermission, text: 'not permitted' },
  EROFS: { exit: exit.cannotCreate, text: 'the file system is read-only' },
  EEXIST: { exit: exit.cannotCreate, text: 'exists already' },
  ENAMETOOLONG: { exit: exit.cannotCreate, text: 'the name is too long for this file system' },
  ENOSPC: { exit: exit.tryAgain, text: 'no space left' },
  EDQUOT: { exit: exit.tryAgain, text: 'no space left under the disk quota' },
  EIO: { exit: exit.ioError, text: 'the device failed' },
  EMFILE: { exit: exit.tryAgain, text: 'too many open files' },
};

/** What a failure is to the caller. */
export interface Failure {
  readonly exit: number;
  readonly text: string;
}

/** Anything thrown, as an exit code and one line. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CommandError) return { exit: error.exit, text: oneLine(error.message) };
  const isRefused = error instanceof ConfigError || isStoreError(error, 'ioError');
  if (isRefused && fileFailure(error.cause)?.exit === exit.noPermission) {
    return { exit: exit.noPermission, text: oneLine(`${error.message} (run as the user whose store it is)`) };
  }
  if (error instanceof ConfigError) return { exit: exit.configuration, text: oneLine(error.message) };
  if (isStoreError(error)) {
    const { exit: code, text } = meanings[error.code];
    const file = error.cause === undefined ? undefined : fileFailure(error.cause);
    // Where the message tells the system's own words already, they are enough.
    const isTold = file === undefined || error.message.includes(errnoOf(error.cause) ?? '');
    const why = isTold ? error.message : `${error.message}: ${file.text}`;
    return { exit: code, text: oneLine(text === '' ? why : `${why} (${text})`) };
  }
  if (isDirectoryError(error)) {
    const { exit: code, text } = directoryMeanings[error.code];
    return { exit: code, text: oneLine(text === '' ? error.message : `${error.message} (${text})`) };
  }
  const file = fileFailure(error);
  if (file !== undefined) return file;
  return { exit: exit.internal, text: oneLine(`internal error: ${errorText(error)} (MSTORE_DEBUG=1 shows where)`) };
}

/** A failed system call on a file, or undefined. */
function fileFailure(error: unknown): Failure | undefined {
  const errno = errnoOf(error);
  if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno) || !(error instanceof Error)) return undefined;
  const problem = fileProblems[errno] ?? { exit: exit.ioError, text: errno };
  const path = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
  return { exit: problem.exit, text: oneLine(`${path}${problem.text}`) };
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, ' ');
}

/** Says on standard error why a command failed. */
export function sayFailure(error: unknown): Failure {
  const failure = failureOf(error);
  process.stderr.write(`mstore: ${failure.text}\n`);
  if (process.env.MSTORE_DEBUG === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return failure;
}
