/**
 * The text of HTML that comes in pieces: without tags, comments, scripts and styles, with references as the characters that they
 * stand for. Elements that are not part of a line of text put a blank around themselves. Nothing is kept but the piece before.
 */
import { Tokenizer } from 'htmlparser2';

/** Elements inside of a word or a line. */
const inline: ReadonlySet<string> = new Set(
  'a abbr acronym b bdi bdo big cite code del dfn em font i ins kbd mark o:p q s samp small span strike strong sub sup tt u var wbr'.split(
    ' ',
  ),
);

const unseen: ReadonlySet<string> = new Set(['script', 'style']);

/** Longer names are no element's. */
const nameLengthMax = 32;

export class HtmlText {
  readonly #tokenizer: Tokenizer;
  #text: string[] = [];
  /** The piece before and the one that is read, and where they begin in the whole. */
  #pieces = '';
  #from = 0;
  #lastLength = 0;
  #isUnseen = false;
  /** Too little to be read by itself. */
  #waiting = '';
  readonly #pieceLengthMin: number;

  /** @param pieceLengthMin no tag's name, reference or end is cut twice in pieces of so many characters */
  constructor(pieceLengthMin: number = 1_024) {
    this.#pieceLengthMin = pieceLengthMin;
    const nothing = (): void => undefined;
    this.#tokenizer = new Tokenizer(
      { xmlMode: false, decodeEntities: true },
      {
        ontext: (start, end) => this.#add(this.#slice(start, end)),
        ontextentity: (codepoint) => this.#add(String.fromCodePoint(codepoint)),
        onopentagname: (start, end) => this.#tag(start, end, true),
        onclosetag: (start, end) => this.#tag(start, end, false),
        onselfclosingtag: nothing,
        onopentagend: nothing,
        onattribname: nothing,
        onattribdata: nothing,
        onattribentity: nothing,
        onattribend: nothing,
        oncdata: nothing,
        oncomment: nothing,
        ondeclaration: nothing,
        onprocessinginstruction: nothing,
        onend: nothing,
      },
    );
  }

  push(piece: string): string {
    this.#waiting += piece;
    return this.#waiting.length < this.#pieceLengthMin ? '' : this.#read();
  }

  end(): string {
    const text = this.#read();
    this.#tokenizer.end();
    return text + this.#take();
  }

  #read(): string {
    const kept = this.#pieces.slice(this.#pieces.length - this.#lastLength);
    this.#from += this.#pieces.length - kept.length;
    this.#pieces = kept + this.#waiting;
    this.#lastLength = this.#waiting.length;
    this.#tokenizer.write(this.#waiting);
    this.#waiting = '';
    return this.#take();
  }

  #take(): string {
    const text = this.#text.join('');
    this.#text = [];
    return text;
  }

  #add(text: string): void {
    if (!this.#isUnseen) this.#text.push(text);
  }

  #slice(start: number, end: number): string {
    return this.#pieces.slice(Math.max(start - this.#from, 0), Math.max(end - this.#from, 0));
  }

  #tag(start: number, end: number, isOpening: boolean): void {
    const name = end - start > nameLengthMax ? '' : this.#slice(start, end).toLowerCase();
    if (unseen.has(name)) this.#isUnseen = isOpening;
    if (!inline.has(name)) this.#add(' ');
  }
}
