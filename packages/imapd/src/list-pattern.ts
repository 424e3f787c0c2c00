/**
 * LIST patterns (RFC 9051 §6.3.9): `*` is any text, `%` any within one level. A name is walked once with all places of the
 * pattern where it may be at that point, so that no pattern takes longer than its wildcards times the name.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { inbox } from '@mstore/store';
import { limits } from './limits.ts';
import { normalName } from './wire/mailbox-name.ts';

const anything = '*';
const level = '%';
const separator = '/';

export class ListPattern {
  readonly #text: string;
  readonly #hasWildcards: boolean;

  /** @param text with wildcards */
  constructor(text: string) {
    // A run of wildcards is its widest.
    this.#text = normalName(text).replace(/[%*]+/g, (run) => (run.includes(anything) ? anything : level));
    this.#hasWildcards = /[%*]/.test(text);
  }

  get wildcards(): number {
    return this.#text.replace(/[^%*]/g, '').length;
  }

  matches(name: string): boolean {
    const text = this.#text;
    if (!this.#hasWildcards) return text === name;
    if (text === anything) return true;
    // INBOX is called so in any letter case, also where others are below it.
    const folded = name === inbox || name.startsWith(`${inbox}${separator}`) ? inbox.length : 0;
    let places = withSkipped(text, [0]);
    for (let at = 0; at < name.length && places.length > 0; at += 1) {
      const char = name[at] ?? '';
      const next: number[] = [];
      for (const place of places) {
        const wanted = text[place];
        if (wanted === anything || (wanted === level && char !== separator)) push(next, place);
        else if (wanted !== level && isSame(wanted, char, at < folded)) push(next, place + 1);
      }
      places = withSkipped(text, next);
    }
    return places.includes(text.length);
  }
}

/** The patterns of one LIST. */
export class ListPatterns {
  readonly #patterns: readonly ListPattern[];
  /** Of all patterns together. */
  readonly #wildcards: number;

  /** @param texts as those of a pattern */
  constructor(texts: readonly string[]) {
    this.#patterns = texts.map((text) => new ListPattern(text));
    this.#wildcards = this.#patterns.reduce((sum, { wildcards }) => sum + wildcards, 0);
  }

  /** Few enough for a walk along every name of an account. */
  get areAllowed(): boolean {
    return this.#patterns.length <= limits.listPatterns && this.#wildcards <= limits.patternWildcards;
  }

  /** The names that match one of the patterns, found in slices of the event loop. */
  async matching(names: Iterable<string>): Promise<Set<string>> {
    const found = new Set<string>();
    let work = 0;
    for (const name of names) {
      if (this.#patterns.some((pattern) => pattern.matches(name))) found.add(name);
      work += this.#patterns.length + name.length * this.#wildcards;
      if (work < limits.turnPatternWork) continue;
      work = 0;
      await turn();
    }
    return found;
  }
}

/** Whether a place of the pattern, which may be its end, stands for a character. */
function isSame(wanted: string | undefined, char: string, isFolded: boolean): boolean {
  return wanted === char || (isFolded && wanted?.toLowerCase() === char.toLowerCase());
}

/** Places rise; one that is there already is the last. */
function push(places: number[], place: number): void {
  if (places[places.length - 1] !== place) places.push(place);
}

/** Also the places behind wildcards that stand for nothing. */
function withSkipped(text: string, places: readonly number[]): number[] {
  const all: number[] = [];
  for (const place of places) {
    push(all, place);
    if (text[place] === anything || text[place] === level) push(all, place + 1);
  }
  return all;
}
