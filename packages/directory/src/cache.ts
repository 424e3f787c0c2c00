/**
 * A directory before a directory: keeps what it was told, so that those it knows go on while the other cannot be asked. Owns
 * no truth: an answer older than limits.cacheFreshMs is asked for again, and given all the same only when the other is
 * unavailable, for at most limits.cacheStaleMs. What the change stream says has changed is forgotten at once.
 *
 * While the directory is down: an address that nobody asked for lately, a login that nobody used lately, and a password that
 * was not found right lately are `unavailable`, never "no such user" or "wrong". Only answers that found someone are kept.
 */

import { addressOf, addressText, parseAddress } from './address.ts';
import type {
  Authentication,
  ChangeListener,
  Directory,
  DirectoryChange,
  DirectoryChanges,
  LoginAttempt,
  Resolution,
  ScramVerifier,
} from './directory.ts';
import { isDirectoryError } from './errors.ts';
import { ExpiringMap } from './expiring-map.ts';
import { limits } from './limits.ts';
import { RememberedPasswords } from './remembered.ts';
import { type Clock, systemClock } from './sys/clock.ts';
import type { User, UserId } from './types.ts';

export interface CacheOptions {
  readonly clock?: Clock;
  /** ms; limits.cacheFreshMs when absent. */
  readonly freshMs?: number;
  /** ms; limits.cacheStaleMs when absent. */
  readonly staleMs?: number;
  /** Answers of each kind; limits.cacheEntries when absent. */
  readonly entries?: number;
}

type UserChange = Exclude<DirectoryChange, { kind: 'alias' | 'domain' }>;

export class CachedDirectory implements Directory {
  readonly #directory: Directory;
  readonly #freshMs: number;
  readonly #resolutions: ExpiringMap<string, Extract<Resolution, { kind: 'found' }>>;
  readonly #users: ExpiringMap<UserId, User>;
  readonly #routes: ExpiringMap<UserId, string>;
  /** By login as it was typed. */
  readonly #logins: ExpiringMap<string, User>;
  readonly #remembered: RememberedPasswords;
  readonly #unsubscribe: () => void;
  /** Rises with every change told, so that an answer that was on its way is not kept. */
  #changesTold = 0;

  constructor(directory: Directory, options: CacheOptions = {}) {
    const clock = options.clock ?? systemClock;
    const entries = options.entries ?? limits.cacheEntries;
    const staleMs = options.staleMs ?? limits.cacheStaleMs;
    this.#directory = directory;
    this.#freshMs = options.freshMs ?? limits.cacheFreshMs;
    this.#resolutions = new ExpiringMap(clock, entries, staleMs);
    this.#users = new ExpiringMap(clock, entries, staleMs);
    this.#routes = new ExpiringMap(clock, entries, staleMs);
    this.#logins = new ExpiringMap(clock, entries, staleMs);
    this.#remembered = new RememberedPasswords(clock, staleMs, entries);
    this.#unsubscribe = directory.subscribe((changes) => this.#follow(changes));
  }

  async resolve(address: string): Promise<Resolution> {
    const parsed = parseAddress(address);
    if (parsed === undefined) return this.#directory.resolve(address);
    const key = addressText(parsed);
    const fresh = this.#resolutions.get(key, this.#freshMs);
    if (fresh !== undefined) return fresh;
    const told = this.#changesTold;
    try {
      const resolution = await this.#directory.resolve(address);
      if (resolution.kind !== 'found') this.#resolutions.delete(key);
      else if (told === this.#changesTold) this.#resolutions.set(key, resolution);
      return resolution;
    } catch (error) {
      return this.#instead(error, this.#resolutions.get(key));
    }
  }

  async authenticate(login: string, password: string, attempt: LoginAttempt): Promise<Authentication> {
    const told = this.#changesTold;
    try {
      const answer = await this.#directory.authenticate(login, password, attempt);
      if (answer.kind === 'user' && told === this.#changesTold) {
        this.#remembered.remember(answer.user.id, '', password);
        this.#users.set(answer.user.id, answer.user);
        this.#logins.set(login, answer.user);
      }
      if (answer.kind !== 'user') this.#logins.delete(login);
      return answer;
    } catch (error) {
      const user = this.#logins.get(login);
      const isKnown = user !== undefined && this.#remembered.isRemembered(user.id, '', password);
      return this.#instead(error, isKnown ? { kind: 'user', user } : undefined);
    }
  }

  async scramVerifier(login: string): Promise<ScramVerifier | undefined> {
    return this.#directory.scramVerifier(login);
  }

  user(id: UserId): Promise<User | undefined> {
    return this.#through(this.#users, id, () => this.#directory.user(id));
  }

  userNamed(login: string): Promise<User | undefined> {
    return this.#through(this.#logins, login, () => this.#directory.userNamed(login));
  }

  route(id: UserId): Promise<string | undefined> {
    return this.#through(this.#routes, id, () => this.#directory.route(id));
  }

  changes(since?: number): Promise<DirectoryChanges> {
    return this.#directory.changes(since);
  }

  subscribe(listener: ChangeListener): () => void {
    return this.#directory.subscribe(listener);
  }

  /** Closes the directory behind as well. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#forgetAll();
    await this.#directory.close();
  }

  async #through<Key, Value>(
    map: ExpiringMap<Key, Value>,
    key: Key,
    ask: () => Promise<Value | undefined>,
  ): Promise<Value | undefined> {
    const fresh = map.get(key, this.#freshMs);
    if (fresh !== undefined) return fresh;
    const told = this.#changesTold;
    try {
      const value = await ask();
      if (value === undefined) map.delete(key);
      else if (told === this.#changesTold) map.set(key, value);
      return value;
    } catch (error) {
      return this.#instead(error, map.get(key));
    }
  }

  /** The kept answer when the directory cannot tell; else its error. */
  #instead<Answer>(error: unknown, kept: Answer | undefined): Answer {
    if (kept === undefined || !isDirectoryError(error, 'unavailable')) throw error;
    return kept;
  }

  #follow({ complete, changes }: DirectoryChanges): void {
    this.#changesTold += 1;
    if (!complete || changes.length > limits.cacheChanges) {
      this.#forgetAll();
      return;
    }
    const named: UserChange[] = [];
    for (const change of changes) {
      if (change.kind === 'alias' || change.kind === 'domain') this.#resolutions.clear();
      else named.push(change);
    }
    if (named.length > 0) this.#forget(named);
  }

  #forget(changes: readonly UserChange[]): void {
    for (const { userId } of changes) {
      this.#users.delete(userId);
      this.#routes.delete(userId);
      this.#remembered.forget(userId);
    }
    const isChanged = (user: User): boolean =>
      changes.some(({ userId, address }) => userId === user.id || address === user.address);
    this.#logins.deleteWhere((_, user) => isChanged(user));
    const moved = changes
      .filter(({ kind }) => kind !== 'userChanged')
      .map(({ userId, address }) => ({ userId, ...addressOf(address) }));
    if (moved.length === 0) return;
    // Whatever begins like the name may have been its detail, or somebody else's by a catch-all.
    this.#resolutions.deleteWhere((key, { targets }) =>
      moved.some(
        ({ userId, local, domain }) =>
          targets.some((target) => target.userId === userId) || (key.startsWith(local) && key.endsWith(`@${domain}`)),
      ),
    );
  }

  #forgetAll(): void {
    this.#resolutions.clear();
    this.#users.clear();
    this.#routes.clear();
    this.#logins.clear();
    this.#remembered.forgetAll();
  }
}
