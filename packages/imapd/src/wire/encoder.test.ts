import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Decoder } from './decoder.ts';
import { Encoder } from './encoder.ts';
import { expectMailbox } from './mailbox-name.ts';
import { accepted } from './support.test.ts';

function written(write: (encoder: Encoder) => void, isUtf8: boolean = false): string {
  const encoder = new Encoder(isUtf8);
  write(encoder);
  return encoder.take().toString('latin1');
}

test('strings are quoted where they can be, else literals', () => {
  assert.equal(
    written((to) => to.string('plain')),
    '"plain"',
  );
  assert.equal(
    written((to) => to.string('a "b" \\c')),
    '"a \\"b\\" \\\\c"',
  );
  assert.equal(
    written((to) => to.string('')),
    '""',
  );
  assert.equal(
    written((to) => to.string('two\r\nlines')),
    '{10}\r\ntwo\r\nlines',
  );
  assert.equal(
    written((to) => to.string(Buffer.from([0x61, 0xff]))),
    '{2}\r\na\xff',
  );
  assert.equal(
    written((to) => to.string('x'.repeat(1_001))),
    `{1001}\r\n${'x'.repeat(1_001)}`,
  );
  assert.equal(
    written((to) => to.nstring(undefined)),
    'NIL',
  );
});

test('UTF-8 is quoted only where that is enabled and the octets are well-formed', () => {
  const utf8 = Buffer.from('grün').toString('latin1');
  assert.equal(
    written((to) => to.string('grün')),
    `{5}\r\n${utf8}`,
  );
  assert.equal(
    written((to) => to.string('grün'), true),
    `"${utf8}"`,
  );
  assert.equal(
    written((to) => to.string(Buffer.from([0xfc])), true),
    '{1}\r\n\xfc',
  );
});

test('NUL is shown as octet 0x80, and the size stays', () => {
  const octets = Buffer.from('a\0b\0');
  assert.equal(
    written((to) => to.string(octets)),
    '{4}\r\na\x80b\x80',
  );
  assert.equal(octets.toString('latin1'), 'a\0b\0');
});

test('names lose their quotes where nothing needs them', () => {
  const name = (text: string, isUtf8?: boolean): string => written((to) => to.mailbox(text), isUtf8);
  assert.equal(name('INBOX'), 'INBOX');
  assert.equal(name('Sent Items'), '"Sent Items"');
  assert.equal(name('nil'), '"nil"');
  assert.equal(name(''), '""');
  assert.equal(name('50%'), '"50%"');
  assert.equal(name('Entwürfe'), 'Entw&APw-rfe');
  assert.equal(name('Entwürfe', true), `"${Buffer.from('Entwürfe').toString('latin1')}"`);
});

test('lists have blanks between and none at the ends', () => {
  const list = (items: readonly string[]): string => written((to) => to.list(items, (item) => to.raw(item)));
  assert.equal(list([]), '()');
  assert.equal(list(['a']), '(a)');
  assert.equal(list(['a', 'b', 'c']), '(a b c)');
});

test('what was taken is gone, and stays as it was', () => {
  const encoder = new Encoder();
  const first = encoder.raw('first').take();
  const second = encoder.raw('second').take();
  assert.equal(first.toString(), 'first');
  assert.equal(second.toString(), 'second');
  assert.equal(encoder.bytes, 0);
});

test('any string and any name is read back as it was written', () => {
  const string = (decoder: Decoder): Buffer => decoder.expectAstring('a string');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_200 }), fc.boolean(), (octets, isUtf8) => {
      const shown = octets.map((octet) => (octet === 0 ? 0x80 : octet));
      const wire = written((to) => to.string(Buffer.from(octets)), isUtf8);
      assert.deepEqual(accepted(wire, string, isUtf8), Buffer.from(shown));
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.boolean(), (text, isUtf8) => {
      const name = text
        .normalize('NFC')
        .replace(/[\0-\x1f\x7f]/g, '')
        .replace(/^inbox/i, 'x');
      const wire = written((to) => to.mailbox(name), isUtf8);
      assert.equal(accepted(wire, expectMailbox, isUtf8), name);
    }),
  );
});

test('numbers and text of any length stand as they are, and can be taken back', () => {
  const number = fc.oneof(fc.nat(1_000), fc.nat(), fc.maxSafeNat(), fc.constantFrom(2 ** 31 - 1, 2 ** 31, 999_999_999));
  const piece = fc.oneof(number, fc.string({ unit: 'grapheme-ascii', maxLength: 200 }));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.nat(100), (pieces, kept) => {
      const encoder = new Encoder();
      for (const each of pieces) typeof each === 'number' ? encoder.number(each) : encoder.raw(each);
      assert.equal(encoder.bytes, pieces.join('').length);
      encoder.cutTo(kept);
      assert.equal(encoder.take().toString('latin1'), pieces.join('').slice(0, kept));
    }),
  );
});
