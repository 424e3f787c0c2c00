/**
 * The base subject (RFC 5256 §2.1): what is left of a subject without what replying and forwarding added. Each call is linear in
 * the subject: what would be tried again and again is known not to match.
 */

export interface BaseSubject {
  /** As it was written, in its own letter case. */
  readonly text: string;
  /** Something was taken off that replies or forwarded messages have. */
  readonly isReply: boolean;
}

/** Tabs and the line ends of folding are blanks, and there is one blank in a row. */
const blanks = /[ \t\r\n]+/g;
const trailer = '(fwd)';
/** `[…]` and a blank. */
const blob = /\[[^[\]]*\] ?/y;
const reply = /(?:re|fwd?) ?(?:\[[^[\]]*\] ?)?:/iy;
const forwarded = /\[fwd:/iy;

/** Where the pattern ends that stands at `at`; `at` when it does not. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

class Stripping {
  isReply = false;
  readonly #text: string;
  #from = 0;
  #to: number;

  constructor(text: string) {
    this.#text = text;
    this.#to = text.length;
  }

  get rest(): string {
    return this.#text.slice(this.#from, this.#to);
  }

  /** Step 2. */
  trailers(): void {
    for (;;) {
      const start = this.#to - trailer.length;
      if (this.#to > this.#from && this.#text[this.#to - 1] === ' ') this.#to -= 1;
      else if (start >= this.#from && this.#text.slice(start, this.#to).toLowerCase() === trailer) {
        this.#to = start;
        this.isReply = true;
      } else return;
    }
  }

  /** Steps 3 to 5. */
  leaders(): void {
    for (;;) {
      if (this.#text[this.#from] === ' ' && this.#from < this.#to) {
        this.#from += 1;
        continue;
      }
      let behind = this.#from;
      let lastBlob = behind;
      for (let end = endOf(blob, this.#text, behind); end > behind && end <= this.#to; ) {
        lastBlob = behind;
        behind = end;
        end = endOf(blob, this.#text, behind);
      }
      const end = endOf(reply, this.#text, behind);
      if (end === behind || end > this.#to) {
        // Of what is nothing but blobs, the last one is the subject.
        this.#from = behind < this.#to ? behind : lastBlob;
        return;
      }
      this.#from = end;
      this.isReply = true;
    }
  }

  /** Step 6. */
  tryForwarded(): boolean {
    const inner = endOf(forwarded, this.#text, this.#from);
    if (inner === this.#from || inner >= this.#to || this.#text[this.#to - 1] !== ']') return false;
    this.#from = inner;
    this.#to -= 1;
    this.isReply = true;
    return true;
  }
}

/** The base of a subject whose encoded words are decoded. */
export function baseSubject(subject: string): BaseSubject {
  const stripping = new Stripping(subject.replace(blanks, ' '));
  do {
    stripping.trailers();
    stripping.leaders();
  } while (stripping.tryForwarded());
  return { text: stripping.rest, isReply: stripping.isReply };
}
