/**
 * Reads an mbox (RFC 4155) of any size as a stream of messages, with LF or CRLF lines.
 *
 * A message begins with a From_ line at the start of the file or after an empty line; elsewhere, and where its rest does not
 * look like a sender and a date, `From ` is text. Content-Length is not looked at. The empty line before the next From_ line,
 * or at the end of the file, is the format's, not the message's. Quoting is that of mboxrd: `>From `, with any number of `>`,
 * loses one.
 *
 * A message up to `wholeBytes` is handed out as one buffer, a piece of what was read; a larger one flows.
 */
import { fromLineBytesMax, parseFromLine } from './from-line.ts';
import { onlyQuotesBefore, quotedFrom, unquote } from './mboxrd.ts';

/** The next octets of the file, in large pieces that are the reader's to keep; undefined at the end. */
export type ChunkSource = () => Promise<Buffer | undefined>;

export interface MboxMessage {
  /** From 1. */
  readonly number: number;
  /** Of its From_ line in the file. */
  readonly offset: number;
  /** Seconds since 1970, from the From_ line. */
  readonly date: number | undefined;
  /** A flow must be read, or left, before the next message is asked for. */
  readonly octets: Buffer | AsyncIterable<Buffer>;
}

/** The file does not begin as an mbox does. */
export class NotAnMbox extends Error {
  constructor() {
    super('this is no mbox: its first line does not begin with "From "');
    this.name = 'NotAnMbox';
  }
}

const LF = 10;
const CR = 13;
const fromStart = Buffer.from('From ');
const nextStart = Buffer.from('\nFrom ');
const byteOrderMark = Buffer.of(0xef, 0xbb, 0xbf);
const nothing = Buffer.alloc(0);

const wholeBytes = 1_048_576;
/** Octets at the end of the window that may belong to what ends a message: an empty line and a From_ line. */
const heldBytes = fromLineBytesMax + 24;

/** Where a message ends and the next From_ line begins. */
interface End {
  readonly end: number;
  readonly next: number;
}

export class MboxReader {
  readonly #source: ChunkSource;
  #window: Buffer = nothing;
  /** Of the window in the file. */
  #offset = 0;
  /** The first octet of the window not handed out. */
  #at = 0;
  /** Up to here no end was found. */
  #searched = 0;
  #ended = false;
  #number = 0;
  #flowing = false;
  /** The line before `#at`, as far as it goes, holds nothing but `>`. */
  #onlyQuotes = true;
  #fromLinesKept = 0;

  constructor(source: ChunkSource) {
    this.#source = source;
  }

  /** Octets of the file gone through. */
  get position(): number {
    return this.#offset + this.#at;
  }

  /** Lines so far that look like From_ lines with a date, but follow no empty line: kept as text. */
  get fromLinesKept(): number {
    return this.#fromLinesKept;
  }

  /** @throws NotAnMbox */
  async *messages(): AsyncGenerator<MboxMessage> {
    await this.#toFirst();
    while (this.#at < this.#window.length) {
      const offset = this.position;
      const date = await this.#fromLine();
      this.#number++;
      const octets = (await this.#whole()) ?? this.#flow();
      yield { number: this.#number, offset, date, octets };
      while (this.#flowing) await this.#piece();
    }
  }

  /** Skips a byte order mark and empty lines at the start of the file. */
  async #toFirst(): Promise<void> {
    await this.#more();
    if (this.#window.subarray(0, byteOrderMark.length).equals(byteOrderMark)) this.#at = byteOrderMark.length;
    for (;;) {
      const first = this.#window[this.#at];
      if (first === LF || first === CR) this.#at++;
      else if (this.#window.length - this.#at >= fromStart.length || !(await this.#more())) break;
    }
    const left = this.#window.length - this.#at;
    const begins = this.#window.subarray(this.#at, this.#at + fromStart.length).equals(fromStart);
    if (left > 0 && !begins) throw new NotAnMbox();
  }

  /** Goes past the From_ line; returns its date. */
  async #fromLine(): Promise<number | undefined> {
    let searched = this.#at;
    let end = this.#window.indexOf(LF, searched);
    while (end === -1) {
      const length = this.#window.length - this.#at;
      if (!(await this.#more())) break;
      searched = this.#at + length;
      end = this.#window.indexOf(LF, searched);
    }
    if (end === -1) end = this.#window.length;
    const line = this.#window.toString('latin1', this.#at, Math.min(end, this.#at + fromLineBytesMax));
    this.#at = Math.min(end + 1, this.#window.length);
    this.#searched = Math.max(this.#at - 1, 0);
    return parseFromLine(line)?.date;
  }

  /** The message, when it ends within `wholeBytes`. */
  async #whole(): Promise<Buffer | undefined> {
    for (;;) {
      const found = this.#findEnd();
      if (found !== undefined) return this.#take(found, true);
      if (this.#window.length - this.#at > wholeBytes) {
        this.#flowing = true;
        this.#onlyQuotes = true;
        return undefined;
      }
      await this.#more();
    }
  }

  async *#flow(): AsyncGenerator<Buffer> {
    for (;;) {
      const piece = await this.#piece();
      if (piece === undefined) return;
      if (piece.length > 0) yield piece;
    }
  }

  /** The next piece of a flowing message; undefined at its end. */
  async #piece(): Promise<Buffer | undefined> {
    if (!this.#flowing) return undefined;
    const found = this.#findEnd();
    if (found !== undefined) {
      this.#flowing = false;
      return this.#take(found, this.#onlyQuotes);
    }
    const cut = this.#cut();
    const raw = this.#window.subarray(this.#at, cut);
    const piece = unquote(raw, this.#onlyQuotes);
    this.#onlyQuotes = onlyQuotesBefore(raw, raw.length, this.#onlyQuotes);
    this.#at = cut;
    await this.#more();
    return piece;
  }

  #take({ end, next }: End, onlyQuotes: boolean): Buffer {
    const octets = unquote(this.#window.subarray(this.#at, end), onlyQuotes);
    this.#at = next;
    return octets;
  }

  /** Where the window may be cut: before all that may belong to an end, and not within a quoted `From `. */
  #cut(): number {
    const latest = Math.max(this.#window.length - heldBytes, this.#at);
    const hit = this.#window.indexOf(quotedFrom, Math.max(latest - quotedFrom.length, this.#at));
    return hit !== -1 && hit < latest ? hit : latest;
  }

  /** Looks for the end of the message; undefined when more of the file must be read first. */
  #findEnd(): End | undefined {
    const window = this.#window;
    for (;;) {
      const lf = window.indexOf(nextStart, this.#searched);
      if (lf === -1) {
        this.#searched = Math.max(this.#searched, window.length - nextStart.length);
        return this.#ended ? { end: this.#lastEnd(), next: window.length } : undefined;
      }
      this.#searched = lf;
      const found = window.indexOf(LF, lf + 1);
      if (found === -1 && !this.#ended && window.length - lf <= fromLineBytesMax) return undefined;
      const lineEnd = found === -1 ? window.length : found;
      const line = lineEnd - lf > fromLineBytesMax ? undefined : window.toString('latin1', lf + 1, lineEnd);
      const fromLine = line === undefined ? undefined : parseFromLine(line);
      const blank = this.#blankLineAt(lf);
      if (fromLine !== undefined && blank !== undefined) return { end: blank, next: lf + 1 };
      // Right behind the message's own From_ line nothing can be lost but an empty message.
      if (fromLine?.date !== undefined && lf >= this.#at) this.#fromLinesKept++;
      this.#searched = lf + 1;
    }
  }

  /** Where the empty line begins whose LF is at `lf`; undefined when that line is not empty. */
  #blankLineAt(lf: number): number | undefined {
    if (lf < this.#at) return undefined;
    const begin = this.#window[lf - 1] === CR && lf > this.#at ? lf - 1 : lf;
    return begin === this.#at || this.#window[begin - 1] === LF ? begin : undefined;
  }

  /** The end of the file's last message: before a last empty line. */
  #lastEnd(): number {
    const last = this.#window.length - 1;
    return this.#window[last] === LF ? (this.#blankLineAt(last) ?? last + 1) : last + 1;
  }

  /** Reads on; false at the end of the file. */
  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    const chunk = await this.#source();
    if (chunk === undefined) {
      this.#ended = true;
      return false;
    }
    const rest = this.#window.subarray(this.#at);
    this.#window = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#offset += this.#at;
    this.#searched = Math.max(this.#searched - this.#at, 0);
    this.#at = 0;
    return true;
  }
}
