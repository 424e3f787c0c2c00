import assert from 'node:assert/strict';
import { test } from 'node:test';
import { casemapped } from './casemap.ts';

const alike: readonly (readonly [string, string])[] = [
  ['hello', 'HELLO'],
  ['Grün', 'GRÜN'],
  ['Gru\u0308n', 'grün'],
  ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
  ['Дом', 'дОМ'],
  ['ǆ', 'ǅ'],
  ['Ǆ', 'ǆ'],
];

for (const [one, other] of alike) {
  test(`${one} and ${other} are alike`, () => assert.equal(casemapped(one), casemapped(other)));
}

test('characters that would become two stay what they are', () => {
  assert.notEqual(casemapped('ß'), casemapped('ss'));
  assert.equal(casemapped('აბ'), 'აბ');
});
