import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reversePathOf } from './sender.ts';

test('absence, <> and MAILER-DAEMON are the null reverse-path', () => {
  for (const given of [undefined, '', '<>', ' <> ', 'MAILER-DAEMON', 'mailer-daemon', '<Mailer-Daemon>', '  ']) {
    assert.equal(reversePathOf(given), '', String(given));
  }
  assert.equal(reversePathOf('mailer-daemon@x.example'), 'mailer-daemon@x.example');
});

test('an address is kept, and gets the quotes it needs', () => {
  const cases: [string, string][] = [
    ['a@b', 'a@b'],
    ['<a@b>', 'a@b'],
    ['root', 'root'],
    ['-x@b', '-x@b'],
    ['jörg@bücher.example', 'jörg@bücher.example'],
    ['"a b"@c', '"a b"@c'],
    ['<"a>b"@c>', '"a>b"@c'],
    ['a b@c', '"a b"@c'],
    ['a@b> <c@d', '"a@b> <c"@d'],
    ['say "hi"@c', '"say \\"hi\\""@c'],
  ];
  for (const [given, expected] of cases) assert.equal(reversePathOf(given), expected, given);
});

test('what could begin another header field, or ends no quote, is no address', () => {
  for (const given of ['a@b\r\nX: y', 'a\n@b', 'a@b\x7f', '"a\n"@b', '"a b', 'a b', '@b c', 'a@b c', 'a@b\u2028']) {
    assert.equal(reversePathOf(given), undefined, JSON.stringify(given));
  }
});

test('a sender with a million blanks in it is read at once', () => {
  // A search for the end that starts over at each blank would take an hour.
  assert.equal(reversePathOf(`  ann${' '.repeat(1_000_000)}x@example.org`)?.length, 1_000_018);
  assert.equal(reversePathOf(`ann@example.org${' '.repeat(1_000_000)}`), 'ann@example.org');
});
