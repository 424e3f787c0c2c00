/**
 * Counts connections against two limits: in all, and from one address. Where a daemon has several processes the limits are for all
 * of them together (shared-counts.ts). So what comes to several of them within `limits.tellMs` may pass a limit.
 */
import { addressKey, isLoopback } from './address.ts';
import { limits } from './limits.ts';
import { SharedCounts } from './shared-counts.ts';
import type { Siblings } from './siblings.ts';

/** Which limit stands against a connection. */
export type TooMany = 'tooMany' | 'tooManyFromAddress';

/** The key of all connections, which is no address's. */
const all = '';

/** Counts over all listeners of a daemon. */
export class ConnectionCounter {
  readonly #max: number;
  readonly #addressMax: number;
  /** By address, and under `all` every one. */
  readonly #counts: SharedCounts;

  constructor(max: number = limits.connections, addressMax: number = limits.addressConnections, siblings?: Siblings) {
    this.#max = max;
    this.#addressMax = addressMax;
    this.#counts = new SharedCounts('connections', siblings);
  }

  /** Those of this process. */
  get open(): number {
    return this.#counts.own(all);
  }

  /** Counts a connection in, unless that passes a limit; loopback and Unix sockets (no address) share no household. */
  enter(address: string): TooMany | undefined {
    if (this.#counts.count(all) >= this.#max) return 'tooMany';
    const key = keyOf(address);
    if (key !== undefined && this.#counts.count(key) >= this.#addressMax) return 'tooManyFromAddress';
    if (key !== undefined) this.#counts.add(key, 1);
    this.#counts.add(all, 1);
    return undefined;
  }

  leave(address: string): void {
    const key = keyOf(address);
    if (key !== undefined) this.#counts.add(key, -1);
    this.#counts.add(all, -1);
  }
}

/** Undefined for an address of which there may be any number. */
function keyOf(address: string): string | undefined {
  return address === '' || isLoopback(address) ? undefined : addressKey(address);
}
