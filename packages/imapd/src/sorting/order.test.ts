import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NumberColumn, TextColumn } from './columns.ts';
import { sorted } from './order.ts';

/** As long as it takes. */
const patient = { isDue: (): boolean => true, turn: (): Promise<void> => Promise.resolve() };

test('any number of messages is sorted, and what is alike stays in its order', async () => {
  for (const count of [0, 1, 2, 999, 1_000, 1_001, 2_000, 3_500, 8_001]) {
    const values = Array.from({ length: count }, (_, at) => (at * 7_919) % 97);
    const column = new NumberColumn(count);
    for (const value of values) column.add(value);
    const expected = values.map((_, at) => at).sort((one, other) => (values[one] ?? 0) - (values[other] ?? 0));
    assert.deepEqual([...(await sorted(count, column.compare, patient))], expected);
  }
});

test('texts are in the order of their octets', () => {
  const words = fc.array(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'a', 'ab', 'b', 'ü', '日本')));
  fc.assert(
    fc.property(words, (texts) => {
      const column = new TextColumn(texts.length, 1_000);
      for (const text of texts) column.add(text);
      for (const [one, text] of texts.entries()) {
        for (const [other, otherText] of texts.entries()) {
          const expected = Buffer.compare(Buffer.from(text), Buffer.from(otherText));
          assert.equal(Math.sign(column.compare(one, other)), expected);
        }
      }
    }),
  );
});

test('of a long text the beginning counts, and whether it is the same', () => {
  const column = new TextColumn(4, 64);
  const long = 'a'.repeat(100);
  for (const text of [long, `${long}b`, long, 'b']) column.add(text);
  assert.equal(column.compare(0, 2), 0);
  assert.notEqual(column.compare(0, 1), 0);
  assert.ok(column.compare(1, 3) < 0);
});

test('texts that fill many chunks are found again', () => {
  const count = 30_000;
  const column = new TextColumn(count, 100);
  for (let at = 0; at < count; at += 1) column.add(`${String(at).padStart(8, '0')}${'x'.repeat(80)}`);
  for (let at = 1; at < count; at += 1) assert.ok(column.compare(at - 1, at) < 0);
});

test('an empty text comes first, even behind a chunk that is full', () => {
  const column = new TextColumn(4_097, 256);
  for (let at = 0; at < 4_096; at += 1) column.add('x'.repeat(256));
  column.add('');
  assert.ok(column.compare(4_096, 0) < 0);
  assert.ok(column.compare(0, 4_096) > 0);
});

test('work that is given up stops', async () => {
  const column = new NumberColumn(5_000);
  for (let at = 0; at < 5_000; at += 1) column.add(-at);
  let turns = 0;
  const leaving = {
    isDue: (): boolean => true,
    turn: (): Promise<void> => {
      turns += 1;
      return turns < 20 ? Promise.resolve() : Promise.reject(new Error('left'));
    },
  };
  await assert.rejects(sorted(5_000, column.compare, leaving), /left/);
  assert.equal(turns, 20);
});
