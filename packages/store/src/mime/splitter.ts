/**
 * Cuts a message into structure and content while it streams by, and makes its part tree (RFC 5322 §2.1, RFC 2046 §5.1
 * and §5.2). Every octet goes to the sink exactly once and in order, whatever the cuts of `push`; no input is refused:
 * what cannot be understood is content. Input has no bare LF; bare CR, NUL and 8-bit may occur.
 *
 * Decisions, where standards leave room or mail does not keep to them:
 * - A header ends behind its first blank line (CRLF CRLF), before a delimiter line of a multipart around it, or with the
 *   input. Lines without a colon and blank-led first lines are part of it, as in other servers: guessing that a body
 *   begins there would cost header fields of messages with one damaged line.
 * - Content-Type counts with and without MIME-Version. Of several the first counts.
 * - A delimiter line is `--`, the boundary, perhaps `--`, then only blanks (and stray CRs): the whole line has to match, so
 *   a boundary may be another's beginning. Of the open multiparts the innermost that matches is meant; those inside it
 *   end. A closed multipart's boundary means nothing any more. At the end of input no line end is needed.
 * - The line end before a delimiter line belongs to it. When that line end is a close-delimiter's own, it ends the inner
 *   multipart's body for the outer delimiter, too (RFC 2046 §5.1.1); a blank line that ends a header stays the header's.
 * - message/rfc822 and message/global are entered unless encoded; also as the default type within multipart/digest.
 * - Limits never refuse: a header beyond its bound is cut at a line end and the rest is a leaf's content; delimiter lines
 *   beyond the bounds of headers or entities, or longer than 998 octets, are content.
 *
 * Whether a line is a delimiter depends only on the structure before it, never on content. So a tree can be made again
 * from the structure alone, with `skip` in place of content.
 */

import { invariant } from '../errors.ts';
import { limits } from '../limits.ts';
import { Delimiters, notDelimiter, undecided } from './delimiters.ts';
import type { Entity, SplitSink } from './entity.ts';
import { fieldTexts } from './header.ts';
import { boundaryOf, mediaType, transferEncoding } from './media-type.ts';

type Draft = { -readonly [Key in Exclude<keyof Entity, 'children'>]: Entity[Key] } & { readonly children: Draft[] };

/** An entity whose end has not come. */
interface Frame {
  readonly entity: Draft;
  /** A multipart's boundary while its delimiters count. */
  boundary: string | undefined;
  bodyStart: number;
  /** Line ends of the message before the body. */
  bodyStartLines: number;
}

/** Smallest slice that is joined to held octets. */
const joinBytesMin = 1_024;

const lf = 10;
const cr = 13;
const dash = 45;

const noOctets = Buffer.alloc(0);
const crlfDashes = Buffer.from('\r\n--');
const contentFields: ReadonlySet<string> = new Set(['content-type', 'content-transfer-encoding']);
const identityEncodings: ReadonlySet<string> = new Set(['7bit', '8bit', 'binary']);

function countLines(octets: Buffer, from: number, to: number): number {
  const run = octets.subarray(from, to);
  let count = 0;
  for (let at = run.indexOf(lf); at !== -1; at = run.indexOf(lf, at + 1)) count++;
  return count;
}

/** The offset behind a blank line that begins at `line`. */
function blankLineEnd(octets: Buffer, line: number, last: boolean): number {
  if (line === octets.length) return last ? notDelimiter : undecided;
  if (octets[line] === lf) return line + 1;
  if (octets[line] !== cr) return notDelimiter;
  if (line + 1 === octets.length) return last ? notDelimiter : undecided;
  return octets[line + 1] === lf ? line + 2 : notDelimiter;
}

/** The offset from which the octets' end may be the beginning of a delimiter. */
function undecidedTail(octets: Buffer, at: number): number {
  const end = octets.length;
  if (end - at >= 1 && octets[end - 1] === cr) return end - 1;
  if (end - at >= 2 && octets[end - 1] === lf && octets[end - 2] === cr) return end - 2;
  if (end - at >= 3 && octets[end - 1] === dash && octets[end - 2] === lf && octets[end - 3] === cr) return end - 3;
  return end;
}

/** Splits one message; `end` gives its tree. */
export class Splitter {
  readonly #sink: SplitSink;
  readonly #root: Draft;
  /** From the message down to the entity that is being read. */
  readonly #frames: Frame[] = [];
  readonly #delimiters = new Delimiters();
  /** Octets of an undecided header or delimiter line: the first `#heldLength` of the buffer. */
  #held: Buffer = noOctets;
  #heldLength = 0;
  /** Octets given to the sink or skipped, and the line ends among them. */
  #offset = 0;
  #lines = 0;
  #entities = 0;
  /** Octets that part headers and delimiter lines may still take. */
  #budget: number = limits.headerBytes;
  #inHeader = true;
  /** Of the undecided header: its last line, and how much of that needs no second look. */
  #headerLine = 0;
  #headerScanned = 0;
  /** Nothing but structure stands right before: a delimiter needs no line end. */
  #lineStart = true;
  /** That structure is a close-delimiter's line with its line end. */
  #afterClose = false;
  /** The encoding of content at this place, and whether a run of it was announced. */
  #encoding = '7bit';
  #running = false;
  /** More octets are needed to go on. */
  #waiting = false;

  constructor(sink: SplitSink) {
    this.#sink = sink;
    this.#root = this.#open('text', 'plain');
  }

  /** Takes the next octets; they are not kept beyond the call. */
  push(octets: Buffer): void {
    let rest = octets;
    while (rest.length > 0) {
      if (this.#heldLength === 0) {
        this.#hold(rest.subarray(this.#consume(rest, false)));
        return;
      }
      // As much again as is held: a long header is copied a bounded number of times.
      const joined = Math.min(rest.length, Math.max(this.#heldLength, joinBytesMin));
      this.#hold(rest.subarray(0, joined));
      rest = rest.subarray(joined);
      const used = this.#consume(this.#held.subarray(0, this.#heldLength), false);
      this.#held.copyWithin(0, used, this.#heldLength);
      this.#heldLength -= used;
    }
  }

  /**
   * Stands for octets that an earlier split gave to the sink as content, and gives nothing to the sink. Call it where a
   * content run begins, or behind content.
   * @param octets length of a content run or of a piece of it
   * @param lines line ends among them
   * @param _endsWithLineEnd of no consequence: the line end before a delimiter is never content
   */
  skip(octets: number, lines: number, _endsWithLineEnd: boolean): void {
    if (octets === 0) return;
    const held = this.#held.subarray(0, this.#heldLength);
    this.#heldLength = 0;
    // Content in place of a header's end: the header was cut at its bound.
    if (this.#inHeader) this.#endHeader(held, 0, held.length, true);
    else this.#giveContent(held, 0, held.length);
    this.#offset += octets;
    this.#lines += lines;
    this.#lineStart = false;
    this.#afterClose = false;
  }

  /** Ends the message and gives its tree; the splitter must not be used again. */
  end(): Entity {
    const held = this.#held.subarray(0, this.#heldLength);
    const used = this.#consume(held, true);
    invariant(used === held.length, 'the splitter keeps octets at the end');
    this.#endRun();
    this.#closeFrames(0, this.#offset, this.#lines);
    return this.#root;
  }

  #hold(octets: Buffer): void {
    if (octets.length === 0) return;
    const need = this.#heldLength + octets.length;
    if (need > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(need, 2 * this.#held.length));
      this.#held.copy(larger, 0, 0, this.#heldLength);
      this.#held = larger;
    }
    octets.copy(this.#held, this.#heldLength);
    this.#heldLength = need;
  }

  /** Goes through the octets as far as can be decided; the rest has to be given again with more behind it. */
  #consume(octets: Buffer, last: boolean): number {
    let at = 0;
    this.#waiting = false;
    while (!this.#waiting) at = this.#inHeader ? this.#header(octets, at, last) : this.#content(octets, at, last);
    return at;
  }

  /** Looks at the line that begins at `line`, with the delimiter (and the line end that is its) beginning at `start`. */
  #delimiter(octets: Buffer, start: number, line: number, budget: number, last: boolean): number {
    const end = this.#delimiters.find(octets, line, last);
    if (end <= 0) return end;
    const allowed = end - start <= budget && (this.#delimiters.closes || this.#entities < limits.mimeParts);
    return allowed ? end : notDelimiter;
  }

  /** Reads the header that begins at `at`: all of it, or nothing yet. */
  #header(octets: Buffer, at: number, last: boolean): number {
    const bound = this.#frames.length === 1 ? limits.headerBytes : this.#budget;
    const length = octets.length;
    let line = at + this.#headerLine;
    let scan = at + this.#headerScanned;
    for (;;) {
      if (line - at > bound) return this.#cutHeader(octets, at, bound);
      if (scan === line) {
        const blank = blankLineEnd(octets, line, last);
        if (blank > 0) {
          return blank - at > bound ? this.#cutHeader(octets, at, bound) : this.#endHeader(octets, at, blank, false);
        }
        const start = line === at ? at : line - (octets[line - 2] === cr ? 2 : 1);
        const end =
          blank === undecided ? blank : this.#delimiter(octets, start, line, this.#budget - (start - at), last);
        if (end > 0) {
          this.#endHeader(octets, at, start, false);
          return this.#endPart(octets, start, end);
        }
        if (end === undecided) break;
      }
      const lineEnd = octets.indexOf(lf, scan);
      if (lineEnd === -1) {
        if (length - at > bound) return this.#cutHeader(octets, at, bound);
        if (last) return this.#endHeader(octets, at, length, false);
        scan = length;
        break;
      }
      line = scan = lineEnd + 1;
    }
    this.#headerLine = line - at;
    this.#headerScanned = scan - at;
    this.#waiting = true;
    return at;
  }

  /** Ends a header that passes its bound at the last line end within it. */
  #cutHeader(octets: Buffer, at: number, bound: number): number {
    const end = bound === 0 ? at : octets.lastIndexOf(lf, at + bound - 1) + 1;
    return this.#endHeader(octets, at, Math.max(at, end), true);
  }

  /** Gives the header and goes on to the body: of the entity, or of the message inside it. */
  #endHeader(octets: Buffer, at: number, end: number, cut: boolean): number {
    const frame = this.#frames.at(-1);
    invariant(frame !== undefined, 'a header belongs to an entity');
    const start = this.#offset;
    const bound = this.#budget;
    frame.entity.headerOctets = end === at ? noOctets : Buffer.from(octets.subarray(at, end));
    this.#giveStructure(octets, at, end);
    frame.entity.header = { start, end: this.#offset };
    frame.bodyStart = this.#offset;
    frame.bodyStartLines = this.#lines;
    if (this.#frames.length > 1) this.#budget = cut ? 0 : bound - (end - at);
    this.#inHeader = false;
    this.#headerLine = 0;
    this.#headerScanned = 0;
    this.#classify(frame, cut);
    return end;
  }

  /** Decides from its header what an entity is. */
  #classify(frame: Frame, cut: boolean): void {
    const { entity } = frame;
    const fields = fieldTexts(entity.headerOctets, contentFields);
    const encoding = fields.get('content-transfer-encoding')?.[0];
    if (encoding !== undefined) entity.encoding = transferEncoding(encoding);
    const declared = fields.get('content-type')?.[0];
    const media = declared === undefined ? undefined : mediaType(declared);
    if (declared !== undefined) {
      entity.type = media?.type ?? 'text';
      entity.subtype = media?.subtype ?? 'plain';
    }
    this.#encoding = entity.encoding;
    if (cut || this.#frames.length > limits.mimeDepth) return;
    const boundary = media?.type === 'multipart' ? boundaryOf(media) : undefined;
    if (boundary !== undefined) {
      entity.kind = 'multipart';
      frame.boundary = boundary;
      this.#delimiters.add(boundary, this.#frames.length - 1);
      this.#encoding = '7bit';
    } else if (this.#holdsMessage(entity)) {
      entity.kind = 'message';
      this.#open('text', 'plain');
    }
  }

  #holdsMessage({ type, subtype, encoding }: Draft): boolean {
    if (type !== 'message' || (subtype !== 'rfc822' && subtype !== 'global')) return false;
    return identityEncodings.has(encoding) && this.#entities < limits.mimeParts;
  }

  /** Begins an entity, with the type it has unless its header says otherwise. */
  #open(type: string, subtype: string): Draft {
    const span = { start: this.#offset, end: this.#offset };
    const entity: Draft = {
      kind: 'leaf',
      header: span,
      headerOctets: noOctets,
      body: span,
      bodyLines: 0,
      type,
      subtype,
      encoding: '7bit',
      children: [],
    };
    this.#frames.at(-1)?.entity.children.push(entity);
    this.#frames.push({ entity, boundary: undefined, bodyStart: this.#offset, bodyStartLines: this.#lines });
    this.#entities++;
    this.#inHeader = true;
    return entity;
  }

  /** Gives content up to the next delimiter, or as far as can be decided. */
  #content(octets: Buffer, at: number, last: boolean): number {
    const length = octets.length;
    if (this.#lineStart) {
      const end = this.#delimiter(octets, at, at, this.#budget, last);
      if (end > 0) return this.#endPart(octets, at, end);
      if (end === undecided) {
        this.#waiting = true;
        return at;
      }
    }
    let search = this.#delimiters.none ? length : at;
    for (;;) {
      const start = search >= length ? -1 : octets.indexOf(crlfDashes, search);
      if (start === -1) {
        const end = last || this.#delimiters.none ? length : undecidedTail(octets, at);
        this.#giveContent(octets, at, end);
        this.#waiting = true;
        return end;
      }
      const end = this.#delimiter(octets, start, start + 2, this.#budget, last);
      if (end !== notDelimiter) {
        this.#giveContent(octets, at, start);
        if (end > 0) return this.#endPart(octets, start, end);
        this.#waiting = true;
        return start;
      }
      search = start + 2;
    }
  }

  /** Ends the entities inside the multipart whose delimiter stands at `start`, and begins its next part or epilogue. */
  #endPart(octets: Buffer, start: number, end: number): number {
    const { level, closes } = this.#delimiters;
    while (this.#inHeader) this.#endHeader(octets, start, start, false);
    const shared = this.#afterClose && octets[start] === dash;
    this.#closeFrames(level + 1, this.#offset - (shared ? 2 : 0), this.#lines - (shared ? 1 : 0));
    this.#giveStructure(octets, start, end);
    this.#budget -= end - start;
    const frame = this.#frames[level];
    invariant(frame?.boundary !== undefined, 'a delimiter belongs to an open multipart');
    if (closes) {
      this.#delimiters.remove(frame.boundary);
      frame.boundary = undefined;
      this.#encoding = '7bit';
      this.#afterClose = octets[end - 1] === lf && octets[end - 2] === cr;
    } else if (frame.entity.subtype === 'digest') {
      this.#open('message', 'rfc822');
    } else {
      this.#open('text', 'plain');
    }
    return end;
  }

  #closeFrames(level: number, end: number, lines: number): void {
    while (this.#frames.length > level) {
      const frame = this.#frames.pop();
      if (frame === undefined) return;
      frame.entity.body = { start: frame.bodyStart, end };
      frame.entity.bodyLines = lines - frame.bodyStartLines;
      if (frame.boundary !== undefined) this.#delimiters.remove(frame.boundary);
    }
  }

  #endRun(): void {
    if (this.#running) this.#sink.contentEnd();
    this.#running = false;
  }

  #giveStructure(octets: Buffer, from: number, to: number): void {
    this.#lineStart = true;
    if (from === to) return;
    this.#endRun();
    this.#afterClose = false;
    this.#advance(octets, from, to);
    this.#sink.structure(octets.subarray(from, to));
  }

  #giveContent(octets: Buffer, from: number, to: number): void {
    if (from === to) return;
    if (!this.#running) this.#sink.contentStart(this.#encoding);
    this.#running = true;
    this.#lineStart = false;
    this.#afterClose = false;
    this.#advance(octets, from, to);
    this.#sink.content(octets.subarray(from, to));
  }

  #advance(octets: Buffer, from: number, to: number): void {
    this.#offset += to - from;
    this.#lines += countLines(octets, from, to);
  }
}
