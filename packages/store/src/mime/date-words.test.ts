import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullYear, monthOf, namedZoneSeconds } from './date-words.ts';

test('months, short years and named zones of mail dates', () => {
  assert.deepEqual(['Jan', 'DEC', 'may', 'mayo', ''].map(monthOf), [0, 11, 4, -1, -1]);
  assert.deepEqual(
    ['49', '50', '99', '100', '123', '1996', '0097'].map(fullYear),
    [2049, 1950, 1999, 2000, 2023, 1996, 97],
  );
  assert.deepEqual(['EST', 'pdt', 'GMT', '+0100', ''].map(namedZoneSeconds), [
    -18_000,
    -25_200,
    undefined,
    undefined,
    undefined,
  ]);
});
