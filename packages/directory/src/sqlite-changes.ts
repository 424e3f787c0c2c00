/**
 * The changes that can be made to the file, each one transaction that is durable on return. Runs in sqlite-worker.ts, where it
 * may wait for other processes and for the disk; administration.ts is the way to it.
 *
 * What always holds: an alias leads only into our domains and not in a circle; a domain with users or aliases, or that aliases
 * lead into, stays; a removed user takes along the alias targets that name it, so that whoever gets the name next does not
 * get the mail.
 */
import type Database from 'better-sqlite3';
import { type Address, addressOf, addressText, normalDomain, parseAddress, parseAliasAddress } from './address.ts';
import type { Resolution } from './directory.ts';
import { codeOf, DirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import { resolveAlias } from './resolve.ts';
import { SqliteReads, type UserRow, userColumns, userOf } from './sqlite-reads.ts';
import { type User, type UserId, userId } from './types.ts';

/** What a user's row may be given; what is absent stays, or is empty in a new row. */
export interface UserFields {
  readonly password?: string;
  /** Comes with a password; one that came as a hash has none. */
  readonly scram?: string;
  readonly quotaBytes?: number;
  readonly quotaMessages?: number;
  readonly disabled?: boolean;
}

/** Which part of a list. */
export interface Page {
  /** Only this domain. */
  readonly domain?: string;
  /** The last row of the page before, as it was told. */
  readonly after?: string;
  /** Rows; limits.pageRows at most, and when absent. */
  readonly limit?: number;
}

export interface Alias {
  /** In our form; `@domain` for a catch-all. */
  readonly address: string;
  readonly targets: readonly string[];
}

interface UserValues {
  readonly password: string | null;
  readonly scram: string | null;
  readonly quotaBytes: number | null;
  readonly quotaMessages: number | null;
  readonly disabled: number | null;
}

/** The fields as SQLite takes them. @throws {DirectoryError} badQuota */
function valuesOf(fields: UserFields): UserValues {
  for (const quota of [fields.quotaBytes ?? 0, fields.quotaMessages ?? 0]) {
    if (Number.isInteger(quota) && quota >= 0 && quota <= limits.quota) continue;
    throw new DirectoryError('badQuota', `${quota} is no quota: a whole number below 2^53, 0 for no limit`);
  }
  return {
    password: fields.password ?? null,
    scram: fields.scram ?? null,
    quotaBytes: fields.quotaBytes ?? null,
    quotaMessages: fields.quotaMessages ?? null,
    disabled: fields.disabled === undefined ? null : Number(fields.disabled),
  };
}

function addressFrom(given: string): Address {
  const address = parseAddress(given);
  if (address === undefined) throw new DirectoryError('badAddress', `${given} is no address`);
  return address;
}

function aliasFrom(given: string): Address {
  const address = parseAliasAddress(given);
  if (address === undefined) throw new DirectoryError('badAddress', `${given} is no address`);
  return address;
}

function domainFrom(given: string): string {
  const domain = normalDomain(given);
  if (domain === undefined) throw new DirectoryError('badAddress', `${given} is no domain`);
  return domain;
}

function rowsOf(page: Page): number {
  return Math.min(Math.max(page.limit ?? limits.pageRows, 1), limits.pageRows);
}

export class SqliteChanges {
  readonly #connection: Database.Database;
  readonly #reads: SqliteReads;
  readonly #separator: string;
  readonly #insertDomain: Database.Statement<[string, number]>;
  readonly #insertUser: Database.Statement<[UserValues & Address & { readonly created: number }]>;
  readonly #updateUser: Database.Statement<[UserValues & { readonly id: UserId }]>;

  constructor(connection: Database.Database, separator: string) {
    this.#connection = connection;
    this.#reads = new SqliteReads(connection);
    this.#separator = separator;
    this.#insertDomain = connection.prepare('INSERT INTO domains (name, created) VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.#insertUser = connection.prepare(
      `INSERT INTO users (local, domain, password, scram, quota_bytes, quota_messages, disabled, created)
        VALUES (@local, @domain, @password, @scram, coalesce(@quotaBytes, 0), coalesce(@quotaMessages, 0),
          coalesce(@disabled, 0), @created)`,
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
  addUser(given: string, fields: UserFields, nowMs: number): User {
    const address = addressFrom(given);
    return this.#change(() => {
      if (this.#reads.userIdAt(address) !== undefined) {
        throw new DirectoryError('exists', `${addressText(address)} is there already`);
      }
      return this.#user(this.#insert(address, fields, nowMs));
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

  /** Removes the alias targets that name the user as well. @throws {DirectoryError} badAddress, noUser */
  removeUser(given: string): User {
    return this.#change(() => {
      const user = this.#userAt(given);
      this.#connection.prepare('DELETE FROM aliases WHERE target = ?').run(user.address);
      this.#connection.prepare('DELETE FROM users WHERE id = ?').run(user.id);
      return user;
    });
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

  /** Sets all targets of an alias, in this order. Returns where it leads now. @throws {DirectoryError} badAddress, noDomain, badTarget, limitExceeded */
  setAlias(given: string, givenTargets: readonly string[], nowMs: number): Resolution {
    const alias = aliasFrom(given);
    const targets = [...new Set(givenTargets.map((target) => addressText(addressFrom(target))))];
    if (targets.length === 0) throw new DirectoryError('badTarget', 'an alias needs a target');
    if (targets.length > limits.aliasTargets) {
      throw new DirectoryError('limitExceeded', `an alias has at most ${limits.aliasTargets} targets`);
    }
    return this.#change(() => {
      this.#ensureDomain(alias.domain, nowMs);
      this.#clearAlias(alias);
      const insert = this.#connection.prepare(
        'INSERT INTO aliases (domain, local, position, target) VALUES (?, ?, ?, ?)',
      );
      for (const [position, target] of targets.entries()) insert.run(alias.domain, alias.local, position, target);
      const resolution = resolveAlias(this.#reads, alias, targets, this.#separator);
      if (resolution.kind === 'foreign') {
        throw new DirectoryError('badTarget', `${resolution.address} is not in our domains`);
      }
      if (resolution.kind === 'loop') {
        throw new DirectoryError('badTarget', `${addressText(alias)} would lead in a circle by ${resolution.address}`);
      }
      if (resolution.kind === 'tooMany') {
        throw new DirectoryError('limitExceeded', `${addressText(alias)} would lead too far, by ${resolution.address}`);
      }
      return resolution;
    });
  }

  /** @throws {DirectoryError} badAddress, noAlias */
  removeAlias(given: string): void {
    const alias = aliasFrom(given);
    this.#change(() => {
      if (!this.#clearAlias(alias)) throw new DirectoryError('noAlias', `there is no alias ${addressText(alias)}`);
    });
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

  /** Adds or updates users, all or none; their addresses are in our form. */
  importUsers(users: readonly (readonly [string, UserFields])[], nowMs: number): { added: number; updated: number } {
    return this.#change(() => {
      let added = 0;
      for (const [text, fields] of users) {
        const address = addressOf(text);
        const present = this.#reads.userIdAt(address);
        if (present !== undefined) this.#update(present, fields);
        else this.#insert(address, fields, nowMs);
        if (present === undefined) added += 1;
      }
      return { added, updated: users.length - added };
    });
  }

  close(): void {
    this.#connection.close();
  }

  #change<Result>(work: () => Result): Result {
    const transaction = this.#connection.transaction(() => {
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

  #insert(address: Address, fields: UserFields, nowMs: number): UserId {
    this.#ensureDomain(address.domain, nowMs);
    try {
      const row = { ...address, ...valuesOf(fields), created: nowMs };
      return userId(Number(this.#insertUser.run(row).lastInsertRowid));
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_CONSTRAINT_CHECK') throw error;
      throw new DirectoryError('limitExceeded', 'no user id is left', error);
    }
  }

  #update(id: UserId, fields: UserFields): void {
    this.#updateUser.run({ id, ...valuesOf(fields) });
  }

  #clearAlias({ local, domain }: Address): boolean {
    return (
      this.#connection.prepare('DELETE FROM aliases WHERE domain = ? AND local = ?').run(domain, local).changes > 0
    );
  }
}
