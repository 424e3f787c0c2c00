/**
 * Reads a command by trying and expecting (RFC 9051 §9). `try…` takes what is there or leaves everything as it was; `expect…`
 * takes what must be there, else the command has failed. The first failure stays: from then on there is nothing more to
 * take, every `try` finds nothing and every `expect` gives an empty value, so that a parser is written as if nothing went wrong.
 * What it made is used only after `expectEnd` said yes.
 *
 * A command is its lines with the literals between them, all in memory but one: the literal of a message that is still to be
 * read. Octets given out are views of them.
 *
 * Invariants: at most `limits.nesting` levels are open; nothing is read twice, so the work is bounded by the command's octets.
 */
import { limits } from '../limits.ts';
import { announcedLiteral } from './literal.ts';
import { isOctetOf, octetClass } from './octet-class.ts';

/** A line of a command, and what stands between it and the next. */
export interface Segment {
  /** Without CRLF; ends with `{n}` where a literal follows. */
  readonly line: Buffer;
  /** `unread`: the literal was announced, and is still with the client. */
  readonly literal?: Buffer | 'unread';
}

/** Why a command cannot be read. */
export interface Failure {
  /** `syntax`: BAD; `name`: no mailbox can be called so; `charset`: text in a character set that we do not know. */
  readonly kind: 'syntax' | 'name' | 'charset';
  /** What should have stood there, or is wrong with what does: ends a sentence. */
  readonly why: string;
  /** Octets of the command in front of it, literals not counted. */
  readonly at: number;
}

/** A literal that is still to be read. */
export interface UnreadLiteral {
  readonly bytes: number;
  readonly isBinary: boolean;
}

/** What a string's octets may be. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const numberMax = 0xffff_ffff;

const space = 0x20;
const quote = 0x22;
const backslash = 0x5c;

export class Decoder {
  /** Strings are UTF-8 throughout: after ENABLE of IMAP4rev2 or UTF8=ACCEPT. */
  readonly isUtf8: boolean;
  readonly #segments: readonly Segment[];
  #segment = 0;
  #line: Buffer;
  #at = 0;
  /** Octets of the lines before this one. */
  #before = 0;
  #depth = 0;
  #failure: Failure | undefined;

  constructor(segments: readonly Segment[], isUtf8: boolean) {
    this.#segments = segments;
    this.#line = segments[0]?.line ?? Buffer.alloc(0);
    this.isUtf8 = isUtf8;
  }

  get failure(): Failure | undefined {
    return this.#failure;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Fails, unless it has: `what` was expected here. */
  fail(what: string): void {
    this.refuse('syntax', `expected ${what}`);
  }

  /** Fails, unless it has, for another reason than syntax. */
  refuse(kind: Failure['kind'], why: string): void {
    this.#failure ??= { kind, why, at: this.#before + this.#at };
  }

  /** The next octet; -1 at the end of a line, and after a failure. */
  get next(): number {
    return this.#failure === undefined ? (this.#line[this.#at] ?? -1) : -1;
  }

  /** Takes one ASCII character. */
  tryChar(char: string): boolean {
    if (this.next !== char.charCodeAt(0)) return false;
    this.#at += 1;
    return true;
  }

  expectChar(char: string): void {
    if (!this.tryChar(char)) this.fail(`"${char}"`);
  }

  /** One blank. */
  trySpace(): boolean {
    return this.tryChar(' ');
  }

  /** One blank that something follows: those at the end of a command mean nothing. */
  tryMore(): boolean {
    let at = this.#at;
    while (this.#line[at] === space) at += 1;
    return (at < this.#line.length || this.#segment < this.#segments.length - 1) && this.trySpace();
  }

  expectSpace(before: string): void {
    if (!this.trySpace()) this.fail(`a blank and ${before}`);
  }

  /** Octets of some classes, as many as there are. */
  tryRun(bits: number): string | undefined {
    if (this.#failure !== undefined) return undefined;
    const from = this.#at;
    let to = from;
    while (isOctetOf(this.#line[to] ?? -1, bits)) to += 1;
    if (to === from) return undefined;
    this.#at = to;
    return this.#line.toString('latin1', from, to);
  }

  tryAtom(): string | undefined {
    return this.tryRun(octetClass.atom);
  }

  expectAtom(what: string): string {
    const atom = this.tryAtom();
    if (atom === undefined) this.fail(what);
    return atom ?? '';
  }

  /** The name of a command, an item, a key: in capitals. */
  tryName(): string | undefined {
    return this.tryRun(octetClass.name)?.toUpperCase();
  }

  expectName(what: string): string {
    const name = this.tryName();
    if (name === undefined) this.fail(what);
    return name ?? '';
  }

  /** The name that would come next; it stays. */
  get nextName(): string {
    const at = this.#at;
    const name = this.tryName() ?? '';
    this.#at = at;
    return name;
  }

  /** Takes a name if it is this one, in any letter case. */
  tryWord(word: string): boolean {
    if (this.nextName !== word) return false;
    this.#at += word.length;
    return true;
  }

  /** A number from `least` to `most`; a larger one fails. */
  tryNumber(what: string, least: number = 0, most: number = numberMax): number | undefined {
    const digits = this.tryRun(octetClass.digit);
    if (digits === undefined) return undefined;
    const number = Number(digits);
    if (number < least || number > most) this.fail(`${what} from ${least} to ${most}`);
    return number;
  }

  expectNumber(what: string, least: number = 0, most: number = numberMax): number {
    const number = this.tryNumber(what, least, most);
    if (number === undefined) this.fail(what);
    return number ?? least;
  }

  /** A quoted string or a literal. */
  tryString(): Buffer | undefined {
    if (this.next === quote) return this.#quoted();
    return this.#tryLiteral();
  }

  expectString(what: string): Buffer {
    const octets = this.tryString();
    if (octets === undefined) this.fail(what);
    return octets ?? Buffer.alloc(0);
  }

  /** A string, or the characters that need no quotes. */
  tryAstring(bits: number = octetClass.astring): Buffer | undefined {
    const plain = this.tryRun(bits);
    return plain === undefined ? this.tryString() : Buffer.from(plain, 'latin1');
  }

  expectAstring(what: string, bits: number = octetClass.astring): Buffer {
    const octets = this.tryAstring(bits);
    if (octets === undefined) this.fail(what);
    return octets ?? Buffer.alloc(0);
  }

  /** Octets as the text they are in this session: UTF-8 where that is enabled, else ASCII. */
  textOf(octets: Buffer, what: string): string {
    const text = textOf(octets);
    if (text === undefined) this.fail(`${what} in UTF-8`);
    else if (!this.isUtf8 && text.length > 0 && octets.some((octet) => octet > 0x7e)) this.fail(`${what} in ASCII`);
    return text ?? '';
  }

  /** Items in parentheses, with blanks between; `one` takes one of them. */
  expectList(what: string, one: () => void, allowsNone: boolean = false): void {
    this.enter();
    this.expectChar('(');
    if (!(allowsNone && this.next === 0x29)) {
      do one();
      while (this.trySpace());
    }
    if (!this.tryChar(')')) this.fail(`${what}, or ")"`);
    this.leave();
  }

  /** Goes a level deeper. */
  enter(): void {
    this.#depth += 1;
    if (this.#depth > limits.nesting) this.fail(`no more than ${limits.nesting} levels`);
  }

  leave(): void {
    this.#depth -= 1;
  }

  /** A literal that is still to be read. */
  tryUnread(): UnreadLiteral | undefined {
    const segment = this.#segments[this.#segment];
    const announced = announcedLiteral(this.#line);
    if (this.hasFailed || announced?.at !== this.#at || segment?.literal !== 'unread') return undefined;
    this.#at = this.#line.length;
    return { bytes: announced.bytes, isBinary: announced.isBinary };
  }

  /** True when the command ends here and nothing failed. Blanks at the end are forgiven. */
  expectEnd(): boolean {
    while (this.trySpace());
    if (this.next !== -1 || this.#segment < this.#segments.length - 1) this.fail('the end of the command');
    return !this.hasFailed;
  }

  #quoted(): Buffer | undefined {
    const from = this.#at + 1;
    let at = from;
    let hasEscapes = false;
    for (;;) {
      const octet = this.#line[at] ?? -1;
      if (octet === quote) break;
      if (octet === backslash) {
        const escaped = this.#line[at + 1];
        if (escaped !== quote && escaped !== backslash) return this.#failAt(at + 1, '" or \\ behind a backslash');
        hasEscapes = true;
        at += 2;
      } else if (isOctetOf(octet, octetClass.quoted)) at += 1;
      else return this.#failAt(at, octet === -1 ? 'the closing quote' : 'no CR or NUL in a quoted string');
    }
    const octets = this.#line.subarray(from, at);
    this.#at = at + 1;
    return hasEscapes ? unescaped(octets) : octets;
  }

  #failAt(at: number, what: string): undefined {
    this.#at = at;
    this.fail(what);
  }

  /** The literal whose announcement stands here. */
  #tryLiteral(): Buffer | undefined {
    if (this.next !== 0x7b) return undefined;
    const literal = this.#segments[this.#segment]?.literal;
    const announced = announcedLiteral(this.#line);
    if (announced?.at !== this.#at || !Buffer.isBuffer(literal)) return undefined;
    if (literal.includes(0)) return this.#failAt(this.#at, 'a literal without NUL');
    this.#before += this.#line.length;
    this.#segment += 1;
    this.#line = this.#segments[this.#segment]?.line ?? Buffer.alloc(0);
    this.#at = 0;
    return literal;
  }
}

/** UTF-8 as text; undefined for what is none. */
export function textOf(octets: Buffer): string | undefined {
  try {
    return utf8.decode(octets);
  } catch {
    return undefined;
  }
}

function unescaped(octets: Buffer): Buffer {
  const plain = Buffer.alloc(octets.length);
  let length = 0;
  for (let at = 0; at < octets.length; at += 1) {
    if (octets[at] === backslash) at += 1;
    plain[length] = octets[at]!;
    length += 1;
  }
  return plain.subarray(0, length);
}
