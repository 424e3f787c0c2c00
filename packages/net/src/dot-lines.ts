/**
 * Dots before lines: how a message travels in LMTP's DATA (RFC 5321 §4.5.2) and in POP3's RETR (RFC 1939 §3), where a
 * line of one dot ends it and lines that begin with a dot get another. Both directions are streams cut anywhere; octets are only
 * looked at by a search for CRLF and dot, and copied only where dots lie so close that views would cost more.
 *
 * A line begins after CRLF and nowhere else, and only CRLF.CRLF ends the message: a bare LF or CR is content like any
 * other octet. So nobody can end a message for us that the server before us holds to go on (smuggling).
 */

const cr = 13;
const lf = 10;
const dot = 46;
const lineDot = Buffer.from('\r\n.', 'latin1');
const oneDot = Buffer.from('.', 'latin1');
const oneCr = Buffer.from('\r', 'latin1');
const crlf = Buffer.from('\r\n', 'latin1');
const lastDot = Buffer.from('.\r\n', 'latin1');

/** Octets a piece must have on average to be worth a view of its own. */
const viewBytesMin = 256;

/** Octets from which a native copy is quicker than a loop. */
const callBytesMin = 32;

/** Content pieces of one push: views of `octets` between the cuts, or one copy where the cuts are many. */
class Pieces {
  readonly #octets: Buffer;
  readonly #ends: number[] = [];
  #bytes = 0;

  constructor(octets: Buffer) {
    this.#octets = octets;
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    this.#ends.push(start, end);
    this.#bytes += end - start;
  }

  appendTo(output: Buffer[]): void {
    const ends = this.#ends;
    const count = ends.length / 2;
    const copy = count > 2 && this.#bytes < count * viewBytesMin ? Buffer.allocUnsafe(this.#bytes) : undefined;
    let to = 0;
    for (let index = 0; index < ends.length; index += 2) {
      const start = ends[index] ?? 0;
      const end = ends[index + 1] ?? 0;
      if (copy === undefined) output.push(this.#octets.subarray(start, end));
      // For a few octets a call costs more than they do.
      else if (end - start > callBytesMin) to += this.#octets.copy(copy, to, start, end);
      else for (let at = start; at < end; at += 1) copy[to++] = this.#octets[at] ?? 0;
    }
    if (copy !== undefined) output.push(copy);
  }
}

/** What one push of a decoder gave. */
export interface DotDecoded {
  /** Views of what was pushed, or copies; in order. */
  readonly content: Buffer[];
  /** True when the line of one dot has come; nothing may be pushed after it. */
  readonly done: boolean;
  /** What follows the last dot's CRLF; empty before `done`. */
  readonly rest: Buffer;
}

/**
 * Where the decoder stands. Behind `dot` and `dotCr` it has withheld a line's first dot, or that and a CR, until it knows whether
 * they are the end. Within a line only the search for CRLF and dot looks at octets.
 */
type DecoderState = 'within' | 'cr' | 'lineStart' | 'dot' | 'dotCr';

const nothing = Buffer.alloc(0);

/** The state behind an octet that is content. */
function afterContent(state: DecoderState, octet: number): DecoderState {
  if (octet === cr) return 'cr';
  return octet === lf && state === 'cr' ? 'lineStart' : 'within';
}

/** Takes the dots out of one message; a new one for each. */
export class DotDecoder {
  #state: DecoderState = 'lineStart';

  push(octets: Buffer): DotDecoded {
    const content: Buffer[] = [];
    const pieces = new Pieces(octets);
    if (this.#state === 'dotCr' && octets.length > 0 && octets[0] !== lf) content.push(oneCr);
    let at = 0;
    let from = 0;
    while (at < octets.length) {
      if (this.#state === 'within') {
        const hit = octets.indexOf(lineDot, at);
        if (hit === -1) break;
        pieces.add(from, hit + 2);
        from = hit + 3;
        at = hit + 3;
        this.#state = 'dot';
        continue;
      }
      const octet = octets[at] ?? 0;
      at += 1;
      if (this.#state === 'dotCr' && octet === lf) {
        pieces.appendTo(content);
        return { content, done: true, rest: octets.subarray(at) };
      }
      if (this.#state === 'lineStart' && octet === dot) {
        pieces.add(from, at - 1);
        from = at;
        this.#state = 'dot';
      } else if (this.#state === 'dot' && octet === cr) this.#state = 'dotCr';
      else this.#state = afterContent(this.#state, octet);
    }
    if (this.#state === 'within') this.#state = tailState(octets);
    if (this.#state !== 'dotCr') pieces.add(from, octets.length);
    pieces.appendTo(content);
    return { content, done: false, rest: nothing };
  }
}

/** The state at the end of octets whose last line was not looked at one by one. */
function tailState(octets: Buffer): DecoderState {
  const last = octets[octets.length - 1];
  if (last === cr) return 'cr';
  return last === lf && octets[octets.length - 2] === cr ? 'lineStart' : 'within';
}

/**
 * Puts the dots into one message; a new one for each. A CRLF at the end of a push is withheld, so that the last one goes
 * out with the dot behind it: some clients look for the end in what one read gave them.
 */
export class DotEncoder {
  #state: 'start' | 'within' | 'cr' | 'crlf' = 'start';

  /** What can be sent now: views of `octets`, dots, and what the push before withheld. */
  push(octets: Buffer): Buffer[] {
    if (octets.length === 0) return [];
    const output: Buffer[] = [];
    const withheld = this.#state === 'cr' ? oneCr : this.#state === 'crlf' ? crlf : nothing;
    if (octets.length <= 2 && withheld.length > 0) {
      this.#state = 'within';
      return this.push(Buffer.concat([withheld, octets]));
    }
    const pieces = new Pieces(octets);
    let from = 0;
    if (withheld.length > 0) output.push(withheld);
    if (octets[0] === dot && (this.#state === 'start' || this.#state === 'crlf')) output.push(oneDot);
    if (octets[0] === lf && octets[1] === dot && this.#state === 'cr') {
      pieces.add(0, 2);
      from = 1;
    }
    // Base64 has no dots, and one octet is found much more quickly than three.
    const first = octets.includes(dot) ? octets.indexOf(lineDot) : -1;
    // A dot that must be two is the last of one piece and the first of the next.
    for (let hit = first; hit !== -1; hit = octets.indexOf(lineDot, hit + 3)) {
      pieces.add(from, hit + 3);
      from = hit + 2;
    }
    const tail = tailState(octets);
    this.#state = tail === 'cr' ? 'cr' : tail === 'lineStart' ? 'crlf' : 'within';
    pieces.add(from, octets.length - (this.#state === 'cr' ? 1 : this.#state === 'crlf' ? 2 : 0));
    pieces.appendTo(output);
    return output;
  }

  /** The end: the message's last CRLF, or one that it lacks, and the dot, in one piece. */
  finish(): Buffer {
    if (this.#state === 'start') return lastDot;
    return this.#state === 'cr' ? Buffer.concat([oneCr, crlf, lastDot]) : Buffer.concat([crlf, lastDot]);
  }
}
