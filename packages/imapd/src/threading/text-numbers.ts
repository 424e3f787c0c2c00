/**
 * Gives texts numbers from 0 on, a text the same number each time. Of a text 64 bits of a hash are kept, with a salt of its own in
 * each table, so that nobody can choose texts that are taken for one another or that lie in each other's way.
 *
 * Takes 16 to 32 octets a number.
 */

import { hash, randomBytes } from 'node:crypto';
import { limits } from '../limits.ts';
import type { Turns } from '../sorting/turns.ts';

const capacityMin = 1_024;

export class TextNumbers {
  readonly #salt = randomBytes(16).toString('latin1');
  #low: Uint32Array = new Uint32Array(capacityMin);
  #high: Uint32Array = new Uint32Array(capacityMin);
  /** A number and one, by hash; 0: free. Twice as many as there can be numbers, and a power of two. */
  #slots: Uint32Array = new Uint32Array(2 * capacityMin);
  #count = 0;

  /** Numbers given so far. */
  get count(): number {
    return this.#count;
  }

  /** Makes room for so many more numbers. */
  async reserve(more: number, pace: Turns): Promise<void> {
    let capacity = this.#low.length;
    while (capacity < this.#count + more) capacity *= 2;
    if (capacity === this.#low.length) return;
    this.#low = grown(this.#low, capacity);
    this.#high = grown(this.#high, capacity);
    const before = this.#slots;
    this.#slots = new Uint32Array(2 * capacity);
    for (const found of before) {
      if (pace.isDue(limits.stepWork)) await pace.turn();
      if (found !== 0) this.#slots[this.#slotOf(this.#low[found - 1] ?? 0, this.#high[found - 1] ?? 0)] = found;
    }
  }

  /** The text's number; undefined when it has none. */
  numberOf(text: string): number | undefined {
    return this.#look(text, false);
  }

  /** The text's number, a new one when it has none; there must be room. */
  numberFor(text: string): number {
    return this.#look(text, true) ?? 0;
  }

  /** A new number that no text has; there must be room. */
  withoutText(): number {
    this.#count += 1;
    return this.#count - 1;
  }

  #look(text: string, isNew: boolean): number | undefined {
    const digest = hash('sha256', this.#salt + text, 'buffer');
    const low = digest.readUInt32LE(0);
    const high = digest.readUInt32LE(4);
    const slot = this.#slotOf(low, high);
    const found = this.#slots[slot] ?? 0;
    if (found !== 0) return found - 1;
    if (!isNew) return undefined;
    const number = this.withoutText();
    this.#low[number] = low;
    this.#high[number] = high;
    this.#slots[slot] = number + 1;
    return number;
  }

  /** Where a hash stands, or would. */
  #slotOf(low: number, high: number): number {
    const mask = this.#slots.length - 1;
    let slot = low & mask;
    for (let found = this.#slots[slot] ?? 0; found !== 0; found = this.#slots[slot] ?? 0) {
      if (this.#low[found - 1] === low && this.#high[found - 1] === high) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}

function grown(array: Uint32Array, length: number): Uint32Array {
  const larger = new Uint32Array(length);
  larger.set(array);
  return larger;
}
