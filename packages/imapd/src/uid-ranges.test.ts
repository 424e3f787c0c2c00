import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UidSet } from '@mstore/store';
import fc from 'fast-check';
import { from, intersection, upTo } from './uid-ranges.ts';

const someUids = fc.uniqueArray(fc.integer({ min: 1, max: 40 }));

test('parts of sets are those of their members', () => {
  fc.assert(
    fc.property(someUids, someUids, fc.integer({ min: 0, max: 41 }), (some, others, uid) => {
      const text = (wanted: (uid: number) => boolean): string => UidSet.of(some.filter(wanted)).toString();
      const set = UidSet.of(some);
      assert.equal(
        `${upTo(set, uid)}`,
        text((one) => one <= uid),
      );
      assert.equal(
        `${from(set, uid)}`,
        text((one) => one >= uid),
      );
      assert.equal(
        `${intersection(set, UidSet.of(others))}`,
        text((one) => others.includes(one)),
      );
    }),
  );
});
