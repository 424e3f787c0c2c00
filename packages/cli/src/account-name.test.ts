import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalAccountName } from './account-name.ts';

test('both forms of an internationalised domain are one name, and other names stay as given', () => {
  const ascii = 'Ada@xn--bcher-kva.example';
  for (const form of [
    'Ada@bücher.example',
    'Ada@bu\u0308cher.example',
    'Ada@BÜCHER.example',
    'Ada@XN--BCHER-KVA.example',
    ascii,
  ]) {
    assert.equal(normalAccountName(form), ascii, form);
  }
  const same = [
    'ada',
    'bücher',
    'Ada@X',
    'ada@127.1',
    'ada@xn--a',
    'ada@b/ü',
    'ada@%41ü',
    'a@',
    '"a@ü"@x',
    'a@[ü]',
    '',
  ];
  for (const name of same) assert.equal(normalAccountName(name), name);
  assert.equal(normalAccountName('jose\u0301@x'), 'josé@x');
});
