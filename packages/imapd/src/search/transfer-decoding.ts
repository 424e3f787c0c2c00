/**
 * Takes the transfer encoding off octets that come in pieces (RFC 2045 §6.7, §6.8), as far as it can be: what is not as the standard says is
 * passed over, or stays as it is.
 */

export interface TransferDecoder {
  push(octets: Buffer): Buffer;
  /** What the octets at the end leave over. */
  end(): Buffer;
}

const noOctets = Buffer.alloc(0);

/** For that encoding, in small letters; octets of an unknown one stay as they are. */
export function transferDecoder(encoding: string): TransferDecoder {
  if (encoding === 'base64') return new Base64Decoder();
  if (encoding === 'quoted-printable') return new QuotedPrintableDecoder();
  return { push: (octets) => octets, end: () => noOctets };
}

class Base64Decoder implements TransferDecoder {
  /** Up to three characters. */
  #held = '';
  #hasEnded = false;

  push(octets: Buffer): Buffer {
    if (this.#hasEnded) return noOctets;
    const padding = octets.indexOf(0x3d);
    this.#hasEnded = padding !== -1;
    const text = octets.toString('latin1', 0, padding === -1 ? octets.length : padding);
    const whole = this.#held + text.replace(/[^A-Za-z0-9+/]+/g, '');
    const end = this.#hasEnded ? whole.length : whole.length - (whole.length % 4);
    this.#held = whole.slice(end);
    return Buffer.from(whole.slice(0, end), 'base64');
  }

  end(): Buffer {
    const rest = Buffer.from(this.#held, 'base64');
    this.#held = '';
    return rest;
  }
}

const equals = 0x3d;
const lf = 0x0a;

/** Blanks behind an equals sign that stand for a line's end; more are none. */
const paddingMax = 80;

class QuotedPrintableDecoder implements TransferDecoder {
  #held: Buffer = noOctets;

  push(octets: Buffer): Buffer {
    const source = this.#held.length === 0 ? octets : Buffer.concat([this.#held, octets]);
    const [decoded, taken] = decodeQuoted(source, false);
    this.#held = Buffer.from(source.subarray(taken));
    return decoded;
  }

  end(): Buffer {
    return decodeQuoted(this.#held, true)[0];
  }
}

/** The decoded octets, and how many were taken for them: less than all where the rest may be part of something. */
function decodeQuoted(source: Buffer, isLast: boolean): readonly [Buffer, number] {
  const decoded = Buffer.allocUnsafe(source.length);
  let length = 0;
  let at = 0;
  while (at < source.length) {
    const sign = source.indexOf(equals, at);
    const plainEnd = sign === -1 ? source.length : sign;
    length += source.copy(decoded, length, at, plainEnd);
    at = plainEnd;
    if (sign === -1) break;
    const octet = hexOctet(source, sign + 1);
    const next = octet === undefined ? lineEndBehind(source, sign + 1) : sign + 3;
    if (next === undefined && !isLast && source.length - sign <= paddingMax) break;
    if (octet !== undefined || next === undefined) decoded[length++] = octet ?? equals;
    at = next ?? sign + 1;
  }
  return [decoded.subarray(0, length), at];
}

function hexOctet(source: Buffer, at: number): number | undefined {
  const high = hexDigit(source[at]);
  const low = hexDigit(source[at + 1]);
  return high === undefined || low === undefined ? undefined : high * 16 + low;
}

function hexDigit(code: number | undefined): number | undefined {
  if (code === undefined) return undefined;
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : undefined;
}

/** Where the next line begins, if nothing but blanks stands before it. */
function lineEndBehind(source: Buffer, from: number): number | undefined {
  for (let at = from; at < source.length && at - from < paddingMax; at += 1) {
    const code = source[at];
    if (code === lf) return at + 1;
    if (code !== 0x20 && code !== 0x09 && code !== 0x0d) return undefined;
  }
  return undefined;
}
