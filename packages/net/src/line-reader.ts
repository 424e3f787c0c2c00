/**
 * Lines out of a connection, and raw octets between them: command lines, the literals behind them, the dotted lines of a
 * message. Pipelined lines are views of the octets as they came; only a line that lies across two reads is copied.
 *
 * An over-long line is skipped to its end, with but its first and last octets kept, and reported where it stood; the next line can be read. What
 * a caller leaves unread of a literal or a message is skipped before the next line, so that a refusal in the middle does not
 * turn content into commands.
 *
 * Invariants: at most `lineBytesMax` octets of an unfinished line are held, and the one read that brought them; a line's
 * octets are given out once.
 */
import type { Connection } from './connection.ts';
import { DotDecoder } from './dot-lines.ts';
import { invariant, PeerError } from './errors.ts';
import { Gathered } from './gathered.ts';
import { limits } from './limits.ts';

const cr = 13;
const lf = 10;

export interface LineReaderOptions {
  /** Octets of a line without its end. */
  readonly lineBytesMax?: number;
  /** Whether LF alone ends a line too. Refused by default: it is how one server's line becomes two of another's. */
  readonly bareLineFeed?: 'ends' | 'refused';
}

/** What is kept of a line that was skipped: enough to say whose it was, and what it announced. */
export interface SkippedLine {
  /** Its first octets. */
  readonly start: Buffer;
  /** Its last octets, without its end; they may be among the first. */
  readonly end: Buffer;
}

interface BytesContent {
  readonly kind: 'bytes';
  left: number;
}

/** What is left of content that the protocol announced: octets of a literal, or dotted lines. */
type Content = BytesContent | { readonly kind: 'dots'; readonly decoder: DotDecoder };

export class LineReader {
  readonly #connection: Connection;
  readonly #bareEnds: boolean;
  #lineBytesMax: number;
  /** What was read and not given out, from `#at` on. */
  #octets: Buffer = Buffer.alloc(0);
  #at = 0;
  #content: Content | undefined;
  #skipped: SkippedLine | undefined;
  /** The line under way holds an LF that does not end it. */
  #bareSeen = false;

  constructor(connection: Connection, options: LineReaderOptions = {}) {
    this.#connection = connection;
    this.#bareEnds = options.bareLineFeed === 'ends';
    this.#lineBytesMax = options.lineBytesMax ?? limits.lineBytes;
  }

  /** Octets of a line from now on; a login allows longer ones. */
  set lineBytesMax(bytes: number) {
    this.#lineBytesMax = bytes;
  }

  /** The line that was too long, or held a bare LF, when `next` has just said so. */
  get skipped(): SkippedLine | undefined {
    return this.#skipped;
  }

  /**
   * The next line without its end; undefined when no further command comes (`Connection.farewell` says why). The buffer is
   * the caller's, but holds on to the whole read: copy what is kept.
   * @throws {PeerError} lineTooLong, bareLineFeed: the line was skipped, go on; others: the connection is of no more use
   */
  async next(): Promise<Buffer | undefined> {
    this.#skipped = undefined;
    if (this.#content !== undefined) await this.#skipContent();
    if (this.#connection.isLeaving) return undefined;
    if (this.#at === this.#octets.length && !this.#hold(await this.#connection.read('command'))) return undefined;
    this.#bareSeen = false;
    const line = this.#lineHere() ?? (await this.#lineAcross());
    this.#connection.progress();
    return this.#checked(line);
  }

  /**
   * The octets of a literal, as they come. Leaving early is allowed.
   * @throws {PeerError} gone, when the peer ends before them
   */
  bytes(count: number): AsyncGenerator<Buffer, void, undefined> {
    const content: BytesContent = { kind: 'bytes', left: count };
    this.#announce(content);
    return this.#literal(content);
  }

  /**
   * The content of a message in dotted lines, up to the line of one dot. Leaving early is allowed.
   * @throws {PeerError} gone, when the peer ends before the dot: the message is not whole
   */
  dotLines(): AsyncGenerator<Buffer, void, undefined> {
    const decoder = new DotDecoder();
    this.#announce({ kind: 'dots', decoder });
    return this.#message(decoder);
  }

  /**
   * As `dotLines`; a message that ends before more than `heldBytesMax` octets of it came is given whole. Octets of a whole one
   * are the caller's, and may be a view of what was read.
   * @throws {PeerError} gone, when the peer ends before the dot, or before it is known how the message comes
   */
  async dotMessage(heldBytesMax: number): Promise<Buffer | AsyncGenerator<Buffer, void, undefined>> {
    const decoder = new DotDecoder();
    this.#announce({ kind: 'dots', decoder });
    const held = new Gathered();
    while (held.bytes <= heldBytesMax) {
      if (this.#at === this.#octets.length) await this.#contentHere();
      const decoded = decoder.push(this.#octets.subarray(this.#at));
      this.#octets = decoded.rest;
      this.#at = 0;
      for (const piece of decoded.content) held.push(piece);
      if (!decoded.done) continue;
      this.#content = undefined;
      return held.whole();
    }
    return this.#messageFrom(held.whole(), decoder);
  }

  /** Reads what is left of a literal or a message, and keeps nothing of it. @throws {PeerError} gone */
  async skip(): Promise<void> {
    if (this.#content !== undefined) await this.#skipContent();
  }

  /** Gives what was read ahead back to the connection, which someone else reads from now on. */
  release(): void {
    invariant(this.#content === undefined, 'content is read to its end before the connection changes hands');
    this.#connection.pushBack(this.#octets.subarray(this.#at));
    this.#at = this.#octets.length;
  }

  #announce(content: Content): void {
    invariant(this.#content === undefined, 'one content at a time');
    this.#content = content;
  }

  async *#literal(content: BytesContent): AsyncGenerator<Buffer, void, undefined> {
    while (content.left > 0) {
      if (this.#at === this.#octets.length) await this.#contentHere();
      const octets = this.#octets.subarray(this.#at, this.#at + content.left);
      this.#at += octets.length;
      content.left -= octets.length;
      yield octets;
    }
    if (this.#content === content) this.#content = undefined;
  }

  async *#message(decoder: DotDecoder): AsyncGenerator<Buffer, void, undefined> {
    let done = false;
    while (!done) {
      if (this.#at === this.#octets.length) await this.#contentHere();
      const decoded = decoder.push(this.#octets.subarray(this.#at));
      done = decoded.done;
      this.#octets = decoded.rest;
      this.#at = 0;
      if (done) this.#content = undefined;
      yield* decoded.content;
    }
  }

  async *#messageFrom(held: Buffer, decoder: DotDecoder): AsyncGenerator<Buffer, void, undefined> {
    yield held;
    yield* this.#message(decoder);
  }

  async #skipContent(): Promise<void> {
    while (this.#content !== undefined) {
      const content = this.#content;
      if (this.#at === this.#octets.length && !(content.kind === 'bytes' && content.left === 0))
        await this.#contentHere();
      if (content.kind === 'bytes') {
        const skipped = Math.min(content.left, this.#octets.length - this.#at);
        this.#at += skipped;
        content.left -= skipped;
        if (content.left === 0) this.#content = undefined;
      } else {
        const { done, rest } = content.decoder.push(this.#octets.subarray(this.#at));
        this.#octets = rest;
        this.#at = 0;
        if (done) this.#content = undefined;
      }
    }
  }

  /** Reads on behind what is used up; false when the peer ended, or should. */
  async #more(stage: 'line' | 'content'): Promise<boolean> {
    return this.#hold(await this.#connection.read(stage));
  }

  #hold(octets: Buffer | undefined): boolean {
    if (octets === undefined) return false;
    this.#octets = octets;
    this.#at = 0;
    return true;
  }

  async #contentHere(): Promise<void> {
    if (!(await this.#more('content'))) throw new PeerError('gone', 'the peer ended in the middle of content');
  }

  /** A whole line, its end included, out of the octets here; undefined when its end is not among them. */
  #lineHere(): Buffer | undefined {
    const end = this.#lineEnd(this.#octets, this.#at);
    if (end === -1) return undefined;
    const line = this.#octets.subarray(this.#at, end + 1);
    this.#at = end + 1;
    return line;
  }

  /** The rest of a line whose beginning is here. */
  async #lineAcross(): Promise<Buffer> {
    const parts: Buffer[] = [];
    let bytes = 0;
    let endsWithCr = false;
    for (;;) {
      const part = this.#octets.subarray(this.#at);
      bytes += part.length;
      endsWithCr = part[part.length - 1] === cr;
      // One octet more may be the CR of its end.
      parts.push(part);
      if (bytes > this.#lineBytesMax + 1) return await this.#skipLine(bytes, Buffer.concat(parts), endsWithCr);
      if (!(await this.#more('line'))) throw new PeerError('gone', 'the peer ended in the middle of a line');
      const end = endsWithCr && this.#octets[0] === lf ? 0 : this.#lineEnd(this.#octets, 0);
      if (end === -1) continue;
      this.#at = end + 1;
      parts.push(this.#octets.subarray(0, end + 1));
      const line = Buffer.concat(parts);
      if (bytes + end > this.#lineBytesMax + 1) throw this.#tooLong(line, line);
      return line;
    }
  }

  /** Reads to the end of a line that is too long already. */
  async #skipLine(bytes: number, beginning: Buffer, cameToCr: boolean): Promise<never> {
    const start = firstOf(beginning);
    let last = lastOf(beginning);
    let skipped = bytes;
    let endsWithCr = cameToCr;
    while (skipped <= limits.lineSkipBytes) {
      if (!(await this.#more('line'))) throw new PeerError('gone', 'the peer ended in the middle of a line');
      const end = endsWithCr && this.#octets[0] === lf ? 0 : this.#lineEnd(this.#octets, 0);
      this.#at = end === -1 ? this.#octets.length : end + 1;
      last = lastOf(Buffer.concat([last, lastOf(this.#octets.subarray(0, this.#at))]));
      if (end !== -1) throw this.#tooLong(start, last);
      skipped += this.#octets.length;
      endsWithCr = this.#octets[this.#octets.length - 1] === cr;
    }
    throw new PeerError('lineEndless', `no line end in ${skipped} octets`);
  }

  /** Where the LF that ends a line lies; -1 when there is none. */
  #lineEnd(octets: Buffer, from: number): number {
    let end = octets.indexOf(lf, from);
    if (this.#bareEnds) return end;
    while (end !== -1 && (end === from || octets[end - 1] !== cr)) {
      this.#bareSeen = true;
      end = octets.indexOf(lf, end + 1);
    }
    return end;
  }

  /** A line without its end. */
  #checked(line: Buffer): Buffer {
    const end = line[line.length - 2] === cr ? line.length - 2 : line.length - 1;
    if (end > this.#lineBytesMax) throw this.#tooLong(line, line);
    if (!this.#bareSeen) return line.subarray(0, end);
    this.#noteSkipped(line, line);
    throw new PeerError('bareLineFeed', 'a command holds a line feed without CR');
  }

  /** @param last its last octets, with its end */
  #tooLong(first: Buffer, last: Buffer): PeerError {
    this.#noteSkipped(first, last);
    return new PeerError('lineTooLong', 'a line beyond its bound');
  }

  /** @param last its last octets, with its end */
  #noteSkipped(first: Buffer, last: Buffer): void {
    const end = last[last.length - 2] === cr ? last.length - 2 : last.length - 1;
    this.#skipped = { start: firstOf(first), end: lastOf(last.subarray(0, end)) };
  }
}

function firstOf(octets: Buffer): Buffer {
  return Buffer.from(octets.subarray(0, limits.skippedEdgeBytes));
}

function lastOf(octets: Buffer): Buffer {
  return Buffer.from(octets.subarray(-limits.skippedEdgeBytes));
}
