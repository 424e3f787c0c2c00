/**
 * Removed users, kept for as long as their mail is, so that they can come back whole: password, limits, and the aliases that
 * named them. Rows `removed:ID` of the table `meta`, JSON. Each goes when its time is over, at the next removal or return.
 */
import type Database from 'better-sqlite3';
import { type Address, addressOf, splitDetail } from './address.ts';
import type { UserValues } from './change-form.ts';
import type { SqliteReads } from './sqlite-reads.ts';
import type { User } from './types.ts';

/** An alias, and the target by which it named the user: the bare address where an earlier release kept none. */
export interface NamingAlias extends Address {
  readonly target?: string;
}

/** A row of `users`, and the aliases that led to it. */
export interface RemovedUser extends UserValues, Address {
  readonly id: number;
  /** ms since 1970. */
  readonly created: number;
  readonly aliases: readonly NamingAlias[];
}

type UserRow = Omit<RemovedUser, 'aliases'>;

export class RemovedUsers {
  readonly #connection: Database.Database;
  readonly #reads: SqliteReads;
  readonly #separator: string;

  constructor(connection: Database.Database, reads: SqliteReads, separator: string) {
    this.#connection = connection;
    this.#reads = reads;
    this.#separator = separator;
  }

  /** Removes a user with the alias targets that name it, and keeps what there was until `expiresMs`, where that is to come. */
  remove({ id, address }: User, expiresMs: number, nowMs: number): void {
    this.#expire(nowMs);
    const user = this.#connection
      .prepare<[number], UserRow>(
        `SELECT id, local, domain, password, scram, quota_bytes AS quotaBytes, quota_messages AS quotaMessages, disabled,
          created FROM users WHERE id = ?`,
      )
      .get(id);
    const aliases = this.#takeTargets(address);
    this.#connection.prepare('DELETE FROM users WHERE id = ?').run(id);
    if (expiresMs <= nowMs) return;
    const value = JSON.stringify({ expiresMs, user: { ...user, aliases } });
    this.#connection.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)').run(`removed:${id}`, value);
  }

  /** Deletes the targets that lead to whoever bears the address, with a detail or without. */
  #takeTargets(address: string): NamingAlias[] {
    const take = this.#connection.prepare<[string], NamingAlias>(
      'DELETE FROM aliases WHERE target = ? RETURNING local, domain, target',
    );
    const taken = take.all(address);
    // An alias goes with its last target, and its own address may be the user's with a detail: then that is one more.
    for (let targets = this.#detailed(address); targets.length > 0; targets = this.#detailed(address)) {
      for (const target of targets) taken.push(...take.all(target));
    }
    return taken;
  }

  /** Targets that are the address with a detail, and no alias's and no other user's. */
  #detailed(address: string): string[] {
    const base = addressOf(address);
    if (this.#separator === '' || this.#reads.aliasTargets(base).length > 0) return [];
    const start = `${base.local}${this.#separator}`;
    return this.#connection
      .prepare<[string, string], { target: string }>(
        'SELECT DISTINCT target FROM aliases WHERE target >= ? AND target < ?',
      )
      .all(start, `${start}\u{10ffff}`)
      .map(({ target }) => target)
      .filter((target) => {
        const whole = addressOf(target);
        const isOf = whole.domain === base.domain && splitDetail(whole, this.#separator)?.base.local === base.local;
        return isOf && this.#reads.userIdAt(whole) === undefined && this.#reads.aliasTargets(whole).length === 0;
      });
  }

  /** What was kept of a removed user, who is kept no more; undefined when there is nothing any more. */
  take(id: number, nowMs: number): RemovedUser | undefined {
    this.#expire(nowMs);
    const name = `removed:${id}`;
    const row = this.#connection
      .prepare<[string], { value: string }>('SELECT value FROM meta WHERE name = ?')
      .get(name);
    if (row === undefined) return undefined;
    this.#connection.prepare('DELETE FROM meta WHERE name = ?').run(name);
    const { user }: { readonly user: RemovedUser } = JSON.parse(row.value);
    return user;
  }

  /** Forgets a removed user at once. */
  forget(id: number): void {
    this.#connection.prepare('DELETE FROM meta WHERE name = ?').run(`removed:${id}`);
  }

  #expire(nowMs: number): void {
    this.#connection
      .prepare("DELETE FROM meta WHERE name GLOB 'removed:*' AND json_extract(value, '$.expiresMs') <= ?")
      .run(nowMs);
  }
}
