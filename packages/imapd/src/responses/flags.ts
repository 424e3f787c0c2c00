/** Flags and keywords as clients name them (RFC 9051 §2.3.2), and back. */
import { allFlags, type Entry, flag } from '@mstore/store';
import type { Encoder } from '../wire/encoder.ts';

const names: readonly (readonly [string, number])[] = [
  ['\\Answered', flag.answered],
  ['\\Flagged', flag.flagged],
  ['\\Deleted', flag.deleted],
  ['\\Seen', flag.seen],
  ['\\Draft', flag.draft],
];

export const systemFlags: readonly string[] = names.map(([name]) => name);

/** What system flags look like, by their bits: with the parenthesis in front. */
const texts: readonly string[] = Array.from(
  { length: allFlags + 1 },
  (_, bits) => `(${names.flatMap(([name, bit]) => ((bits & bit) === 0 ? [] : [name])).join(' ')}`,
);

/** `(\Seen $Label1)`. */
export function writeFlags(
  to: Encoder,
  { flags, keywords }: Pick<Entry, 'flags' | 'keywords'>,
  known: readonly string[],
  isRecent: boolean,
): void {
  const text = texts[flags & allFlags] ?? '(';
  to.raw(text);
  let isFirst = text.length === 1;
  for (const number of keywords) {
    to.raw(isFirst ? '' : ' ').raw(known[number] ?? '');
    isFirst = false;
  }
  if (isRecent) to.raw(isFirst ? '\\Recent' : ' \\Recent');
  to.raw(')');
}

export interface NamedFlags {
  /** Bits of system flags. */
  readonly flags: number;
  readonly keywords: readonly string[];
}

/** What flags a client named; undefined when one of them is none that it may set. `\Recent`, which nobody sets, is passed over. */
export function flagsOf(given: readonly string[]): NamedFlags | undefined {
  let flags = 0;
  const keywords: string[] = [];
  for (const name of given) {
    if (!name.startsWith('\\')) {
      keywords.push(name);
      continue;
    }
    const bit = names.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];
    if (bit !== undefined) flags |= bit;
    else if (name.toLowerCase() !== '\\recent') return undefined;
  }
  return { flags, keywords };
}
