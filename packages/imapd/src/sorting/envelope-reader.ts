/** Reads single values out of an ENVELOPE in wire form (RFC 9051 §7.5.2), as the catalog keeps it, and passes over the others. */

const blank = 0x20;
const quote = 0x22;
const opening = 0x28;
const closing = 0x29;
const backslash = 0x5c;
const brace = 0x7b;

/** One octet a character; empty for NIL. */
export interface EnvelopeAddress {
  readonly name: string;
  readonly mailbox: string;
  /** Empty for the beginning of a group, whose name is the mailbox. */
  readonly host: string;
}

/** From the first value to the last: date, subject, from, sender, reply-to, to, cc, bcc, in-reply-to, message-id. */
export class EnvelopeReader {
  readonly #octets: Buffer;
  #at = 1;

  constructor(octets: Buffer) {
    this.#octets = octets;
  }

  /** The string that comes next, one octet a character, up to so many of them; empty for NIL. */
  string(most: number): string {
    const { start, end, isQuoted } = this.#string();
    this.#blank();
    const text = this.#octets.toString('latin1', start, Math.min(end, start + most));
    return isQuoted && text.includes('\\') ? text.replace(/\\(.)/gs, '$1') : text;
  }

  /** The first address of the list that comes next, a group's beginning among them; undefined where there is none. */
  firstAddress(most: number): EnvelopeAddress | undefined {
    const start = this.#at;
    let address: EnvelopeAddress | undefined;
    if (this.#octets[start] === opening) {
      // Behind both parentheses.
      this.#at += 2;
      const name = this.string(most);
      this.string(0);
      address = { name, mailbox: this.string(most), host: this.string(most) };
      this.#at = start;
    }
    this.skip();
    return address;
  }

  /** Passes over the value that comes next. */
  skip(): void {
    let depth = 0;
    while (this.#at < this.#octets.length) {
      const octet = this.#octets[this.#at];
      if (octet === opening) depth += 1;
      else if (octet === closing) depth -= 1;
      if (octet === opening || octet === closing || octet === blank) this.#at += 1;
      else this.#string();
      if (depth <= 0) break;
    }
    this.#blank();
  }

  #blank(): void {
    if (this.#octets[this.#at] === blank) this.#at += 1;
  }

  /** Where the string's content lies; what is neither quoted nor a literal is NIL. */
  #string(): { readonly start: number; readonly end: number; readonly isQuoted: boolean } {
    const octets = this.#octets;
    const first = octets[this.#at];
    if (first === quote) {
      const start = this.#at + 1;
      let end = start;
      while (end < octets.length && octets[end] !== quote) end += octets[end] === backslash ? 2 : 1;
      this.#at = end + 1;
      return { start, end, isQuoted: true };
    }
    if (first === brace) {
      const lineEnd = octets.indexOf('}\r\n', this.#at, 'latin1');
      const start = lineEnd === -1 ? octets.length : lineEnd + 3;
      const end = start + (lineEnd === -1 ? 0 : Number(octets.toString('latin1', this.#at + 1, lineEnd)) || 0);
      this.#at = end;
      return { start, end, isQuoted: false };
    }
    this.#at += 3;
    return { start: this.#at, end: this.#at, isQuoted: false };
  }
}
