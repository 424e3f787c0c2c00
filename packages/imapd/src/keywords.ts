/**
 * Which flags a mailbox has, and which of them can be set (RFC 9051 §7.1, §7.3.5): told at SELECT, and again where a mailbox got a keyword,
 * before any line that may show it. A mailbox's keywords only grow in number, unless the catalog is made again: so their number
 * says which ones the client knows.
 */
import { type Catalog, limits as storeLimits } from '@mstore/store';
import { untaggedOk } from './reply.ts';
import { systemFlags } from './responses/flags.ts';
import type { Selected } from './selected.ts';

/** FLAGS and PERMANENTFLAGS, which has `\*` while there is room for more keywords. */
export function flagLines(keywords: readonly string[], isReadOnly: boolean): string {
  const flags = [...systemFlags, ...keywords].join(' ');
  const isFull = keywords.length >= storeLimits.keywords;
  const permanent = isReadOnly ? '' : isFull ? flags : `${flags} \\*`;
  const text = isReadOnly ? 'no flag can be changed' : 'these flags stay';
  return `* FLAGS (${flags})\r\n${untaggedOk(text, `PERMANENTFLAGS (${permanent})`)}`;
}

/** The mailbox's keywords; `tell` is given the lines that have to come before any that shows one of them, where some are new. */
export function toldKeywords(catalog: Catalog, selected: Selected, tell: (lines: string) => void): readonly string[] {
  const keywords = catalog.keywords(selected.mailbox);
  if (keywords.length !== selected.keywordsTold) {
    selected.keywordsTold = keywords.length;
    tell(flagLines(keywords, selected.isReadOnly));
  }
  return keywords;
}
