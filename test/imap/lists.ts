/** Reads the parenthesised lists of FETCH answers in tests: strings as they are, NIL as undefined, atoms and numbers as text. */

export type Value = string | undefined | readonly Value[];

class ListReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): Value {
    const char = this.#text[this.#at];
    if (char === '(') return this.#list();
    if (char === '"') return this.#quoted();
    const literal = /^\{(\d+)\}\r\n/.exec(this.#text.slice(this.#at, this.#at + 20));
    if (literal !== null) {
      const from = this.#at + literal[0].length;
      this.#at = from + Number(literal[1]);
      return this.#text.slice(from, this.#at);
    }
    const atom = /^[^\s()]+/.exec(this.#text.slice(this.#at, this.#at + 100))?.[0] ?? '';
    if (atom === '') throw new Error(`no value at ${this.#at} of ${this.#text.slice(0, 500)}`);
    this.#at += atom.length;
    return atom === 'NIL' ? undefined : atom;
  }

  #list(): Value[] {
    const values: Value[] = [];
    this.#at += 1;
    while (this.#text[this.#at] !== ')') {
      if (this.#text[this.#at] === ' ') this.#at += 1;
      values.push(this.value());
    }
    this.#at += 1;
    return values;
  }

  #quoted(): string {
    let text = '';
    for (this.#at += 1; this.#text[this.#at] !== '"'; this.#at += 1) {
      if (this.#at >= this.#text.length) throw new Error('an open quote');
      if (this.#text[this.#at] === '\\') this.#at += 1;
      text += this.#text[this.#at] ?? '';
    }
    this.#at += 1;
    return text;
  }
}

/** The items of a FETCH line, by name. */
export function fetchItems(line: string): ReadonlyMap<string, Value> {
  const from = line.indexOf('(');
  // The names of sections hold blanks and parentheses of their own.
  const all = new ListReader(
    line.slice(from).replace(/\b(BODY\[[^\]]*\](?:<\d+>)?)/g, (name) => name.replace(/[ ()]/g, '_')),
  );
  const values = all.value();
  if (!Array.isArray(values)) throw new Error(`no list in ${line.slice(0, 200)}`);
  const items = new Map<string, Value>();
  for (let at = 0; at + 1 < values.length; at += 2) items.set(String(values[at]), values[at + 1]);
  return items;
}

export interface Part {
  /** As BODY[…] names it. */
  readonly path: string;
  readonly bytes: number;
}

/** The parts that are no multiparts, by a body structure. */
export function partsOf(structure: Value, path: readonly number[] = []): Part[] {
  if (!Array.isArray(structure)) throw new Error('no body structure');
  const here = path.length === 0 ? [1] : path;
  if (Array.isArray(structure[0])) {
    const parts = structure.slice(
      0,
      structure.findIndex((value) => !Array.isArray(value)),
    );
    return parts.flatMap((part, index) => partsOf(part, [...path, index + 1]));
  }
  const own = { path: here.join('.'), bytes: Number(structure[6]) };
  const isMessage = String(structure[0]).toLowerCase() === 'message' && Array.isArray(structure[7]);
  if (!isMessage) return [own];
  const inner: Value = structure[8];
  const isMultipart = Array.isArray(inner) && Array.isArray(inner[0]);
  return [own, ...partsOf(inner, isMultipart ? here : [...here, 1])];
}

/** A body structure less its extension data, by the grammar. */
export function plainStructure(structure: Value): Value {
  if (!Array.isArray(structure)) return structure;
  if (Array.isArray(structure[0])) {
    const end = structure.findIndex((value) => !Array.isArray(value));
    return [...structure.slice(0, end).map(plainStructure), structure[end]];
  }
  const type = String(structure[0]).toLowerCase();
  const basic = structure.slice(0, 7);
  if (type === 'text') return [...basic, structure[7]];
  const isMessage = type === 'message' && Array.isArray(structure[7]);
  return isMessage ? [...basic, structure[7], plainStructure(structure[8]), structure[9]] : basic;
}
