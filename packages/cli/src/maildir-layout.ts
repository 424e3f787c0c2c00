/**
 * What Maildir and its kin write beside the messages: flags in file names, Maildir++ folders, Dovecot's `dovecot-keywords` (the
 * names behind the letters a to z) and `dovecot-uidlist` (order and UIDLs).
 */
import { flag, inbox } from '@mstore/store';
import { decodeModifiedUtf7, encodeModifiedUtf7 } from './modified-utf7.ts';

/** Forwarded: Maildir has a letter for it, IMAP a keyword. */
export const forwarded = '$Forwarded';

const flagLetters: readonly (readonly [string, number])[] = [
  ['D', flag.draft],
  ['F', flag.flagged],
  ['R', flag.answered],
  ['S', flag.seen],
  ['T', flag.deleted],
];

/** A file name without `:2,FLAGS`, and the letters. */
export function splitFileName(name: string): { readonly base: string; readonly letters: string } {
  const match = /^(.*)[:;!]2,([A-Za-z]*)$/s.exec(name);
  return { base: match?.[1] ?? name, letters: match?.[2] ?? '' };
}

/** The flags and keywords that letters stand for; `keywords` by letter, a first. */
export function readLetters(
  letters: string,
  keywords: readonly (string | undefined)[],
): { readonly flags: number; readonly keywords: string[] } {
  let flags = 0;
  for (const [letter, bit] of flagLetters) if (letters.includes(letter)) flags |= bit;
  const named = letters.includes('P') ? [forwarded] : [];
  for (const letter of letters.replace(/[^a-z]/g, '')) {
    const keyword = keywords[letter.charCodeAt(0) - 97];
    if (keyword !== undefined) named.push(keyword);
  }
  return { flags, keywords: named };
}

/** The letters for flags and keywords, sorted as Maildir wants them. */
export function writeLetters(
  flags: number,
  keywords: readonly string[],
  letterOf: ReadonlyMap<string, string>,
): string {
  const letters = flagLetters.filter(([, bit]) => (flags & bit) !== 0).map(([letter]) => letter);
  if (keywords.includes(forwarded)) letters.push('P');
  for (const keyword of keywords) letters.push(letterOf.get(keyword) ?? '');
  return letters.sort().join('');
}

/** `dovecot-keywords`: lines of a number and a name. */
export function parseKeywords(text: string): (string | undefined)[] {
  const keywords: (string | undefined)[] = [];
  for (const line of text.split(/\r?\n/)) {
    const match = /^(\d{1,2}) (\S+)$/.exec(line);
    if (match !== null && Number(match[1]) < 26) keywords[Number(match[1])] = match[2];
  }
  return keywords;
}

export interface UidListEntry {
  readonly uid: number;
  readonly uidl: string | undefined;
}

/** `dovecot-uidlist`, version 3: by file name without flags. Other versions give nothing. */
export function parseUidList(text: string): Map<string, UidListEntry> {
  const entries = new Map<string, UidListEntry>();
  const [head = '', ...lines] = text.split('\n');
  if (!head.startsWith('3 ')) return entries;
  for (const line of lines) {
    const match = /^(\d+) (.*?):(.+)$/.exec(line);
    if (match === null) continue;
    const uidl = (match[2] ?? '')
      .split(' ')
      .find((field) => field.startsWith('P'))
      ?.slice(1);
    entries.set(splitFileName(match[3] ?? '').base, { uid: Number(match[1]), uidl });
  }
  return entries;
}

/** The mailbox of a Maildir++ folder, `.Sub.Name`; the Maildir's own root is INBOX. */
export function mailboxOfFolder(folder: string): string {
  if (folder === '') return inbox;
  return folder.slice(1).split('.').map(decodeModifiedUtf7).join('/');
}

/** The folder of a mailbox; dots within a level are encoded. */
export function folderOfMailbox(mailbox: string): string {
  if (mailbox === inbox) return '';
  return mailbox
    .split('/')
    .map((level) => `.${encodeModifiedUtf7(level, /[./]/)}`)
    .join('');
}
