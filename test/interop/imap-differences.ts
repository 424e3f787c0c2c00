/**
 * Where the daemon and Dovecot 2.3 answer differently, and why that may stay. A difference that nothing here explains fails the run, and so
 * does an entry that explains none.
 */
import type { Value } from '../imap/lists.ts';
import type { Difference } from './imap-answers.ts';

/** Two values that differ at one place of an envelope or a body structure. */
export interface Place {
  readonly item: 'ENVELOPE' | 'BODYSTRUCTURE';
  /** Indexes from the outside in. */
  readonly path: readonly number[];
  readonly ours: Value;
  readonly theirs: Value;
}

interface PlaceRule {
  readonly reason: string;
  readonly explains: (place: Place) => boolean;
}

/** Fields of a part in a body structure. */
const encodingField = 5;
const sizeField = 6;
const textLinesField = 7;
const messageLinesField = 9;

const text = (value: Value): string => JSON.stringify(value) ?? '';
const inLowerCase = (value: Value): string => text(value).toLowerCase();
const withSingleBlanks = (value: Value): string | undefined =>
  typeof value === 'string' ? value.replace(/\s+/g, ' ').trim() : undefined;

function isListOf(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isAt({ item, path }: Place, ...fields: readonly number[]): boolean {
  return item === 'BODYSTRUCTURE' && fields.includes(path.at(-1) ?? -1);
}

/** Differences that recur. */
export const placeRules: readonly PlaceRule[] = [
  {
    reason:
      'types, encodings and names of parameters are alike in any case (RFC 2045 §5.1, §6.1): mstore gives them in lower case',
    explains: ({ item, ours, theirs }) => item === 'BODYSTRUCTURE' && inLowerCase(ours) === inLowerCase(theirs),
  },
  {
    reason:
      'unfolding takes away line ends and nothing else (RFC 5322 §2.2.3), and no blanks at the end: Dovecot makes one blank of a fold',
    explains: ({ ours, theirs }) =>
      text(ours) !== text(theirs) &&
      withSingleBlanks(ours) !== undefined &&
      withSingleBlanks(ours) === withSingleBlanks(theirs),
  },
  {
    reason: 'parameters are told as they stand: Dovecot adds the charset that a text without one has',
    explains: ({ item, ours, theirs }) => {
      const own = isListOf(ours) ? ours : [];
      return item === 'BODYSTRUCTURE' && inLowerCase(theirs) === inLowerCase([...own, 'charset', 'us-ascii']);
    },
  },
  {
    reason:
      "the line end before a boundary is the boundary's (RFC 2046 §5.1.1): Dovecot counts it where a message/rfc822 ends with a multipart",
    explains: (place) =>
      (isAt(place, sizeField) && Number(place.theirs) === Number(place.ours) + 2) ||
      (isAt(place, messageLinesField) && Number(place.theirs) === Number(place.ours) + 1),
  },
  {
    reason: "a multipart without any boundary has one part, its text: Dovecot's part is empty",
    explains: (place) => isAt(place, sizeField, textLinesField) && place.theirs === '0',
  },
  {
    reason: 'a message/rfc822 in base64 cannot be looked into: Dovecot makes up an empty message',
    explains: ({ item, ours, theirs }) =>
      item === 'BODYSTRUCTURE' &&
      isListOf(ours) &&
      isListOf(theirs) &&
      text(ours.slice(0, 2)) === '["application","octet-stream"]' &&
      text(theirs.slice(0, 2)) === '["message","rfc822"]',
  },
  {
    reason:
      'an encoding is told by its first word, whatever it is (RFC 2045 §6.1): Dovecot tells what it does not know as 7bit',
    explains: (place) => isAt(place, encodingField) && place.theirs === '7bit',
  },
  {
    reason: 'a mailbox that is only a comment is told by it: Dovecot tells no address',
    explains: ({ ours, theirs }) =>
      theirs === undefined && /^\[\["[^"]*",null,"MISSING_MAILBOX","MISSING_DOMAIN"\]\]$/.test(text(ours)),
  },
  {
    reason: 'what is no address is told with what of it can be read: Dovecot gives it up, with SYNTAX_ERROR',
    explains: ({ path, theirs }) =>
      path.includes(5) && (theirs === 'SYNTAX_ERROR' || text(theirs).includes('"SYNTAX_ERROR"')),
  },
];

/** Messages of the corpus that are read differently as a whole, by reason. */
export const brokenMessages: ReadonlyMap<string, readonly string[]> = new Map([
  [
    'a boundary is a whole line, blanks behind it apart: Dovecot takes any line that begins with it, also one of another boundary',
    [
      'mail-parser-malformed/004.eml',
      'mail-parser-malformed/007.eml',
      'mail-parser-malformed/016.eml',
      'mime4j-testmsgs/ending-boundaries.msg',
      'mime4j-testmsgs/very-long-boundary.msg',
      'mime4j-testmsgs/very-very-long-boundary.msg',
      'mime4j-testmsgs/weird-boundary.msg',
      'ruby-mail/mime_emails__raw_email4.eml',
      'spamassassin-spam-1/00038-9537c8.eml',
    ],
  ],
  [
    'an unquoted value goes on to the next semicolon, and what is no parameter is passed over: Dovecot stops there',
    [
      'mail-parser-rfc/001.eml',
      'mail-parser-thirdparty/010.eml',
      'mime4j-mimetools-testmsgs/double-semicolon.msg',
      'ruby-mail/attachment_emails__attachment_with_unquoted_name.eml',
      'ruby-mail/mime_emails__raw_email_with_binary_encoded.eml',
      'ruby-mail/mime_emails__raw_email_with_illegal_boundary.eml',
      'ruby-mail/plain_emails__raw_email_bad_time.eml',
    ],
  ],
  [
    'a type that cannot be read is text/plain (RFC 2045 §5.2): Dovecot tells an empty one, or reads on',
    [
      'flanker/spam__broken-ctype.eml',
      'flanker/torture.eml',
      'mail-parser-malformed/017.eml',
      'mime4j-mimetools-testmsgs/multi-digest.msg',
      'mimekit-messages/missing-subtype.txt',
    ],
  ],
  ['message/global is read like message/rfc822 (RFC 9051 §7.5.2)', ['flanker/enclosed-global.eml']],
  [
    'a disposition that cannot be read is none: Dovecot tells an empty one',
    [
      'ruby-mail/error_emails__missing_content_disposition.eml',
      'ruby-mail/error_emails__multiple_invalid_content_dispositions.eml',
    ],
  ],
  [
    'of a field that stands twice the first counts: Dovecot takes the last',
    [
      'mail-parser-malformed/019.eml',
      'ruby-mail/mime_emails__raw_email_with_binary_encoded.eml',
      'ruby-mail/mime_emails__raw_email_with_multipart_mixed_quoted_boundary.eml',
    ],
  ],
  [
    'what stands before <…> is a name, whatever it holds, and an empty place in a list is no address',
    [
      'mail-parser-rfc/009.eml',
      'mimekit-messages/feedback-report.txt',
      'mimekit-messages/issue358.txt',
      'mimekit-messages/stack-overflow.txt',
      'ruby-mail/error_emails__missing_body.eml',
      'ruby-mail/error_emails__weird_to_header.eml',
      'ruby-mail/plain_emails__mix_caps_content_type.eml',
      'ruby-mail/plain_emails__raw_email_multiple_from.eml',
      'ruby-mail/plain_emails__raw_email_with_at_display_name.eml',
      'ruby-mail/rfc2822__example11.eml',
      'ruby-mail/rfc2822__example13.eml',
      'spamassassin-hard-ham-1/00199-87b23b.eml',
      'spamassassin-spam-1/00133-47fb2e.eml',
      'spamassassin-spam-1/00296-bb6cd3.eml',
      'spamassassin-spam-1/00297-1cb70d.eml',
      'spamassassin-spam-1/00351-cbd1a8.eml',
      'spamassassin-spam-1/00368-b2ae11.eml',
      'spamassassin-spam-1/00373-2f2239.eml',
    ],
  ],
]);

interface CommandRule {
  readonly reason: string;
  /** Commands, with INBOX selected, that show the difference. */
  readonly examples: readonly string[];
  readonly explains: (difference: Difference) => boolean;
  /** What makes both alike again, where only mstore obeyed. */
  readonly undo?: (command: string) => string;
}

const onlyOursObeys = ({ what, ours }: Difference): boolean => what === 'status' && ours === 'OK';
const onlyTheirsObeys = ({ what, theirs }: Difference): boolean => what === 'status' && theirs === 'OK';

const withoutChildren = (lines: Value): string =>
  isListOf(lines)
    ? text(
        lines
          .map((line) =>
            String(line)
              .replace(/\\has(?:no)?children ?/, '')
              .replace(' )', ')'),
          )
          .sort(),
      )
    : '';

/** Differences of answers to commands; none of them leaves the mailboxes different. */
export const commandRules: readonly CommandRule[] = [
  {
    reason: 'a name that no mailbox has can be subscribed (RFC 9051 §6.3.7 lets a server choose)',
    examples: ['SUBSCRIBE none'],
    explains: (difference) => /^SUBSCRIBE /i.test(difference.command) && onlyOursObeys(difference),
    undo: (command) => `UN${command}`,
  },
  {
    reason: 'what would change a mailbox that is read only is refused: Dovecot says OK and does nothing',
    examples: ['EXAMINE INBOX', 'STORE 1 +FLAGS (work)', 'SELECT INBOX'],
    explains: (difference) =>
      difference.isReadOnly && /^(?:UID )?(?:STORE|EXPUNGE)/i.test(difference.command) && onlyTheirsObeys(difference),
  },
  {
    reason:
      'a part that is not there is NIL (RFC 9051 §7.5.2): Dovecot tells an empty one, and takes 1.1 of a text for the text',
    examples: ['FETCH 1 (BODY.PEEK[9])'],
    explains: ({ what, ours, theirs }) =>
      /^BODY\[[\d.]+\w*\]/.test(what) && ours === undefined && typeof theirs === 'string',
  },
  {
    reason: 'STORE tells the flags of every message it names: Dovecot only of those that it changed',
    examples: ['STORE 1 +FLAGS (work)', 'STORE 1 +FLAGS (work)'],
    explains: ({ command, what, theirs }) =>
      /^(?:UID )?STORE /i.test(command) && (what === 'FLAGS' || what === 'UID') && theirs === undefined,
  },
  {
    reason: 'where to copy is looked at before what to copy: where no message has these UIDs, Dovecot does not look',
    examples: ['UID COPY 9999 none'],
    explains: ({ command, what, theirs }) =>
      /^UID (?:COPY|MOVE) /i.test(command) &&
      ((what === 'status' && theirs === 'OK') || (what === 'codes' && Array.isArray(theirs) && theirs.length === 0)),
  },
  {
    reason: 'MOVE out of a mailbox that is read only is refused whereto ever: Dovecot looks at the target first',
    examples: ['EXAMINE INBOX', 'MOVE 1 none', 'SELECT INBOX'],
    explains: ({ command, isReadOnly, what }) => isReadOnly && /^(?:UID )?MOVE /i.test(command) && what === 'codes',
  },
  {
    reason: 'LIST tells always whether there are mailboxes below, not only where it is asked to',
    examples: ['LIST (SUBSCRIBED) "" *'],
    explains: ({ command, what, ours, theirs }) =>
      /^LIST /.test(command) && what === 'lines' && withoutChildren(ours) === withoutChildren(theirs),
  },
  {
    reason: 'blanks and zeros too many, and what the grammar has not, are refused: Dovecot reads some of it',
    examples: ['FETCH  01 (FLAGS)'],
    explains: ({ command, isDone, theirs }) =>
      !isDone && /^(?:(?:UID +)?FETCH|STATUS|LIST|LSUB)\b/.test(command) && theirs !== undefined,
  },
  {
    reason:
      'NOT (a b) is NOT a or NOT b: of two sizes, or two dates, of one kind Dovecot then denies the one that is not needed',
    examples: ['UID SEARCH NOT (SMALLER 6952 SMALLER 23)'],
    explains: ({ command, what }) =>
      what === 'found' &&
      /\bNOT\b.*\b(SMALLER|LARGER|BEFORE|ON|SINCE|SENTBEFORE|SENTON|SENTSINCE)\b.*\b\1\b/i.test(command),
  },
];
