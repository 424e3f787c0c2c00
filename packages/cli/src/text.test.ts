import assert from 'node:assert/strict';
import { test } from 'node:test';
import { table } from './text.ts';

test('a table has columns as wide as they need to be, numbers to the right', () => {
  assert.equal(table([]), '');
  assert.equal(
    table([
      ['name', 'messages'],
      ['ann', '7'],
      ['barbara', '1,204'],
    ]),
    'name     messages\nann             7\nbarbara     1,204\n',
  );
});

test('a table has room for every account of a large site', () => {
  const rows = Array.from({ length: 200_000 }, (_, at) => [`user${at}@example.org`, String(at)]);
  assert.equal(table(rows).split('\n').length, 200_001);
});
