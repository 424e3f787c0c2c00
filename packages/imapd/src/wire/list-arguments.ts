/** The arguments of LIST in all its forms, and of STATUS (RFC 9051 §6.3.9, §6.3.11; RFC 5258, RFC 5819, RFC 6154, RFC 8438, RFC 9208). */
import type { Decoder } from './decoder.ts';
import { expectMailbox, expectPattern } from './mailbox-name.ts';

export type StatusItem =
  | 'MESSAGES'
  | 'RECENT'
  | 'UIDNEXT'
  | 'UIDVALIDITY'
  | 'UNSEEN'
  | 'DELETED'
  | 'DELETED-STORAGE'
  | 'SIZE'
  | 'HIGHESTMODSEQ'
  | 'MAILBOXID'
  | 'APPENDLIMIT';

export interface ListArguments {
  readonly reference: string;
  readonly patterns: readonly string[];
  /** Only mailboxes that are subscribed to, whether they exist or not. */
  readonly onlySubscribed: boolean;
  /** Also those above a match that the pattern does not reach. */
  readonly isRecursive: boolean;
  /** Only mailboxes that have a role. */
  readonly onlySpecialUse: boolean;
  /** Options behind RETURN; undefined: none was given, which asks for what plain LIST says. */
  readonly returns: ListReturns | undefined;
  /** A command of RFC 3501's form: without options, with one pattern. */
  readonly isPlain: boolean;
}

export interface ListReturns {
  readonly subscribed: boolean;
  readonly children: boolean;
  readonly specialUse: boolean;
  /** Empty: no STATUS. */
  readonly status: readonly StatusItem[];
}

const statusItems: readonly StatusItem[] = [
  'MESSAGES',
  'RECENT',
  'UIDNEXT',
  'UIDVALIDITY',
  'UNSEEN',
  'DELETED',
  'DELETED-STORAGE',
  'SIZE',
  'HIGHESTMODSEQ',
  'MAILBOXID',
  'APPENDLIMIT',
];

const selection = 'SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE';
const returned = 'SUBSCRIBED, CHILDREN, SPECIAL-USE or STATUS';

/** `(SUBSCRIBED) "" ("INBOX" "Lists/%") RETURN (CHILDREN STATUS (UNSEEN))`. */
export function expectListArguments(decoder: Decoder): ListArguments {
  const hasSelection = decoder.next === 0x28;
  const options = hasSelection ? expectSelection(decoder) : new Set<string>();
  if (hasSelection) decoder.expectSpace('a reference');
  const reference = expectMailbox(decoder);
  decoder.expectSpace('a mailbox name or a pattern');
  const patterns: string[] = [];
  const hasList = decoder.next === 0x28;
  if (hasList) decoder.expectList('a pattern', () => patterns.push(expectPattern(decoder)));
  else patterns.push(expectPattern(decoder));
  const returns = decoder.tryMore() ? expectReturns(decoder) : undefined;
  return {
    reference,
    patterns,
    onlySubscribed: options.has('SUBSCRIBED'),
    isRecursive: options.has('RECURSIVEMATCH'),
    onlySpecialUse: options.has('SPECIAL-USE'),
    returns,
    isPlain: !hasSelection && !hasList && returns === undefined,
  };
}

function expectSelection(decoder: Decoder): ReadonlySet<string> {
  const options = new Set<string>();
  const one = (): void => {
    const name = decoder.expectName(selection);
    // Nothing is remote: the option asks for what there is anyway.
    if (!['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'].includes(name)) decoder.fail(selection);
    options.add(name);
  };
  decoder.expectList(selection, one, true);
  if (options.has('RECURSIVEMATCH') && !options.has('SUBSCRIBED') && !options.has('SPECIAL-USE')) {
    decoder.fail('SUBSCRIBED or SPECIAL-USE beside RECURSIVEMATCH');
  }
  return options;
}

function expectReturns(decoder: Decoder): ListReturns {
  const options = new Set<string>();
  let status: readonly StatusItem[] = [];
  if (!decoder.tryWord('RETURN')) decoder.fail('RETURN');
  decoder.expectSpace(returned);
  const one = (): void => {
    const name = decoder.expectName(returned);
    if (name === 'STATUS') {
      decoder.expectSpace('a list of status items');
      status = expectStatusItems(decoder);
    } else if (['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE'].includes(name)) options.add(name);
    else decoder.fail(returned);
  };
  decoder.expectList(returned, one, true);
  return {
    subscribed: options.has('SUBSCRIBED'),
    children: options.has('CHILDREN'),
    specialUse: options.has('SPECIAL-USE'),
    status,
  };
}

/** The reference and the pattern of LSUB. */
export function expectReferenceAndPattern(decoder: Decoder): { readonly reference: string; readonly pattern: string } {
  const reference = expectMailbox(decoder);
  decoder.expectSpace('a mailbox name or a pattern');
  return { reference, pattern: expectPattern(decoder) };
}

/** `(MESSAGES UNSEEN)`; each once, however often it is named. */
export function expectStatusItems(decoder: Decoder): readonly StatusItem[] {
  const items = new Set<StatusItem>();
  decoder.expectList('a status item', () => {
    const name = decoder.expectName('a status item');
    const item = statusItems.find((known) => known === name);
    if (item === undefined) decoder.fail('a status item such as MESSAGES');
    else items.add(item);
  });
  return [...items];
}
