/**
 * Counts connections against two limits: in all, and from one address. Where a daemon has several processes the limits are for all
 * of them together: each tells the others what it has open, within `limits.tellMs`, and counts theirs to its own. So what
 * comes to several of them within that time may pass a limit.
 *
 * Invariant: what the others were told last, and what is about to be told, is what is open here.
 */
import { addressKey, isLoopback } from './address.ts';
import { limits } from './limits.ts';
import { Siblings } from './siblings.ts';

/** Which limit stands against a connection. */
export type TooMany = 'tooMany' | 'tooManyFromAddress';

/** The key of all connections, which is no address's. */
const all = '';

/** Counts over all listeners of a daemon. */
export class ConnectionCounter {
  readonly #max: number;
  readonly #addressMax: number;
  readonly #siblings: Siblings;
  /** By address, and under `all` every one; without those that are none. */
  readonly #own = new Map<string, number>();
  /** What each other process has, by its pid. */
  readonly #others = new Map<number, Map<string, number>>();
  /** Keys whose numbers the others are about to be told. */
  readonly #changed = new Set<string>();

  constructor(
    max: number = limits.connections,
    addressMax: number = limits.addressConnections,
    siblings: Siblings = new Siblings(),
  ) {
    this.#max = max;
    this.#addressMax = addressMax;
    this.#siblings = siblings;
    siblings.hear('connections', (args, from) => this.#hear(args, from));
    siblings.hear('gone', (_, from) => this.#others.delete(from));
    siblings.hear('joined', () => {
      for (const key of this.#own.keys()) this.#change(key);
    });
  }

  /** Those of this process. */
  get open(): number {
    return this.#own.get(all) ?? 0;
  }

  /** Counts a connection in, unless that passes a limit; loopback and Unix sockets (no address) share no household. */
  enter(address: string): TooMany | undefined {
    if (this.#count(all) >= this.#max) return 'tooMany';
    const key = keyOf(address);
    if (key !== undefined && this.#count(key) >= this.#addressMax) return 'tooManyFromAddress';
    if (key !== undefined) this.#add(key, 1);
    this.#add(all, 1);
    return undefined;
  }

  leave(address: string): void {
    const key = keyOf(address);
    if (key !== undefined) this.#add(key, -1);
    this.#add(all, -1);
  }

  #count(key: string): number {
    let count = this.#own.get(key) ?? 0;
    for (const other of this.#others.values()) count += other.get(key) ?? 0;
    return count;
  }

  #add(key: string, by: 1 | -1): void {
    setCount(this.#own, key, (this.#own.get(key) ?? 0) + by);
    this.#change(key);
  }

  #change(key: string): void {
    if (!this.#siblings.areSupervised) return;
    if (this.#changed.size === 0) setTimeout(() => this.#tell(), limits.tellMs).unref();
    this.#changed.add(key);
  }

  #tell(): void {
    const args = [...this.#changed].flatMap((key) => [key, String(this.#own.get(key) ?? 0)]);
    this.#changed.clear();
    this.#siblings.tell('connections', args);
  }

  #hear(args: readonly string[], from: number): void {
    const theirs = this.#others.get(from) ?? new Map<string, number>();
    this.#others.set(from, theirs);
    for (let at = 0; at < args.length; at += 2) setCount(theirs, args[at] ?? '', Number(args[at + 1]));
  }
}

/** Undefined for an address of which there may be any number. */
function keyOf(address: string): string | undefined {
  return address === '' || isLoopback(address) ? undefined : addressKey(address);
}

function setCount(counts: Map<string, number>, key: string, count: number): void {
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
