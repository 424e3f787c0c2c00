import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reversePathOf } from './sender.ts';

test('absence, <> and MAILER-DAEMON are the null reverse-path, and a local part gets the quotes it needs', () => {
  const same: [string | undefined, string | undefined][] = [
    [undefined, ''],
    ['<>', ''],
    ['MAILER-DAEMON', ''],
    ['<a@b>', 'a@b'],
    [' a@b ', 'a@b'],
    ['"a <b>"@c', '"a <b>"@c'],
    ['a b@c', '"a b"@c'],
    ['a b', undefined],
    ['a\r\nb@c', undefined],
    ['"a"b c@d', undefined],
  ];
  for (const [given, path] of same) assert.equal(reversePathOf(given), path, given);
});
