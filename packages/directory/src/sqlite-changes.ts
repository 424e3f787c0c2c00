/**
 * The changes that can be made to the file, each one transaction that is durable on return. Runs in sqlite-worker.ts, where it
 * may wait for other processes and for the disk; administration.ts is the way to it.
 *
 * What always holds: an alias leads only into our domains and not in a circle; a domain with users or aliases, or that aliases
 * lead into, stays; a removed user takes along the alias targets that name it, so that whoever gets the name next does not
 * get the mail.
 */
import type Database from 'better-sqlite3';
import { type Address, addressOf, addressText } from './address.ts';
import {
  type Alias,
  addressFrom,
  aliasFrom,
  domainFrom,
  type GroupReport,
  type NewId,
  noAlias,
  type Page,
  type ReturnedUser,
  rowsOf,
  targetsFrom,
  type UserChange,
  type UserFields,
  type UserValues,
  valuesOf,
} from './change-form.ts';
import type { Resolution } from './directory.ts';
import { codeOf, DirectoryError, isDirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import { resolveAlias } from './resolve.ts';
import { SqliteReads, type UserRow, userColumns, userOf } from './sqlite-reads.ts';
import { RemovedUsers } from './sqlite-removed.ts';
import { type User, type UserId, userId } from './types.ts';

export class SqliteChanges {
  readonly #connection: Database.Database;
  readonly #reads: SqliteReads;
  readonly #separator: string;
  readonly #insertDomain: Database.Statement<[string, number]>;
  readonly #insertUser: Database.Statement<[UserValues & Address & { readonly id: number; readonly created: number }]>;
  readonly #lastUserId: Database.Statement<[], { readonly last: number }>;
  readonly #updateUser: Database.Statement<[UserValues & { readonly id: UserId }]>;
  readonly #removed: Database.Statement<[], { readonly user_id: number }>;
  /** Ids of removed users, as far as the list of changes reaches back; read when asked for, once a transaction. */
  #removedIds: ReadonlySet<number> | undefined;
  readonly #removedUsers: RemovedUsers;

  constructor(connection: Database.Database, separator: string) {
    this.#connection = connection;
    this.#reads = new SqliteReads(connection);
    this.#removedUsers = new RemovedUsers(connection, this.#reads, separator);
    this.#separator = separator;
    this.#insertDomain = connection.prepare('INSERT INTO domains (name, created) VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.#insertUser = connection.prepare(
      `INSERT INTO users (id, local, domain, password, scram, quota_bytes, quota_messages, disabled, created)
        VALUES (@id, @local, @domain, @password, @scram, coalesce(@quotaBytes, 0), coalesce(@quotaMessages, 0),
          coalesce(@disabled, 0), @created)`,
    );
    this.#lastUserId = connection.prepare(
      "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'users'), 0) AS last",
    );
    this.#updateUser = connection.prepare(
      `UPDATE users SET
        scram = CASE WHEN @password IS NULL THEN scram ELSE @scram END,
        password = coalesce(@password, password),
        quota_bytes = coalesce(@quotaBytes, quota_bytes),
        quota_messages = coalesce(@quotaMessages, quota_messages),
        disabled = coalesce(@disabled, disabled)
        WHERE id = @id`,
    );
    this.#removed = connection.prepare("SELECT user_id FROM changes WHERE kind = 'userRemoved'");
  }

  /** @throws {DirectoryError} badAddress, exists */
  addDomain(given: string, nowMs: number): string {
    const domain = domainFrom(given);
    return this.#change(() => {
      if (!this.#ensureDomain(domain, nowMs)) throw new DirectoryError('exists', `${domain} is there already`);
      return domain;
    });
  }

  /** @throws {DirectoryError} badAddress, noDomain, domainInUse */
  removeDomain(given: string): void {
    const domain = domainFrom(given);
    const use = this.#connection.prepare<[{ domain: string }], object>(
      `SELECT 1 FROM users WHERE domain = @domain
        UNION ALL SELECT 1 FROM aliases WHERE domain = @domain
        UNION ALL SELECT 1 FROM aliases WHERE substr(target, -length(@domain) - 1) = '@' || @domain
        LIMIT 1`,
    );
    this.#change(() => {
      if (!this.#reads.hasDomain(domain)) throw new DirectoryError('noDomain', `there is no domain ${domain}`);
      if (use.get({ domain }) !== undefined) {
        throw new DirectoryError('domainInUse', `${domain} still has users or aliases, or aliases lead into it`);
      }
      this.#connection.prepare('DELETE FROM domains WHERE name = ?').run(domain);
    });
  }

  domains(page: Page): readonly string[] {
    const statement = this.#connection.prepare<[string, number], { name: string }>(
      'SELECT name FROM domains WHERE name > ? ORDER BY name LIMIT ?',
    );
    return statement.all(page.after ?? '', rowsOf(page)).map((row) => row.name);
  }

  /** Adds the domain too when it is new. @throws {DirectoryError} badAddress, exists, badQuota, limitExceeded */
  addUser(given: string, fields: UserFields, newId: NewId, nowMs: number): User {
    const address = addressFrom(given);
    return this.#change(() => {
      if (this.#reads.userIdAt(address) !== undefined) {
        throw new DirectoryError('exists', `${addressText(address)} is there already`);
      }
      return this.#user(this.#insert(address, fields, newId, nowMs));
    });
  }

  /** @throws {DirectoryError} badAddress, noUser, badQuota */
  changeUser(given: string, fields: UserFields): User {
    return this.#change(() => {
      const { id } = this.#userAt(given);
      this.#update(id, fields);
      return this.#user(id);
    });
  }

  /** Removes the alias targets that name the user as well; all can be brought back until `expiresMs`, where that is given.
   *  @throws {DirectoryError} badAddress, noUser */
  removeUser(given: string, expiresMs: number, nowMs: number): User {
    return this.#change(() => {
      const user = this.#userAt(given);
      this.#removedUsers.remove(user, expiresMs, nowMs);
      return user;
    });
  }

  /**
   * Brings a removed user back under the same id, with what was kept of them, else with the fields given. Aliases that still lead
   * to others, or nowhere, lead to them again too. @throws {DirectoryError} badAddress, exists, badQuota
   */
  restoreUser(given: string, id: number, fields: UserFields, nowMs: number): ReturnedUser {
    const address = addressFrom(given);
    return this.#change(() => {
      if (this.#reads.userIdAt(address) !== undefined) {
        throw new DirectoryError('exists', `${addressText(address)} is there already`);
      }
      const kept = this.#removedUsers.take(id, nowMs);
      const user = this.#user(this.#insert(address, fields, { id, again: true }, nowMs));
      if (kept === undefined) return { user, whole: false, aliases: 0 };
      this.#updateUser.run({ ...kept, id: user.id });
      let aliases = 0;
      for (const { target = user.address, ...alias } of kept.aliases) {
        const targets = this.#reads.aliasTargets(alias);
        if (targets.includes(target) || targets.length >= limits.aliasTargets) continue;
        if (this.#tryAlias(alias, [...targets, target], nowMs)) aliases++;
      }
      return { user: this.#user(user.id), whole: true, aliases };
    });
  }

  /** False where the alias cannot lead there any more; it stays as it is. */
  #tryAlias(alias: Address, targets: readonly string[], nowMs: number): boolean {
    try {
      this.#connection.transaction(() => this.#putAlias(alias, targets, nowMs))();
      return true;
    } catch (error) {
      if (!isDirectoryError(error)) throw error;
      return false;
    }
  }

  /** Forgets what is kept of a removed user. */
  forgetRemoved(id: number): void {
    this.#change(() => this.#removedUsers.forget(id));
  }

  /** By domain, then local part. */
  users(page: Page): readonly User[] {
    const after = addressOf(page.after ?? '@');
    const [domain, filter] = page.domain === undefined ? ['', '1'] : [domainFrom(page.domain), 'domain = :domain'];
    const statement = this.#connection.prepare<[object], UserRow>(
      `SELECT ${userColumns} FROM users WHERE ${filter} AND (domain, local) > (:afterDomain, :afterLocal)
        ORDER BY domain, local LIMIT :rows`,
    );
    const bound = { afterDomain: after.domain, afterLocal: after.local, rows: rowsOf(page) };
    return statement.all(page.domain === undefined ? bound : { ...bound, domain }).map(userOf);
  }

  /** Sets all targets of an alias, in this order. Returns where it leads now. @throws {DirectoryError} badAddress, badTarget, limitExceeded */
  setAlias(given: string, givenTargets: readonly string[], nowMs: number): Resolution {
    const alias = aliasFrom(given);
    const targets = targetsFrom(givenTargets);
    return this.#change(() => this.#putAlias(alias, targets, nowMs));
  }

  /** Adds targets behind those that the alias has. Returns where it leads now. @throws {DirectoryError} as setAlias */
  addTargets(given: string, givenTargets: readonly string[], nowMs: number): Resolution {
    const alias = aliasFrom(given);
    const targets = targetsFrom(givenTargets);
    return this.#change(() => this.#putAlias(alias, [...this.#reads.aliasTargets(alias), ...targets], nowMs));
  }

  /** Takes targets away, and the alias with its last one. Returns those left. @throws {DirectoryError} badAddress, badTarget, noAlias */
  removeTargets(given: string, givenTargets: readonly string[]): readonly string[] {
    const alias = aliasFrom(given);
    const targets = targetsFrom(givenTargets);
    const remove = this.#connection.prepare('DELETE FROM aliases WHERE domain = ? AND local = ? AND target = ?');
    return this.#change(() => {
      if (this.#reads.aliasTargets(alias).length === 0) throw noAlias(alias);
      for (const target of targets) {
        if (remove.run(alias.domain, alias.local, target).changes > 0) continue;
        throw new DirectoryError('badTarget', `${addressText(alias)} does not lead to ${target}`);
      }
      return this.#reads.aliasTargets(alias);
    });
  }

  /** @throws {DirectoryError} badAddress, noAlias */
  removeAlias(given: string): void {
    const alias = aliasFrom(given);
    this.#change(() => {
      if (!this.#clearAlias(alias)) throw noAlias(alias);
    });
  }

  /** The alias with just this address. @throws {DirectoryError} badAddress, noAlias */
  alias(given: string): Alias {
    const alias = aliasFrom(given);
    const targets = this.#reads.aliasTargets(alias);
    if (targets.length === 0) throw noAlias(alias);
    return { address: addressText(alias), targets };
  }

  /** By domain, then local part. */
  aliases(page: Page): readonly Alias[] {
    const after = page.after === undefined ? { local: '', domain: '' } : addressOf(page.after);
    const [domain, filter] = page.domain === undefined ? ['', '1'] : [domainFrom(page.domain), 'domain = :domain'];
    // A catch-all's local part is empty and so the first of its domain; the very first page begins before it.
    const from = page.after === undefined ? '>=' : '>';
    const statement = this.#connection.prepare<[object], Address>(
      `SELECT DISTINCT domain, local FROM aliases WHERE ${filter} AND (domain, local) ${from} (:afterDomain, :afterLocal)
        ORDER BY domain, local LIMIT :rows`,
    );
    const bound = { afterDomain: after.domain, afterLocal: after.local, rows: rowsOf(page) };
    const rows = statement.all(page.domain === undefined ? bound : { ...bound, domain });
    return rows.map((alias) => ({ address: addressText(alias), targets: this.#reads.aliasTargets(alias) }));
  }

  /** Adds or updates users in one transaction; one whose id is another's is left out. */
  importUsers(users: readonly UserChange[], above: number, nowMs: number): GroupReport {
    return this.#change(() => {
      const refused: { at: number; problem: string }[] = [];
      let added = 0;
      for (const [at, { address: text, fields, id }] of users.entries()) {
        const address = addressOf(text);
        const present = this.#reads.userIdAt(address);
        if (present !== undefined) {
          this.#update(present, fields);
          continue;
        }
        try {
          this.#insert(address, fields, id === undefined ? { above } : { id }, nowMs);
          added += 1;
        } catch (error) {
          if (!isDirectoryError(error, 'exists')) throw error;
          refused.push({ at, problem: error.message });
        }
      }
      return { added, updated: users.length - added - refused.length, refused };
    });
  }

  close(): void {
    this.#connection.close();
  }

  #change<Result>(work: () => Result): Result {
    const transaction = this.#connection.transaction(() => {
      this.#removedIds = undefined;
      const result = work();
      const { sequence } = this.#reads.changes(undefined);
      this.#connection.prepare('DELETE FROM changes WHERE sequence <= ?').run(sequence - limits.changesKept);
      return result;
    });
    return transaction.immediate();
  }

  #ensureDomain(domain: string, nowMs: number): boolean {
    return this.#insertDomain.run(domain, nowMs).changes > 0;
  }

  #userAt(given: string): User {
    const address = addressFrom(given);
    const id = this.#reads.userIdAt(address);
    if (id === undefined) throw new DirectoryError('noUser', `there is no user ${addressText(address)}`);
    return this.#user(id);
  }

  #user(id: UserId): User {
    const user = this.#reads.user(id);
    if (user === undefined) throw new DirectoryError('noUser', `there is no user ${id}`);
    return user;
  }

  /** @throws {DirectoryError} exists, badQuota, limitExceeded */
  #insert(address: Address, fields: UserFields, newId: NewId, nowMs: number): UserId {
    const id = newId.id ?? Math.max(this.#lastUserId.get()?.last ?? 0, newId.above ?? 0) + 1;
    if (newId.id !== undefined) this.#checkFree(newId.id, addressText(address), newId.again === true);
    this.#ensureDomain(address.domain, nowMs);
    try {
      this.#insertUser.run({ ...address, ...valuesOf(fields), id, created: nowMs });
      return userId(id);
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_CONSTRAINT_CHECK') throw error;
      throw new DirectoryError('limitExceeded', 'no user id is left', error);
    }
  }

  /** Whoever is removed leaves the mail to nobody, so an id that this file took back is not free. */
  #checkFree(id: number, address: string, isAgain: boolean): void {
    const holder = this.#reads.user(userId(id));
    if (holder !== undefined) {
      throw new DirectoryError('exists', `the mail of ${address} is that of user ${id}, who is ${holder.address}`);
    }
    if (isAgain) return;
    this.#removedIds ??= new Set(this.#removed.all().map((row) => row.user_id));
    if (this.#removedIds.has(id)) {
      throw new DirectoryError(
        'exists',
        `user ${id} was removed, but the mail of ${address} is still there: remove it first`,
      );
    }
  }

  #update(id: UserId, fields: UserFields): void {
    this.#updateUser.run({ id, ...valuesOf(fields) });
  }

  #putAlias(alias: Address, given: readonly string[], nowMs: number): Resolution {
    const targets = [...new Set(given)];
    if (targets.length > limits.aliasTargets) {
      throw new DirectoryError('limitExceeded', `an alias has at most ${limits.aliasTargets} targets`);
    }
    this.#ensureDomain(alias.domain, nowMs);
    this.#clearAlias(alias);
    const insert = this.#connection.prepare(
      'INSERT INTO aliases (domain, local, position, target) VALUES (?, ?, ?, ?)',
    );
    for (const [position, target] of targets.entries()) insert.run(alias.domain, alias.local, position, target);
    const resolution = resolveAlias(this.#reads, alias, targets, this.#separator);
    const whole = addressText(alias);
    switch (resolution.kind) {
      case 'foreign':
        throw new DirectoryError('badTarget', `${resolution.address} is not in our domains`);
      case 'loop':
        throw new DirectoryError('badTarget', `${whole} would lead in a circle by ${resolution.address}`);
      case 'tooMany':
        throw new DirectoryError('limitExceeded', `${whole} would lead too far, by ${resolution.address}`);
      default:
        return resolution;
    }
  }

  #clearAlias({ local, domain }: Address): boolean {
    return (
      this.#connection.prepare('DELETE FROM aliases WHERE domain = ? AND local = ?').run(domain, local).changes > 0
    );
  }
}
