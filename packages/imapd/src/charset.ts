/**
 * Character sets: those of the Encoding Standard by the platform, others (UTF-7, code pages of DOS …) by iconv-lite. Octets that are no
 * text in their set become U+FFFD.
 */
import { TextDecoder } from 'node:util';
import iconv from 'iconv-lite';

/** Longer names are no character set's. */
const nameLengthMax = 40;

/** Decodes octets that come in pieces, cut anywhere. */
export interface CharsetDecoder {
  push(octets: Buffer): string;
  /** What the octets at the end leave over. */
  end(): string;
}

/** A decoder for that character set; undefined when it is not known. */
export function charsetDecoder(name: string): CharsetDecoder | undefined {
  if (name.length > nameLengthMax) return undefined;
  const platform = platformDecoder(name, false);
  if (platform !== undefined) {
    return { push: (octets) => platform.decode(octets, { stream: true }), end: () => platform.decode() };
  }
  if (!iconv.encodingExists(name)) return undefined;
  const decoder = iconv.getDecoder(name);
  return { push: (octets) => decoder.write(octets), end: () => decoder.end() ?? '' };
}

/** How octets are text, undefined for those that are none; undefined when the character set is not known. */
export function strictDecoding(name: string): ((octets: Buffer) => string | undefined) | undefined {
  if (name.length > nameLengthMax) return undefined;
  const platform = platformDecoder(name, true);
  if (platform !== undefined) {
    return (octets) => {
      try {
        return platform.decode(octets);
      } catch {
        return undefined;
      }
    };
  }
  if (!iconv.encodingExists(name)) return undefined;
  return (octets) => {
    const text = iconv.decode(octets, name);
    return text.includes('\ufffd') ? undefined : text;
  };
}

function platformDecoder(name: string, fatal: boolean): TextDecoder | undefined {
  try {
    return new TextDecoder(name, { fatal });
  } catch {
    return undefined;
  }
}

/** For octets of which nobody said what they are: UTF-8 as long as they are, from then on what the West wrote before. */
export class GuessingDecoder implements CharsetDecoder {
  #utf8: TextDecoder | undefined = new TextDecoder('utf-8', { fatal: true });
  readonly #western = new TextDecoder('windows-1252');

  push(octets: Buffer): string {
    return this.#decode(octets, true);
  }

  end(): string {
    return this.#decode(Buffer.alloc(0), false);
  }

  #decode(octets: Buffer, stream: boolean): string {
    try {
      if (this.#utf8 !== undefined) return this.#utf8.decode(octets, { stream });
    } catch {
      this.#utf8 = undefined;
    }
    return this.#western.decode(octets, { stream });
  }
}
