/**
 * Reads address lists (RFC 5322 §3.4 and §4.4) into the four values that ENVELOPE gives for each (RFC 9051 §7.5.2).
 *
 * Encoded words and 8-bit stay as they are. What the grammar forbids is read the way a person would: a name may hold `@`,
 * dots and brackets, `;` separates like `,`, an open quote or parenthesis is passed over, and one broken address does not
 * cost those behind it. Since a NIL host means a group, an address without a local part or domain gets `MISSING_MAILBOX`
 * or `MISSING_DOMAIN`, the words that clients know from other servers.
 */

import { limits } from '../limits.ts';
import { comment, isSpace, matchAt, quotedString, trimSpace } from './lexer.ts';

/** One address, or a group's beginning (only `mailbox`, its name) or end (nothing); undefined is NIL. */
export interface Address {
  readonly name: string | undefined;
  /** The obsolete source route, `@a,@b`. */
  readonly route: string | undefined;
  /** The local part without quoting. */
  readonly mailbox: string | undefined;
  readonly host: string | undefined;
}

interface Piece {
  readonly text: string;
  readonly kind: 'word' | 'quoted' | 'at';
  /** Blanks stand before it. */
  readonly gap: boolean;
}

/** Most pieces of one address that are looked at: no name has so many words, and a flood of them is passed over quickly. */
const piecesMax = 500;

const missingMailbox = 'MISSING_MAILBOX';
const missingHost = 'MISSING_DOMAIN';
const groupEnd: Address = { name: undefined, route: undefined, mailbox: undefined, host: undefined };

const floodPattern = /[^"(),;<>]+/y;
const wordPattern = /[^\t\n\r "(),:;<>@]+/y;
const encodedWordPattern = /=\?[^?\s]*\?[bBqQ]\?[^?\s]*\?=/y;
const domainLiteralPattern = /\[[^\]<>]*\]/y;

/** The pieces as a display name. */
function phrase(pieces: readonly Piece[]): string {
  let text = '';
  for (const piece of pieces) text += piece.gap && text !== '' ? ` ${piece.text}` : piece.text;
  return text;
}

/** True when no blank separates the piece from the one before it, blanks around a dot not counting (RFC 5322 §4.4). */
function adjacent(pieces: readonly Piece[], index: number): boolean {
  const piece = pieces[index];
  const previous = pieces[index - 1];
  if (piece === undefined || previous === undefined) return false;
  return !piece.gap || piece.text.startsWith('.') || previous.text.endsWith('.');
}

/** The pieces as a local part or domain. */
function tight(pieces: readonly Piece[], from: number, to: number): string {
  let text = '';
  for (let index = from; index < to; index++) {
    if (index > from && !adjacent(pieces, index)) text += ' ';
    text += pieces[index]?.text ?? '';
  }
  return text;
}

function lastAt(pieces: readonly Piece[]): number {
  for (let index = pieces.length - 1; index >= 0; index--) if (pieces[index]?.kind === 'at') return index;
  return -1;
}

function address(name: string, route: string, mailbox: string, host: string): Address {
  return {
    name: name === '' ? undefined : name,
    route: route === '' ? undefined : route,
    mailbox: mailbox === '' ? missingMailbox : mailbox,
    host: host === '' ? missingHost : host,
  };
}

/** An address without angle brackets: what touches the `@` is the address, what does not is the name. */
function bareAddress(pieces: readonly Piece[], commented: string): Address {
  const at = lastAt(pieces);
  if (at === -1) {
    const text = phrase(pieces);
    // Some mailers quote the whole address.
    const inner = pieces.length === 1 && pieces[0]?.kind === 'quoted' ? text.lastIndexOf('@') : -1;
    if (inner > 0) return address(commented, '', text.slice(0, inner), text.slice(inner + 1));
    return address(commented, '', text, '');
  }
  let from = Math.max(at - 1, 0);
  while (from > 0 && adjacent(pieces, from)) from--;
  let to = Math.min(at + 2, pieces.length);
  while (to < pieces.length && adjacent(pieces, to)) to++;
  const name = phrase(pieces.slice(0, from)) || commented || phrase(pieces.slice(to));
  return address(name, '', tight(pieces, from, at), tight(pieces, at + 1, to));
}

class AddressParser {
  readonly #text: string;
  readonly #room: number;
  readonly #found: Address[] = [];
  #at = 0;
  #gap = false;
  #pieces: Piece[] = [];
  /** An `@` is among the pieces of this address. */
  #atSeen = false;
  #comment = '';
  /** What stood in angle brackets, and the route before it; undefined while none were seen. */
  #angle: { readonly pieces: readonly Piece[]; readonly route: string } | undefined;
  #inGroup = false;
  /** Set once a quote, a parenthesis or a bracket was not closed: later ones are not either, and need no search. */
  #quotesOpen = false;
  #commentsOpen = false;
  #literalsOpen = false;

  constructor(text: string, room: number) {
    this.#text = text;
    this.#room = room;
  }

  parse(): Address[] {
    while (this.#at < this.#text.length && this.#found.length < this.#room) this.#step();
    if (this.#found.length < this.#room) this.#finish();
    if (this.#inGroup) this.#found.push(groupEnd);
    return this.#found;
  }

  #step(): void {
    const character = this.#text[this.#at];
    switch (character) {
      case ',':
        this.#at++;
        this.#finish();
        return;
      case ';':
        this.#at++;
        this.#finish();
        if (this.#inGroup) this.#found.push(groupEnd);
        this.#inGroup = false;
        return;
      case ':':
        this.#at++;
        this.#colon();
        return;
      case '<':
        this.#at++;
        this.#readAngle();
        return;
      case '>':
        this.#at++;
        return;
      default:
        this.#readPiece(this.#pieces);
    }
  }

  /** A name before a colon begins a group; any other colon is part of a name. */
  #colon(): void {
    if (this.#inGroup || this.#angle !== undefined || this.#pieces.length === 0 || this.#atSeen) {
      this.#add(this.#pieces, ':', 'word');
      return;
    }
    this.#found.push({ name: undefined, route: undefined, mailbox: phrase(this.#pieces), host: undefined });
    this.#inGroup = true;
    this.#reset();
  }

  #add(pieces: Piece[], text: string, kind: Piece['kind']): void {
    if (pieces.length < piecesMax) pieces.push({ text, kind, gap: this.#gap });
    if (kind === 'at') this.#atSeen = true;
    this.#gap = false;
  }

  /** Reads blanks, a comment, a quoted string, a domain literal, `@` or a word. */
  #readPiece(pieces: Piece[]): void {
    const text = this.#text;
    const code = text.charCodeAt(this.#at);
    if (isSpace(code) && pieces.length < piecesMax) {
      this.#gap = true;
      this.#at++;
    } else if (code === 34) {
      this.#readQuoted(pieces);
    } else if (code === 40) {
      this.#readComment();
    } else if (pieces.length >= piecesMax) {
      this.#at += Math.max(matchAt(floodPattern, text, this.#at).length, 1);
    } else if (code === 64) {
      this.#at++;
      this.#add(pieces, '@', 'at');
    } else {
      const word = this.#literal(pieces) || matchAt(encodedWordPattern, text, this.#at) || this.#word();
      this.#at += Math.max(word.length, 1);
      if (word !== '') this.#add(pieces, word, 'word');
    }
  }

  #word(): string {
    return matchAt(wordPattern, this.#text, this.#at);
  }

  /** `[192.0.2.1]` behind an `@`. */
  #literal(pieces: readonly Piece[]): string {
    if (this.#literalsOpen || this.#text[this.#at] !== '[' || pieces.at(-1)?.kind !== 'at') return '';
    const literal = matchAt(domainLiteralPattern, this.#text, this.#at);
    if (literal === '') this.#literalsOpen = true;
    return literal;
  }

  #readQuoted(pieces: Piece[]): void {
    const quoted = this.#quotesOpen ? undefined : quotedString(this.#text, this.#at);
    if (quoted?.closed) {
      this.#at = quoted.end;
      this.#add(pieces, quoted.text, 'quoted');
    } else {
      this.#quotesOpen = true;
      this.#at++;
    }
  }

  #readComment(): void {
    const read = this.#commentsOpen ? undefined : comment(this.#text, this.#at);
    this.#gap = true;
    if (read?.closed) {
      this.#at = read.end;
      this.#comment = trimSpace(read.text) || this.#comment;
    } else {
      this.#commentsOpen = true;
      this.#at++;
    }
  }

  /** Reads from behind `<` to `>`, or to a separator when that is missing. */
  #readAngle(): void {
    const pieces: Piece[] = [];
    let route = '';
    this.#gap = false;
    for (; this.#at < this.#text.length; ) {
      const character = this.#text[this.#at];
      if (character === '>') {
        this.#at++;
        break;
      }
      if (character === ':' && pieces[0]?.kind === 'at') {
        this.#at++;
        route = tight(pieces, 0, pieces.length);
        pieces.length = 0;
      } else if (character === ':' || (character === ',' && pieces[0]?.kind === 'at' && route === '')) {
        this.#at++;
        this.#gap = false;
        this.#add(pieces, character, 'word');
      } else if (character === ',' || character === ';') {
        break;
      } else if (character === '<') {
        this.#at++;
      } else {
        this.#readPiece(pieces);
      }
    }
    this.#gap = false;
    // A second pair of brackets in one address is noise behind it, unless the first was empty.
    if (this.#angle === undefined || this.#angle.pieces.length === 0) this.#angle = { pieces, route };
  }

  /** Ends the address being read. */
  #finish(): void {
    const angle = this.#angle;
    if (angle !== undefined) {
      const at = lastAt(angle.pieces);
      const local = tight(angle.pieces, 0, at === -1 ? angle.pieces.length : at);
      const host = at === -1 ? '' : tight(angle.pieces, at + 1, angle.pieces.length);
      this.#found.push(address(phrase(this.#pieces) || this.#comment, angle.route, local, host));
    } else if (this.#pieces.length > 0) {
      this.#found.push(bareAddress(this.#pieces, this.#comment));
    } else if (this.#comment !== '' && this.#found.length === 0 && this.#at === this.#text.length) {
      // All the field says; elsewhere such a comment is a remark, as behind an empty group.
      this.#found.push(address(this.#comment, '', '', ''));
    }
    this.#reset();
  }

  #reset(): void {
    this.#pieces = [];
    this.#atSeen = false;
    this.#comment = '';
    this.#angle = undefined;
    this.#gap = false;
  }
}

/**
 * The addresses of an unfolded field value, groups between their beginnings and ends.
 * @param room most entries to read, a group's end not counted
 */
export function parseAddresses(text: string, room: number = limits.addresses): Address[] {
  return new AddressParser(text, room).parse();
}
