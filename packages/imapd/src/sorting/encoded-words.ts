/**
 * The text of an unstructured header field (RFC 2047 §6.2, RFC 6532): encoded words in their character sets, 8-bit octets as
 * UTF-8, or as Latin-1 where they are none. What is broken is shown as well as it can be; nothing here fails.
 */

import { TextDecoder } from 'node:util';

/** `=?charset*language?encoding?text?=`; the longest name of a character set has some 40 octets. */
const encodedWord = /=\?([^?*\s]{1,40})(?:\*[^?\s]*)?\?([bq])\?([^?]*)\?=/gi;

const aboveAscii = /[\x80-\xff]/;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** By name as it was found; of names that mean something, there are some two hundred. */
const decoders = new Map<string, TextDecoder>();

function decoderOf(charset: string): TextDecoder | undefined {
  const name = charset.toLowerCase();
  const known = decoders.get(name);
  if (known !== undefined) return known;
  try {
    const decoder = new TextDecoder(name);
    decoders.set(name, decoder);
    return decoder;
  } catch {
    return undefined;
  }
}

function octetsOf(encoding: string, text: string): Buffer {
  if (/b/i.test(encoding)) return Buffer.from(text, 'base64');
  const octets = text
    .replaceAll('_', ' ')
    .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(octets, 'latin1');
}

/** Octets, one a character, as text. */
function plainText(octets: string): string {
  if (!aboveAscii.test(octets)) return octets;
  try {
    return strictUtf8.decode(Buffer.from(octets, 'latin1'));
  } catch {
    return octets;
  }
}

/** The text of an unfolded field value, of which each character is an octet. */
export function fieldText(value: string): string {
  if (!value.includes('=?')) return plainText(value);
  let text = '';
  let from = 0;
  // Words of one character set that follow one another are decoded together: some mailers split characters.
  let open: { charset: string; octets: Buffer[] } | undefined;
  const close = (): void => {
    if (open !== undefined) text += decoderOf(open.charset)?.decode(Buffer.concat(open.octets)) ?? '';
    open = undefined;
  };
  for (const match of value.matchAll(encodedWord)) {
    const [whole, charset = '', encoding = '', encoded = ''] = match;
    if (decoderOf(charset) === undefined) continue;
    const between = value.slice(from, match.index);
    // Blanks between two words are not part of the text.
    if (open === undefined || /[^ \t\r\n]/.test(between)) {
      close();
      text += plainText(between);
    }
    if (open?.charset.toLowerCase() !== charset.toLowerCase()) close();
    open ??= { charset, octets: [] };
    open.octets.push(octetsOf(encoding, encoded));
    from = match.index + whole.length;
  }
  close();
  return text + plainText(value.slice(from));
}
