/**
 * The fields of a header as text to be searched in: unfolded, encoded words (RFC 2047) and the parameters of RFC 2231 decoded, 8-bit
 * octets taken for UTF-8 where they are. What the store reads of a header counts: of a flood of fields the first ones.
 */
import { disposition, fieldTexts, headerFields, mediaType, type Parameter } from '@mstore/store';
import { guessedText, textOf } from '../charset.ts';
import { limits } from '../limits.ts';
import { withoutEncodedWords } from './encoded-words.ts';
import { folded } from './folded-text.ts';
import type { Pace } from './pace.ts';

/** An encoded word costs about as much as so many characters without one. */
export const encodedWork = 16;

/** The folded values of a field by its name in small letters; of a header that is small. */
export function foldedValues(header: Buffer, name: string): string[] {
  return (fieldTexts(header, new Set([name])).get(name) ?? []).map((value) => folded(decodedText(value)));
}

/** As `foldedValues`, of a header of any size; each value comes when it is asked for. */
export async function* valuesAtPace(header: Buffer, name: string, pace: Pace): AsyncGenerator<string> {
  await pace.worked(header.length);
  for (const value of fieldTexts(header, new Set([name])).get(name) ?? []) yield await foldedAtPace(value, pace);
}

/** Every field with its name, folded. */
export async function* fieldsAtPace(header: Buffer, pace: Pace): AsyncGenerator<string> {
  await pace.worked(header.length);
  for (const { name, value } of headerFields(header)) {
    const text = value.toString('latin1').replace(/\r?\n/g, '');
    yield `${folded(`${name}:`)} ${(await foldedAtPace(text, pace)).trimStart()}`;
    const parameters = extendedText(name.toLowerCase(), text);
    if (parameters !== '') yield folded(parameters);
    await pace.worked(limits.searchRowWork);
  }
}

/** A field's unfolded octets, one a character, as text. */
export function decodedText(octets: string): string {
  const isAscii = /^[\0-\x7f]*$/.test(octets);
  const text = isAscii ? octets : guessedText(Buffer.from(octets, 'latin1'));
  return text.includes('=?') ? withoutEncodedWords(text) : text;
}

/** In pieces cut at blanks: an encoded word has none, and blanks between two of them do not count. */
async function foldedAtPace(octets: string, pace: Pace): Promise<string> {
  if (octets.length <= limits.searchPieceBytes) {
    await pace.worked(octets.length * encodedWork);
    return folded(decodedText(octets));
  }
  const texts: string[] = [];
  for (let from = 0; from < octets.length; ) {
    const blank = octets.indexOf(' ', from + limits.searchPieceBytes);
    const isFar = blank === -1 || blank > from + 2 * limits.searchPieceBytes;
    const to = isFar ? from + limits.searchPieceBytes : blank;
    const isBetweenWords = octets.startsWith('?=', to - 2) && octets.startsWith(' =?', to);
    texts.push(folded(decodedText(octets.slice(from, to))));
    from = isBetweenWords ? to + 1 : to;
    await pace.worked(limits.searchPieceBytes * encodedWork);
  }
  return texts.join('');
}

/** The decoded values of parameters that are encoded. */
function extendedText(name: string, text: string): string {
  if (!text.includes('*') || (name !== 'content-type' && name !== 'content-disposition')) return '';
  const parameters = (name === 'content-type' ? mediaType(text) : disposition(text))?.parameters ?? [];
  return parameters.flatMap(extendedValue).join(' ');
}

/** `name*=utf-8''gr%C3%BCn` as text. */
function extendedValue({ name, value }: Parameter): string[] {
  const [, charset = '', encoded = ''] = /^([^']*)'[^']*'(.*)$/s.exec(value) ?? [];
  if (!name.endsWith('*') || encoded === '') return [];
  const octets = encoded.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return [textOf(Buffer.from(octets, 'latin1'), charset)];
}
