/** What the tests of this folder share: a sink that remembers, a split that skips, and a reader of IMAP's lists. */

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Entity, SplitSink } from './entity.ts';
import { Splitter } from './splitter.ts';

export type Piece = { kind: 'structure' | 'content'; encoding?: string; octets: Buffer };

/** Keeps what a splitter gives, and checks that runs are announced as promised. */
export class Recorder implements SplitSink {
  readonly pieces: Piece[] = [];
  #run: Piece | undefined;

  structure(octets: Buffer): void {
    assert.equal(this.#run, undefined, 'structure within a run');
    assert.ok(octets.length > 0);
    const last = this.pieces.at(-1);
    if (last?.kind === 'structure') last.octets = Buffer.concat([last.octets, octets]);
    else this.pieces.push({ kind: 'structure', octets: Buffer.from(octets) });
  }
  contentStart(encoding: string): void {
    assert.equal(this.#run, undefined, 'runs nest');
    this.#run = { kind: 'content', encoding, octets: Buffer.alloc(0) };
    this.pieces.push(this.#run);
  }
  content(octets: Buffer): void {
    assert.ok(this.#run, 'content outside a run');
    assert.ok(octets.length > 0);
    this.#run.octets = Buffer.concat([this.#run.octets, octets]);
  }
  contentEnd(): void {
    assert.ok(this.#run && this.#run.octets.length > 0, 'an empty run');
    this.#run = undefined;
  }
  get octets(): Buffer {
    return Buffer.concat(this.pieces.map((piece) => piece.octets));
  }
}

export const countLines = (octets: Buffer): number => octets.toString('latin1').split('\n').length - 1;

/** Splits again with content left out: `skipped` says which octets of each run, from its beginning unless it says more. */
export function splitSkipping(
  pieces: readonly Piece[],
  skipped: (length: number) => number | readonly [from: number, to: number],
): Entity {
  const splitter = new Splitter(new Recorder());
  for (const { kind, octets } of pieces) {
    const answer = kind === 'structure' ? 0 : skipped(octets.length);
    const [from, to] = typeof answer === 'number' ? [0, answer] : answer;
    const run = octets.subarray(from, to);
    splitter.push(octets.subarray(0, from));
    splitter.skip(run.length, countLines(run), run.at(-1) === 10);
    splitter.push(octets.subarray(from + run.length));
  }
  return splitter.end();
}

/** NIL, a number, a string or a list. */
export type WireValue = null | number | Buffer | WireValue[];

/** Reads one parenthesised list (RFC 9051 §4.4), and wants nothing behind it. */
export function parseWireList(octets: Buffer): WireValue[] {
  const text = octets.toString('latin1');
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  const list = (): WireValue[] => {
    const values: WireValue[] = [];
    for (let first = true; ; first = false) {
      if (take(/\)/y)) return values;
      // Only lists may follow each other without a blank.
      const spaced = take(/ /y) !== null;
      assert.ok(spaced !== first || (!first && text[at] === '('), `a list breaks at ${at}: ${text.slice(at, at + 40)}`);
      values.push(value());
    }
  };
  const value = (): WireValue => {
    if (take(/\(/y)) return list();
    if (take(/NIL(?=[ )])/y)) return null;
    const number = take(/\d+(?=[ )])/y);
    if (number) return Number(number[0]);
    const quoted = take(/"((?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*)"/y);
    if (quoted) return Buffer.from((quoted[1] ?? '').replace(/\\(.)/g, '$1'), 'latin1');
    const literal = take(/\{(\d+)\}\r\n/y);
    assert.ok(literal, `no value at ${at}: ${text.slice(at, at + 40)}`);
    const end = at + Number(literal[1]);
    assert.ok(end <= text.length, 'a literal is cut');
    const string = text.slice(at, end);
    assert.ok(!string.includes('\0'), 'NUL in a literal');
    at = end;
    return Buffer.from(string, 'latin1');
  };
  assert.ok(take(/\(/y), 'no list');
  const values = list();
  assert.equal(at, text.length, 'something stands behind the list');
  return values;
}

it('the reader of lists takes what is well-formed and nothing else', () => {
  const [text, literal] = [Buffer.from('a"b'), Buffer.from(')\r\n')];
  assert.deepEqual(parseWireList(Buffer.from('(NIL ("a\\"b" 12)(0) {3}\r\n)\r\n)')), [null, [text, 12], [0], literal]);
  for (const bad of [
    '',
    'NIL',
    '(',
    '(NIL',
    '()x',
    '( NIL)',
    '(NIL )',
    '("a)',
    '("\x80")',
    '({4}\r\nab)',
    '("a""b")',
  ]) {
    assert.throws(() => parseWireList(Buffer.from(bad, 'latin1')), bad);
  }
});
