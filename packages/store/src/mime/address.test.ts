import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '../limits.ts';
import { parseAddresses } from './address.ts';

/** Name, route, mailbox, host; `-` for NIL, `*` for what stands in for something missing. */
function shown(field: string): string[] {
  const word = (text: string | undefined) => (text === undefined ? '-' : /^MISSING_/.test(text) ? '*' : text);
  return parseAddresses(field).map((a) => [a.name, a.route, a.mailbox, a.host].map(word).join('|'));
}

const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ['a plain address', 'a@b.example', ['-|-|a|b.example']],
  ['a name and an address', 'John Q. Public <john@b.example>', ['John Q. Public|-|john|b.example']],
  ['a quoted name loses its quoting', '"Joe \\"Q\\" \\\\ Public" <a@b>', ['Joe "Q" \\ Public|-|a|b']],
  ['a quoted local part loses its quoting', '"john doe"@b.example', ['-|-|john doe|b.example']],
  ['a comment behind an address is its name', 'a@b.example (John (the) Doe)', ['John (the) Doe|-|a|b.example']],
  ['a comment beside a name is dropped', 'John (x) <a@b>', ['John|-|a|b']],
  ['blanks and comments may stand anywhere', ' ( x ) a (y) . b @ (z) c . d ', ['z|-|a.b|c.d']],
  ['a route', '<@x.example,@y.example:a@b>', ['-|@x.example,@y.example|a|b']],
  ['an address literal', 'a@[192.0.2.1], <b@[IPv6:2001:db8::1]>', ['-|-|a|[192.0.2.1]', '-|-|b|[IPv6:2001:db8::1]']],
  ['a group', 'Team: a@b, C <c@d>;, e@f', ['-|-|Team|-', '-|-|a|b', 'C|-|c|d', '-|-|-|-', '-|-|e|f']],
  ['an empty group', 'undisclosed-recipients:;', ['-|-|undisclosed-recipients|-', '-|-|-|-']],
  ['a group without end', 'A B: c@d', ['-|-|A B|-', '-|-|c|d', '-|-|-|-']],
  ['a group within a group is part of a name', 'A: B: c@d;', ['-|-|A|-', 'B:|-|c|d', '-|-|-|-']],
  ['empty elements are none', ', a@b,, c@d,', ['-|-|a|b', '-|-|c|d']],
  ['a semicolon separates', 'a@b; c@d', ['-|-|a|b', '-|-|c|d']],
  ['no domain', 'root, Mail System <daemon>', ['-|-|root|*', 'Mail System|-|daemon|*']],
  ['no local part', '@b, <@b>', ['-|-|*|b', '-|-|*|b']],
  ['empty brackets', '<>, Nobody <>', ['-|-|*|*', 'Nobody|-|*|*']],
  ['words only', 'Undisclosed recipients', ['-|-|Undisclosed recipients|*']],
  ['a comment only', '(nobody)', ['nobody|-|*|*']],
  [
    'a remark behind a group',
    'unlisted-recipients:; (no To-header on input)',
    ['-|-|unlisted-recipients|-', '-|-|-|-'],
  ],
  ['a comment that ends in 0xA0', 'a@b ( \xc3\xa0 )', ['\xc3\xa0|-|a|b']],
  ['an address as name', 'a@b.c <a@b.c>', ['a@b.c|-|a|b.c']],
  ['a name without brackets', 'John Doe john@b.example', ['John Doe|-|john|b.example']],
  ['a name behind the address', 'john@b.example John Doe', ['John Doe|-|john|b.example']],
  ['an address in quotes', '"a@b.example"', ['-|-|a|b.example']],
  ['a quote that stays open', '"John <a@b>, c@d', ['John|-|a|b', '-|-|c|d']],
  ['a comment that stays open', 'John (x <a@b>, c@d', ['John x|-|a|b', '-|-|c|d']],
  ['brackets that stay open', 'John <a@b, c@d', ['John|-|a|b', '-|-|c|d']],
  ['doubled brackets', 'John <<a@b>>', ['John|-|a|b']],
  ['several @', 'a@b@c', ['-|-|a@b|c']],
  ['blanks inside brackets', '< a . b @ c . d >', ['-|-|a.b|c.d']],
  ['encoded words stay', '=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?_K?= <a@b>', ['=?utf-8?Q?J=C3=B6rg?= =?utf-8?Q?_K?=|-|a|b']],
  ['a comma in an encoded word does not separate', '=?utf-8?Q?Doe,_John?= <a@b>', ['=?utf-8?Q?Doe,_John?=|-|a|b']],
  ['8-bit stays', 'J\xf6rg <j\xf6@b>', ['J\xf6rg|-|j\xf6|b']],
  ['nothing', '  ', []],
];

describe('address', () => {
  for (const [name, field, expected] of cases) it(name, () => assert.deepEqual(shown(field), expected));

  it('reads no more than the limit', () => {
    const many = 'a@b,'.repeat(limits.addresses + 10);
    assert.equal(parseAddresses(many).length, limits.addresses);
    assert.equal(parseAddresses('a@b,'.repeat(limits.addresses)).length, limits.addresses);
    assert.equal(parseAddresses(many, 3).length, 3);
  });

  it('stays linear on garbage', () => {
    const pieces = [
      '(',
      '"',
      '"\\"',
      '<',
      '>',
      ':',
      'a@ :x',
      '@',
      '@[',
      'a ',
      '=?',
      '=?a?q?',
      ';',
      ' ',
      '\\',
      'a: ',
      '().',
      '"" ',
    ];
    for (const piece of pieces) {
      const started = process.hrtime.bigint();
      parseAddresses(`x@y${piece.repeat(Math.ceil(1_000_000 / piece.length))}`);
      const ms = Number(process.hrtime.bigint() - started) / 1e6;
      assert.ok(ms < 1_500, `${piece}: ${ms} ms`);
    }
  });
});
