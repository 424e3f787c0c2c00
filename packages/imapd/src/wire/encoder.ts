/**
 * Writes answers (RFC 9051 §9): what stands there as it is, and strings in the form that fits them. An answer grows in one
 * buffer and is given away whole, so that nothing between two CRLFs goes out in two pieces; what is too large for that is announced
 * here as a literal and sent by whoever has it.
 *
 * A string is quoted where it can be, else a literal. NUL, which no literal of IMAP may hold, is shown as octet 0x80: the size
 * stays.
 */
import { encodeModifiedUtf7 } from './mailbox-name.ts';
import { areOctetsOf, octetClass } from './octet-class.ts';

const startBytes = 256;

/** Longer text is written by a call, shorter by a loop. */
const loopChars = 48;

const digitZero = 0x30;

/** Largest number whose digits are written by integer arithmetic. */
const smallNumberMax = 0x7fff_ffff;

/** A longer string is a literal: clients read quoted ones octet by octet, and some have a bound. */
const quotedBytesMax = 1_000;

const crlf = '\r\n';

export class Encoder {
  /** Strings may be quoted UTF-8, names are UTF-8: after ENABLE. */
  isUtf8: boolean;
  #octets: Buffer = Buffer.allocUnsafe(startBytes);
  #bytes = 0;

  constructor(isUtf8: boolean = false) {
    this.isUtf8 = isUtf8;
  }

  /** Octets that wait to be taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** ASCII that needs no form. */
  raw(text: string): this {
    const { length } = text;
    this.#ensure(length);
    if (length > loopChars) this.#octets.write(text, this.#bytes, 'latin1');
    else {
      const octets = this.#octets;
      let at = this.#bytes;
      for (let index = 0; index < length; index += 1) octets[at++] = text.charCodeAt(index);
    }
    this.#bytes += length;
    return this;
  }

  /** An integer from 0 on. */
  number(value: number): this {
    if (value > smallNumberMax) return this.raw(`${value}`);
    let bytes = 1;
    for (let bound = 10; bound <= value; bound *= 10) bytes += 1;
    this.#ensure(bytes);
    const octets = this.#octets;
    let left = value;
    for (let at = this.#bytes + bytes - 1; at >= this.#bytes; at -= 1) {
      const rest = (left / 10) | 0;
      octets[at] = digitZero + left - rest * 10;
      left = rest;
    }
    this.#bytes += bytes;
    return this;
  }

  /** Octets that have their form already. */
  octets(octets: Buffer): this {
    this.#ensure(octets.length);
    this.#octets.set(octets, this.#bytes);
    this.#bytes += octets.length;
    return this;
  }

  crlf(): this {
    return this.raw(crlf);
  }

  /** Octets, or text as UTF-8, in quotes or as a literal. */
  string(value: Buffer | string): this {
    const octets = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    return isQuotable(octets, this.isUtf8) ? this.#quoted(octets) : this.literal(octets);
  }

  /** As `string`; NIL for undefined. */
  nstring(value: Buffer | string | undefined): this {
    return value === undefined ? this.raw('NIL') : this.string(value);
  }

  /** Without quotes where they are not needed. */
  astring(value: string): this {
    const octets = Buffer.from(value, 'utf8');
    const isPlain = octets.length > 0 && octets.length <= quotedBytesMax && areOctetsOf(octets, octetClass.astring);
    // NIL would be taken for nothing.
    return isPlain && !/^nil$/i.test(value) ? this.octets(octets) : this.string(octets);
  }

  /** A mailbox's name, in UTF-7 unless UTF-8 is enabled. */
  mailbox(name: string): this {
    return this.astring(this.isUtf8 ? name : encodeModifiedUtf7(name));
  }

  /** In parentheses, with blanks between. */
  list<Item>(items: Iterable<Item>, one: (item: Item) => void): this {
    this.raw('(');
    let isFirst = true;
    for (const item of items) {
      if (!isFirst) this.raw(' ');
      isFirst = false;
      one(item);
    }
    return this.raw(')');
  }

  /** Announces octets that are sent behind what is here; NUL among them where the literal is a binary one (RFC 3516). */
  literalHead(bytes: number, isBinary: boolean = false): this {
    return this.raw(isBinary ? '~{' : '{')
      .number(bytes)
      .raw('}\r\n');
  }

  /** Octets as they are: a binary literal where there is NUL among them. */
  binary(octets: Buffer): this {
    return this.literalHead(octets.length, octets.includes(0)).octets(octets);
  }

  literal(octets: Buffer): this {
    this.literalHead(octets.length).octets(octets);
    const from = this.#bytes - octets.length;
    if (octets.includes(0))
      for (let at = from; at < this.#bytes; at += 1) if (this.#octets[at] === 0) this.#octets[at] = 0x80;
    return this;
  }

  /** Takes back what was written since there were so many octets. */
  cutTo(bytes: number): void {
    this.#bytes = Math.min(this.#bytes, bytes);
  }

  /** Everything since the last time; the caller's. */
  take(): Buffer {
    const octets = this.#octets.subarray(0, this.#bytes);
    // What follows is likely to be as long.
    this.#octets = Buffer.allocUnsafe(Math.max(startBytes, this.#bytes));
    this.#bytes = 0;
    return octets;
  }

  #quoted(octets: Buffer): this {
    this.raw('"');
    let from = 0;
    for (let at = 0; at < octets.length; at += 1) {
      if (octets[at] !== 0x22 && octets[at] !== 0x5c) continue;
      this.octets(octets.subarray(from, at)).raw('\\');
      from = at;
    }
    return this.octets(octets.subarray(from)).raw('"');
  }

  #ensure(more: number): void {
    const needed = this.#bytes + more;
    if (needed <= this.#octets.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#octets.length * 2));
    this.#octets.copy(larger, 0, 0, this.#bytes);
    this.#octets = larger;
  }
}

function isQuotable(octets: Buffer, isUtf8: boolean): boolean {
  if (octets.length > quotedBytesMax) return false;
  let isAscii = true;
  for (const octet of octets) {
    if (octet > 0x7e) isAscii = false;
    else if (octet < 0x20) return false;
  }
  return isAscii || (isUtf8 && !octets.includes(0x7f) && isWellFormed(octets));
}

function isWellFormed(octets: Buffer): boolean {
  return Buffer.from(octets.toString('utf8'), 'utf8').equals(octets);
}
