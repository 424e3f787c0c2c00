/**
 * Looks for a text in fields of a header where they lie, as far as they are plain: ASCII without control characters or encoded words.
 * Of such a field this says what header-text.ts and folded-text.ts say, for a small part of their work; the others are left to them.
 */
import { visitFields } from '@mstore/store';
import { FieldNames } from '../header-fields.ts';

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const equalsSign = 0x3d;
const questionMark = 0x3f;
const tilde = 0x7e;

/** A field's value as it is compared; it grows, and is used again. */
let folded = new Uint8Array(1_024);

/** A folded text that is looked for in the fields of one name. */
export class PlainText {
  readonly #names: FieldNames;
  readonly #octets: Buffer;
  /** No plain field holds it. */
  readonly #isForeign: boolean;

  constructor(name: string, text: string) {
    this.#names = new FieldNames([name]);
    this.#octets = Buffer.from(text, 'latin1');
    this.#isForeign = !/^[ -~]*$/.test(text);
  }

  /** Whether a field of the name holds the text; undefined when fields that are not plain have to tell. */
  isIn(header: Buffer): boolean | undefined {
    let isFound = false;
    let isPlain = true;
    visitFields(header, (start, nameEnd, valueStart, end) => {
      if (isFound || !this.#names.has(header, start, nameEnd)) return;
      const length = foldPlain(header, valueStart, end);
      if (this.#octets.length === 0) isFound = true;
      else if (length === -1) isPlain = false;
      else if (!this.#isForeign) isFound = this.#isWithin(length);
    });
    return isFound || isPlain ? isFound : undefined;
  }

  /** In the first octets of `folded`. */
  #isWithin(length: number): boolean {
    const wanted = this.#octets;
    for (let from = 0; from <= length - wanted.length; from += 1) {
      let index = 0;
      while (index < wanted.length && folded[from + index] === wanted[index]) index += 1;
      if (index === wanted.length) return true;
    }
    return false;
  }
}

/** Puts a field's value into `folded`: unfolded, in capitals, with one blank for each run of them and none at its ends. Returns
 *  how many octets that are; -1 for what is not plain. */
function foldPlain(header: Buffer, from: number, to: number): number {
  if (to - from > folded.length) folded = new Uint8Array(2 * (to - from));
  let length = 0;
  let isBehindBlank = false;
  for (let at = from; at < to; at += 1) {
    const octet = header[at] ?? 0;
    if (octet === space || octet === tab) isBehindBlank = length > 0;
    else if (octet > space && octet <= tilde) {
      if (isBehindBlank) folded[length++] = space;
      else if (octet === questionMark && length > 0 && folded[length - 1] === equalsSign) return -1;
      isBehindBlank = false;
      folded[length++] = octet >= 0x61 && octet <= 0x7a ? octet - 0x20 : octet;
    } else if (octet === carriageReturn && header[at + 1] === lineFeed) at += 1;
    else return -1;
  }
  return length;
}
