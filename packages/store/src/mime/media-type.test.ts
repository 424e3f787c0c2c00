import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../limits.ts';
import { boundaryOf, disposition, languages, mediaType, parameterOf, transferEncoding } from './media-type.ts';

function shown(value: string): string | undefined {
  const media = mediaType(value);
  if (media === undefined) return undefined;
  return [`${media.type}/${media.subtype}`, ...media.parameters.map((p) => `${p.name}=${p.value}`)].join('|');
}

const cases: readonly (readonly [string, string, string | undefined])[] = [
  [
    'type, subtype and parameters',
    'Text/HTML; Charset=UTF-8; format="flowed"',
    'text/html|Charset=UTF-8|format=flowed',
  ],
  ['comments', '(a) text (b) / plain (c); charset (d) = (e) us-ascii (Plain text)', 'text/plain|charset=us-ascii'],
  ['quoted strings with escapes', 'text/plain; name="a\\"b;c\\\\d"; x=y', 'text/plain|name=a"b;c\\d|x=y'],
  ['blanks around =', 'text/plain ; charset = "x"', 'text/plain|charset=x'],
  ['no subtype', 'text; charset=x', 'text/plain|charset=x'],
  ['a multipart without subtype', 'multipart; boundary=b', 'multipart/mixed|boundary=b'],
  ['a word that is no type', 'html', undefined],
  ['nothing', '', undefined],
  ['garbage', '=?utf-8?q?x?=', undefined],
  ['a missing semicolon', 'text/html charset=utf-8', 'text/html|charset=utf-8'],
  [
    'a missing semicolon between parameters',
    'text/plain; charset=utf-8 format=flowed',
    'text/plain|charset=utf-8|format=flowed',
  ],
  ['unquoted blanks', 'application/pdf; name=my file (1).pdf; x=y', 'application/pdf|name=my file|x=y'],
  ['a parenthesis in an unquoted name', 'application/pdf; name=file(1).pdf', 'application/pdf|name=file(1).pdf'],
  [
    'unquoted specials',
    'multipart/mixed; boundary=----=_Part:1/2?@[x]',
    'multipart/mixed|boundary=----=_Part:1/2?@[x]',
  ],
  ['an encoded word', 'image/png; name==?utf-8?B?w6Q=?=', 'image/png|name==?utf-8?B?w6Q=?='],
  ['a quote that stays open', 'text/plain; name="a b; charset=x', 'text/plain|name=a b|charset=x'],
  ['text behind a quoted value', 'text/plain; name="a"b"; x=y', 'text/plain|name=a|x=y'],
  ['a parameter without value', 'text/plain; charset; x=; y=z', 'text/plain|x=|y=z'],
  ['stray separators', 'text/plain;; ,; x=y;', 'text/plain|x=y'],
  ['a quoted type', '"text/html"; charset=x', 'text/html|charset=x'],
  ['segments are joined', 'a/b; name*0="one "; x=y; name*1=two', 'a/b|name=one two|x=y'],
  ['segments come in any order', 'a/b; name*1=two; NAME*0=one', 'a/b|name=onetwo'],
  ['encoded segments keep their encoding', "a/b; n*0*=utf-8''%C3; n*1=%; n*2*=%A4", "a/b|n*=utf-8''%C3%25%A4"],
  ['plain segments before encoded ones get an empty charset', 'a/b; n*0=x; n*1*=%20', "a/b|n*=''x%20"],
  ['a missing segment joins none', 'a/b; n*0=x; n*2=y', 'a/b|n*0=x|n*2=y'],
  ['a doubled segment joins none', 'a/b; n*0=x; n*0=y', 'a/b|n*0=x|n*0=y'],
  ['an encoded parameter stays', "a/b; filename*=utf-8'de'%C3%A4", "a/b|filename*=utf-8'de'%C3%A4"],
];

describe('media type', () => {
  for (const [name, value, expected] of cases) it(`reads ${name}`, () => assert.equal(shown(value), expected));

  const boundaries: readonly (readonly [string, string, string | undefined])[] = [
    ['as given', 'multipart/x; boundary="a b"', 'a b'],
    ['without blanks at its end', 'multipart/x; boundary="ab  "', 'ab'],
    ['in segments', 'multipart/x; boundary*0="a"; boundary*1="b"', 'ab'],
    ['in encoded segments', "multipart/x; boundary*0*=us-ascii''%61; boundary*1=b", 'ab'],
    ['not when empty', 'multipart/x; boundary=""', undefined],
    ['not when it holds a line end', 'multipart/x; boundary="a\rb"', undefined],
    ['not when no line could hold it', `multipart/x; boundary="${'a'.repeat(995)}"`, undefined],
    ['up to the longest', `multipart/x; boundary="${'a'.repeat(994)}"`, 'a'.repeat(994)],
    ['not when absent', 'multipart/x', undefined],
  ];
  for (const [name, value, expected] of boundaries) {
    it(`takes a boundary ${name}`, () => {
      const media = mediaType(value);
      assert.ok(media);
      assert.equal(boundaryOf(media), expected);
    });
  }

  it('finds a parameter in either form', () => {
    const parameters = mediaType("a/b; filename*=iso-8859-1''%E4%zz; Name=x")?.parameters ?? [];
    assert.equal(parameterOf(parameters, 'filename'), '\xe4%zz');
    assert.equal(parameterOf(parameters, 'name'), 'x');
    assert.equal(parameterOf(parameters, 'size'), undefined);
  });

  it('reads dispositions', () => {
    assert.deepEqual(disposition('Attachment; filename=a.b'), {
      value: 'attachment',
      parameters: [{ name: 'filename', value: 'a.b' }],
    });
    assert.equal(disposition('filename=a.b')?.value, 'attachment');
    assert.deepEqual(disposition('inline'), { value: 'inline', parameters: [] });
    assert.equal(disposition(' ; x=y'), undefined);
  });

  it('reads encodings and languages', () => {
    assert.deepEqual(['Base64', ' (x) 8BIT ; y', '"quoted-printable"', ';', ''].map(transferEncoding), [
      'base64',
      '8bit',
      'quoted-printable',
      '7bit',
      '7bit',
    ]);
    assert.deepEqual(languages('en, de-AT (x),, fr;q=1'), ['en', 'de-AT', 'fr']);
    assert.deepEqual(languages(''), []);
  });

  it('reads no more parameters than the limit', () => {
    const count = (many: number) => mediaType(`a/b${';x=y'.repeat(many)}`)?.parameters.length;
    assert.equal(count(limits.headerParameters), limits.headerParameters);
    assert.equal(count(limits.headerParameters + 1), limits.headerParameters);
  });

  it('stays linear on garbage', () => {
    for (const piece of [
      '(',
      '"',
      '"\\"',
      ';',
      '=',
      'x=',
      'x ',
      'x=y ',
      ' ',
      "x*0*=''%;",
      '\\',
      '/',
      'a b',
      '()',
      ',',
    ]) {
      const text = piece.repeat(Math.ceil(1_000_000 / piece.length));
      const started = process.hrtime.bigint();
      mediaType(`multipart/x; boundary=${text}`);
      mediaType(text);
      disposition(`x; ${text}`);
      languages(text);
      const ms = Number(process.hrtime.bigint() - started) / 1e6;
      assert.ok(ms < 1_500, `${piece}: ${ms} ms`);
    }
  });
});
