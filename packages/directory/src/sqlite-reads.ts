/**
 * The questions that a reading connection answers, as prepared statements over one open file. Every call is a few microseconds
 * of memory-mapped reading; failures are SQLite's own errors, which sqlite.ts translates.
 */
import { createHmac } from 'node:crypto';
import type Database from 'better-sqlite3';
import { type Address, addressText } from './address.ts';
import type { DirectoryChange, DirectoryChanges } from './directory.ts';
import { limits } from './limits.ts';
import type { AddressTables } from './resolve.ts';
import { type User, type UserId, userId } from './types.ts';

/** A user with what the password is checked against. */
export interface Credentials {
  readonly user: User;
  readonly password: string | null;
  readonly scram: string | null;
}

export interface UserRow {
  readonly id: number;
  readonly local: string;
  readonly domain: string;
  readonly quota_bytes: number;
  readonly quota_messages: number;
  readonly disabled: number;
  readonly created: number;
}

interface SecretRow extends UserRow {
  readonly password: string | null;
  readonly scram: string | null;
}

interface ChangeRow {
  readonly sequence: number;
  readonly kind: DirectoryChange['kind'];
  readonly user_id: number;
  readonly name: string;
}

export const userColumns = 'id, local, domain, quota_bytes, quota_messages, disabled, created';

export function userOf(row: UserRow): User {
  return {
    id: userId(row.id),
    address: addressText(row),
    quotaBytes: row.quota_bytes,
    quotaMessages: row.quota_messages,
    disabled: row.disabled !== 0,
    createdMs: row.created,
  };
}

function changeOf({ sequence, kind, user_id, name }: ChangeRow): DirectoryChange {
  if (kind === 'alias') return { sequence, kind, address: name };
  if (kind === 'domain') return { sequence, kind, domain: name };
  return { sequence, kind, userId: userId(user_id), address: name };
}

export class SqliteReads implements AddressTables {
  readonly #connection: Database.Database;
  readonly #secret: Buffer;
  readonly #domain: Database.Statement<[string], { readonly name: string }>;
  readonly #userId: Database.Statement<[string, string], { readonly id: number }>;
  readonly #targets: Database.Statement<[string, string], { readonly target: string }>;
  readonly #userById: Database.Statement<[number], UserRow>;
  readonly #secretsByName: Database.Statement<[string, string], SecretRow>;
  readonly #decoy: Database.Statement<[number], { readonly password: string }>;
  readonly #span: Database.Statement<[], { readonly first: number | null; readonly last: number }>;
  readonly #changes: Database.Statement<[number, number], ChangeRow>;

  constructor(connection: Database.Database) {
    this.#connection = connection;
    const secret = connection.prepare<[], { value: Buffer }>("SELECT value FROM meta WHERE name = 'secret'").get();
    this.#secret = secret?.value ?? Buffer.alloc(0);
    this.#domain = connection.prepare('SELECT name FROM domains WHERE name = ?');
    this.#userId = connection.prepare('SELECT id FROM users WHERE domain = ? AND local = ?');
    this.#targets = connection.prepare('SELECT target FROM aliases WHERE domain = ? AND local = ? ORDER BY position');
    this.#userById = connection.prepare(`SELECT ${userColumns} FROM users WHERE id = ?`);
    this.#secretsByName = connection.prepare(
      `SELECT ${userColumns}, password, scram FROM users WHERE domain = ? AND local = ?`,
    );
    this.#decoy = connection.prepare(
      `SELECT password FROM users WHERE id >= (SELECT max(id) FROM users) * ? AND password IS NOT NULL
        ORDER BY id LIMIT 1`,
    );
    this.#span = connection.prepare(
      `SELECT (SELECT min(sequence) FROM changes) AS first,
        coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0) AS last`,
    );
    this.#changes = connection.prepare(
      'SELECT sequence, kind, user_id, name FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?',
    );
  }

  hasDomain(domain: string): boolean {
    return this.#domain.get(domain) !== undefined;
  }

  userIdAt({ local, domain }: Address): UserId | undefined {
    const row = this.#userId.get(domain, local);
    return row === undefined ? undefined : userId(row.id);
  }

  aliasTargets({ local, domain }: Address): readonly string[] {
    return this.#targets.all(domain, local).map((row) => row.target);
  }

  user(id: UserId): User | undefined {
    const row = this.#userById.get(id);
    return row === undefined ? undefined : userOf(row);
  }

  credentials({ local, domain }: Address): Credentials | undefined {
    const row = this.#secretsByName.get(domain, local);
    return row === undefined ? undefined : { user: userOf(row), password: row.password, scram: row.scram };
  }

  /**
   * The kept password of some user, always the same one for the same login: what an unknown login is checked against, so that
   * it takes as long as a known one whatever schemes the users brought along. Undefined when nobody has a password.
   */
  decoy(login: string): string | undefined {
    const fraction = createHmac('sha256', this.#secret).update(login).digest().readUInt32LE() / 2 ** 32;
    return (this.#decoy.get(fraction) ?? this.#decoy.get(0))?.password;
  }

  changes(since: number | undefined): DirectoryChanges {
    const { first, last } = this.#span.get() ?? { first: null, last: 0 };
    if (since === undefined) return { sequence: last, complete: true, changes: [] };
    // Beyond the end: another file than the one that was asked before.
    const isKnown = since <= last && (first === null ? since === last : since >= first - 1);
    if (!isKnown) return { sequence: last, complete: false, changes: [] };
    const changes = this.#changes.all(since, limits.changesTold).map(changeOf);
    return { sequence: changes.at(-1)?.sequence ?? last, complete: true, changes };
  }

  /** A number that is another after each change by another connection. */
  dataVersion(): number {
    return Number(this.#connection.pragma('data_version', { simple: true }));
  }

  close(): void {
    this.#connection.close();
  }
}
