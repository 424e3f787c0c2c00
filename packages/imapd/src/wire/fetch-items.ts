/** The arguments of FETCH and STORE (RFC 9051 §6.4.5, §6.4.6; RFC 3501 for what IMAP4rev1 has besides; RFC 7162, RFC 8474). */
import type { Decoder } from './decoder.ts';
import { expectModSeq } from './mod-seq.ts';
import { expectPart, expectSection, type Partial, type Section, tryPartial } from './section.ts';
import { expectMessageSet, type MessageSet } from './sequence-set.ts';

/** What can be asked for by its name alone. */
export type PlainItem =
  | 'FLAGS'
  | 'UID'
  | 'INTERNALDATE'
  | 'RFC822.SIZE'
  | 'ENVELOPE'
  | 'BODY'
  | 'BODYSTRUCTURE'
  | 'MODSEQ'
  | 'EMAILID'
  | 'THREADID';

export type FetchItem =
  | { readonly kind: 'plain'; readonly name: PlainItem }
  | {
      readonly kind: 'section';
      /** What the answer calls it: `RFC822` and its kin are sections under names of their own. */
      readonly as: 'BODY' | 'RFC822' | 'RFC822.HEADER' | 'RFC822.TEXT';
      readonly section: Section;
      readonly partial: Partial | undefined;
      /** `\Seen` stays as it is. */
      readonly isPeek: boolean;
    }
  | {
      readonly kind: 'binary';
      readonly part: readonly number[];
      readonly partial: Partial | undefined;
      readonly isPeek: boolean;
    }
  | { readonly kind: 'binarySize'; readonly part: readonly number[] };

export interface FetchArguments {
  readonly messages: MessageSet;
  readonly items: readonly FetchItem[];
  /** Only what changed after this MODSEQ. */
  readonly changedSince: number | undefined;
  /** And what vanished since; UID FETCH only. */
  readonly vanished: boolean;
}

const plainItems: readonly PlainItem[] = [
  'FLAGS',
  'UID',
  'INTERNALDATE',
  'RFC822.SIZE',
  'ENVELOPE',
  'BODY',
  'BODYSTRUCTURE',
  'MODSEQ',
  'EMAILID',
  'THREADID',
];

const macros: ReadonlyMap<string, readonly PlainItem[]> = new Map([
  ['FAST', ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE']],
  ['ALL', ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE']],
  ['FULL', ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY']],
]);

const wholeMessages = {
  RFC822: { text: 'all', isPeek: false },
  'RFC822.HEADER': { text: 'header', isPeek: true },
  'RFC822.TEXT': { text: 'text', isPeek: false },
} as const;

/** `1:5 (FLAGS BODY[1]) (CHANGEDSINCE 7)`. */
export function expectFetchArguments(decoder: Decoder): FetchArguments {
  const messages = expectMessageSet(decoder);
  decoder.expectSpace('what to fetch');
  const items = expectItems(decoder);
  const modifiers = { changedSince: undefined, vanished: false };
  return { messages, items, ...(decoder.tryMore() ? expectModifiers(decoder) : modifiers) };
}

function expectItems(decoder: Decoder): FetchItem[] {
  const macro = macros.get(decoder.nextName);
  if (macro !== undefined) {
    decoder.tryName();
    return macro.map((name): FetchItem => ({ kind: 'plain', name }));
  }
  if (decoder.next !== 0x28) return [expectItem(decoder)];
  const items: FetchItem[] = [];
  decoder.expectList('an item to fetch', () => items.push(expectItem(decoder)));
  return items;
}

function expectItem(decoder: Decoder): FetchItem {
  const name = decoder.expectName('an item to fetch, such as FLAGS');
  const isSection = decoder.next === 0x5b;
  if (isSection && (name === 'BODY' || name === 'BODY.PEEK')) {
    const section = expectSection(decoder);
    const partial = tryPartial(decoder);
    return { kind: 'section', as: 'BODY', section, partial, isPeek: name === 'BODY.PEEK' };
  }
  if (isSection && (name === 'BINARY' || name === 'BINARY.PEEK')) {
    const part = expectPart(decoder);
    return { kind: 'binary', part, partial: tryPartial(decoder), isPeek: name === 'BINARY.PEEK' };
  }
  if (isSection && name === 'BINARY.SIZE') return { kind: 'binarySize', part: expectPart(decoder) };
  if (isWholeMessage(name)) {
    const { text, isPeek } = wholeMessages[name];
    return { kind: 'section', as: name, section: { part: [], text, fields: [] }, partial: undefined, isPeek };
  }
  const plain = plainItems.find((item) => item === name);
  if (plain === undefined) decoder.fail('an item to fetch, such as FLAGS');
  return { kind: 'plain', name: plain ?? 'UID' };
}

function isWholeMessage(name: string): name is keyof typeof wholeMessages {
  return Object.hasOwn(wholeMessages, name);
}

function expectModifiers(decoder: Decoder): Pick<FetchArguments, 'changedSince' | 'vanished'> {
  let changedSince: number | undefined;
  let vanished = false;
  decoder.expectList('CHANGEDSINCE or VANISHED', () => {
    const name = decoder.expectName('CHANGEDSINCE or VANISHED');
    if (name === 'CHANGEDSINCE') {
      decoder.expectSpace('a MODSEQ');
      changedSince = expectModSeq(decoder, 1);
    } else if (name === 'VANISHED') vanished = true;
    else decoder.fail('CHANGEDSINCE or VANISHED');
  });
  if (vanished && changedSince === undefined) decoder.fail('CHANGEDSINCE beside VANISHED');
  return { changedSince, vanished };
}

export interface StoreArguments {
  readonly messages: MessageSet;
  readonly mode: 'add' | 'remove' | 'replace';
  /** Nobody wants to hear what the flags are now. */
  readonly isSilent: boolean;
  readonly flags: readonly string[];
  /** What changed after this MODSEQ stays as it is. */
  readonly unchangedSince: number | undefined;
}

const modes = { '': 'replace', '+': 'add', '-': 'remove' } as const;

/** `1:5 (UNCHANGEDSINCE 7) +FLAGS.SILENT (\Seen $Label1)`. */
export function expectStoreArguments(decoder: Decoder): StoreArguments {
  const messages = expectMessageSet(decoder);
  decoder.expectSpace('FLAGS');
  let unchangedSince: number | undefined;
  if (decoder.next === 0x28) {
    decoder.expectList('UNCHANGEDSINCE', () => {
      if (!decoder.tryWord('UNCHANGEDSINCE')) decoder.fail('UNCHANGEDSINCE');
      decoder.expectSpace('a MODSEQ');
      unchangedSince = expectModSeq(decoder, 0);
    });
    decoder.expectSpace('FLAGS');
  }
  const sign = decoder.tryChar('+') ? '+' : decoder.tryChar('-') ? '-' : '';
  const name = decoder.expectName('FLAGS or FLAGS.SILENT');
  if (name !== 'FLAGS' && name !== 'FLAGS.SILENT') decoder.fail('FLAGS or FLAGS.SILENT');
  decoder.expectSpace('flags');
  const flags = expectFlags(decoder);
  return { messages, mode: modes[sign], isSilent: name === 'FLAGS.SILENT', flags, unchangedSince };
}

/** Flags in parentheses, perhaps none; or without parentheses, one at least. */
export function expectFlags(decoder: Decoder): string[] {
  const flags: string[] = [];
  const one = (): void => void flags.push(expectFlag(decoder));
  if (decoder.next === 0x28) decoder.expectList('a flag', one, true);
  else {
    do one();
    while (!decoder.hasFailed && decoder.tryMore());
  }
  return flags;
}

/** `\Seen` and its kin as they are written; a keyword. */
function expectFlag(decoder: Decoder): string {
  const prefix = decoder.tryChar('\\') ? '\\' : '';
  return prefix + decoder.expectAtom('a flag');
}
