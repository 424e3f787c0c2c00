/** How octets of mail become text to be searched in: each step by itself, and however they are cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { charsetDecoder, GuessingDecoder, strictDecoding } from '../charset.ts';
import { withoutEncodedWords } from './encoded-words.ts';
import { FoldedPieces, folded } from './folded-text.ts';
import { decodedText, foldedValues } from './header-text.ts';
import { HtmlText } from './html-text.ts';
import { sentDay } from './sent-day.ts';
import { transferDecoder } from './transfer-decoding.ts';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

/** Pieces of a text, cut at these places. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [...at, text.length].map((to, index) => text.slice(index === 0 ? 0 : at[index - 1], to));
}

const places = fc.array(fc.nat(1_000), { maxLength: 8 });

test('letter case, composition and the number of blanks do not count, accents do', () => {
  for (const [one, other] of [
    ['Straße', 'STRASSE'],
    ['ΟΔΟΣ', 'οδος'],
    ['é', 'e\u0301'],
    ['a \r\n\t b', 'A B'],
    ['ŉ', 'ʼn'],
  ]) {
    assert.equal(folded(one ?? ''), folded(other ?? ''));
  }
  assert.notEqual(folded('e'), folded('é'));
});

test('a run of blanks of whatever kind is one space', () => {
  const letter = fc.constantFrom('A', ' ', '\t', '\r', '\n', '\u00a0', '\u2028', '\ufeff');
  fc.assert(
    fc.property(fc.array(letter, { maxLength: 20 }), (letters) => {
      assert.equal(folded(letters.join('')), letters.join('').replace(/\s+/g, ' '));
    }),
  );
});

test('folding does not depend on where a text is cut', () => {
  const text = fc.array(fc.constantFrom('a', 'ß', ' ', '\n', 'e', '\u0301', '\u0323', '😀', 'Σ', 'x'), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(text, places, (letters, where) => {
      const pieces = new FoldedPieces();
      const parts = cut(letters.join(''), where).map((piece) => pieces.push(piece));
      assert.equal(parts.join('') + pieces.end(), folded(letters.join('')));
    }),
  );
});

test('transfer encodings come off wherever the octets are cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), places, (octets, where) => {
      const content = Buffer.from(octets);
      const quoted = [...content].map((octet) => `=${octet.toString(16).padStart(2, '0').toUpperCase()}`).join('=\r\n');
      const encoded = { base64: content.toString('base64').replace(/.{20}/g, '$&\r\n'), 'quoted-printable': quoted };
      for (const [encoding, text] of Object.entries(encoded)) {
        const decoder = transferDecoder(encoding);
        const parts = cut(text, where).map((piece) => decoder.push(Buffer.from(piece, 'latin1')));
        assert.deepEqual(Buffer.concat([...parts, decoder.end()]), content, encoding);
      }
    }),
  );
  const plain = (encoding: string, text: string): string => {
    const decoder = transferDecoder(encoding);
    return decoder.push(Buffer.from(text)).toString('latin1') + decoder.end().toString('latin1');
  };
  assert.equal(plain('quoted-printable', 'a=b =3D=3d =\t \r\n=4'), 'a=b == =4');
  assert.equal(plain('base64', 'YW!Jj\r\n ZA'), 'abcd');
  assert.equal(plain('base64', 'YWI=YWJj'), 'ab');
  assert.equal(plain('x-unknown', 'a=b'), 'a=b');
});

test('character sets are known by their usual names', () => {
  const text = (name: string, octets: readonly number[]): string | undefined =>
    charsetDecoder(name)?.push(Buffer.from(octets));
  assert.equal(text('ISO-8859-1', [0xfc]), 'ü');
  assert.equal(text('shift_jis', [0x93, 0xfa]), '日');
  assert.equal(text('CP932', [0x93, 0xfa]), '日');
  assert.equal(text('koi8-r', [0xc1]), 'а');
  assert.equal(text('cp850', [0x81]), 'ü');
  assert.equal(text('utf-7', [...Buffer.from('+APw-')]), 'ü');
  assert.equal(charsetDecoder('x-none'), undefined);
  assert.equal(charsetDecoder('x'.repeat(1_000)), undefined);
  assert.equal(strictDecoding('utf-8')?.(Buffer.of(0xff)), undefined);
  assert.equal(strictDecoding('cp850')?.(Buffer.of(0x81)), 'ü');
  const guessing = new GuessingDecoder();
  const [head, tail] = [Buffer.of(0xc3), Buffer.of(0xbc, 0x20, 0xfc)];
  assert.match(guessing.push(head) + guessing.push(tail) + guessing.end(), /ü$/);
});

test('text that turns out not to be UTF-8 loses nothing where it was cut', () => {
  for (const text of ['Bären', 'sehr schön', 'ä', 'B\xf0\xa1\xa2r', 'ok \xe4\xa4']) {
    const octets = Buffer.from(text, 'latin1');
    for (let cut = 0; cut <= octets.length; cut++) {
      const decoder = new GuessingDecoder();
      const pieces = [octets.subarray(0, cut), octets.subarray(cut, cut + 1), octets.subarray(cut + 1)];
      const decoded = pieces.map((piece) => decoder.push(piece)).join('') + decoder.end();
      assert.equal(decoded, text);
    }
  }
});

test('encoded words are decoded, together where they follow one another', () => {
  for (const [encoded, wanted] of [
    ['plain', 'plain'],
    ['=?utf-8?Q?gr=C3=BCn_und?= blau', 'grün und blau'],
    ['=?UTF-8*de?b?Z3LDvG4=?=', 'grün'],
    ['a =?utf-8?q?b?=  =?utf-8?q?c?= d', 'a bc d'],
    ['=?utf-8?b?w?= =?utf-8?q?=BC?=', '\ufffd'],
    ['=?utf-8?q?=C3?= =?utf-8?q?=BC?=', 'ü'],
    ['=?UTF-8?q?=C3?= =?utf-8?q?=BC?=', 'ü'],
    ['=?iso-8859-1?q?=FC?= =?utf-8?q?=C3=BC?=', 'üü'],
    ['=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=', '日本'],
    ['=?x-none?q?abc?=', 'abc'],
    ['=?utf-8?x?abc?= =? =?=', '=?utf-8?x?abc?= =? =?='],
  ]) {
    assert.equal(withoutEncodedWords(encoded ?? ''), wanted);
  }
  assert.equal(decodedText(latin1('grün')), 'grün');
  assert.equal(decodedText('gr\xfcn'), 'grün');
  const header = Buffer.from('Subject: one\r\n  two\r\nX: y\r\nsubject: three\r\n\r\n');
  assert.deepEqual(foldedValues(header, 'subject'), ['ONE TWO', 'THREE']);
  assert.deepEqual(foldedValues(header, 'from'), []);
});

test('HTML is text without tags, wherever it is cut', () => {
  const source =
    '<html><head><title>T&auml;xt</title><style>p{}</style><script>if (a<b) c()</script></head><!-- no --><p title="no">o<b>n</b>e&#32;&lt;</p><br>two&nbsp;&unknown; a <i>e</i>nd';
  const wanted = folded(' TÄxt one < two &unknown; a end');
  fc.assert(
    fc.property(places, (where) => {
      const html = new HtmlText(16);
      const parts = cut(source, where).map((piece) => html.push(piece));
      assert.equal(folded(parts.join('') + html.end()).trim(), wanted.trim());
    }),
    { examples: [[[]]] },
  );
});

test('a Date field has the day that is written there', () => {
  const day = (year: number, month: number, date: number): number => Date.UTC(year, month - 1, date) / 86_400_000;
  for (const [field, wanted] of [
    ['Mon, 7 Feb 1994 23:59:59 -0800', day(1994, 2, 7)],
    ['7 feb 1994 00:00 +0000', day(1994, 2, 7)],
    ['Mon,07 Feb 94 10:00 GMT', day(1994, 2, 7)],
    ['Monday, 07-Feb-94 10:00:00 GMT', day(1994, 2, 7)],
    ['Mon, 7 February 2024', day(2024, 2, 7)],
    ['1 Jan 49', day(2049, 1, 1)],
    ['1 Jan 104', day(2004, 1, 1)],
    ['(a comment) 1 (b) Jan 2000', day(2000, 1, 1)],
    ['29 Feb 2023', undefined],
    ['31 Foo 2023', undefined],
    ['yesterday', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(sentDay(field), wanted, field);
  }
});
