/**
 * Removed users, kept for as long as their mail is, so that they can come back whole: password, limits, and the aliases that
 * named them. Rows `removed:ID` of the table `meta`, JSON. Each goes when its time is over, at the next removal or return.
 */
import type Database from 'better-sqlite3';
import type { Address } from './address.ts';
import type { UserValues } from './change-form.ts';

/** A row of `users`, and the aliases that led to it. */
export interface RemovedUser extends UserValues, Address {
  readonly id: number;
  /** ms since 1970. */
  readonly created: number;
  readonly aliases: readonly Address[];
}

type UserRow = Omit<RemovedUser, 'aliases'>;

export class RemovedUsers {
  readonly #connection: Database.Database;

  constructor(connection: Database.Database) {
    this.#connection = connection;
  }

  /** Keeps what there is of a user who is about to be removed. */
  keep(id: number, address: string, expiresMs: number, nowMs: number): void {
    this.#expire(nowMs);
    if (expiresMs <= nowMs) return;
    const user = this.#connection
      .prepare<[number], UserRow>(
        `SELECT id, local, domain, password, scram, quota_bytes AS quotaBytes, quota_messages AS quotaMessages, disabled,
          created FROM users WHERE id = ?`,
      )
      .get(id);
    const aliases = this.#connection
      .prepare<[string], Address>('SELECT local, domain FROM aliases WHERE target = ?')
      .all(address);
    const value = JSON.stringify({ expiresMs, user: { ...user, aliases } });
    this.#connection.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)').run(`removed:${id}`, value);
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
