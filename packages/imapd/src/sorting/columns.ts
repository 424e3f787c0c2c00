/**
 * What messages are sorted by, kept for all of them: numbers, or texts as octets in the order of their collation. Messages are
 * known by their place among those that are sorted.
 *
 * A number takes 8 octets and a text 10 and its own; of a longer one than `limits` says, its beginning is kept and a hash of it all:
 * equal texts stay equal, and beyond that beginning the order of others is any.
 */
import { hash } from 'node:crypto';

/** Compares two messages by their places. */
export type Compare = (one: number, other: number) => number;

export interface Column<Value> {
  /** Of the next message. */
  add(value: Value): void;
  readonly compare: Compare;
}

export class NumberColumn implements Column<number> {
  readonly #values: Float64Array;
  #count = 0;

  constructor(capacity: number) {
    this.#values = new Float64Array(capacity);
  }

  add(value: number): void {
    this.#values[this.#count] = value;
    this.#count += 1;
  }

  readonly compare: Compare = (one, other) => (this.#values[one] ?? 0) - (this.#values[other] ?? 0);
}

const chunkBytes = 1_048_576; // 1 * MiB

/** Of SHA-256. */
const hashBytes = 16;

export class TextColumn implements Column<string> {
  readonly #textBytes: number;
  /** Where each text begins, counted through all chunks. */
  readonly #starts: Float64Array;
  readonly #lengths: Uint16Array;
  readonly #chunks: Buffer[] = [];
  #used: number = chunkBytes;
  #count = 0;

  /** @param textBytes octets that are kept of a text */
  constructor(capacity: number, textBytes: number) {
    this.#textBytes = textBytes;
    this.#starts = new Float64Array(capacity);
    this.#lengths = new Uint16Array(capacity);
  }

  add(text: string): void {
    const whole = Buffer.from(text, 'utf8');
    const kept = whole.length <= this.#textBytes ? whole : shortened(whole, this.#textBytes);
    if (this.#used + kept.length > chunkBytes) {
      this.#chunks.push(Buffer.allocUnsafeSlow(chunkBytes));
      this.#used = 0;
    }
    this.#chunks.at(-1)?.set(kept, this.#used);
    this.#starts[this.#count] = (this.#chunks.length - 1) * chunkBytes + this.#used;
    this.#lengths[this.#count] = kept.length;
    this.#used += kept.length;
    this.#count += 1;
  }

  readonly compare: Compare = (one, other) => {
    const here = this.#starts[one] ?? 0;
    const there = this.#starts[other] ?? 0;
    const chunk = this.#chunks[Math.floor(here / chunkBytes)];
    const otherChunk = this.#chunks[Math.floor(there / chunkBytes)];
    const length = this.#lengths[one] ?? 0;
    const otherLength = this.#lengths[other] ?? 0;
    // An empty text may stand where no chunk is.
    if (chunk === undefined || otherChunk === undefined) return length - otherLength;
    const from = here % chunkBytes;
    const otherFrom = there % chunkBytes;
    for (let at = 0; at < length && at < otherLength; at += 1) {
      const difference = (chunk[from + at] ?? 0) - (otherChunk[otherFrom + at] ?? 0);
      if (difference !== 0) return difference;
    }
    return length - otherLength;
  };
}

function shortened(text: Buffer, bytes: number): Buffer {
  const short = Buffer.from(text.subarray(0, bytes));
  hash('sha256', text, 'buffer').copy(short, bytes - hashBytes, 0, hashBytes);
  return short;
}
