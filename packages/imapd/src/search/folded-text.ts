/**
 * How texts are compared (RFC 9051 §6.4.4: in any letter case): composed (NFC), in capitals, and with one blank for each run of
 * blanks and line ends. Capitals do not depend on the neighbours, as small letters do, and make one of ß and SS, ς and σ; so
 * this is what `i;unicode-casemap` (RFC 5051) gives, but for accents, which count.
 */
import { limits } from '../limits.ts';
import type { Pace } from './pace.ts';

/** Blanks that are not a single space: most are, and stay. */
const blanks = /[^\S ]\s*| \s+/g;

/** A text in the form in which texts are compared. */
export function folded(text: string): string {
  return text.normalize('NFC').toUpperCase().replace(blanks, ' ');
}

/** What comparing so many characters with a text of that length costs: a periodic one is compared anew at each place. */
export function comparingWork(chars: number, needle: string): number {
  return (chars * (needle.length + 16)) >>> 4;
}

/** Whether a folded text holds another, however long it is. */
export async function holds(text: string, needle: string, pace: Pace): Promise<boolean> {
  const step = limits.searchPieceBytes;
  for (let at = 0; at === 0 || at < text.length; at += step) {
    const piece = text.slice(at, at + step + needle.length - 1);
    if (piece.includes(needle)) return true;
    await pace.worked(comparingWork(piece.length, needle));
  }
  return false;
}

const marks = /^\p{M}$/u;

/** More marks on one letter are no letter of anybody's language. */
const marksMax = 32;

/** Folds a text that comes in pieces, cut anywhere. */
export class FoldedPieces {
  #held = '';
  #endsBlank = false;

  /** The next piece, folded; the last letter is kept, since marks may follow it. */
  push(piece: string): string {
    const text = this.#held + piece;
    let end = text.length - 1;
    while (end > 0 && text.length - end < marksMax && isJoined(text, end)) end -= 1;
    this.#held = text.slice(Math.max(end, 0));
    return this.#fold(text.slice(0, Math.max(end, 0)));
  }

  /** What was kept. */
  end(): string {
    const text = this.#fold(this.#held);
    this.#held = '';
    this.#endsBlank = false;
    return text;
  }

  #fold(text: string): string {
    const whole = folded(text);
    const fresh = this.#endsBlank && whole.startsWith(' ') ? whole.slice(1) : whole;
    if (whole !== '') this.#endsBlank = whole.endsWith(' ');
    return fresh;
  }
}

/** Whether the character belongs to the one before it. */
function isJoined(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code > 0x2ff && ((code >= 0xdc00 && code <= 0xdfff) || marks.test(text.charAt(at)));
}
