/**
 * Passwords: the face of the hashing threads. New ones are kept as scrypt and as a SCRAM-SHA-256 verifier; verified is what
 * password/stored.ts can read. Nothing here takes time on the event loop.
 */
import { DirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import { HashPool, type HashPoolOptions } from './password/hash-pool.ts';
import type { NewPassword, PasswordCost } from './password/work.ts';
import { type Clock, systemClock } from './sys/clock.ts';

export interface PasswordOptions extends HashPoolOptions {
  readonly cost?: PasswordCost;
  readonly clock?: Clock;
}

/** What new passwords cost unless told otherwise: 32 MiB and about 80 ms, and 20,000 rounds for a client with SCRAM. */
const defaultCost: PasswordCost = { scryptLog2N: 15, scramIterations: 20_000 };

/** What stands against a new password, or undefined. */
export function passwordProblem(password: string): string | undefined {
  if (password === '') return 'the password is empty';
  if (Buffer.byteLength(password) > limits.passwordBytes) return `the password exceeds ${limits.passwordBytes} octets`;
  if (/[\u0000-\u001f\u007f]/.test(password)) return 'the password holds a control character';
  return undefined;
}

export class Passwords {
  readonly #pool: HashPool;
  readonly #cost: PasswordCost;

  constructor(options: PasswordOptions = {}) {
    this.#pool = new HashPool(options.clock ?? systemClock, options);
    this.#cost = options.cost ?? defaultCost;
  }

  /** Threads that hash at once. */
  get threads(): number {
    return this.#pool.threads;
  }

  /**
   * True when `password` is the one behind `stored`. A password that nobody can have takes as long and is never right.
   * @throws {DirectoryError} unavailable: too many wait, or `stored` is nothing we can verify
   */
  async verify(stored: string, password: string): Promise<boolean> {
    const isPossible =
      password !== '' && !password.includes('\0') && Buffer.byteLength(password) <= limits.passwordBytes;
    const isRight = await this.#pool.run<boolean>({ kind: 'verify', stored, password: isPossible ? password : '' });
    return isPossible && isRight;
  }

  /** What is kept of a new password. @throws {DirectoryError} badPassword, unavailable */
  async make(password: string): Promise<NewPassword> {
    const problem = passwordProblem(password);
    if (problem !== undefined) throw new DirectoryError('badPassword', problem);
    return this.#pool.run<NewPassword>({ kind: 'make', password, cost: this.#cost });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
