/** What of a message BODY[…] and BINARY[…] name (RFC 9051 §6.4.5, section-spec), and which octets of it (`<o.n>`). */
import { limits } from '../limits.ts';
import type { Decoder } from './decoder.ts';

export interface Section {
  /** Part numbers from the outside in; none for the message itself. */
  readonly part: readonly number[];
  /** `all`: the part's content, or the whole message. */
  readonly text: 'all' | 'header' | 'headerFields' | 'headerFieldsNot' | 'text' | 'mime';
  /** Of `headerFields` and `headerFieldsNot`, as they were written. */
  readonly fields: readonly string[];
}

/** Octets `offset` … `offset + bytes`. */
export interface Partial {
  readonly offset: number;
  readonly bytes: number;
}

const texts = {
  HEADER: 'header',
  'HEADER.FIELDS': 'headerFields',
  'HEADER.FIELDS.NOT': 'headerFieldsNot',
  TEXT: 'text',
  MIME: 'mime',
} as const;

const what = 'a section such as HEADER, TEXT or 1.2';

/** `[…]`. */
export function expectSection(decoder: Decoder): Section {
  decoder.expectChar('[');
  const section = insideOf(decoder);
  decoder.expectChar(']');
  return section;
}

function insideOf(decoder: Decoder): Section {
  const name = decoder.tryName() ?? '';
  const [, numbers = '', word = ''] = /^((?:[1-9]\d*(?:\.(?=.)|$))*)(.*)$/.exec(name) ?? [];
  const part = partOf(decoder, numbers);
  if (word === '') return { part, text: 'all', fields: [] };
  const text = isTextName(word) ? texts[word] : undefined;
  if (text === undefined || (text === 'mime' && part.length === 0)) decoder.fail(what);
  const fields: string[] = [];
  if (text === 'headerFields' || text === 'headerFieldsNot') {
    decoder.expectSpace('a list of header fields');
    decoder.expectList('a header field', () => fields.push(expectFieldName(decoder)));
  }
  return { part, text: text ?? 'all', fields };
}

function isTextName(word: string): word is keyof typeof texts {
  return Object.hasOwn(texts, word);
}

function partOf(decoder: Decoder, text: string): number[] {
  const numbers =
    text === ''
      ? []
      : text
          .split('.')
          .filter((number) => number !== '')
          .map(Number);
  if (numbers.length > limits.sectionLevels) decoder.fail(`a section of up to ${limits.sectionLevels} levels`);
  if (numbers.some((number) => number > 0xffff_ffff)) decoder.fail(what);
  return numbers;
}

/** The part number of BINARY: numbers alone, or nothing. */
export function expectPart(decoder: Decoder): readonly number[] {
  const section = expectSection(decoder);
  if (section.text !== 'all') decoder.fail('a part number such as 1.2');
  return section.part;
}

/** A field's name, as it was written. */
export function expectFieldName(decoder: Decoder): string {
  const name = decoder.expectAstring('the name of a header field').toString('latin1');
  // What RFC 5322 lets a name be made of; the answer repeats it.
  if (!/^[!-9;-~]+$/.test(name)) decoder.fail('the name of a header field');
  return name;
}

/** `<o.n>`; undefined where none stands. */
export function tryPartial(decoder: Decoder): Partial | undefined {
  if (!decoder.tryChar('<')) return undefined;
  const [, offset, bytes] = /^(\d{1,15})\.([1-9]\d{0,14})$/.exec(decoder.tryName() ?? '') ?? [];
  if (offset === undefined) decoder.fail('an offset and a count such as <0.1024>');
  decoder.expectChar('>');
  return { offset: Number(offset ?? 0), bytes: Number(bytes ?? 1) };
}
