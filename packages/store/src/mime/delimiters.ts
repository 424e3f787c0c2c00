/** Tells delimiter lines from others (RFC 2046 §5.1.1), for the multiparts that are open at the moment. */

/** Longest delimiter line: 998 octets (RFC 5322 §2.1.1) and CR. So much may have to be held back until LF comes. */
const lineBytesMax = 999;

const lf = 10;
const dash = 45;

/** Answers of `Delimiters.find` that are no offset. */
export const notDelimiter = 0;
export const undecided = -1;

/** True for what may stand behind a delimiter: blanks, a line end, stray CRs before it. */
function isPadding(octet: number | undefined): boolean {
  return octet === 32 || octet === 9 || octet === 10 || octet === 13;
}

/** The boundaries that count, and the delimiter found last. */
export class Delimiters {
  /** Levels by boundary, innermost last: the same boundary may be open at several. */
  readonly #levels: Map<string, number[]> = new Map();
  /** The level of the multipart whose delimiter was found. */
  level = 0;
  /** True when it was a close-delimiter. */
  closes = false;

  /** True while no line can be a delimiter. */
  get none(): boolean {
    return this.#levels.size === 0;
  }

  /** A multipart begins. */
  add(boundary: string, level: number): void {
    const levels = this.#levels.get(boundary);
    if (levels === undefined) this.#levels.set(boundary, [level]);
    else levels.push(level);
  }

  /** The innermost multipart with this boundary ends. */
  remove(boundary: string): void {
    const levels = this.#levels.get(boundary);
    levels?.pop();
    if (levels?.length === 0) this.#levels.delete(boundary);
  }

  /**
   * Looks at the line that begins at `line`.
   * @param last no octets will follow
   * @returns the offset behind the delimiter line; `level` and `closes` are set then
   */
  find(octets: Buffer, line: number, last: boolean): number {
    if (this.none) return notDelimiter;
    const left = octets.length - line;
    if ((left > 0 && octets[line] !== dash) || (left > 1 && octets[line + 1] !== dash)) return notDelimiter;
    const lineEnd = left < 2 ? -1 : octets.indexOf(lf, line + 2);
    if (lineEnd === -1 && (last || left > lineBytesMax)) {
      return left > 2 && left <= lineBytesMax && this.#match(octets, line, octets.length)
        ? octets.length
        : notDelimiter;
    }
    if (lineEnd === -1) return undecided;
    return lineEnd - line <= lineBytesMax && this.#match(octets, line, lineEnd) ? lineEnd + 1 : notDelimiter;
  }

  /** Of several open multiparts the innermost whose delimiter the whole line is. */
  #match(octets: Buffer, line: number, lineEnd: number): boolean {
    let end = lineEnd;
    while (end > line + 2 && isPadding(octets[end - 1])) end--;
    const text = octets.toString('latin1', line + 2, end);
    const opens = this.#levels.get(text)?.at(-1) ?? -1;
    const closes = text.endsWith('--') ? (this.#levels.get(text.slice(0, -2))?.at(-1) ?? -1) : -1;
    this.level = Math.max(opens, closes);
    this.closes = closes > opens;
    return this.level !== -1;
  }
}
