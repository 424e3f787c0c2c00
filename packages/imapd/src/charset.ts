/**
 * Character sets: those of the Encoding Standard by the platform, others (UTF-7, code pages of DOS …) by iconv-lite. Octets that are no
 * text in their set become U+FFFD.
 */
import { TextDecoder } from 'node:util';
import iconv from 'iconv-lite';

/** Of what the platform does not decode: UTF-7 takes 1 ms for 1 KiB. */
const foreignDearness = 32;

/** Longer names are no character set's. */
const nameLengthMax = 40;

/** What the platform has under another name; iconv-lite's own tables of these take 100 ms to load. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ['932', 'shift_jis'],
  ['cp932', 'shift_jis'],
  ['936', 'gbk'],
  ['cp936', 'gbk'],
  ['xgbk', 'gbk'],
  ['949', 'euc-kr'],
  ['cp949', 'euc-kr'],
  ['950', 'big5'],
  ['cp950', 'big5'],
  ['big5hkscs', 'big5-hkscs'],
  ['eucjp', 'euc-jp'],
  ['euckr', 'euc-kr'],
  ['euccn', 'gbk'],
]);

// Its lists of names take 20 ms to load: better when the daemon starts than in a session.
iconv.decode(Buffer.alloc(0), 'cp850');

/** Decodes octets that come in pieces, cut anywhere. */
export interface CharsetDecoder {
  /** How much dearer than most an octet is. */
  readonly dearness: number;
  push(octets: Buffer): string;
  /** What the octets at the end leave over. */
  end(): string;
}

/** A decoder for that character set; undefined when it is not known. */
export function charsetDecoder(name: string): CharsetDecoder | undefined {
  if (name.length > nameLengthMax) return undefined;
  const platform = platformDecoder(name, false);
  if (platform !== undefined) {
    return { dearness: 1, push: (octets) => platform.decode(octets, { stream: true }), end: () => platform.decode() };
  }
  if (!iconv.encodingExists(name)) return undefined;
  const decoder = iconv.getDecoder(name);
  return { dearness: foreignDearness, push: (octets) => decoder.write(octets), end: () => decoder.end() ?? '' };
}

/** Of the character sets that were met last: a decoder takes longer to be made than a few words to be decoded. */
const wholeDecoders = new Map<string, (octets: Buffer) => string>();
const wholeDecodersMax = 64;

/** Octets that are all there as text in that character set; where it is not known, as what they look like. */
export function textOf(octets: Buffer, charset: string): string {
  let decode = wholeDecoders.get(charset);
  if (decode === undefined) {
    decode = wholeDecoder(charset);
    if (wholeDecoders.size >= wholeDecodersMax) wholeDecoders.clear();
    if (charset.length <= nameLengthMax) wholeDecoders.set(charset, decode);
  }
  return decode(octets);
}

function wholeDecoder(charset: string): (octets: Buffer) => string {
  return wholeDecoding(charset, false) ?? guessedText;
}

/** Octets that are all there, and of which nobody said what they are, as text. */
export function guessedText(octets: Buffer): string {
  const decoder = new GuessingDecoder();
  return decoder.push(octets) + decoder.end();
}

/** How octets are text, undefined for those that are none; undefined when the character set is not known. */
export function strictDecoding(name: string): ((octets: Buffer) => string | undefined) | undefined {
  const decode = wholeDecoding(name, true);
  if (decode === undefined) return undefined;
  return (octets) => {
    try {
      return decode(octets);
    } catch {
      return undefined;
    }
  };
}

/** How octets that are all there are text; `fatal`: it throws at those that are none. Undefined when the character set is not known. */
function wholeDecoding(name: string, fatal: boolean): ((octets: Buffer) => string) | undefined {
  if (name.length > nameLengthMax) return undefined;
  const platform = platformDecoder(name, fatal);
  if (platform !== undefined) return (octets) => platform.decode(octets);
  if (!iconv.encodingExists(name)) return undefined;
  return (octets) => {
    const text = iconv.decode(octets, name);
    if (fatal && text.includes('\ufffd')) throw new TypeError(`octets that are no ${name}`);
    return text;
  };
}

function platformDecoder(name: string, fatal: boolean): TextDecoder | undefined {
  const label = otherNames.get(name.toLowerCase().replace(/[^a-z0-9]/g, '')) ?? name;
  try {
    return new TextDecoder(label, { fatal });
  } catch {
    return undefined;
  }
}

/** For octets of which nobody said what they are: UTF-8 as long as they are, from then on what the West wrote before. */
export class GuessingDecoder implements CharsetDecoder {
  #utf8: TextDecoder | undefined = new TextDecoder('utf-8', { fatal: true });
  readonly dearness = 1;
  readonly #western = new TextDecoder('windows-1252');
  /** What the last piece ended with of a character in UTF-8. */
  #begun: Buffer = Buffer.alloc(0);

  push(octets: Buffer): string {
    return this.#decode(octets, true);
  }

  end(): string {
    return this.#decode(Buffer.alloc(0), false);
  }

  #decode(octets: Buffer, stream: boolean): string {
    if (this.#utf8 === undefined) return this.#western.decode(octets, { stream });
    const untold = this.#begun.length === 0 ? octets : Buffer.concat([this.#begun, octets]);
    try {
      const text = this.#utf8.decode(octets, { stream });
      this.#begun = Buffer.from(unfinished(untold));
      return text;
    } catch {
      this.#utf8 = undefined;
      return this.#western.decode(untold, { stream });
    }
  }
}

/** The octets at the end that begin a character in UTF-8 and do not end it. */
function unfinished(octets: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, octets.length); back++) {
    const octet = octets[octets.length - back] ?? 0;
    if (octet < 0x80) break;
    if (octet < 0xc0) continue;
    const length = octet >= 0xf0 ? 4 : octet >= 0xe0 ? 3 : 2;
    return octets.subarray(octets.length - (length > back ? back : 0));
  }
  return octets.subarray(octets.length);
}
