/**
 * Mailbox names on the wire: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 where that is enabled (RFC 9051 §5.1, RFC 6855). Strict: of
 * the many ways to write a name in UTF-7 one is right, so that no two texts on the wire are the same mailbox and what a LIST
 * says is what a client can say back. What a mailbox may be called at all is the store's to say.
 */
import { inbox } from '@mstore/store';
import { type Decoder, textOf } from './decoder.ts';
import { octetClass } from './octet-class.ts';

/** The name with the lone `&` of what is no UTF-7: ends a sentence. */
const notUtf7 = 'a mailbox name is in modified UTF-7 before ENABLE, and "&" stands there as "&-"';

/** A mailbox's name as the store writes it. */
export function expectMailbox(decoder: Decoder): string {
  return storedName(decoder, decoder.expectAstring('a mailbox name'));
}

export interface GivenName {
  readonly mailbox: string;
  /** How the client wrote it, where that differs (RFC 9051 §6.3.9.7). */
  readonly given?: string;
}

/** As `expectMailbox`, with what the client called it. */
export function expectGivenMailbox(decoder: Decoder): GivenName {
  const given = givenName(decoder, decoder.expectAstring('a mailbox name'));
  const mailbox = normalName(given);
  return mailbox === given ? { mailbox } : { mailbox, given };
}

/** A LIST pattern: a name with the wildcards `%` and `*`. */
export function expectPattern(decoder: Decoder): string {
  return storedName(decoder, decoder.expectAstring('a mailbox name or a pattern', octetClass.list));
}

function storedName(decoder: Decoder, octets: Buffer): string {
  return normalName(givenName(decoder, octets));
}

function givenName(decoder: Decoder, octets: Buffer): string {
  if (decoder.hasFailed) return '';
  const name = decoder.isUtf8 ? textOf(octets) : decodeModifiedUtf7(octets.toString('latin1'));
  if (name === undefined) decoder.refuse('name', decoder.isUtf8 ? 'a mailbox name is in UTF-8' : notUtf7);
  return name ?? '';
}

/** In NFC, with INBOX in capitals where it is the first level. */
export function normalName(name: string): string {
  // Without the flag `u`, so that only ASCII letters are one in both cases.
  return name.normalize('NFC').replace(/^inbox(?=\/|$)/i, inbox);
}

/** The text; undefined unless it is written as a strict encoder writes it. */
export function decodeModifiedUtf7(text: string): string | undefined {
  if (/[^ -~]/.test(text)) return undefined;
  let decoded = '';
  let at = 0;
  for (;;) {
    const shift = text.indexOf('&', at);
    if (shift === -1) return decoded + text.slice(at);
    decoded += text.slice(at, shift);
    const end = text.indexOf('-', shift);
    if (end === -1) return undefined;
    const shifted = text.slice(shift + 1, end);
    const part = shifted === '' ? '&' : decodeShifted(shifted);
    // Two of them in a row should have been one.
    if (part === undefined || (shifted !== '' && /^&[^-]/.test(text.slice(end + 1, end + 3)))) return undefined;
    decoded += part;
    at = end + 1;
  }
}

/** What stands between `&` and `-`: UTF-16 in base64 with `,` for `/`, none of it printable ASCII. */
function decodeShifted(base64: string): string | undefined {
  if (!/^[A-Za-z0-9+,]+$/.test(base64)) return undefined;
  const octets = Buffer.from(base64.replaceAll(',', '/'), 'base64');
  if (octets.length === 0 || octets.length % 2 === 1) return undefined;
  const text = octets.swap16().toString('utf16le');
  if (/[ -~\p{Cs}]/u.test(text) || encodeShifted(text) !== base64) return undefined;
  return text;
}

function encodeShifted(text: string): string {
  const base64 = Buffer.from(text, 'utf16le').swap16().toString('base64');
  return base64.replace(/=+$/, '').replaceAll('/', ',');
}

/** The text in modified UTF-7. */
export function encodeModifiedUtf7(text: string): string {
  return text.replace(/&|[^ -~]+/g, (part) => (part === '&' ? '&-' : `&${encodeShifted(part)}-`));
}
