/**
 * The built-in directory: answers from a SQLite file that any number of processes read at once (docs/directory.md). It never
 * changes the file; administration.ts does.
 *
 * The file is opened when first asked and again after any failure or when another file took its place, so a directory that
 * was missing, locked or damaged is back as soon as its file is. Until then every answer is `unavailable`.
 */
import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { addressText, normalDomain, parseLogin } from './address.ts';
import type {
  Authentication,
  ChangeListener,
  Directory,
  DirectoryChanges,
  LoginAttempt,
  Resolution,
  ScramVerifier,
} from './directory.ts';
import { DirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import { readScram } from './password/scram.ts';
import { type PasswordOptions, Passwords } from './password.ts';
import { RememberedPasswords } from './remembered.ts';
import { resolveAddress } from './resolve.ts';
import { asDirectoryError, isBusy, openForReading } from './sqlite-file.ts';
import { type Credentials, SqliteReads } from './sqlite-reads.ts';
import { type Clock, systemClock } from './sys/clock.ts';
import type { User, UserId } from './types.ts';

export interface SqliteDirectoryOptions {
  /** What parts a name from its detail; `+` when absent, empty for none. */
  readonly detailSeparator?: string;
  /** The domain of a login without one; such logins are unknown when absent. */
  readonly defaultDomain?: string;
  /** The store server that every user is on; `local` when absent. */
  readonly storeServer?: string;
  readonly passwords?: PasswordOptions;
  /** ms between two looks at whether the file changed; limits.changePollMs when absent. */
  readonly changePollMs?: number;
  readonly clock?: Clock;
}

/** Whom a login names, or that we verify for show. */
interface Claim {
  readonly known: Credentials | undefined;
  /** What to verify against. */
  readonly stored: string;
}

/** Verified against when nobody has a password yet: of our scheme and its cost, and nobody's. */
const nobodysPassword = `$scrypt$ln=15,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** What a right password leads to. */
function judged(user: User): Authentication {
  return user.disabled ? { kind: 'disabled' } : { kind: 'user', user };
}

export class SqliteDirectory implements Directory {
  readonly #path: string;
  readonly #separator: string;
  readonly #defaultDomain: string | undefined;
  readonly #storeServer: string;
  readonly #pollMs: number;
  readonly #passwords: Passwords;
  readonly #remembered: RememberedPasswords;
  readonly #listeners = new Set<ChangeListener>();
  #reads: SqliteReads | undefined;
  #inode: number | undefined;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #toldUpTo: number | undefined;
  #dataVersion: number | undefined;

  /** @throws {DirectoryError} badAddress: the default domain is none */
  constructor(path: string, options: SqliteDirectoryOptions = {}) {
    const clock = options.clock ?? systemClock;
    this.#path = path;
    this.#separator = (options.detailSeparator ?? '+').normalize('NFC').toLowerCase();
    this.#defaultDomain = options.defaultDomain;
    if (options.defaultDomain !== undefined && normalDomain(options.defaultDomain) === undefined) {
      throw new DirectoryError('badAddress', `the default domain ${options.defaultDomain} is no domain`);
    }
    this.#storeServer = options.storeServer ?? 'local';
    this.#pollMs = options.changePollMs ?? limits.changePollMs;
    this.#passwords = new Passwords({ clock, ...options.passwords });
    this.#remembered = new RememberedPasswords(clock);
  }

  async resolve(address: string): Promise<Resolution> {
    // RFC 5321 §4.5.1: mail for `postmaster` may come without a domain.
    const parsed = parseLogin(address, this.#defaultDomain);
    if (parsed === undefined) return { kind: 'noSuchUser' };
    return this.#ask((reads) => resolveAddress(reads, parsed, this.#separator, turn));
  }

  async authenticate(login: string, password: string, _attempt: LoginAttempt): Promise<Authentication> {
    const { known, stored } = await this.#ask((reads) => this.#claim(reads, login));
    const verify = (): Promise<boolean> => this.#passwords.verify(stored, password);
    if (known === undefined || known.password === null) {
      await verify();
      return { kind: 'wrong' };
    }
    if (this.#remembered.isRemembered(known.user.id, stored, password)) return judged(known.user);
    if (!(await this.#remembered.check(known.user.id, stored, password, verify))) return { kind: 'wrong' };
    // The user may have been changed or removed while a thread was at work.
    const now = (await this.#ask((reads) => this.#claim(reads, login))).known;
    if (now?.user.id !== known.user.id || now.password !== stored) return { kind: 'wrong' };
    return judged(now.user);
  }

  async scramVerifier(login: string): Promise<ScramVerifier | undefined> {
    const known = await this.#ask((reads) => this.#claim(reads, login).known);
    if (known === undefined || known.scram === null || known.user.disabled) return undefined;
    return readScram(known.user.id, known.scram);
  }

  user(id: UserId): Promise<User | undefined> {
    return this.#ask((reads) => reads.user(id));
  }

  async userNamed(login: string): Promise<User | undefined> {
    const address = parseLogin(login, this.#defaultDomain);
    return address === undefined ? undefined : this.#ask((reads) => reads.credentials(address)?.user);
  }

  async route(id: UserId): Promise<string | undefined> {
    return (await this.user(id)) === undefined ? undefined : this.#storeServer;
  }

  changes(since?: number): Promise<DirectoryChanges> {
    return this.#ask((reads) => reads.changes(since));
  }

  subscribe(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    this.#watch();
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#listeners.clear();
    this.#remembered.forgetAll();
    this.#drop();
    await this.#passwords.close();
  }

  #claim(reads: SqliteReads, login: string): Claim {
    const address = parseLogin(login, this.#defaultDomain);
    const known = address === undefined ? undefined : reads.credentials(address);
    const name = address === undefined ? login.slice(0, limits.givenAddressLength) : addressText(address);
    return { known, stored: known?.password ?? reads.decoy(name) ?? nobodysPassword };
  }

  /** Puts a question to the file, again while it is locked. @throws {DirectoryError} unavailable, closed */
  async #ask<Answer>(question: (reads: SqliteReads) => Answer | Promise<Answer>): Promise<Answer> {
    for (let busy = 1; ; busy += 1) {
      if (this.#closed) throw new DirectoryError('closed', 'the directory was closed');
      let reads: SqliteReads | undefined;
      try {
        reads = this.#reads ?? this.#open();
        return await question(reads);
      } catch (error) {
        if (!isBusy(error)) {
          if (reads === this.#reads) this.#drop();
          throw asDirectoryError(error, this.#path);
        }
        if (busy > limits.busyRetries) throw asDirectoryError(error, this.#path);
      }
      await delay(limits.busyRetryMs);
    }
  }

  #open(): SqliteReads {
    this.#watch();
    const connection = openForReading(this.#path);
    try {
      const reads = new SqliteReads(connection);
      this.#inode = statSync(this.#path).ino;
      // Before the first answer, so that no change to what was answered goes untold.
      this.#toldUpTo ??= reads.changes(undefined).sequence;
      this.#reads = reads;
      return reads;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  #drop(): void {
    this.#reads?.close();
    this.#reads = undefined;
    this.#inode = undefined;
    this.#dataVersion = undefined;
  }

  #watch(): void {
    if (this.#closed) return;
    this.#timer ??= setInterval(() => void this.#look(), this.#pollMs).unref();
  }

  /** Tells the listeners what changed since the last look; a directory that cannot be asked is looked at again later. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#followFile();
      const version = await this.#ask((reads) => reads.dataVersion());
      if (version !== this.#dataVersion) await this.#tell();
      this.#dataVersion = version;
    } catch {
      // Those who ask are told so themselves.
      this.#dataVersion = undefined;
    } finally {
      this.#looking = false;
    }
  }

  async #tell(): Promise<void> {
    for (;;) {
      const news = await this.#ask((reads) => reads.changes(this.#toldUpTo));
      this.#toldUpTo = news.sequence;
      if (news.complete && news.changes.length === 0) return;
      if (!news.complete) this.#remembered.forgetAll();
      for (const change of news.changes) {
        if (change.kind === 'userChanged' || change.kind === 'userRemoved') this.#remembered.forget(change.userId);
      }
      for (const listener of this.#listeners) listener(news);
    }
  }

  /** Lets go of a file that was replaced or removed under our feet. */
  async #followFile(): Promise<void> {
    const opened = this.#inode;
    const present = await stat(this.#path).then(
      (stats) => stats.ino,
      () => undefined,
    );
    if (opened === undefined || opened !== this.#inode || present === opened) return;
    this.#drop();
    // No sequence of the other file: everything may have changed.
    this.#toldUpTo = -1;
  }
}
