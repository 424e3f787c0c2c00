import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CrlfConverter } from './line-ends.ts';

/** Converts octet by octet. */
function plainly(text: string): string {
  let converted = '';
  for (const [index, letter] of [...text].entries())
    converted += letter === '\n' && text[index - 1] !== '\r' ? '\r\n' : letter;
  return converted;
}

function convert(text: string, cuts: readonly number[] = [], finalLineEnd = false): string {
  const octets = Buffer.from(text, 'latin1');
  const converter = new CrlfConverter({ finalLineEnd });
  const pieces: Buffer[] = [];
  let at = 0;
  for (const cut of [...cuts, octets.length].sort((a, b) => a - b)) {
    pieces.push(converter.push(octets.subarray(at, cut)));
    at = Math.max(at, cut);
  }
  pieces.push(converter.end());
  return Buffer.concat(pieces).toString('latin1');
}

test('bare LF becomes CRLF; CRLF and bare CR stay', () => {
  for (const text of ['', 'a', '\n', '\r', '\r\n', '\n\n', '\r\r\n', '\n\r', 'a\nb\r\nc\rd\n', '\u0000\xff\n']) {
    assert.equal(convert(text), plainly(text), JSON.stringify(text));
  }
});

test('property: any octets cut anywhere', () => {
  const text = fc
    .array(fc.constantFrom('\r', '\n', '\r\n', 'a', '\xff'), { maxLength: 60 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.array(fc.nat(60), { maxLength: 5 }), (octets, cuts) => {
      const inside = cuts.filter((cut) => cut <= octets.length);
      assert.equal(convert(octets, inside), plainly(octets));
    }),
    { numRuns: 1000 },
  );
});

test('a large chunk is right at the seams of its pieces', () => {
  for (const line of ['\n', '\r\n', 'x\r', '\r\n\n', 'abc\n', '\r\r\n']) {
    for (let shift = 0; shift < 4; shift++) {
      const text = `\n${'-'.repeat(shift)}${line.repeat(100_000)}`;
      assert.equal(convert(text), plainly(text), JSON.stringify(line));
    }
  }
});

test('what has nothing to convert is passed on without a copy', () => {
  const converter = new CrlfConverter();
  for (const text of ['a\r\nb\r', '\nc\r\n', 'no line end']) {
    const octets = Buffer.from(text);
    assert.equal(converter.push(octets), octets);
  }
});

test('a missing last line end is added when asked for', () => {
  const cases = [
    ['', ''],
    ['a', 'a\r\n'],
    ['a\n', 'a\r\n'],
    ['a\r\n', 'a\r\n'],
    ['a\r', 'a\r\r\n'],
  ] as const;
  for (const [text, expected] of cases) assert.equal(convert(text, [], true), expected);
  assert.equal(convert('a'), 'a');
});
