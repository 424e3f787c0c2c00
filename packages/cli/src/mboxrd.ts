/** The quoting of mboxrd: a line of `From `, behind any number of `>`, gets one more on the way in and loses one on the way out. */

const LF = 10;
const GT = 62;
const plainFrom = Buffer.from('From ');
const extra = Buffer.from('>');
const nothing = Buffer.alloc(0);

/** What a quoted line holds, and nothing else needs to be looked at. */
export const quotedFrom: Buffer = Buffer.from('>From ');

/** True when the line that holds `at` has only `>` before it; `onlyQuotes`: so does what stands before these octets in it. */
export function onlyQuotesBefore(octets: Buffer, at: number, onlyQuotes: boolean): boolean {
  let first = at;
  while (first > 0 && octets[first - 1] === GT) first--;
  return first === 0 ? onlyQuotes : octets[first - 1] === LF;
}

/** Takes one `>` from each quoted `From `. */
export function unquote(octets: Buffer, onlyQuotes: boolean): Buffer {
  let hit = octets.indexOf(quotedFrom);
  if (hit === -1) return octets;
  const pieces: Buffer[] = [];
  let done = 0;
  for (; hit !== -1; hit = octets.indexOf(quotedFrom, hit + 1)) {
    if (!onlyQuotesBefore(octets, hit, onlyQuotes)) continue;
    pieces.push(octets.subarray(done, hit));
    done = hit + 1;
  }
  pieces.push(octets.subarray(done));
  return Buffer.concat(pieces);
}

/** Quotes a message that comes in pieces. */
export class Quoter {
  /** The last octets, which may be the beginning of `From `. */
  #held: Buffer = nothing;
  #onlyQuotes = true;

  push(piece: Buffer): Buffer {
    const octets = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const end = Math.max(octets.length - (plainFrom.length - 1), 0);
    this.#held = octets.subarray(end);
    const quoted = this.#quote(octets, end);
    this.#onlyQuotes = onlyQuotesBefore(octets, end, this.#onlyQuotes);
    return quoted;
  }

  /** What was held back. */
  end(): Buffer {
    const held = this.#held;
    this.#held = nothing;
    return held;
  }

  #quote(octets: Buffer, end: number): Buffer {
    const pieces: Buffer[] = [];
    let done = 0;
    for (let hit = octets.indexOf(plainFrom); hit !== -1; hit = octets.indexOf(plainFrom, hit + 1)) {
      if (!onlyQuotesBefore(octets, hit, this.#onlyQuotes)) continue;
      pieces.push(octets.subarray(done, hit), extra);
      done = hit;
    }
    if (pieces.length === 0) return octets.subarray(0, end);
    pieces.push(octets.subarray(done, end));
    return Buffer.concat(pieces);
  }
}
