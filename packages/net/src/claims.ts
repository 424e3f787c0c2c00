/**
 * Names that belong to who claimed them first, for a while: how a login that must not come again too soon (LOGIN-DELAY) is refused
 * whichever process it comes to. The supervisor keeps them for all processes of a daemon, since it outlives them; a process without
 * one keeps its own.
 */
import { limits } from './limits.ts';
import type { Siblings } from './siblings.ts';
import { type Clock, systemClock } from './sys/clock.ts';

export interface Claims {
  /** Claims a name for some time; false when somebody has it. @throws Error when that cannot be told now */
  claim(name: string, forMs: number): Promise<boolean>;
  /** Gives a name back. */
  release(name: string): Promise<void>;
}

export class MemoryClaims implements Claims {
  readonly #clock: Clock;
  readonly #max: number;
  /** Until when, by the monotonic clock; the oldest claim first. */
  readonly #until = new Map<string, number>();

  constructor(clock: Clock = systemClock, max: number = limits.claims) {
    this.#clock = clock;
    this.#max = max;
  }

  /** Names that are remembered. */
  get size(): number {
    return this.#until.size;
  }

  async claim(name: string, forMs: number): Promise<boolean> {
    const now = this.#clock.monotonic();
    if ((this.#until.get(name) ?? 0) > now) return false;
    this.#until.delete(name);
    this.#until.set(name, now + forMs);
    for (const [oldest, until] of this.#until) {
      if (this.#until.size <= this.#max && until > now) break;
      this.#until.delete(oldest);
    }
    return true;
  }

  async release(name: string): Promise<void> {
    this.#until.delete(name);
  }
}

/** Those that the supervisor keeps. */
export class AskedClaims implements Claims {
  readonly #siblings: Siblings;

  constructor(siblings: Siblings) {
    this.#siblings = siblings;
  }

  async claim(name: string, forMs: number): Promise<boolean> {
    return (await this.#siblings.ask('claim', [name, String(forMs)])) === true;
  }

  async release(name: string): Promise<void> {
    await this.#siblings.ask('release', [name]);
  }
}
