/**
 * Decodes the encoded words of a header field (RFC 2047). Words that touch, or have nothing but blanks between, are one text; where their
 * character set is the same they are decoded as one, since many mailers cut in the middle of a character. Words need not
 * keep to their length or stand alone between blanks.
 */
import { textOf } from '../charset.ts';
import { transferDecoder } from './transfer-decoding.ts';

const noOctets = Buffer.alloc(0);

/** Each class ends where the next character begins: linear. */
const encodedWord = /=\?([^?\s]+)\?([bq])\?([^?]*)\?=/gi;

/** Words of one character set that follow one another. */
interface Run {
  /** In small letters. */
  readonly charset: string;
  readonly octets: Buffer[];
}

export function withoutEncodedWords(text: string): string {
  let decoded = '';
  let at = 0;
  let run: Run | undefined;
  for (const { 0: word, 1: given = '', 2: encoding = '', 3: content = '', index } of text.matchAll(encodedWord)) {
    const charset = given.toLowerCase();
    const gap = text.slice(at, index);
    const isAdjacent = run !== undefined && gap.trim() === '';
    if (run === undefined || !isAdjacent || run.charset !== charset) {
      decoded += `${run === undefined ? '' : decodedRun(run)}${isAdjacent ? '' : gap}`;
      run = { charset, octets: [] };
    }
    run.octets.push(octetsOf(encoding, content));
    at = index + word.length;
  }
  return run === undefined ? text : `${decoded}${decodedRun(run)}${text.slice(at)}`;
}

/** RFC 2231 §5: a language may stand behind the character set. */
function decodedRun({ charset, octets }: Run): string {
  const [only = noOctets] = octets;
  return textOf(octets.length === 1 ? only : Buffer.concat(octets), charset.split('*', 1)[0] ?? '');
}

function octetsOf(encoding: string, content: string): Buffer {
  const isBase64 = encoding === 'b' || encoding === 'B';
  const decoder = transferDecoder(isBase64 ? 'base64' : 'quoted-printable');
  // As codes: blanks at the end of a word are of it, at the end of a line they are not.
  const octets = decoder.push(Buffer.from(isBase64 ? content : content.replace(/[_ ]/g, '=20'), 'utf8'));
  const rest = decoder.end();
  return rest.length === 0 ? octets : Buffer.concat([octets, rest]);
}
