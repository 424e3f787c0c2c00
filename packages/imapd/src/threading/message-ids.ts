/**
 * Message-IDs as threads want them (RFC 5256 §3, RFC 5322 §3.6.4): without angle brackets, blanks, comments and quoting, so that two
 * spellings of one are the same. Each call is linear in its text.
 */

/** Longer ones are none: RFC 5322 §2.1.1's longest line. */
const idLengthMax = 998;

const blanks = /[\0-\x20]+/g;

class IdReader {
  readonly #text: string;
  #at = 0;
  /** Set once a quote or a parenthesis was not closed: later ones are not either. */
  #quotesOpen = false;
  #commentsOpen = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next one; undefined when there is no more. */
  next(): string | undefined {
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at];
      if (char === '<') {
        const id = this.#id();
        if (id !== undefined) return id;
      } else if (char === '"') this.#quoted();
      else if (char === '(') this.#comment();
      else this.#at += 1;
    }
    return undefined;
  }

  /** Reads from `<` to `>`; undefined for what is no id. Of several opening brackets the last one counts. */
  #id(): string | undefined {
    let id = '';
    let at = -1;
    this.#at += 1;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] ?? '';
      if (char === '<') return undefined;
      if (char === '"') {
        id += this.#quoted();
        continue;
      }
      if (char === '(') {
        this.#comment();
        continue;
      }
      this.#at += 1;
      if (char === '>') return at > 0 && at < id.length - 1 && id.length <= idLengthMax ? id : undefined;
      if (char === '@') at = id.length;
      if (char > ' ') id += char;
    }
    return undefined;
  }

  /** What a quoted string says; a quote that is not closed is passed over. */
  #quoted(): string {
    let end = this.#quotesOpen ? this.#text.length : this.#at + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1;
    if (end >= this.#text.length) {
      this.#quotesOpen = true;
      this.#at += 1;
      return '';
    }
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner.replace(/\\(.)/gs, '$1').replace(blanks, '');
  }

  #comment(): void {
    let depth = 0;
    let end = this.#commentsOpen ? this.#text.length : this.#at;
    for (; end < this.#text.length; end += 1) {
      const char = this.#text[end];
      if (char === '\\') end += 1;
      else if (char === '(') depth += 1;
      else if (char === ')') depth -= 1;
      if (depth === 0) break;
    }
    if (end >= this.#text.length) this.#commentsOpen = true;
    this.#at = end >= this.#text.length ? this.#at + 1 : end + 1;
  }
}

/** The first valid id of a field; undefined where there is none. */
export function firstId(text: string): string | undefined {
  return new IdReader(text).next();
}

/** The valid ids of a field; beyond `most` the first and the last of them. */
export function allIds(text: string, most: number): string[] {
  const reader = new IdReader(text);
  const ids: string[] = [];
  for (let id = reader.next(); id !== undefined; id = reader.next()) ids.push(id);
  return ids.length <= most ? ids : [...ids.slice(0, 1), ...ids.slice(1 - most)];
}
