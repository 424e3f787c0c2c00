import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { transferDecoder } from './transfer-decoder.ts';

/** The content of octets that come in these pieces. */
function decoded(encoding: string, ...pieces: readonly (string | Buffer)[]): string {
  const decoder = transferDecoder(encoding);
  assert.ok(decoder !== undefined);
  const content = pieces.map((piece) =>
    Buffer.from(decoder.push(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)),
  );
  return Buffer.concat([...content, decoder.end()]).toString('latin1');
}

test('quoted-printable becomes what it stands for', () => {
  for (const [octets, content] of [
    ['a=3Db=3d\r\n', 'a=b=\r\n'],
    ['soft=\r\nly', 'softly'],
    ['soft= \t\r\nly', 'softly'],
    ['blanks \t \r\ngo', 'blanks\r\ngo'],
    ['blanks at the end  ', 'blanks at the end'],
    ['kept=20\r\n', 'kept \r\n'],
    ['a lone = stays, =G1 too, =4', 'a lone = stays, =G1 too, =4'],
    ['joined to nothing=', 'joined to nothing'],
    ['=C3=A4=00\xe4', '\xc3\xa4\0\xe4'],
    ['a\rb \rc', 'a\rb \rc'],
    ['', ''],
  ] as const) {
    assert.equal(decoded('quoted-printable', octets), content, JSON.stringify(octets));
  }
});

test('more blanks than any line has are kept', () => {
  const many = ' '.repeat(1_001);
  assert.equal(decoded('quoted-printable', `a${many}\r\n`), `a${many}\r\n`);
  assert.equal(decoded('quoted-printable', 'a', many, '\r\n'), `a${many}\r\n`);
  assert.equal(decoded('quoted-printable', `a${many.slice(1)}\r\n`), 'a\r\n');
});

test('base64 becomes what it stands for, whatever stands between', () => {
  for (const [octets, content] of [
    ['YWJj\r\nZGVm', 'abcdef'],
    ['YW Jj!\tZA==', 'abcd'],
    ['YQ==\r\nYmM=\r\nZGVm', 'abcdef'],
    ['YWJjZA', 'abcd'],
    ['YWJjZ', 'abc'],
    ['====', ''],
    ['AAD/', '\0\0\xff'],
    ['', ''],
  ] as const) {
    assert.equal(decoded('base64', octets), content, JSON.stringify(octets));
  }
});

test('other encodings leave octets as they are, and unknown ones are not known', () => {
  for (const encoding of ['7bit', '8bit', 'binary']) assert.equal(decoded(encoding, 'a=3D\0', 'b'), 'a=3D\0b');
  for (const encoding of ['x-uuencode', '', 'BASE64']) assert.equal(transferDecoder(encoding), undefined);
});

const crumbs = fc.array(
  fc.constantFrom('=', '=\r', '\r\n', '\n', '\r', ' ', '\t', '3', 'D', 'a', '\0', ' '.repeat(999), 'xy==', '+/'),
  { maxLength: 30 },
);

for (const encoding of ['quoted-printable', 'base64']) {
  test(`${encoding} is the same however it is cut`, () => {
    fc.assert(
      fc.property(crumbs, (pieces) => {
        const octets = pieces.join('');
        assert.equal(decoded(encoding, ...pieces), decoded(encoding, octets));
        assert.equal(decoded(encoding, ...octets), decoded(encoding, octets));
      }),
    );
  });

  test(`content in ${encoding} comes back`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (octets) => {
        const content = Buffer.from(octets);
        const hex = [...content].map((octet) => `=${octet.toString(16).padStart(2, '0')}`).join('');
        const coded = encoding === 'base64' ? content.toString('base64') : hex;
        assert.equal(
          decoded(encoding, encoding === 'base64' ? coded.replace(/.{75}/g, '$&\r\n') : coded),
          content.toString('latin1'),
        );
      }),
    );
  });
}
