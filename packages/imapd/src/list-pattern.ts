/**
 * LIST patterns (RFC 9051 §6.3.9): `*` is any text, `%` any within one level. A name is walked once with all places of the
 * pattern where it may be at that point, so that no pattern takes longer than its wildcards times the name.
 */
import { inbox } from '@mstore/store';
import { limits } from './limits.ts';

const anything = '*';
const level = '%';
const separator = '/';

export class ListPattern {
  readonly #text: string;
  readonly #hasWildcards: boolean;

  /** @param text with wildcards, as the store writes names */
  constructor(text: string) {
    // A run of wildcards is its widest.
    this.#text = text.replace(/[%*]+/g, (run) => (run.includes(anything) ? anything : level));
    this.#hasWildcards = /[%*]/.test(text);
  }

  /** Few enough wildcards for a walk along every name of an account. */
  get isAllowed(): boolean {
    return this.#text.replace(/[^%*]/g, '').length <= limits.patternWildcards;
  }

  matches(name: string): boolean {
    // INBOX is called so in any letter case.
    return this.#walk(this.#text, name) || (name === inbox && this.#walk(this.#text.toUpperCase(), name));
  }

  #walk(text: string, name: string): boolean {
    if (!this.#hasWildcards) return text === name;
    if (text === anything) return true;
    let places = withSkipped(text, [0]);
    for (let at = 0; at < name.length && places.length > 0; at += 1) {
      const char = name[at];
      const next: number[] = [];
      for (const place of places) {
        const wanted = text[place];
        if (wanted === anything || (wanted === level && char !== separator)) push(next, place);
        else if (wanted === char && wanted !== level) push(next, place + 1);
      }
      places = withSkipped(text, next);
    }
    return places.includes(text.length);
  }
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
