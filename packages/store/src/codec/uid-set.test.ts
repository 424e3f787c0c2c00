import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, Reader, Writer } from './bytes.ts';
import { UidSet } from './uid-set.ts';

const highest = 0xffff_ffff;
const uid = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: highest }), fc.constant(highest));
const uids = fc.array(uid, { maxLength: 60 });

function encode(set: UidSet): Buffer {
  const writer = new Writer();
  set.encode(writer);
  return writer.finish();
}

function decode(octets: readonly number[]): UidSet {
  return UidSet.decode(new Reader(Buffer.from(octets)));
}

test('property: a set holds what it was made of, once each, rising', () => {
  fc.assert(
    fc.property(uids, fc.array(uid), (given, others) => {
      const set = UidSet.of(given);
      const expected = [...new Set(given)].sort((a, b) => a - b);
      assert.deepEqual([...set], expected);
      assert.equal(set.size, expected.length);
      for (const one of [...given, ...others]) assert.equal(set.has(one), expected.includes(one));
    }),
  );
});

test('property: slices hold all of a set, in order, and so many each', () => {
  fc.assert(
    fc.property(uids, fc.integer({ min: 1, max: 20 }), (given, most) => {
      const set = UidSet.of(given);
      const slices = [...set.slices(most)];
      assert.deepEqual(
        slices.flatMap((slice) => [...slice]),
        [...set],
      );
      for (const [at, { size }] of slices.entries())
        assert.ok(size === most || (at === slices.length - 1 && size < most));
    }),
  );
});

test('property: ranges are sorted and neither overlap nor touch', () => {
  const ranges = fc.array(
    fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: -2, max: 9 })).map(([first, more]) => ({
      first,
      last: first + more,
    })),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(ranges, (given) => {
      const set = UidSet.ofRanges(given);
      const all = given.flatMap(({ first, last }) =>
        Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n),
      );
      assert.deepEqual(set, UidSet.of(all));
      for (const [index, { first, last }] of set.ranges.entries()) {
        assert.ok(first <= last);
        const before = set.ranges[index - 1];
        if (before !== undefined) assert.ok(first > before.last + 1);
      }
    }),
  );
});

test('property: a set comes back as it was written', () => {
  fc.assert(
    fc.property(uids, (given) =>
      assert.deepEqual(UidSet.decode(new Reader(encode(UidSet.of(given)))), UidSet.of(given)),
    ),
  );
});

test('octets that are no set are refused', () => {
  assert.deepEqual(decode([0]), UidSet.empty);
  assert.deepEqual(decode([1, 5, 2]), UidSet.range(5, 7));
  assert.throws(() => decode([1, 0, 0]), DecodeError, 'UID 0');
  assert.throws(() => decode([2, 5, 2, 0, 0]), DecodeError, 'a range on the one before');
  assert.throws(() => decode([1, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]), DecodeError, 'beyond 32 bits');
  assert.throws(() => decode([9, 1, 0]), DecodeError, 'more ranges than octets');
  assert.throws(() => decode([1, 5]), DecodeError, 'cut');
});

test('a set is written as IMAP writes it', () => {
  assert.equal(UidSet.of([7, 1, 3, 2]).toString(), '1:3,7');
  assert.equal(UidSet.empty.toString(), '');
  assert.equal(UidSet.range(4, 3), UidSet.empty);
  assert.equal(UidSet.range(highest, highest).toString(), '4294967295');
});
