import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headerFields } from '@mstore/store';
import fc from 'fast-check';
import { FieldNames, pickFields } from './header-fields.ts';

function picked(header: string, names: readonly string[], isNot: boolean): string {
  return pickFields(Buffer.from(header), new FieldNames(names), isNot).toString();
}

test('fields are picked as they stand, with the blank line', () => {
  const header = 'Subject: a\r\n b\r\nFrom: c\r\nsubject: d\r\n\r\n';
  assert.equal(picked(header, ['SUBJECT'], false), 'Subject: a\r\n b\r\nsubject: d\r\n\r\n');
  assert.equal(picked(header, ['subject'], true), 'From: c\r\n\r\n');
  assert.equal(picked(header, ['from', 'subject'], true), '\r\n');
  assert.equal(picked('\r\n', ['from'], true), '\r\n');
});

test('a message that has no blank line is told without one by HEADER.FIELDS.NOT', () => {
  assert.equal(picked('Subject: a\r\n', ['from'], true), 'Subject: a\r\n');
  assert.equal(picked('Subject: a\r\n', ['subject'], true), '');
});

/** As `pickFields`, field by field. */
function pickedSingly(header: Buffer, names: readonly string[], isNot: boolean): string {
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  let text = '';
  for (const { name, span } of headerFields(header)) {
    if (wanted.has(name.toLowerCase()) === isNot) continue;
    const field = header.toString('latin1', span.start, span.end);
    text += field.endsWith('\n') ? field : `${field}\r\n`;
  }
  const whole = header.toString('latin1');
  return !isNot || whole === '\r\n' || whole.endsWith('\n\r\n') ? `${text}\r\n` : text;
}

test('what is picked in runs is what is picked field by field', () => {
  const piece = fc.constantFrom(
    'From',
    'TO',
    'ÀB',
    'àb',
    ':',
    ': x\r\n',
    'To: y\r\n',
    ' ',
    '\r\n ',
    '\r\n',
    '\n',
    '\0',
    '\xff',
  );
  const some = fc.subarray(['from', 'To', 'ÀB', 'İ', 'K', 'list-id', '']);
  // Many names are looked up in another way.
  const names = some.chain((few) =>
    fc.constantFrom(few, [...few, ...Array.from({ length: 40 }, (_, at) => `x-${at}`)]),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), names, fc.boolean(), (pieces, wanted, isNot) => {
      const header = Buffer.from(pieces.join(''), 'latin1');
      assert.equal(
        pickFields(header, new FieldNames(wanted), isNot).toString('latin1'),
        pickedSingly(header, wanted, isNot),
      );
    }),
    { numRuns: 2_000 },
  );
});
