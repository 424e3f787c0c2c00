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
    for (let at = 0; at < octets.length; at += 1) {
      const value = sextets[octets[at]!]!;
      if (value < padding) {
        this.#bits = (this.#bits << 6) | value;
        this.#sextets += 1;
        if (this.#sextets < 4) continue;
        content[bytes] = this.#bits >>> 16;
        content[bytes + 1] = this.#bits >>> 8;
        content[bytes + 2] = this.#bits;
        bytes += 3;
        this.#reset();
      } else if (value === padding) bytes += this.#finish(content, bytes);
    }
    return content.subarray(0, bytes);
  }

  end(): Buffer {
    const content = Buffer.allocUnsafe(2);
    return content.subarray(0, this.#finish(content, 0));
  }

  /** Writes the whole octets of an unfinished group; how many there are. */
  #finish(content: Buffer, at: number): number {
    const bytes = Math.max(this.#sextets - 1, 0);
    const bits = this.#bits << (6 * (4 - this.#sextets));
    if (bytes > 0) content[at] = bits >>> 16;
    if (bytes > 1) content[at + 1] = bits >>> 8;
    this.#reset();
    return bytes;
  }

  #reset(): void {
    this.#bits = 0;
    this.#sextets = 0;
  }
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
    if (isBlank(octet)) {
      const behind = behindBlanks(source, at);
      const isLong = behind - at > blanksMax;
      if (!isLong && !isLast && isCutAt(source, behind)) break;
      if (isLong || !(isLineEnd(source, behind) || behind === source.length)) {
        bytes += source.copy(content, bytes, at, behind);
      }
      at = behind;
    } else if (octet === equals) {
      const code = codeAt(source, at, isLast);
      if (code === undefined) break;
      if (code.octet !== undefined) {
        content[bytes] = code.octet;
        bytes += 1;
      }
      at = code.behind;
    } else {
      content[bytes] = octet;
      bytes += 1;
      at += 1;
    }
  }
  return { content: content.subarray(0, bytes), decided: at };
}

interface Code {
  /** Undefined: a line end that is none. */
  readonly octet: number | undefined;
  readonly behind: number;
}

/** What the `=` at `at` begins; undefined when that cannot be seen yet. */
function codeAt(source: Buffer, at: number, isLast: boolean): Code | undefined {
  const high = hexDigit(source[at + 1]);
  const low = hexDigit(source[at + 2]);
  if (high >= 0 && low >= 0) return { octet: high * 16 + low, behind: at + 3 };
  const behind = behindBlanks(source, at + 1);
  const itself: Code = { octet: equals, behind: at + 1 };
  if (behind - at - 1 > blanksMax) return itself;
  if (isLineEnd(source, behind)) return { octet: undefined, behind: behind + (source[behind] === cr ? 2 : 1) };
  if (!isLast && (at + 2 >= source.length || isCutAt(source, behind))) return undefined;
  // At the very end it joins nothing.
  return behind === source.length ? { octet: undefined, behind } : itself;
}

/** Whether what stands there may still become a line end. */
function isCutAt(source: Buffer, at: number): boolean {
  return at === source.length || (source[at] === cr && at + 1 === source.length);
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

/** -1 for what is no digit. */
function hexDigit(octet: number | undefined): number {
  if (octet === undefined) return -1;
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const letter = octet | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
