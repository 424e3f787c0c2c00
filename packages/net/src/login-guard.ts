/**
 * Makes guessing passwords slow: counts failed logins by address and by login, holds back the answer to a failure, and after
 * many of them lets an address try no more. A login is only slowed, never locked: else anyone could lock anyone out. A success
 * is never held back.
 *
 * `LoginGuard` is the seam for a guard that asks somebody else; this one remembers in memory, of a bounded number of addresses
 * and logins. Where a daemon has several processes, each counts the failures of all.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { addressKey, isLoopback } from './address.ts';
import { limits } from './limits.ts';
import { Siblings } from './siblings.ts';
import { type Clock, systemClock } from './sys/clock.ts';

/** Who tries; the address is empty for a Unix socket, and a proxy gives its client's. */
export interface LoginAttempt {
  readonly address: string;
  readonly login: string;
}

export interface LoginGuard {
  /** True when this address may not try now; the answer is that of a wrong password, or a temporary one. */
  isLocked(attempt: LoginAttempt): Promise<boolean>;
  /** Counts a wrong password, and resolves when the answer may be given. */
  failed(attempt: LoginAttempt): Promise<void>;
  /** Forgets the login's failures from this address. */
  succeeded(attempt: LoginAttempt): Promise<void>;
}

export interface LoginGuardOptions {
  readonly clock?: Clock;
  /** Waits; tests give their own. */
  readonly wait?: (ms: number) => Promise<void>;
  /** Addresses that are not counted, by what `addressKey` makes of them; loopback and Unix sockets are never locked. */
  readonly trusted?: ReadonlySet<string>;
  /** Failures of an address after which it may not try; Infinity for never. */
  readonly addressFailuresMax?: number;
  /** The other processes of the daemon, which are told of failures and tell theirs. */
  readonly siblings?: Siblings;
}

interface Failures {
  count: number;
  /** When the first of them came, by the monotonic clock: one now and then, of a program with an old password, adds up to nothing. */
  since: number;
}

/** Failures by key; the key whose last failure is longest ago comes first, and leaves first. */
class FailureTable {
  readonly #entries = new Map<string, Failures>();

  count(key: string, now: number): number {
    const entry = this.#entries.get(key);
    return entry === undefined || now - entry.since > limits.loginGuardWindowMs ? 0 : entry.count;
  }

  add(key: string, now: number): number {
    const before = this.count(key, now);
    const since = before === 0 ? now : (this.#entries.get(key)?.since ?? now);
    const count = before + 1;
    this.#entries.delete(key);
    this.#entries.set(key, { count, since });
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= limits.loginGuardEntries && now - entry.since <= limits.loginGuardWindowMs) break;
      this.#entries.delete(oldest);
    }
    return count;
  }

  /** False when nothing was known of it. */
  forget(key: string): boolean {
    return this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}

export class MemoryLoginGuard implements LoginGuard {
  readonly #clock: Clock;
  readonly #wait: (ms: number) => Promise<void>;
  readonly #trusted: ReadonlySet<string>;
  readonly #addressFailuresMax: number;
  readonly #siblings: Siblings;
  readonly #addresses = new FailureTable();
  readonly #logins = new FailureTable();
  #waiting = 0;

  constructor(options: LoginGuardOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#wait = options.wait ?? ((ms) => sleep(ms, undefined, { ref: false }));
    this.#trusted = options.trusted ?? new Set();
    this.#addressFailuresMax = options.addressFailuresMax ?? limits.loginFailuresAddress;
    this.#siblings = options.siblings ?? new Siblings();
    this.#siblings.hear('loginFailed', ([address = '', login = '']) => this.#count({ address, login }));
    this.#siblings.hear('loginSucceeded', ([login = '']) => this.#logins.forget(login));
  }

  /** Addresses and logins remembered. */
  get entries(): number {
    return this.#addresses.size + this.#logins.size;
  }

  async isLocked({ address }: LoginAttempt): Promise<boolean> {
    const key = this.#addressKey(address);
    return key !== undefined && this.#addresses.count(key, this.#clock.monotonic()) >= this.#addressFailuresMax;
  }

  async failed(attempt: LoginAttempt): Promise<void> {
    this.#siblings.tell('loginFailed', [attempt.address, loginKey(attempt.login)]);
    const delayMs = delayAfter(this.#count(attempt));
    if (delayMs === 0 || this.#waiting >= limits.loginDelaysPending) return;
    this.#waiting += 1;
    try {
      await this.#wait(delayMs);
    } finally {
      this.#waiting -= 1;
    }
  }

  async succeeded({ login }: LoginAttempt): Promise<void> {
    // The address keeps its failures: one good password must not pay for a hundred guesses at others.
    const key = loginKey(login);
    if (this.#logins.forget(key)) this.#siblings.tell('loginSucceeded', [key]);
  }

  /** Failures of the address or the login, whichever has more, with this one. */
  #count({ address, login }: LoginAttempt): number {
    const now = this.#clock.monotonic();
    const key = this.#addressKey(address);
    const ofAddress = key === undefined ? 0 : this.#addresses.add(key, now);
    return Math.max(ofAddress, this.#logins.add(loginKey(login), now));
  }

  #addressKey(address: string): string | undefined {
    if (address === '' || isLoopback(address)) return undefined;
    const key = addressKey(address);
    return this.#trusted.has(key) ? undefined : key;
  }
}

/** Names that are one to the directory are one here; a bound on what is kept of nonsense. */
function loginKey(login: string): string {
  return login.slice(0, limits.loginBytes).toLowerCase();
}

function delayAfter(failures: number): number {
  const beyond = failures - limits.loginFailuresFree;
  if (beyond <= 0) return 0;
  return Math.min(limits.loginDelayMsMax, limits.loginDelayMs * 2 ** Math.min(beyond - 1, 30));
}
