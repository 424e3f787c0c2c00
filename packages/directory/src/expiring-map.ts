/** A map with a bound on its entries and an end to each: the oldest makes room. Owns no timer; looks at the clock when asked. */
import type { Clock } from './sys/clock.ts';

interface Slot<Value> {
  readonly value: Value;
  readonly storedAt: number;
}

export class ExpiringMap<Key, Value> {
  readonly #clock: Clock;
  readonly #entriesMax: number;
  readonly #keepMs: number;
  readonly #slots = new Map<Key, Slot<Value>>();

  constructor(clock: Clock, entriesMax: number, keepMs: number) {
    this.#clock = clock;
    this.#entriesMax = entriesMax;
    this.#keepMs = keepMs;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The value, unless it is older than `withinMs`, which is at most what the map keeps. */
  get(key: Key, withinMs: number = this.#keepMs): Value | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    const ageMs = this.#clock.monotonic() - slot.storedAt;
    if (ageMs >= this.#keepMs) this.#slots.delete(key);
    return ageMs < Math.min(withinMs, this.#keepMs) ? slot.value : undefined;
  }

  set(key: Key, value: Value): void {
    this.#slots.delete(key);
    const oldest = this.#slots.keys().next();
    if (this.#slots.size >= this.#entriesMax && oldest.done !== true) this.#slots.delete(oldest.value);
    this.#slots.set(key, { value, storedAt: this.#clock.monotonic() });
  }

  delete(key: Key): void {
    this.#slots.delete(key);
  }

  clear(): void {
    this.#slots.clear();
  }

  /** Deletes what the predicate picks. */
  deleteWhere(picks: (key: Key, value: Value) => boolean): void {
    for (const [key, slot] of this.#slots) if (picks(key, slot.value)) this.#slots.delete(key);
  }
}
