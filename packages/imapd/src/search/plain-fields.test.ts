/** What is said of plain fields where they lie is what is said of them as text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { folded } from './folded-text.ts';
import { foldedValues } from './header-text.ts';
import { PlainText } from './plain-fields.ts';

const isIn = (header: string, text: string): boolean | undefined =>
  new PlainText('from', folded(text)).isIn(Buffer.from(header, 'latin1'));

test('a text is found in any letter case, over folds and runs of blanks', () => {
  const header = 'From: Ann \t Example\r\n\t<ann@a.example>\r\nTo: bob\r\nFROM : carl\r\n';
  for (const text of ['ann example', 'EXAMPLE <ANN@', 'Ann  Example', 'carl', ''])
    assert.equal(isIn(header, text), true, text);
  for (const text of ['bob', 'annexample', ' ann', 'carl ', 'grün']) assert.equal(isIn(header, text), false, text);
  assert.equal(isIn('To: bob\r\n', ''), false);
});

test('fields that are not plain are left to others, but where a plain one has the text', () => {
  for (const value of ['=?utf-8?q?a?=', 'gr\xfcn', 'a\0b', 'a\rb', 'a\x0bb', '\x7f', 'a\r\n b\n c']) {
    assert.equal(isIn(`From: ${value}\r\n`, 'ann'), undefined, value);
    assert.equal(isIn(`From: ${value}\r\nFrom: Ann\r\n`, 'ann'), true, value);
    assert.equal(isIn(`Subject: ${value}\r\nFrom: Bob\r\n`, 'ann'), false, value);
  }
});

test('where it is said, it is what the folded values say', () => {
  const piece = fc.constantFrom(
    ...[
      'a',
      'B',
      'ab',
      ' ',
      '  ',
      '\t',
      '\r\n ',
      '\r\n',
      '\n',
      '\r',
      '=',
      '?',
      '\xfc',
      '\0',
      '\x0c',
      '<',
      '~',
      'From: ',
      'from:',
    ],
  );
  const text = fc.array(fc.constantFrom('a', 'B', ' ', '=', '?', '<', 'ü', 'ß', 'K', '\t'), { maxLength: 3 });
  let decided = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), text, (pieces, letters) => {
      const header = `From:${pieces.join('')}`;
      const said = isIn(header, letters.join(''));
      if (said === undefined) return;
      decided += 1;
      const values = foldedValues(Buffer.from(header, 'latin1'), 'from');
      assert.equal(
        said,
        values.some((value) => value.includes(folded(letters.join('')))),
      );
    }),
    { numRuns: 5_000 },
  );
  assert.ok(decided > 500);
});
