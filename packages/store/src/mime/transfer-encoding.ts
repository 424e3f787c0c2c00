/**
 * Base64 as it is found in mail (RFC 2045 §6.8), taken apart into content and a recipe that puts it together again octet
 * for octet.
 *
 * A run is covered as far as it is lines of one length (any; not only multiples of four), each ended by CRLF, the last one
 * shorter or equal; standard alphabet; padding at the end only, and correct; unused bits zero. Where that is not plain to see,
 * it is not judged by rules but proved: the batch is decoded, encoded again and compared. What follows the run's last whole line is given
 * back as it came. A first line longer than the longest one a recipe can name is a run of its own, covered up
 * to the last whole group of four.
 *
 * State: content is given out at safe points only, where the run could end: after lines that together hold a multiple
 * of four columns, so that nothing given out is ever taken back.
 */
import { invariant } from '../errors.ts';
import { limits } from '../limits.ts';

/** How content was encoded. */
export interface Base64Recipe {
  /** Columns of a line; 0 = one unbroken line. */
  readonly lineBytes: number;
  /** Whether the last line ends with CRLF. */
  readonly finalLineEnd: boolean;
}

/** What a run turned out to be. */
export interface Base64Run {
  readonly recipe: Base64Recipe;
  /** Octets of the source that the recipe reproduces, from its start; 0 when it is not base64. */
  readonly sourceBytes: number;
  readonly contentBytes: number;
  /** Lines covered. */
  readonly lines: number;
}

/** A run taken apart. */
export interface UnwrappedBase64 extends Base64Run {
  /** From an unwrapper what its pushes have not returned yet, else all; the caller's own. */
  readonly content: Buffer;
  /** What was taken in behind the run: the caller's to keep as it came. */
  readonly rest: Buffer;
}

const CR = 13;
const LF = 10;
const nothing = Buffer.alloc(0);

/** Octets that an unwrapper waits for before it works, unless the source ends. */
const waitBytes = 16 * 1024;
/** Octets decoded or encoded at a time; the strings of larger batches would cost the garbage collector more than they save. */
const batchBytes = 64 * 1024;

/** Most octets that were pushed and are neither covered nor refused yet. */
export const unwrapHeldBytesMax: number = waitBytes;

/** The repeating unit of a run: as many lines as hold a multiple of four columns. */
interface Unit {
  readonly lineBytes: number;
  readonly lines: number;
  readonly sourceBytes: number;
}

/** Of an unbroken line. */
const unbroken: Unit = { lineBytes: 0, lines: 0, sourceBytes: 4 };

/** Decodes a run that arrives in pieces cut anywhere. */
export class Base64Unwrapper {
  #held: Buffer = nothing;
  /** Known with the first line. */
  #unit: Unit | undefined;
  #ended = false;
  #finalLineEnd = false;
  /** An unbroken line's padding was covered. */
  #padded = false;
  #sourceBytes = 0;
  #contentBytes = 0;
  #lines = 0;

  /** True when the run is over: nothing more may be pushed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Octets of the source covered so far. */
  get sourceBytes(): number {
    return this.#sourceBytes;
  }

  /** Takes in the source's next octets; returns the content proved since the last call, the caller's own. */
  push(octets: Buffer): Buffer {
    invariant(!this.#ended, 'nothing is pushed behind the end of a base64 run');
    const source = this.#held.length === 0 ? octets : Buffer.concat([this.#held, octets]);
    if (source.length < waitBytes) {
      this.#held = source === octets ? Buffer.from(octets) : source;
      return nothing;
    }
    return this.#take(source, false);
  }

  /** Ends the source. */
  finish(): UnwrappedBase64 {
    const content = this.#ended ? nothing : this.#take(this.#held, true);
    this.#ended = true;
    const lineBytes = this.#lines > 1 ? (this.#unit?.lineBytes ?? 0) : 0;
    return {
      content,
      rest: this.#held,
      recipe: { lineBytes, finalLineEnd: this.#finalLineEnd },
      sourceBytes: this.#sourceBytes,
      contentBytes: this.#contentBytes,
      lines: this.#lines,
    };
  }

  /** Covers what it can of `source`, which begins at a safe point; holds the rest. */
  #take(source: Buffer, isLast: boolean): Buffer {
    this.#unit ??= unitOf(source);
    const content: Buffer[] = [];
    const start = this.#sourceBytes;
    if (this.#unit === unbroken) this.#takeUnbroken(source, isLast, content);
    else this.#takeLines(source, this.#unit, isLast, content);
    this.#held = Buffer.from(source.subarray(this.#sourceBytes - start));
    const [only = nothing] = content;
    return content.length <= 1 ? only : Buffer.concat(content);
  }

  #takeLines(source: Buffer, unit: Unit, isLast: boolean, content: Buffer[]): void {
    let at = 0;
    while (!this.#ended && source.length - at >= unit.sourceBytes) {
      const units = Math.floor(Math.min(batchBytes, source.length - at) / unit.sourceBytes);
      const faultless = decodeLines(source.subarray(at, at + units * unit.sourceBytes), unit, units);
      const proof = faultless ?? prove(columns(source, at, unit, units), unit.lines * unit.lineBytes);
      at += this.#cover(proof.units * unit.sourceBytes, proof.units * unit.lines, proof.content, content);
      if (proof.units > 0) this.#finalLineEnd = true;
      if (proof.padded) this.#ended = true;
      else if (proof.units < units) break;
    }
    if (this.#ended || (!isLast && source.length - at < unit.sourceBytes)) return;
    this.#takeTail(source.subarray(at), unit, content);
    this.#ended = true;
  }

  /** Covers a last incomplete unit: whole lines and one that may be shorter or lack its line end. */
  #takeTail(source: Buffer, unit: Unit, content: Buffer[]): void {
    let best: { proof: Proof; end: number; lines: number; finalLineEnd: boolean } | undefined;
    let text = '';
    for (let at = 0, lines = 1; at < source.length && lines <= unit.lines; lines++) {
      const lineEnd = source.indexOf('\r\n', at, 'latin1');
      const to = lineEnd < 0 ? source.length : lineEnd;
      if (to === at || to - at > unit.lineBytes) break;
      text += source.toString('latin1', at, to);
      const end = lineEnd < 0 ? to : to + 2;
      const proof = text.length % 4 === 0 ? prove(text, text.length) : undefined;
      if (proof?.units === 1) best = { proof, end, lines, finalLineEnd: lineEnd >= 0 };
      if (lineEnd < 0 || to - at < unit.lineBytes || proof?.padded) break;
      at = end;
    }
    if (best === undefined) return;
    this.#cover(best.end, best.lines, best.proof.content, content);
    this.#finalLineEnd = best.finalLineEnd;
  }

  #takeUnbroken(source: Buffer, isLast: boolean, content: Buffer[]): void {
    const at = this.#takeGroups(source, content);
    if (this.#ended) return;
    const isOver = this.#padded || source.subarray(at, at + 4).includes(CR);
    // Whether CRLF follows is known two octets later.
    if (!isLast && (!isOver || source.length - at < 2)) return;
    this.#ended = true;
    if (this.#sourceBytes > 0 && source[at] === CR && source[at + 1] === LF) {
      this.#finalLineEnd = true;
      this.#sourceBytes += 2;
    }
  }

  /** Covers whole groups of four columns up to the line's end; returns where they end. */
  #takeGroups(source: Buffer, content: Buffer[]): number {
    const lineEnd = source.indexOf(CR);
    const stop = lineEnd < 0 ? source.length : lineEnd;
    let at = 0;
    while (stop - at >= 4 && !this.#padded && !this.#ended) {
      const groups = Math.floor(Math.min(batchBytes, stop - at) / 4);
      const proof = prove(source.toString('latin1', at, at + groups * 4), 4);
      at += this.#cover(proof.units * 4, 0, proof.content, content);
      this.#padded = proof.padded;
      this.#ended = !proof.padded && proof.units < groups;
    }
    if (this.#sourceBytes > 0) this.#lines = 1;
    return at;
  }

  /** Counts a covered stretch; returns its length. */
  #cover(sourceBytes: number, lines: number, content: Buffer, contents: Buffer[]): number {
    if (content.length > 0) contents.push(content);
    this.#sourceBytes += sourceBytes;
    this.#contentBytes += content.length;
    this.#lines += lines;
    return sourceBytes;
  }
}

/** Takes a run apart that begins `octets`, if one does; for what lies in memory as a whole. */
export function unwrapBase64(octets: Buffer): UnwrappedBase64 | undefined {
  const unwrapper = new Base64Unwrapper();
  const head = unwrapper.push(octets);
  const run = unwrapper.finish();
  if (run.sourceBytes === 0) return undefined;
  return { ...run, content: head.length === 0 ? run.content : Buffer.concat([head, run.content]) };
}

function unitOf(source: Buffer): Unit {
  const lineBytes = source.subarray(0, limits.base64LineBytes + 2).indexOf('\r\n', 0, 'latin1');
  if (lineBytes <= 0) return unbroken;
  const lines = lineBytes % 4 === 0 ? 1 : lineBytes % 2 === 0 ? 2 : 4;
  return { lineBytes, lines, sourceBytes: lines * (lineBytes + 2) };
}

/**
 * Decodes units that have no fault and no padding; undefined when they may have. All line ends stand where they should, none of
 * the further characters that Node's decoder knows is among the columns, and it skipped nothing: so each column is of the
 * standard alphabet, and four of them are three octets one way only.
 */
function decodeLines(source: Buffer, unit: Unit, units: number): Proof | undefined {
  const { lineBytes } = unit;
  for (let at = lineBytes; at < source.length; at += lineBytes + 2) {
    if (source[at] !== CR || source[at + 1] !== LF) return undefined;
  }
  if (source.includes('-') || source.includes('_') || source.includes('=')) return undefined;
  const content = Buffer.from(source.toString('latin1'), 'base64');
  return content.length === (units * unit.lines * lineBytes * 3) / 4 ? { units, content, padded: false } : undefined;
}

const scratch = Buffer.allocUnsafe(batchBytes);

/** The columns, without line ends, of those of `units` units from `at` whose line ends are where they should be. */
function columns(source: Buffer, at: number, unit: Unit, units: number): string {
  const { lineBytes } = unit;
  source.copy(scratch, 0, at, at + units * unit.sourceBytes);
  let lines = 0;
  for (; lines < units * unit.lines; lines++) {
    const from = lines * (lineBytes + 2);
    const to = from + lineBytes;
    if (scratch[to] !== CR || scratch[to + 1] !== LF) break;
    scratch.copyWithin(lines * lineBytes, from, to);
  }
  lines -= lines % unit.lines;
  return scratch.toString('latin1', 0, lines * lineBytes);
}

interface Proof {
  /** Units of the text that encoding `content` gives again. */
  readonly units: number;
  readonly content: Buffer;
  /** Whether they end with padding. */
  readonly padded: boolean;
}

/** Decodes as many units of `text` as are canonical base64. */
function prove(text: string, unitChars: number): Proof {
  const all = decodeCanonical(text);
  if (all !== undefined) return { units: text.length / unitChars, content: all, padded: text.endsWith('=') };
  let units = 0;
  let content: Buffer = nothing;
  for (let bad = Math.ceil(text.length / unitChars); bad - units > 1; ) {
    const middle = (units + bad) >>> 1;
    const decoded = decodeCanonical(text.slice(0, middle * unitChars));
    if (decoded === undefined) bad = middle;
    else [units, content] = [middle, decoded];
  }
  return { units, content, padded: text[units * unitChars - 1] === '=' };
}

/** The content whose encoding is `text`; Node's decoder skips what it does not know, its encoder tells. */
function decodeCanonical(text: string): Buffer | undefined {
  const content = Buffer.from(text, 'base64');
  return content.toString('base64') === text ? content : undefined;
}

/** Columns that encode so many octets. */
function columnsOf(contentBytes: number): number {
  return Math.ceil(contentBytes / 3) * 4;
}

/** Columns of a full line; content is never empty. */
function lineColumns(recipe: Base64Recipe, contentBytes: number): number {
  return recipe.lineBytes === 0 ? Math.max(1, columnsOf(contentBytes)) : recipe.lineBytes;
}

/** Octets that content becomes by the recipe. */
export function encodedBytes(recipe: Base64Recipe, contentBytes: number): number {
  const all = columnsOf(contentBytes);
  if (all === 0) return 0;
  const lines = Math.ceil(all / lineColumns(recipe, contentBytes));
  return all + 2 * (lines - (recipe.finalLineEnd ? 0 : 1));
}

/** The columns before position `at` of the encoding. */
function columnsBefore(recipe: Base64Recipe, contentBytes: number, at: number): number {
  const line = lineColumns(recipe, contentBytes);
  const lines = Math.floor(at / (line + 2));
  return Math.min(lines * line + Math.min(at - lines * (line + 2), line), columnsOf(contentBytes));
}

/** The content, `from` inclusive to `to` exclusive, that positions `from` to `to` of the encoding are made of. */
export function contentWindow(
  recipe: Base64Recipe,
  contentBytes: number,
  from: number,
  to: number,
): { readonly from: number; readonly to: number } {
  const first = Math.floor(columnsBefore(recipe, contentBytes, from) / 4) * 3;
  const end = Math.min(Math.ceil(columnsBefore(recipe, contentBytes, to) / 4) * 3, contentBytes);
  return { from: Math.min(first, end), to: end };
}

/** Positions `from` to `to` of the encoding, from the `content` that `contentWindow` asks for; fills `wrapped` where it is given. */
export function wrapBase64Window(
  recipe: Base64Recipe,
  contentBytes: number,
  content: Buffer,
  from: number,
  to: number,
  wrapped: Buffer = Buffer.allocUnsafe(to - from),
): Buffer {
  const window = contentWindow(recipe, contentBytes, from, to);
  invariant(wrapped.length === to - from, `${wrapped.length} octets for positions ${from}–${to}`);
  invariant(
    content.length === window.to - window.from,
    `${content.length} octets for window ${window.from}–${window.to}`,
  );
  for (let at = from; at < to; at += batchBytes) {
    const end = Math.min(at + batchBytes, to);
    const part = contentWindow(recipe, contentBytes, at, end);
    const octets = content.subarray(part.from - window.from, part.to - window.from);
    wrapBatch(recipe, contentBytes, octets, at, wrapped.subarray(at - from, end - from));
  }
  return wrapped;
}

/** Fills `wrapped` with the encoding from position `from` on. */
function wrapBatch(recipe: Base64Recipe, contentBytes: number, content: Buffer, from: number, wrapped: Buffer): void {
  const before = columnsBefore(recipe, contentBytes, from);
  const count = columnsBefore(recipe, contentBytes, from + wrapped.length) - before;
  const skip = before % 4;
  // The columns go to the end of the buffer first, from where each line then moves forward to its place.
  let source = wrapped.length - count;
  wrapped.write(content.toString('base64').slice(skip, skip + count), source, 'latin1');
  const line = lineColumns(recipe, contentBytes);
  const all = columnsOf(contentBytes);
  for (let at = 0; at < wrapped.length; ) {
    const lines = Math.floor((from + at) / (line + 2));
    const column = from + at - lines * (line + 2);
    const lineLength = Math.min(line, all - lines * line);
    if (column < lineLength) {
      const length = Math.min(lineLength - column, wrapped.length - at);
      wrapped.copyWithin(at, source, source + length);
      source += length;
      at += length;
    } else wrapped[at++] = column === lineLength ? CR : LF;
  }
}
