/**
 * What SEARCH, SORT and THREAD ask for (RFC 9051 §6.4.4; RFC 3501 §6.4.4 for RECENT, NEW, OLD and CHARSET; RFC 4731, RFC 5182,
 * RFC 5256, RFC 7162, RFC 8474; OLDER and YOUNGER of WITHIN). Keys become a tree; strings become text here, by the command's
 * character set.
 *
 * Chains of OR and NOT, which some clients make hundreds long, are read without going deeper; only what is nested to the left,
 * or in parentheses, takes levels.
 */
import { flag } from '@mstore/store';
import { type Day, expectDate } from './date-time.ts';
import type { Decoder } from './decoder.ts';
import { expectModSeq } from './mod-seq.ts';
import { expectFieldName } from './section.ts';
import { expectMessageSet, isSequenceStart, type MessageSet } from './sequence-set.ts';

export type SearchKey =
  | { readonly kind: 'all' }
  /** Bits of system flags. */
  | { readonly kind: 'flags'; readonly set: number; readonly unset: number }
  | { readonly kind: 'recent'; readonly is: boolean }
  /** RECENT and not seen. */
  | { readonly kind: 'new' }
  | { readonly kind: 'keyword'; readonly keyword: string; readonly isSet: boolean }
  /** In a field of that name; an empty text: there is one. */
  | { readonly kind: 'field'; readonly field: string; readonly text: string }
  | { readonly kind: 'body' | 'text'; readonly text: string }
  | { readonly kind: 'date'; readonly of: 'internal' | 'sent'; readonly relation: DateRelation; readonly day: Day }
  | { readonly kind: 'size'; readonly relation: 'larger' | 'smaller'; readonly bytes: number }
  | { readonly kind: 'age'; readonly relation: 'older' | 'younger'; readonly seconds: number }
  /** That MODSEQ or a higher one. */
  | { readonly kind: 'modSeq'; readonly least: number }
  | { readonly kind: 'objectId'; readonly of: 'email' | 'thread'; readonly id: string }
  | { readonly kind: 'messages'; readonly by: 'sequence' | 'uid'; readonly set: MessageSet }
  | { readonly kind: 'not'; readonly key: SearchKey }
  | { readonly kind: 'and' | 'or'; readonly keys: readonly SearchKey[] };

export type DateRelation = 'before' | 'on' | 'since';

/** How a string's octets are text; undefined for octets that are none. */
export type TextDecoding = (octets: Buffer) => string | undefined;

type Parse = (decoder: Decoder, decode: TextDecoding) => SearchKey;

const keyWanted = 'a search key such as UNSEEN or FROM';

const numberMax = 0xffff_ffff;

function flags(set: number, unset: number): Parse {
  return () => ({ kind: 'flags', set, unset });
}

function keyword(isSet: boolean): Parse {
  return (decoder) => {
    decoder.expectSpace('a keyword');
    return { kind: 'keyword', keyword: decoder.expectAtom('a keyword'), isSet };
  };
}

function text(decoder: Decoder, decode: TextDecoding): string {
  decoder.expectSpace('a text');
  const octets = decoder.expectAstring('a text');
  const decoded = decode(octets);
  if (decoded === undefined) decoder.fail('a text in the character set of the command');
  return decoded ?? '';
}

function field(name: string): Parse {
  return (decoder, decode) => ({ kind: 'field', field: name, text: text(decoder, decode) });
}

function content(kind: 'body' | 'text'): Parse {
  return (decoder, decode) => ({ kind, text: text(decoder, decode) });
}

function date(of: 'internal' | 'sent', relation: DateRelation): Parse {
  return (decoder) => {
    decoder.expectSpace('a date');
    return { kind: 'date', of, relation, day: expectDate(decoder) };
  };
}

function number(decoder: Decoder, what: string, least: number = 0, most: number = Number.MAX_SAFE_INTEGER): number {
  decoder.expectSpace(what);
  return decoder.expectNumber(what, least, most);
}

function size(relation: 'larger' | 'smaller'): Parse {
  return (decoder) => ({ kind: 'size', relation, bytes: number(decoder, 'a number of octets') });
}

function age(relation: 'older' | 'younger'): Parse {
  return (decoder) => ({ kind: 'age', relation, seconds: number(decoder, 'a number of seconds', 1, numberMax) });
}

function objectId(of: 'email' | 'thread'): Parse {
  return (decoder) => {
    decoder.expectSpace('an object id');
    return { kind: 'objectId', of, id: decoder.expectAstring('an object id').toString('latin1') };
  };
}

function header(decoder: Decoder, decode: TextDecoding): SearchKey {
  decoder.expectSpace('the name of a header field');
  const name = expectFieldName(decoder);
  return { kind: 'field', field: name, text: text(decoder, decode) };
}

function uids(decoder: Decoder): SearchKey {
  decoder.expectSpace('UIDs');
  return { kind: 'messages', by: 'uid', set: expectMessageSet(decoder, 'UIDs') };
}

/** The names of single flags are taken and mean nothing here: a message's MODSEQ is that of all its flags (RFC 7162 §3.1.5). */
function modSeq(decoder: Decoder): SearchKey {
  decoder.expectSpace('a MODSEQ');
  if (decoder.next === 0x22) {
    decoder.expectString('the name of a flag');
    decoder.expectSpace('priv, shared or all');
    const kind = decoder.expectName('priv, shared or all');
    if (!['PRIV', 'SHARED', 'ALL'].includes(kind)) decoder.fail('priv, shared or all');
    decoder.expectSpace('a MODSEQ');
  }
  return { kind: 'modSeq', least: expectModSeq(decoder, 0) };
}

const keys: ReadonlyMap<string, Parse> = new Map<string, Parse>([
  ['ALL', () => ({ kind: 'all' })],
  ['ANSWERED', flags(flag.answered, 0)],
  ['DELETED', flags(flag.deleted, 0)],
  ['DRAFT', flags(flag.draft, 0)],
  ['FLAGGED', flags(flag.flagged, 0)],
  ['SEEN', flags(flag.seen, 0)],
  ['UNANSWERED', flags(0, flag.answered)],
  ['UNDELETED', flags(0, flag.deleted)],
  ['UNDRAFT', flags(0, flag.draft)],
  ['UNFLAGGED', flags(0, flag.flagged)],
  ['UNSEEN', flags(0, flag.seen)],
  ['RECENT', () => ({ kind: 'recent', is: true })],
  ['OLD', () => ({ kind: 'recent', is: false })],
  ['NEW', () => ({ kind: 'new' })],
  ['KEYWORD', keyword(true)],
  ['UNKEYWORD', keyword(false)],
  ['FROM', field('From')],
  ['TO', field('To')],
  ['CC', field('Cc')],
  ['BCC', field('Bcc')],
  ['SUBJECT', field('Subject')],
  ['HEADER', header],
  ['BODY', content('body')],
  ['TEXT', content('text')],
  ['BEFORE', date('internal', 'before')],
  ['ON', date('internal', 'on')],
  ['SINCE', date('internal', 'since')],
  ['SENTBEFORE', date('sent', 'before')],
  ['SENTON', date('sent', 'on')],
  ['SENTSINCE', date('sent', 'since')],
  ['LARGER', size('larger')],
  ['SMALLER', size('smaller')],
  ['OLDER', age('older')],
  ['YOUNGER', age('younger')],
  ['MODSEQ', modSeq],
  ['EMAILID', objectId('email')],
  ['THREADID', objectId('thread')],
  ['UID', uids],
]);

/** Keys with blanks between, of which all must hold. */
export function expectSearchKeys(decoder: Decoder, decode: TextDecoding): SearchKey {
  const all: SearchKey[] = [];
  do all.push(expectKey(decoder, decode));
  while (decoder.tryMore());
  return joined('and', all);
}

function joined(kind: 'and' | 'or', parts: readonly SearchKey[]): SearchKey {
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : { kind, keys: parts };
}

function expectKey(decoder: Decoder, decode: TextDecoding): SearchKey {
  let isNot = false;
  while (decoder.tryWord('NOT')) {
    isNot = !isNot;
    decoder.expectSpace(keyWanted);
  }
  const key = expectPositive(decoder, decode);
  return isNot ? { kind: 'not', key } : key;
}

function expectPositive(decoder: Decoder, decode: TextDecoding): SearchKey {
  if (decoder.next === 0x28) {
    const all: SearchKey[] = [];
    decoder.expectList(keyWanted, () => all.push(expectKey(decoder, decode)));
    return joined('and', all);
  }
  if (decoder.nextName === 'OR') return expectEither(decoder, decode);
  if (decoder.next === 0x24 || isSequenceStart(decoder.next)) {
    return { kind: 'messages', by: 'sequence', set: expectMessageSet(decoder) };
  }
  const name = decoder.expectName(keyWanted);
  const parse = keys.get(name);
  if (parse === undefined) decoder.fail(keyWanted);
  return decoder.hasFailed || parse === undefined ? { kind: 'all' } : parse(decoder, decode);
}

/** `OR a OR b c` is a flat list. */
function expectEither(decoder: Decoder, decode: TextDecoding): SearchKey {
  const either: SearchKey[] = [];
  decoder.enter();
  while (decoder.tryWord('OR')) {
    decoder.expectSpace(keyWanted);
    either.push(expectKey(decoder, decode));
    decoder.expectSpace(keyWanted);
  }
  either.push(expectKey(decoder, decode));
  decoder.leave();
  return { kind: 'or', keys: either };
}
