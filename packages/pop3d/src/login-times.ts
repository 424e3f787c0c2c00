/**
 * LOGIN-DELAY (RFC 2449 §6.5): whether a user's login comes long enough after the last one. It is claimed where all processes of the
 * daemon claim it, before the maildrop is opened, so that of several logins at the same instant one comes in.
 */
import type { Claims, Log } from '@mstore/net';

export class LoginTimes {
  readonly #delayMs: number;
  readonly #claims: Claims;
  readonly #log: Log;

  /** @param delayS seconds between two logins of a user; 0 for none */
  constructor(delayS: number, claims: Claims, log: Log) {
    this.#delayMs = delayS * 1_000;
    this.#claims = claims;
    this.#log = log;
  }

  /** False where logins may come at any time. */
  get areLimited(): boolean {
    return this.#delayMs > 0;
  }

  /** False when it comes too soon. Where nobody can tell, people get their mail rather than be kept waiting. */
  async begin(user: number): Promise<boolean> {
    try {
      return await this.#claims.claim(nameOf(user), this.#delayMs);
    } catch (error) {
      this.#log.warn('LOGIN-DELAY could not be checked', { user }, error);
      return true;
    }
  }

  /** A login that came to nothing was none. */
  async forget(user: number): Promise<void> {
    try {
      await this.#claims.release(nameOf(user));
    } catch (error) {
      this.#log.warn('a failed login counts for LOGIN-DELAY', { user }, error);
    }
  }
}

function nameOf(user: number): string {
  return `login ${user}`;
}
