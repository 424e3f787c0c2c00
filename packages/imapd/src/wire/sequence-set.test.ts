import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Decoder } from './decoder.ts';
import { expectMessageSet, expectSequenceSet, SequenceSet } from './sequence-set.ts';
import { accepted, refused } from './support.test.ts';

const set = (decoder: Decoder): SequenceSet => expectSequenceSet(decoder, 'UIDs');

function resolved(text: string, largest: number): string {
  return accepted(text, set).resolve(largest).toString();
}

test('a set is its numbers, whatever their order', () => {
  assert.equal(resolved('1', 10), '1');
  assert.equal(resolved('5:3,1,4', 10), '1,3:5');
  assert.equal(resolved('4294967295', 10), '4294967295');
  assert.equal(resolved('1:2,2:3,3', 10), '1:3');
});

test('a star is the largest number, also where the other end lies beyond it', () => {
  assert.equal(resolved('*', 10), '10');
  assert.equal(resolved('8:*', 10), '8:10');
  assert.equal(resolved('*:8', 10), '8:10');
  assert.equal(resolved('*:*', 10), '10');
  assert.equal(resolved('11:*', 10), '10:11');
});

test('a star names nothing where there is nothing', () => {
  assert.equal(resolved('*', 0), '');
  assert.equal(resolved('1:*', 0), '');
  assert.equal(resolved('3,5:*', 0), '3');
});

test('what is no set is refused', () => {
  for (const wrong of [
    '',
    '0',
    '1:',
    ':1',
    '1,',
    ',1',
    '1::2',
    '1:2:3',
    '01',
    '4294967296',
    '1;2',
    'a',
    '**',
    '1 :2',
    '$,1',
    '99999999999',
  ]) {
    refused(wrong, set);
  }
  refused('1:*', (decoder) => expectSequenceSet(decoder, 'known UIDs', false));
});

test('a dollar is what was saved', () => {
  assert.equal(
    accepted('$', (decoder) => expectMessageSet(decoder)),
    'saved',
  );
  refused('$', set);
  assert.ok(accepted('1', (decoder) => expectMessageSet(decoder)) instanceof SequenceSet);
});

test('the largest number that is named is known, a star aside', () => {
  assert.equal(accepted('3:7,5', set).largestNamed, 7);
  assert.equal(accepted('3:*', set).largestNamed, 3);
  assert.equal(accepted('*', set).largestNamed, 0);
});

test('the whole of the numbers costs no more than one', () => {
  assert.deepEqual(accepted('1:*', set).resolve(4_294_967_295).ranges, [{ first: 1, last: 4_294_967_295 }]);
});

test('a set holds what its parts hold', () => {
  const number = fc.option(fc.integer({ min: 1, max: 60 }), { nil: '*' as const });
  const part = fc.tuple(number, fc.option(number, { nil: undefined }));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 50 }), (parts, largest) => {
      const text = parts.map(([one, other]) => (other === undefined ? `${one}` : `${one}:${other}`)).join(',');
      const wanted = new Set<number>();
      for (const [one, other = one] of parts) {
        const ends = [one, other].map((end) => (end === '*' ? largest : end));
        for (let at = Math.min(...ends); at <= Math.max(...ends); at += 1) wanted.add(at);
      }
      const found = accepted(text, set).resolve(largest);
      assert.deepEqual(
        [...found],
        [...wanted].sort((a, b) => a - b),
      );
      assert.equal(accepted(accepted(text, set).toString(), set).resolve(largest).toString(), found.toString());
    }),
  );
});
