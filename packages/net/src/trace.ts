/**
 * The dialogue of a session for somebody who looks on (`mstore trace`). A session that nobody traces has no `SessionTrace`, so that
 * tracing costs it one look at an absent field for each command and each answer.
 *
 * Secrets are removed where they are known to be secrets: a session tells `heard` what may be shown of a line, in its words, and
 * announces by `hides` and `sendsMessage` what of its own answers is not to be seen. Contents of literals and of messages
 * never get here but as a number of octets.
 *
 * Invariants: what nobody fetches is bounded, and lost beyond; a session never waits for who looks on; a trace that was
 * joined in the middle of an answer shows nothing before the next command.
 */
import { limits } from './limits.ts';

/** A line of a dialogue. */
export interface TraceRow {
  /** ms since 1970. */
  readonly time: number;
  /** The session's id. */
  readonly session: string;
  readonly protocol: string;
  /** Who says it; `note`: it is said about the session. */
  readonly side: 'client' | 'server' | 'note';
  readonly text: string;
}

/** What a trace gathered since it was asked last. */
export interface TracePart {
  readonly rows: readonly TraceRow[];
  /** Lines that found no room. */
  readonly lost: number;
}

/** One trace: whom it is about, and what it gathered. */
export class TraceGathering {
  readonly #names: ReadonlySet<string>;
  #rows: TraceRow[] = [];
  #lost = 0;
  /** When it was asked last, in ms of the monotonic clock. */
  askedAt: number;

  /** @param names logins and ids of sessions */
  constructor(names: readonly string[], askedAt: number) {
    this.#names = new Set(names);
    this.askedAt = askedAt;
  }

  wants(name: string): boolean {
    return name !== '' && this.#names.has(name);
  }

  /** True for a login that was only claimed: in any case of letters, and with or without its domain. */
  mayWant(claimed: string): boolean {
    const name = claimed.slice(0, limits.loginBytes).toLowerCase();
    if (this.wants(name)) return true;
    return name !== '' && !name.includes('@') && [...this.#names].some((wanted) => wanted.startsWith(`${name}@`));
  }

  add(row: TraceRow): void {
    if (this.#rows.length < limits.traceRows) this.#rows.push(row);
    else this.#lost += 1;
  }

  take(): TracePart {
    const part = { rows: this.#rows, lost: this.#lost };
    this.#rows = [];
    this.#lost = 0;
    return part;
  }
}

/**
 * How a protocol's answers carry content: behind `{n}`, or in dotted lines that the session announces. `none`: not at all, and nobody
 * logs in either, so that a session is traced by its id only.
 */
export type ContentForm = 'literals' | 'dotted' | 'none';

export interface SessionTraceOptions {
  readonly id: string;
  readonly protocol: string;
  readonly form: ContentForm;
  readonly now: () => number;
  /** It may be in the middle of an answer. */
  readonly isUnderWay: boolean;
}

const lf = 10;
const dottedEnd = Buffer.from('\r\n.\r\n');
const literalMark = /\{(\d{1,10})\+?\}\r?\n$/;

/** One session as it is traced. */
export class SessionTrace {
  readonly #options: SessionTraceOptions;
  readonly #gatherings = new Set<TraceGathering>();
  /** What came before it was known whose session it is; undefined when it is. */
  #before: TraceRow[] | undefined = [];
  #isMuted: boolean;
  #hiddenAs: string | undefined;
  /** The beginning of the line under way, how long it is so far, and its last octets. */
  #line: Buffer[] = [];
  #lineBytes = 0;
  #lineEnd = '';
  /** Octets of a literal that are still to come. */
  #literalLeft = 0;
  /** Whether a message in dotted lines is announced, or being passed over. */
  #dotted: 'none' | 'announced' | 'passing' = 'none';
  #dottedBytes = 0;
  #dottedEnd: Buffer = Buffer.alloc(0);

  constructor(options: SessionTraceOptions) {
    this.#options = options;
    this.#isMuted = options.isUnderWay;
  }

  get isWanted(): boolean {
    return this.#gatherings.size > 0 || this.#before !== undefined;
  }

  /** A trace gets this session, with what came before. */
  join(gathering: TraceGathering): void {
    if (this.#gatherings.has(gathering)) return;
    for (const row of this.#before ?? []) gathering.add(row);
    this.#gatherings.add(gathering);
  }

  leave(gathering: TraceGathering): void {
    this.#gatherings.delete(gathering);
  }

  /** It is known whose session it is: nobody joins with what came before. */
  settle(): void {
    this.#before = undefined;
  }

  /** The client sent a line, of which this may be shown. */
  heard(shown: Buffer | string): void {
    this.#isMuted = false;
    const text = typeof shown === 'string' ? shown : shown.toString('utf8', 0, limits.traceLineBytes);
    this.#tell('client', shortened(text, shown.length));
  }

  /** Something about the session. */
  note(text: string): void {
    this.#tell('note', text);
  }

  /** What the daemon says next is a secret's part: it is shown as this. */
  hides(shown: string): void {
    this.#hiddenAs = shown;
  }

  /** What the daemon says next holds a message in dotted lines, unless it is a refusal. */
  sendsMessage(): void {
    this.#dotted = 'announced';
  }

  /** The daemon said something, of any length. */
  said(piece: Buffer | string): void {
    const hidden = this.#hiddenAs;
    this.#hiddenAs = undefined;
    if (this.#isMuted) return;
    if (hidden !== undefined) {
      this.#tell('server', hidden);
      return;
    }
    let octets = typeof piece === 'string' ? Buffer.from(piece) : piece;
    while (octets.length > 0) octets = this.#take(octets);
  }

  /** Takes what belongs together; what is left. */
  #take(octets: Buffer): Buffer {
    if (this.#literalLeft > 0) {
      const bytes = Math.min(this.#literalLeft, octets.length);
      this.#literalLeft -= bytes;
      return octets.subarray(bytes);
    }
    return this.#dotted === 'passing' ? this.#passDotted(octets) : this.#takeLine(octets);
  }

  #takeLine(octets: Buffer): Buffer {
    const at = octets.indexOf(lf);
    const part = at === -1 ? octets : octets.subarray(0, at + 1);
    const room = limits.traceLineBytes - this.#lineBytes;
    if (room > 0) this.#line.push(Buffer.from(part.subarray(0, room)));
    this.#lineBytes += part.length;
    this.#lineEnd = (this.#lineEnd + part.toString('latin1', Math.max(0, part.length - 16))).slice(-16);
    if (at !== -1) this.#endLine();
    return octets.subarray(part.length);
  }

  #endLine(): void {
    const text = Buffer.concat(this.#line)
      .toString('utf8')
      .replace(/\r?\n$/, '');
    this.#tell('server', shortened(text, this.#lineBytes - 2));
    const [, literal = '0'] = (this.#options.form === 'literals' && literalMark.exec(this.#lineEnd)) || [];
    this.#literalLeft = Number(literal);
    if (this.#literalLeft > 0) this.#tell('server', `(${literal} octets)`);
    if (this.#dotted === 'announced') this.#dotted = text.startsWith('+') ? 'passing' : 'none';
    this.#dottedEnd = dottedEnd.subarray(0, 2);
    this.#dottedBytes = 0;
    this.#line = [];
    this.#lineBytes = 0;
    this.#lineEnd = '';
  }

  #passDotted(octets: Buffer): Buffer {
    const kept = this.#dottedEnd.length;
    const seam = Buffer.concat([this.#dottedEnd, octets.subarray(0, dottedEnd.length)]);
    const atSeam = seam.indexOf(dottedEnd);
    const at = atSeam !== -1 ? atSeam - kept : octets.indexOf(dottedEnd);
    const isOver = atSeam !== -1 || at !== -1;
    const bytes = isOver ? at + dottedEnd.length : octets.length;
    this.#dottedBytes += bytes;
    const both = Buffer.concat([this.#dottedEnd, octets.subarray(Math.max(0, bytes - dottedEnd.length), bytes)]);
    this.#dottedEnd = both.subarray(-dottedEnd.length + 1);
    if (!isOver) return octets.subarray(bytes);
    this.#dotted = 'none';
    this.#tell('server', `(${this.#dottedBytes} octets)`);
    return octets.subarray(bytes);
  }

  #tell(side: TraceRow['side'], text: string): void {
    const { id, protocol, now } = this.#options;
    const row: TraceRow = { time: now(), session: id, protocol, side, text };
    if (this.#before !== undefined && this.#before.length < limits.traceRowsBefore) this.#before.push(row);
    for (const gathering of this.#gatherings) gathering.add(row);
  }
}

function shortened(text: string, bytes: number): string {
  return bytes > limits.traceLineBytes ? `${text.slice(0, limits.traceLineBytes)}… (${bytes} octets)` : text;
}
