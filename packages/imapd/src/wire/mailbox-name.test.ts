import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeModifiedUtf7, encodeModifiedUtf7, expectMailbox, expectPattern } from './mailbox-name.ts';
import { accepted, refused } from './support.test.ts';

test('names are written as the examples of RFC 3501 are', () => {
  const pairs = [
    ['~peter/mail/台北/日本語', '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
    ['Entwürfe & Müll', 'Entw&APw-rfe &- M&APw-ll'],
    ['&', '&-'],
    ['&&-', '&-&--'],
    ['🎉', '&2DzfiQ-'],
    ['', ''],
    ['plain', 'plain'],
  ] as const;
  for (const [name, wire] of pairs) {
    assert.equal(encodeModifiedUtf7(name), wire);
    assert.equal(decodeModifiedUtf7(wire), name);
  }
});

test('what no strict encoder writes is no name', () => {
  const wrong = [
    '&',
    'a&b',
    'Q&A',
    '&AGEAYg-', // printable ASCII inside
    '&AOQA-', // half a character
    '&AOR-', // loose bits
    '&AOQ=-', // padding
    '&AOQ', // not ended
    '&2Dw-', // half a pair
    '&34k-',
    '&U,BTFw-&ZeVnLIqe-', // two shifts that should be one
    '&U/BTFw-', // the alphabet of base64 itself
    'grün',
    '\t',
  ];
  for (const text of wrong) assert.equal(decodeModifiedUtf7(text), undefined, text);
  assert.equal(refused('Q&A', expectMailbox).kind, 'name');
});

test('a shift behind an ampersand is not one shift', () => {
  assert.equal(decodeModifiedUtf7('&AOQ-&-&AOQ-'), 'ä&ä');
  assert.equal(encodeModifiedUtf7('ä&ä'), '&AOQ-&-&AOQ-');
});

test('INBOX is INBOX in any letter case, also above others, and nowhere else', () => {
  assert.equal(accepted('inBox', expectMailbox), 'INBOX');
  assert.equal(accepted('"inbox/Lists"', expectMailbox), 'INBOX/Lists');
  assert.equal(accepted('inboxes', expectMailbox), 'inboxes');
  assert.equal(accepted('Lists/inbox', expectMailbox), 'Lists/inbox');
});

test('names are one in NFC, in UTF-7 and in UTF-8', () => {
  const decomposed = 'Entwu\u0308rfe';
  const utf8 = Buffer.from(`"${decomposed}"`).toString('latin1');
  assert.equal(accepted(encodeModifiedUtf7(decomposed), expectMailbox), 'Entwürfe');
  assert.equal(accepted(utf8, expectMailbox, true), 'Entwürfe');
  assert.equal(accepted('"A&B"', expectMailbox, true), 'A&B');
  assert.equal(refused(utf8, expectMailbox).kind, 'name');
  assert.equal(refused('"\xe4"', expectMailbox, true).kind, 'name');
});

test('patterns keep their wildcards', () => {
  assert.equal(accepted('inbox/%', expectPattern), 'INBOX/%');
  assert.equal(accepted('*', expectPattern), '*');
  assert.equal(accepted('&AOQ-*', expectPattern), 'ä*');
  assert.equal(accepted('""', expectPattern), '');
  refused('*', expectMailbox);
});

test('any name comes back as it went', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const plain = name.replace(/[\0-\x1f\x7f]/g, '');
      const wire = encodeModifiedUtf7(plain);
      assert.match(wire, /^[ -~]*$/);
      assert.equal(decodeModifiedUtf7(wire), plain);
    }),
    { numRuns: 1_000 },
  );
});

test('whatever is taken is what the encoder would have written', () => {
  const piece = fc.constantFrom('&', '-', ',', '+', '/', '=', 'a', 'A', 'Q', 'OQ', 'AOQ', 'U,BTFw', '2DzfiQ', ' ', '1');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const wire = pieces.join('');
      const name = decodeModifiedUtf7(wire);
      if (name !== undefined) assert.equal(encodeModifiedUtf7(name), wire);
    }),
    { numRuns: 3_000 },
  );
});
