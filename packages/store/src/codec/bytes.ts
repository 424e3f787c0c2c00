/**
 * A bounded cursor over octets: fixed-width little-endian integers, LEB128 varints up to 2^53 − 1, length-prefixed
 * strings. Every read is checked against the end; octets that do not fit throw `DecodeError`.
 */

/** The octets are not what the format says. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}

/** Reads from a buffer it does not own; slices it returns share that buffer. */
export class Reader {
  readonly #buffer: Buffer;
  #position: number;

  constructor(buffer: Buffer, position = 0) {
    this.#buffer = buffer;
    this.#position = position;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#buffer.length - this.#position;
  }

  #take(length: number): number {
    const at = this.#position;
    if (length > this.#buffer.length - at)
      throw new DecodeError(`${length} octets wanted at ${at}, ${this.remaining} left`);
    this.#position = at + length;
    return at;
  }

  u8(): number {
    return this.#buffer[this.#take(1)]!;
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  /** A 64-bit integer that fits 2^53 − 1. */
  u64(): number {
    const at = this.#take(8);
    const value = this.#buffer.readUInt32LE(at) + this.#buffer.readUInt32LE(at + 4) * 0x1_0000_0000;
    if (!Number.isSafeInteger(value)) throw new DecodeError(`integer beyond 2^53 at ${at}`);
    return value;
  }

  varint(): number {
    const buffer = this.#buffer;
    let at = this.#position;
    let value = 0;
    // Integers of 32 bits are quick, and most have no more.
    for (let shift = 0; shift < 28 && at < buffer.length; shift += 7) {
      const octet = buffer[at++]!;
      value |= (octet & 0x7f) << shift;
      if (octet < 0x80) {
        this.#position = at;
        return value;
      }
    }
    let scale = 2 ** 28;
    for (;;) {
      if (at >= buffer.length) throw new DecodeError(`varint cut at ${at}`);
      const octet = buffer[at++]!;
      value += (octet & 0x7f) * scale;
      if (octet < 0x80) break;
      scale *= 128;
      if (scale > 2 ** 49) throw new DecodeError(`varint too long at ${at}`);
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError(`varint beyond 2^53 at ${at}`);
    this.#position = at;
    return value;
  }

  /** A signed integer: zigzag in a varint. */
  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** The next `length` octets, sharing the buffer. */
  bytes(length: number): Buffer {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** Passes over the next `length` octets; returns where they begin. */
  skip(length: number): number {
    return this.#take(length);
  }

  /** A varint length and that many octets, sharing the buffer. */
  block(): Buffer {
    return this.bytes(this.varint());
  }

  /** A block of UTF-8. */
  text(): string {
    return this.block().toString('utf8');
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw new DecodeError(`${this.remaining} octets too many`);
  }
}

/** Writes into a buffer that grows; `finish` gives the octets away. */
export class Writer {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  #room(length: number): number {
    const at = this.#length;
    const need = at + length;
    if (need > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(need, this.#buffer.length * 2));
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    this.#length = need;
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#buffer[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#buffer.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#buffer.writeUInt32LE(value, at);
    return this;
  }

  u64(value: number): this {
    const at = this.#room(8);
    this.#buffer.writeUInt32LE(value % 0x1_0000_0000, at);
    this.#buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
    return this;
  }

  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a varint: ${value}`);
    let at = this.#room(8);
    const buffer = this.#buffer;
    let rest = value;
    while (rest >= 0x80) {
      buffer[at++] = (rest % 128) | 0x80;
      rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 128);
    }
    buffer[at++] = rest;
    this.#length = at;
    return this;
  }

  signed(value: number): this {
    return this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  bytes(octets: Uint8Array): this {
    const at = this.#room(octets.length);
    this.#buffer.set(octets, at);
    return this;
  }

  block(octets: Uint8Array): this {
    return this.varint(octets.length).bytes(octets);
  }

  text(value: string): this {
    const length = Buffer.byteLength(value, 'utf8');
    this.varint(length);
    const at = this.#room(length);
    this.#buffer.write(value, at, length, 'utf8');
    return this;
  }

  /** The octets written; the writer must not be used again. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}
