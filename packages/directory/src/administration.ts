/**
 * What an administrator does to the built-in directory. Changes are made by a thread of their own (sqlite-worker.ts) and are
 * durable when the promise resolves; passwords are hashed by theirs. Any number of processes may do this at once; each change
 * waits for the one before.
 */

import { normalAddress } from './address.ts';
import type { Alias, GroupReport, Page, ReturnedUser, UserChange, UserFields } from './change-form.ts';
import { ChangeThread } from './change-thread.ts';
import type { Resolution } from './directory.ts';
import { isDirectoryError } from './errors.ts';
import { type ImportLine, parseImportLine } from './import-line.ts';
import { limits } from './limits.ts';
import { type PasswordOptions, Passwords } from './password.ts';
import { createDirectory } from './sqlite-file.ts';
import { type Clock, systemClock } from './sys/clock.ts';
import type { User } from './types.ts';

export interface AdministrationOptions {
  /** As the daemons have it: `+` when absent. Circles of aliases are looked for with it. */
  readonly detailSeparator?: string;
  readonly passwords?: PasswordOptions;
  readonly clock?: Clock;
}

/** What a new user may be given. */
export interface NewUser {
  /** Absent: the user cannot log in. */
  readonly password?: string;
  readonly quotaBytes?: number;
  readonly quotaMessages?: number;
  readonly disabled?: boolean;
}

/**
 * What a store knows of user ids. There may be mail of a directory that was lost, and a new user must get the id of their own
 * mail and of nobody else's.
 */
export interface KnownIds {
  /** The id under which mail of this address (in our form) lies, which a new user gets. */
  readonly idOf?: (address: string) => number | undefined;
  /** Ids up to this one were given before; 0 when absent. */
  readonly idAbove?: number;
}

export interface ImportOptions extends KnownIds {
  /** Hears how many lines are done, after each group. */
  readonly tell?: (linesDone: number) => void;
}

/** A quota; what is absent stays, 0 is no limit. */
export interface Quota {
  readonly quotaBytes?: number;
  readonly quotaMessages?: number;
}

/** A line that was left out. */
export interface ImportProblem {
  /** From 1. */
  readonly line: number;
  readonly problem: string;
}

export interface ImportReport {
  readonly added: number;
  readonly updated: number;
  /** Lines left out; `problems` names the first `limits.importErrors` of them. */
  readonly failed: number;
  readonly problems: readonly ImportProblem[];
}

type ImportUser = Extract<ImportLine, { kind: 'user' }>;

export class DirectoryAdministration {
  readonly #thread: ChangeThread;
  readonly #passwords: Passwords;
  readonly #clock: Clock;

  private constructor(path: string, options: AdministrationOptions) {
    this.#clock = options.clock ?? systemClock;
    const detailSeparator = (options.detailSeparator ?? '+').normalize('NFC').toLowerCase();
    this.#thread = new ChangeThread({ path, detailSeparator });
    this.#passwords = new Passwords({ clock: this.#clock, ...options.passwords });
  }

  /** Makes an empty directory and opens it. @throws {DirectoryError} exists, unavailable */
  static async create(path: string, options: AdministrationOptions = {}): Promise<DirectoryAdministration> {
    createDirectory(path);
    return DirectoryAdministration.open(path, options);
  }

  /** Opens a directory and brings its schema up to date. @throws {DirectoryError} unavailable */
  static async open(path: string, options: AdministrationOptions = {}): Promise<DirectoryAdministration> {
    const administration = new DirectoryAdministration(path, options);
    try {
      await administration.domains({ limit: 1 });
      return administration;
    } catch (error) {
      await administration.close();
      throw error;
    }
  }

  /** Returns the domain in our form. @throws {DirectoryError} badAddress, exists */
  addDomain(domain: string): Promise<string> {
    return this.#thread.ask('addDomain', domain, this.#clock.now());
  }

  /** @throws {DirectoryError} badAddress, noDomain, domainInUse */
  removeDomain(domain: string): Promise<void> {
    return this.#thread.ask('removeDomain', domain);
  }

  domains(page: Page = {}): Promise<readonly string[]> {
    return this.#thread.ask('domains', page);
  }

  /**
   * Adds the domain too when it is new. `exists` also where the user's mail is another user's, or is left of one who was
   * removed. @throws {DirectoryError} badAddress, badPassword, badQuota, exists, limitExceeded
   */
  async addUser(address: string, { password, ...fields }: NewUser = {}, known: KnownIds = {}): Promise<User> {
    const secrets = password === undefined ? {} : await this.#secrets(password);
    const normal = normalAddress(address);
    const id = normal === undefined ? undefined : known.idOf?.(normal);
    const newId = id === undefined ? { above: known.idAbove ?? 0 } : { id };
    return this.#thread.ask('addUser', address, { ...fields, ...secrets }, newId, this.#clock.now());
  }

  /**
   * Takes along the alias targets that name the user. What there was can be brought back for `keepMs`; 0 when absent. Returns
   * whom it removed. @throws {DirectoryError} badAddress, noUser
   */
  removeUser(address: string, keepMs = 0): Promise<User> {
    const now = this.#clock.now();
    return this.#thread.ask('removeUser', address, now + keepMs, now);
  }

  /** Brings a removed user back under the same id; `fields` count where nothing of them was kept.
   *  @throws {DirectoryError} badAddress, exists, badQuota */
  restoreUser(address: string, id: number, fields: Quota): Promise<ReturnedUser> {
    return this.#thread.ask('restoreUser', address, id, fields, this.#clock.now());
  }

  /** Forgets what is kept of a removed user. */
  forgetRemoved(id: number): Promise<void> {
    return this.#thread.ask('forgetRemoved', id);
  }

  /** @throws {DirectoryError} badAddress, badPassword, noUser */
  async setPassword(address: string, password: string): Promise<User> {
    return this.#thread.ask('changeUser', address, await this.#secrets(password));
  }

  /** @throws {DirectoryError} badAddress, noUser */
  setDisabled(address: string, disabled: boolean): Promise<User> {
    return this.#thread.ask('changeUser', address, { disabled });
  }

  /** @throws {DirectoryError} badAddress, badQuota, noUser */
  setQuota(address: string, quota: Quota): Promise<User> {
    return this.#thread.ask('changeUser', address, quota);
  }

  /** By domain, then local part; `after` is the address of the last user before. */
  users(page: Page = {}): Promise<readonly User[]> {
    return this.#thread.ask('users', page);
  }

  /**
   * Sets all targets of an alias or of a catch-all `@domain`, in this order, and tells where it leads now: `noSuchUser` when
   * none of its targets exists yet. @throws {DirectoryError} badAddress, badTarget, limitExceeded
   */
  setAlias(address: string, targets: readonly string[]): Promise<Resolution> {
    return this.#thread.ask('setAlias', address, targets, this.#clock.now());
  }

  /** Adds targets behind those there are; else as setAlias. @throws {DirectoryError} badAddress, badTarget, limitExceeded */
  addAliasTargets(address: string, targets: readonly string[]): Promise<Resolution> {
    return this.#thread.ask('addTargets', address, targets, this.#clock.now());
  }

  /** Takes the alias away with its last target. Returns those left. @throws {DirectoryError} badAddress, badTarget, noAlias */
  removeAliasTargets(address: string, targets: readonly string[]): Promise<readonly string[]> {
    return this.#thread.ask('removeTargets', address, targets);
  }

  /** The alias with just this address. @throws {DirectoryError} badAddress, noAlias */
  alias(address: string): Promise<Alias> {
    return this.#thread.ask('alias', address);
  }

  /** @throws {DirectoryError} badAddress, noAlias */
  removeAlias(address: string): Promise<void> {
    return this.#thread.ask('removeAlias', address);
  }

  /** By domain, then local part; `after` is the address of the last alias before. */
  aliases(page: Page = {}): Promise<readonly Alias[]> {
    return this.#thread.ask('aliases', page);
  }

  /**
   * Adds or updates users, a line each (import-line.ts). Lines are durable in groups, in order; one that cannot be used is
   * left out and reported.
   */
  async importUsers(
    lines: Iterable<string> | AsyncIterable<string>,
    options: ImportOptions = {},
  ): Promise<ImportReport> {
    const totals = { added: 0, updated: 0, failed: 0 };
    const problems: ImportProblem[] = [];
    const refuse = (line: number, problem: string): void => {
      totals.failed += 1;
      if (problems.length < limits.importErrors) problems.push({ line, problem });
    };
    let group: (readonly [number, ImportUser])[] = [];
    let line = 0;
    const finishGroup = async (): Promise<void> => {
      const { added, updated } = await this.#importGroup(group, options, refuse);
      totals.added += added;
      totals.updated += updated;
      group = [];
      options.tell?.(line);
    };
    for await (const text of lines) {
      line += 1;
      const parsed = parseImportLine(text);
      if (parsed.kind === 'bad') refuse(line, parsed.problem);
      if (parsed.kind === 'user') group.push([line, parsed]);
      if (group.length >= limits.importSlice) await finishGroup();
    }
    await finishGroup();
    problems.sort((a, b) => a.line - b.line);
    return { ...totals, problems };
  }

  /** Lets changes under way finish, then lets go of the file. */
  async close(): Promise<void> {
    await this.#thread.close();
    await this.#passwords.close();
  }

  async #secrets(password: string): Promise<UserFields> {
    const { stored, scram } = await this.#passwords.make(password);
    return { password: stored, scram };
  }

  async #importGroup(
    group: readonly (readonly [number, ImportUser])[],
    { idOf, idAbove = 0 }: KnownIds,
    refuse: (line: number, problem: string) => void,
  ): Promise<Pick<GroupReport, 'added' | 'updated'>> {
    const users = new Array<(UserChange & { readonly line: number }) | undefined>(group.length);
    const entries = group.entries();
    // Each of these takes the next line, so that all hashing threads have work and the queue stays short.
    const hashNext = async (): Promise<void> => {
      for (const [at, [line, { address, plain, stored, quotaBytes }]] of entries) {
        const quota = quotaBytes === undefined ? {} : { quotaBytes };
        try {
          const secrets = plain === undefined ? { password: stored ?? '' } : await this.#secrets(plain);
          const id = idOf?.(address);
          users[at] = { address, line, fields: { ...secrets, ...quota }, ...(id === undefined ? {} : { id }) };
        } catch (error) {
          if (!isDirectoryError(error) || error.code === 'closed') throw error;
          refuse(line, error.message);
        }
      }
    };
    await Promise.all(Array.from({ length: 2 * this.#passwords.threads }, hashNext));
    const ready = users.filter((user) => user !== undefined);
    if (ready.length === 0) return { added: 0, updated: 0 };
    const report = await this.#thread.ask('importUsers', ready, idAbove, this.#clock.now());
    for (const { at, problem } of report.refused) refuse(ready[at]?.line ?? 0, problem);
    return report;
  }
}
