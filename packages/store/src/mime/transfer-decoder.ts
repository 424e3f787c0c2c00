/**
 * Takes a transfer encoding off a part's octets as they come (RFC 2045 §6). For readers: what is not as the RFC wants it costs as little
 * of the content as can be, and nothing is refused.
 *
 * * base64: octets of no meaning are passed over; padding ends a group, and what stands behind it is a further run.
 * * quoted-printable: a `=` that begins no code stands for itself; blanks in front of a line end go.
 *
 * State is bounded: an unfinished group, or an unfinished code with the blanks in front of it.
 */

export interface TransferDecoder {
  /** The content of the next octets, as far as it is known; a buffer of its own, or the octets themselves. */
  push(octets: Buffer): Buffer;
  /** What is left when no more octets come. */
  end(): Buffer;
}

const nothing = Buffer.alloc(0);

/** For an encoding in lower case, as an entity names it; undefined for one that is not known. */
export function transferDecoder(encoding: string): TransferDecoder | undefined {
  switch (encoding) {
    case '7bit':
    case '8bit':
    case 'binary':
      return { push: (octets) => octets, end: () => nothing };
    case 'base64':
      return new Base64Decoder();
    case 'quoted-printable':
      return new QuotedPrintableDecoder();
    default:
      return undefined;
  }
}

const padding = 64;
const noSextet = 65;
/** By octet: its six bits, or what else it is. */
const sextets = buildSextets();

function buildSextets(): Uint8Array {
  const table = new Uint8Array(256).fill(noSextet);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=';
  for (let value = 0; value < alphabet.length; value += 1) table[alphabet.charCodeAt(value)] = value;
  return table;
}

class Base64Decoder implements TransferDecoder {
  /** Bits of an unfinished group, and how many sextets they are. */
  #bits = 0;
  #sextets = 0;

  push(octets: Buffer): Buffer {
    const content = Buffer.allocUnsafe(Math.ceil((octets.length * 3) / 4) + 3);
    let bytes = 0;
    // Locals: fields cost several times as much for each octet.
    let bits = this.#bits;
    let count = this.#sextets;
    for (let at = 0; at < octets.length; at += 1) {
      const value = sextets[octets[at]!]!;
      if (value < padding) {
        bits = (bits << 6) | value;
        count += 1;
        if (count < 4) continue;
        content[bytes] = bits >>> 16;
        content[bytes + 1] = bits >>> 8;
        content[bytes + 2] = bits;
        bytes += 3;
      } else if (value === padding) bytes += writeRest(content, bytes, bits, count);
      else continue;
      bits = 0;
      count = 0;
    }
    this.#bits = bits;
    this.#sextets = count;
    return content.subarray(0, bytes);
  }

  end(): Buffer {
    const content = Buffer.allocUnsafe(2);
    return content.subarray(0, writeRest(content, 0, this.#bits, this.#sextets));
  }
}

/** Writes the whole octets of an unfinished group; how many there are. */
function writeRest(content: Buffer, at: number, bits: number, count: number): number {
  const bytes = Math.max(count - 1, 0);
  const shifted = bits << (6 * (4 - count));
  if (bytes > 0) content[at] = shifted >>> 16;
  if (bytes > 1) content[at + 1] = shifted >>> 8;
  return bytes;
}

const lf = 0x0a;
const cr = 0x0d;
const equals = 0x3d;

/** Octets of blanks that may turn out to stand in front of a line end: RFC 2045 §6.7 allows lines of 76. */
const blanksMax = 1_000;

class QuotedPrintableDecoder implements TransferDecoder {
  /** What is not decided: blanks, `=` and what follows it, a CR. */
  #held: Buffer = nothing;

  push(octets: Buffer): Buffer {
    const source = this.#held.length === 0 ? octets : Buffer.concat([this.#held, octets]);
    const { content, decided } = decodeQuoted(source, false);
    this.#held = Buffer.from(source.subarray(decided));
    return content;
  }

  end(): Buffer {
    const { content } = decodeQuoted(this.#held, true);
    this.#held = nothing;
    return content;
  }
}

/** The content of the octets up to `decided`; all of them, where they are the last. */
function decodeQuoted(source: Buffer, isLast: boolean): { readonly content: Buffer; readonly decided: number } {
  const content = Buffer.allocUnsafe(source.length);
  let bytes = 0;
  let at = 0;
  while (at < source.length) {
    const octet = source[at]!;
    if (octet !== equals && !isBlank(octet)) {
      content[bytes] = octet;
      bytes += 1;
      at += 1;
      continue;
    }
    const value = octet === equals ? hexDigit(source[at + 1]) * 16 + hexDigit(source[at + 2]) : notHex;
    if (value >= 0) {
      content[bytes] = value;
      bytes += 1;
      at += 3;
      continue;
    }
    // Blanks, or `=` and the blanks behind it: a line end behind them is what they are for.
    const from = octet === equals ? at + 1 : at;
    const behind = behindBlanks(source, from);
    const isLong = behind - from > blanksMax;
    const isShort = octet === equals && at + 2 >= source.length;
    if (!isLong && !isLast && (isShort || isCutAt(source, behind))) break;
    const endsLine = !isLong && (isLineEnd(source, behind) || behind === source.length);
    if (octet === equals) {
      if (!endsLine) {
        content[bytes] = equals;
        bytes += 1;
      }
      at = endsLine ? behindLineEnd(source, behind) : from;
    } else {
      if (!endsLine) bytes += copyBlanks(content, bytes, source, from, behind);
      at = behind;
    }
  }
  return { content: content.subarray(0, bytes), decided: at };
}

/** `copy` costs more for a few octets. */
function copyBlanks(content: Buffer, to: number, source: Buffer, from: number, behind: number): number {
  for (let at = from; at < behind; at += 1) content[to + at - from] = source[at]!;
  return behind - from;
}

function behindBlanks(source: Buffer, from: number): number {
  let at = from;
  while (at < source.length && at - from <= blanksMax && isBlank(source[at]!)) at += 1;
  return at;
}

function isBlank(octet: number): boolean {
  return octet === 0x20 || octet === 0x09;
}

function isLineEnd(source: Buffer, at: number): boolean {
  return source[at] === lf || (source[at] === cr && source[at + 1] === lf);
}

function behindLineEnd(source: Buffer, at: number): number {
  if (at === source.length) return at;
  return at + (source[at] === cr ? 2 : 1);
}

/** Whether what stands there may still become a line end. */
function isCutAt(source: Buffer, at: number): boolean {
  return at === source.length || (source[at] === cr && at + 1 === source.length);
}

/** Less than anything that two digits are, also beside one. */
const notHex = -1_000;

function hexDigit(octet: number | undefined): number {
  if (octet === undefined) return notHex;
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const letter = octet | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : notHex;
}
