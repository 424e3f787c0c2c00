/**
 * BODY from BODYSTRUCTURE (RFC 9051 §7.5.2): the same list without the extension data, which the catalog keeps in wire form. Nothing is
 * made new: octets are copied up to where the extensions begin.
 */

const open = 0x28; // (
const close = 0x29; // )
const blank = 0x20;
const quote = 0x22;
const backslash = 0x5c;
const brace = 0x7b; // {

/** Fields of a part that is no multipart, before its extensions: type, subtype, parameters, id, description, encoding, size. */
const basicFields = 7;

/** @throws Error where the octets are no body structure */
export function withoutExtensions(structure: Buffer): Buffer {
  const copy = new Copy(structure);
  copy.body();
  return Buffer.concat(copy.pieces);
}

class Copy {
  readonly pieces: Buffer[] = [];
  readonly #octets: Buffer;
  #at = 0;
  /** Where what is not copied yet begins. */
  #from = 0;

  constructor(octets: Buffer) {
    this.#octets = octets;
  }

  /** Recursion is bounded by the depth of a message's parts. */
  body(): void {
    this.#expect(open);
    if (this.#octets[this.#at] === open) this.#multipart();
    else this.#part();
    this.#dropRest();
  }

  #multipart(): void {
    while (this.#octets[this.#at] === open) this.body();
    this.#expect(blank);
    this.#skip();
  }

  #part(): void {
    const typeAt = this.#at;
    for (let field = 0; field < basicFields; field += 1) {
      if (field > 0) this.#expect(blank);
      this.#skip();
    }
    const type = /^"(text)" |^"(message)" "(?:rfc822|global)" /i.exec(
      this.#octets.toString('latin1', typeAt, typeAt + 32),
    );
    if (type === null) return;
    this.#expect(blank);
    if (type[2] !== undefined) {
      this.#skip();
      this.#expect(blank);
      this.body();
      this.#expect(blank);
    }
    this.#skip();
  }

  /** Copies up to here, and passes over what is left of the list. */
  #dropRest(): void {
    this.pieces.push(this.#octets.subarray(this.#from, this.#at));
    while (this.#octets[this.#at] === blank) {
      this.#at += 1;
      this.#skip();
    }
    this.#from = this.#at;
    this.#expect(close);
    this.pieces.push(this.#octets.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }

  #expect(octet: number): void {
    if (this.#octets[this.#at] !== octet) throw new Error(`no body structure at octet ${this.#at}`);
    this.#at += 1;
  }

  /** A list, a string, a number, NIL. */
  #skip(): void {
    let depth = 0;
    do {
      const octet = this.#octets[this.#at];
      if (octet === open) depth += 1;
      else if (octet === close) depth -= 1;
      else if (octet === quote) this.#skipQuoted();
      else if (octet === brace) this.#skipLiteral();
      else if (octet === undefined) throw new Error('a body structure ends too early');
      if (octet === open || octet === close || octet === blank) this.#at += 1;
      else if (octet !== quote && octet !== brace) this.#skipPlain();
    } while (depth > 0);
  }

  #skipPlain(): void {
    const from = this.#at;
    while (![open, close, blank, undefined].includes(this.#octets[this.#at])) this.#at += 1;
    if (this.#at === from) throw new Error(`no body structure at octet ${from}`);
  }

  #skipQuoted(): void {
    this.#at += 1;
    while (this.#octets[this.#at] !== quote) {
      if (this.#at >= this.#octets.length) throw new Error('a quoted string without its end');
      this.#at += this.#octets[this.#at] === backslash ? 2 : 1;
    }
    this.#at += 1;
  }

  #skipLiteral(): void {
    const end = this.#octets.indexOf('}\r\n', this.#at, 'latin1');
    this.#at = end + 3 + Number(this.#octets.toString('latin1', this.#at + 1, end));
    if (end === -1 || !(this.#at <= this.#octets.length)) throw new Error('a literal without its end');
  }
}
