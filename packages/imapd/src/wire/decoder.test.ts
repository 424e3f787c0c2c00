import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../limits.ts';
import { Decoder } from './decoder.ts';
import { announcedLiteral } from './literal.ts';
import { accepted, refused, segmentsOf } from './support.test.ts';

const astring = (decoder: Decoder): string => decoder.expectAstring('a string').toString('latin1');
const atom = (decoder: Decoder): string => decoder.expectAtom('an atom');
const text = (decoder: Decoder): string => decoder.textOf(decoder.expectString('a string'), 'a string');

test('strings come as atoms, quoted and as literals, and are the same', () => {
  for (const form of ['word', '"word"', '{4}\r\nword', '{4+}\r\nword', '"wo\\rd"'.replace('\\r', 'r')]) {
    assert.equal(accepted(form, astring), 'word');
  }
  assert.equal(accepted('""', astring), '');
  assert.equal(accepted('{0}\r\n', astring), '');
  assert.equal(accepted('"a \\"b\\" \\\\"', astring), 'a "b" \\');
  assert.equal(accepted('a]b[', astring), 'a]b[');
  assert.equal(accepted('{6}\r\n\r\n{1}\r', astring), '\r\n{1}\r');
});

test('what is no string is refused, with what was expected', () => {
  assert.match(refused('', astring).why, /^expected a string$/);
  for (const wrong of [
    '"open',
    '"a\\b"',
    '"a\\',
    '"a\0b"',
    '"a\rb"',
    '(a)',
    'a"b"',
    '{4}',
    'a{4}',
    '{3}\r\na\0b',
    '{x}',
    '~{1}\r\nx',
  ]) {
    assert.equal(refused(wrong, astring).kind, 'syntax', wrong);
  }
  assert.equal(refused('one two', atom).why, 'expected the end of the command');
  assert.equal(refused('one two', atom).at, 4);
});

test('blanks at the end of a command are forgiven, others are not', () => {
  assert.equal(accepted('word  ', atom), 'word');
  refused(' word', atom);
  refused('word\t', atom);
});

test('atoms hold what RFC 9051 lets them hold', () => {
  assert.equal(accepted("!#$&'+,-./09:;<=>?@AZ[^_`az|}~", atom), "!#$&'+,-./09:;<=>?@AZ[^_`az|}~");
  for (const octet of ' (){%*"\\]\0\x1f\x7f\x80\xff') refused(`${octet}`, atom);
});

test('numbers have their bounds', () => {
  const number = (decoder: Decoder): number => decoder.expectNumber('a number', 1, 100);
  assert.equal(accepted('1', number), 1);
  assert.equal(accepted('100', number), 100);
  assert.equal(accepted('007', number), 7);
  for (const wrong of ['0', '101', '-1', '1e3', '', '99999999999999999999999999']) refused(wrong, number);
});

test('text is ASCII until UTF-8 is enabled, and then well-formed', () => {
  const octets = Buffer.from('"grün"', 'utf8').toString('latin1');
  assert.equal(accepted(octets, text, true), 'grün');
  assert.match(refused(octets, text).why, /in ASCII$/);
  assert.match(refused('"gr\xfcn"', text, true).why, /in UTF-8$/);
  assert.equal(accepted(`{5}\r\n${octets.slice(1, -1)}`, text, true), 'grün');
});

test('the first failure stays, and nothing is taken behind it', () => {
  const decoder = new Decoder(segmentsOf('one two'), false);
  decoder.expectChar('(');
  decoder.fail('something else');
  assert.equal(decoder.failure?.why, 'expected "("');
  assert.equal(decoder.next, -1);
  assert.equal(decoder.tryAtom(), undefined);
  assert.equal(decoder.tryAstring(), undefined);
  assert.equal(decoder.tryUnread(), undefined);
  assert.equal(decoder.expectNumber('a number', 1), 1);
  assert.equal(decoder.expectEnd(), false);
});

test('lists nest to their bound and not beyond', () => {
  const nested = (decoder: Decoder): number => {
    let deepest = 0;
    const one = (depth: number): void => {
      deepest = Math.max(deepest, depth);
      if (decoder.next === 0x28) decoder.expectList('a list', () => one(depth + 1));
      else decoder.expectAtom('an atom');
    };
    one(0);
    return deepest;
  };
  const levels = (count: number): string => `${'('.repeat(count)}x${')'.repeat(count)}`;
  assert.equal(accepted('(a (b c) d)', nested), 2);
  assert.equal(accepted(levels(limits.nesting), nested), limits.nesting);
  assert.match(refused(levels(limits.nesting + 1), nested).why, /levels/);
  refused('('.repeat(60_000), nested);
  refused('(a ', nested);
  refused('(a  b)', nested);
  refused('()', nested);
});

test('a literal is announced at the end of a line and nowhere else', () => {
  const announced = (line: string): unknown => announcedLiteral(Buffer.from(line, 'latin1'));
  assert.deepEqual(announced('a {10}'), { bytes: 10, isWaiting: true, isBinary: false, at: 2 });
  assert.deepEqual(announced('{0+}'), { bytes: 0, isWaiting: false, isBinary: false, at: 0 });
  assert.deepEqual(announced('a ~{7+}'), { bytes: 7, isWaiting: false, isBinary: true, at: 2 });
  for (const line of ['{}', '{+}', '10}', '{1 }', '{10} ', '{-1}', '{1++}', '', '}', `{${'1'.repeat(30)}}`]) {
    assert.equal(announced(line), undefined, line);
  }
});

test('a message that is still to be read stands where its literal was announced', () => {
  const unread = (line: string): unknown => {
    const decoder = new Decoder([{ line: Buffer.from(line), literal: 'unread' }], false);
    return decoder.tryUnread() ?? decoder.tryString();
  };
  assert.deepEqual(unread('{310}'), { bytes: 310, isBinary: false });
  assert.deepEqual(unread('~{310+}'), { bytes: 310, isBinary: true });
  assert.equal(unread('a {310}'), undefined);
});

test('any octets between quotes or in a literal come out as they went in', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      const plain = Buffer.from(octets).toString('latin1').replaceAll('\0', '');
      assert.equal(accepted(`{${plain.length}}\r\n${plain}`, astring), plain);
      const line = plain.replace(/[\r\n]/g, '');
      assert.equal(accepted(`"${line.replace(/["\\]/g, '\\$&')}"`, astring), line);
    }),
  );
});
