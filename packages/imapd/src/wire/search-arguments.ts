/** The arguments of SEARCH, SORT and THREAD around their keys (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 5256,
 *  RFC 5957). */
import { strictDecoding } from '../charset.ts';
import { type Decoder, textOf } from './decoder.ts';
import { expectSearchKeys, type SearchKey, type TextDecoding } from './search-keys.ts';

export type SearchReturn = 'MIN' | 'MAX' | 'ALL' | 'COUNT' | 'SAVE';

export interface SearchArguments {
  /** What ESEARCH is to say; undefined: SEARCH answers as it did before there was ESEARCH. `RETURN ()` is ALL. */
  readonly returns: ReadonlySet<SearchReturn> | undefined;
  readonly key: SearchKey;
}

export type SortKey = 'ARRIVAL' | 'CC' | 'DATE' | 'DISPLAYFROM' | 'DISPLAYTO' | 'FROM' | 'SIZE' | 'SUBJECT' | 'TO';

export interface SortArguments extends SearchArguments {
  readonly order: readonly { readonly by: SortKey; readonly isReverse: boolean }[];
}

export interface ThreadArguments {
  readonly algorithm: 'ORDEREDSUBJECT' | 'REFERENCES';
  readonly key: SearchKey;
}

const returnNames: readonly SearchReturn[] = ['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE'];
const sortNames: readonly SortKey[] = [
  'ARRIVAL',
  'CC',
  'DATE',
  'DISPLAYFROM',
  'DISPLAYTO',
  'FROM',
  'SIZE',
  'SUBJECT',
  'TO',
];

/** `RETURN (MIN COUNT) CHARSET UTF-8 UNSEEN …`. */
export function expectSearchArguments(decoder: Decoder): SearchArguments & { readonly hasCharset: boolean } {
  const returns = tryReturn(decoder);
  let decode = plainDecoding;
  const hasCharset = decoder.tryWord('CHARSET');
  if (hasCharset) {
    decoder.expectSpace('a character set');
    decode = expectCharset(decoder);
    decoder.expectSpace('a search key');
  }
  return { returns, key: expectSearchKeys(decoder, decode), hasCharset };
}

/** `RETURN (COUNT) (REVERSE DATE) UTF-8 UNSEEN …`. */
export function expectSortArguments(decoder: Decoder): SortArguments {
  const returns = tryReturn(decoder);
  const order: SortArguments['order'][number][] = [];
  decoder.expectList('what to sort by', () => {
    const isReverse = decoder.tryWord('REVERSE');
    if (isReverse) decoder.expectSpace('what to sort by');
    const name = decoder.expectName('what to sort by');
    const by = sortNames.find((known) => known === name);
    if (by === undefined) decoder.fail('what to sort by, such as DATE');
    order.push({ by: by ?? 'ARRIVAL', isReverse });
  });
  decoder.expectSpace('a character set');
  const decode = expectCharset(decoder);
  decoder.expectSpace('a search key');
  return { returns, order, key: expectSearchKeys(decoder, decode) };
}

/** `REFERENCES UTF-8 UNSEEN …`. */
export function expectThreadArguments(decoder: Decoder): ThreadArguments {
  const name = decoder.expectName('REFERENCES or ORDEREDSUBJECT');
  if (name !== 'REFERENCES' && name !== 'ORDEREDSUBJECT') decoder.fail('REFERENCES or ORDEREDSUBJECT');
  decoder.expectSpace('a character set');
  const decode = expectCharset(decoder);
  decoder.expectSpace('a search key');
  const algorithm = name === 'ORDEREDSUBJECT' ? name : 'REFERENCES';
  return { algorithm, key: expectSearchKeys(decoder, decode) };
}

function tryReturn(decoder: Decoder): ReadonlySet<SearchReturn> | undefined {
  if (!decoder.tryWord('RETURN')) return undefined;
  const returns = new Set<SearchReturn>();
  decoder.expectSpace('what to return');
  const one = (): void => {
    const name = decoder.expectName('MIN, MAX, ALL, COUNT or SAVE');
    const known = returnNames.find((option) => option === name);
    if (known === undefined) decoder.fail('MIN, MAX, ALL, COUNT or SAVE');
    else returns.add(known);
  };
  decoder.expectList('MIN, MAX, ALL, COUNT or SAVE', one, true);
  decoder.expectSpace('a search key');
  return returns.size === 0 ? new Set(['ALL']) : returns;
}

/** Before any CHARSET: ASCII is asked for; UTF-8, which many clients send all the same, is understood. */
const plainDecoding: TextDecoding = textOf;

function expectCharset(decoder: Decoder): TextDecoding {
  const name = decoder.expectAstring('a character set').toString('latin1');
  const decode = decoder.hasFailed ? undefined : decodingOf(name);
  if (decode === undefined) decoder.refuse('charset', 'this character set is not known here');
  return decode ?? plainDecoding;
}

function decodingOf(charset: string): TextDecoding | undefined {
  return /^(?:us-ascii|utf-?8)$/i.test(charset) ? plainDecoding : strictDecoding(charset);
}
