/**
 * Line ends made CRLF, as the store keeps them (RFC 5322 §2.3): each bare LF becomes CRLF; CRLF and bare CR stay.
 *
 * Mail that is CRLF already passes without a copy. The rest goes through the engine's string search, a piece at a time:
 * twice as fast as copying line by line.
 */

/** Octets converted at a time; the strings of larger pieces would cost the garbage collector more than they save. */
const pieceBytes = 64 * 1024;

const CR = 13;
const LF = 10;
const crlf = Buffer.from('\r\n');
const nothing = Buffer.alloc(0);

/** Converts a stream that may be cut anywhere. */
export class CrlfConverter {
  readonly #finalLineEnd: boolean;
  /** The last octet taken in, −1 at first. */
  #last = -1;

  /** With `finalLineEnd`, a last line that lacks its line end gets one. */
  constructor(options: { readonly finalLineEnd?: boolean } = {}) {
    this.#finalLineEnd = options.finalLineEnd === true;
  }

  /** The octets converted: `octets` itself when there is nothing to change, else a buffer of its own. */
  push(octets: Buffer): Buffer {
    const before = this.#last;
    this.#last = octets.at(-1) ?? before;
    return hasBareLf(octets, before) ? convert(octets, before) : octets;
  }

  /** What is still missing at the end: CRLF or nothing. */
  end(): Buffer {
    return this.#finalLineEnd && this.#last !== -1 && this.#last !== LF ? crlf : nothing;
  }
}

function hasBareLf(octets: Buffer, before: number): boolean {
  for (let at = octets.indexOf(LF); at >= 0; at = octets.indexOf(LF, at + 1)) {
    if ((at === 0 ? before : octets[at - 1]) !== CR) return true;
  }
  return false;
}

function convert(octets: Buffer, before: number): Buffer {
  const pieces: Buffer[] = [];
  for (let start = 0; start < octets.length; ) {
    const end = Math.min(start + pieceBytes, octets.length);
    if (octets[start] === LF && (start === 0 ? before : octets[start - 1]) === CR)
      pieces.push(octets.subarray(start, ++start));
    const lf = octets.toString('latin1', start, end).replace(/\r\n/g, '\n');
    pieces.push(Buffer.from(lf.replace(/\n/g, '\r\n'), 'latin1'));
    start = end;
  }
  return Buffer.concat(pieces);
}
