/** The arguments of SELECT, CREATE, RENAME and APPEND around the mailbox's name (RFC 9051 §6.3; RFC 6154, RFC 7162). */
import { tryDateTime } from './date-time.ts';
import { Decoder, type Segment, type UnreadLiteral } from './decoder.ts';
import { expectFlags } from './fetch-items.ts';
import { expectGivenMailbox, expectMailbox, type GivenName } from './mailbox-name.ts';
import { expectModSeq } from './mod-seq.ts';
import { octetClass } from './octet-class.ts';
import { expectSequenceSet, type SequenceSet } from './sequence-set.ts';

/** What a client remembers of a mailbox (RFC 7162 §3.2.5). */
export interface QuickResync {
  readonly uidValidity: number;
  readonly modSeq: number;
  /** The UIDs that it knows; undefined: all. */
  readonly knownUids: SequenceSet | undefined;
  /** Some message numbers and the UIDs they had: as many of each. */
  readonly match: { readonly numbers: SequenceSet; readonly uids: SequenceSet } | undefined;
}

export interface SelectArguments extends GivenName {
  readonly condStore: boolean;
  readonly quickResync: QuickResync | undefined;
}

/** `INBOX (QRESYNC (67890007 20050715194045000 41:211,214:541))`. */
export function expectSelectArguments(decoder: Decoder): SelectArguments {
  const name = expectGivenMailbox(decoder);
  let condStore = false;
  let quickResync: QuickResync | undefined;
  if (decoder.tryMore()) {
    decoder.expectList('CONDSTORE or QRESYNC', () => {
      const name = decoder.expectName('CONDSTORE or QRESYNC');
      if (name === 'CONDSTORE') condStore = true;
      else if (name === 'QRESYNC') {
        decoder.expectSpace('what is known of the mailbox');
        quickResync = expectQuickResync(decoder);
      } else decoder.fail('CONDSTORE or QRESYNC');
    });
  }
  return { ...name, condStore, quickResync };
}

function expectQuickResync(decoder: Decoder): QuickResync {
  decoder.enter();
  decoder.expectChar('(');
  const uidValidity = decoder.expectNumber('UIDVALIDITY', 1);
  decoder.expectSpace('a MODSEQ');
  const modSeq = expectModSeq(decoder, 1);
  let knownUids: SequenceSet | undefined;
  let match: QuickResync['match'];
  if (decoder.trySpace()) {
    if (decoder.next !== 0x28) {
      knownUids = expectSequenceSet(decoder, 'known UIDs', false);
      if (decoder.trySpace()) match = expectMatch(decoder);
    } else match = expectMatch(decoder);
  }
  decoder.expectChar(')');
  decoder.leave();
  return { uidValidity, modSeq, knownUids, match };
}

function expectMatch(decoder: Decoder): NonNullable<QuickResync['match']> {
  decoder.expectChar('(');
  const numbers = expectSequenceSet(decoder, 'message numbers', false);
  decoder.expectSpace('UIDs');
  const uids = expectSequenceSet(decoder, 'UIDs', false);
  decoder.expectChar(')');
  if (numbers.resolve(0).size !== uids.resolve(0).size) decoder.fail('as many UIDs as message numbers');
  return { numbers, uids };
}

export interface CreateArguments extends GivenName {
  /** Special uses as they were written, with their backslash. */
  readonly uses: readonly string[];
}

/** `Sent (USE (\Sent))`. */
export function expectCreateArguments(decoder: Decoder): CreateArguments {
  const name = expectGivenMailbox(decoder);
  const uses: string[] = [];
  if (decoder.tryMore()) {
    decoder.expectList('USE', () => {
      if (!decoder.tryWord('USE')) decoder.fail('USE');
      decoder.expectSpace('special uses');
      const one = (): void => {
        decoder.expectChar('\\');
        uses.push(`\\${decoder.expectAtom('a special use')}`);
      };
      decoder.expectList('a special use', one, true);
    });
  }
  return { ...name, uses };
}

export interface RenameArguments {
  readonly from: string;
  readonly to: GivenName;
}

/** `Lists Archive/Lists`. */
export function expectRenameArguments(decoder: Decoder): RenameArguments {
  const from = expectMailbox(decoder);
  decoder.expectSpace('a mailbox name');
  return { from, to: expectGivenMailbox(decoder) };
}

/** A message of APPEND, with its octets still to come. */
export interface AppendItem {
  readonly flags: readonly string[];
  /** Seconds since 1970; undefined: now. */
  readonly internalDate: number | undefined;
  readonly message: UnreadLiteral;
  /** The message stands in parentheses, as `UTF8 (~{310}` (RFC 6855 §4); their end is on the next line. */
  readonly isInParentheses: boolean;
}

/** What stands in front of a message's literal, on the first line behind the mailbox and on each line behind a message. */
export function expectAppendItem(decoder: Decoder): AppendItem {
  let flags: readonly string[] = [];
  if (decoder.next === 0x28) {
    flags = expectFlags(decoder);
    decoder.expectSpace('a date or a message');
  }
  const internalDate = tryDateTime(decoder);
  if (internalDate !== undefined) decoder.expectSpace('a message');
  // Only behind ENABLE.
  const isInParentheses = decoder.isUtf8 && decoder.tryWord('UTF8');
  if (isInParentheses) {
    decoder.expectSpace('a message');
    decoder.expectChar('(');
  }
  const message = decoder.tryUnread();
  if (message === undefined || (isInParentheses && !message.isBinary)) decoder.fail('a message as a literal');
  return { flags, internalDate, message: message ?? { bytes: 0, isBinary: false }, isInParentheses };
}

export interface AppendArguments {
  readonly mailbox: string;
  readonly first: AppendItem;
}

/** `INBOX (\Seen) {310}`. */
export function expectAppendArguments(decoder: Decoder): AppendArguments {
  const mailbox = expectMailbox(decoder);
  decoder.expectSpace('a message');
  return { mailbox, first: expectAppendItem(decoder) };
}

/** True for an APPEND, tag and all, whose unread literal stands where the message does. */
export function endsWithMessage(segments: readonly Segment[], isUtf8: boolean): boolean {
  const decoder = new Decoder(segments, isUtf8);
  const isAppend = decoder.tryRun(octetClass.tag) !== undefined && decoder.trySpace() && decoder.tryWord('APPEND');
  if (!isAppend) return false;
  decoder.expectSpace('a mailbox name');
  decoder.expectAstring('a mailbox name');
  decoder.expectSpace('a message');
  expectAppendItem(decoder);
  return decoder.expectEnd();
}
