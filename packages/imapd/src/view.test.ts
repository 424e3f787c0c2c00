import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageUids, UidSet } from '@mstore/store';
import fc from 'fast-check';
import { type Page, pageOf, View } from './view.ts';

function viewOf(uids: Iterable<number>): View {
  const pages = new Map<number, Buffer>();
  for (const uid of uids) {
    const number = Math.floor(uid / pageUids);
    const bits = pages.get(number) ?? Buffer.alloc(pageUids / 8);
    bits.writeUInt8(bits.readUInt8((uid % pageUids) >>> 3) | (1 << (uid & 7)), (uid % pageUids) >>> 3);
    pages.set(number, bits);
  }
  return new View([...pages].sort(([a], [b]) => a - b).map(([number, bits]): Page => pageOf(number, bits)));
}

/** UIDs in few pages, at their borders too. */
const someUids = fc
  .array(
    fc.oneof(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: pageUids - 40, max: pageUids + 40 }),
      fc.integer({ min: 5 * pageUids - 2, max: 5 * pageUids + 2 }),
      fc.integer({ min: 4_294_967_200, max: 4_294_967_295 }),
    ),
    { maxLength: 120 },
  )
  .map((uids) => [...new Set(uids)].sort((a, b) => a - b));

test('numbers and UIDs are each the way back of the other', () => {
  fc.assert(
    fc.property(someUids, fc.integer({ min: 1, max: 4_294_967_295 }), (uids, other) => {
      const view = viewOf(uids);
      assert.equal(view.count, uids.length);
      assert.equal(view.largestUid, uids.at(-1) ?? 0);
      for (const [index, uid] of uids.entries()) {
        assert.equal(view.numberOf(uid), index + 1);
        assert.equal(view.uidAt(index + 1), uid);
        assert.ok(view.has(uid));
      }
      assert.equal(view.uidAt(0), 0);
      assert.equal(view.uidAt(uids.length + 1), 0);
      assert.equal(view.has(other), uids.includes(other));
      assert.equal(view.numberOf(other), uids.indexOf(other) + 1);
      for (const uid of [0, other, ...uids, ...uids.map((one) => one - 1)]) {
        assert.equal(view.countUpTo(uid), uids.filter((one) => one <= uid).length);
      }
    }),
  );
});

const range = fc.tuple(fc.integer({ min: 1, max: 6 * pageUids }), fc.integer({ min: 0, max: 2 * pageUids }));

test('messages are found by ranges of UIDs and of numbers', () => {
  fc.assert(
    fc.property(someUids, fc.array(range, { maxLength: 4 }), fc.boolean(), (uids, pairs, isLast) => {
      const ranges = pairs.map(([first, length]) => ({ first, last: first + length }));
      if (isLast) ranges.push({ first: 4_294_967_250, last: 4_294_967_295 });
      const set = UidSet.ofRanges(ranges);
      const view = viewOf(uids);
      const wanted = uids.flatMap((uid, index) => (set.has(uid) ? [[index + 1, uid]] : []));
      assert.deepEqual([...view.messages(set)], wanted);
      const numbers = UidSet.ofRanges(
        pairs.map(([first, length]) => ({ first: first % 50, last: (first % 50) + (length % 9) })),
      );
      const chosen = [...view.messages(view.uidsOf(numbers))].map(([number]) => number);
      assert.deepEqual(
        chosen,
        uids.map((_, index) => index + 1).filter((number) => numbers.has(number)),
      );
    }),
  );
});

test('what one view has and another has not is found', () => {
  fc.assert(
    fc.property(someUids, someUids, (some, others) => {
      const wanted = some.filter((uid) => !others.includes(uid));
      const [view, other] = [viewOf(some), viewOf(others)];
      const gone = view.pages.flatMap((_, index) => view.goneOf(index, other));
      assert.equal(UidSet.ofRanges(gone).toString(), UidSet.of(wanted).toString());
      assert.equal(view.isWithin(other), wanted.length === 0);
    }),
  );
});

test('what a view has not is found, up to the last UID there is', () => {
  fc.assert(
    fc.property(someUids, range, fc.boolean(), (uids, [first, length], isLast) => {
      const asked = isLast ? { first, last: 4_294_967_295 } : { first, last: first + length };
      const view = viewOf(uids);
      const gaps = [...view.gaps(asked)];
      for (const [index, gap] of gaps.entries()) assert.ok(gap.first > (gaps[index - 1]?.last ?? 0), 'they rise');
      const there = uids.filter((uid) => uid >= asked.first && uid <= asked.last);
      const all = UidSet.ofRanges([...gaps, ...there.map((uid) => ({ first: uid, last: uid }))]);
      assert.equal(all.toString(), UidSet.ofRanges([asked]).toString());
      assert.equal(UidSet.ofRanges(gaps).size, asked.last - asked.first + 1 - there.length);
    }),
  );
});

test('a view of nothing has nothing', () => {
  assert.equal(View.empty.count, 0);
  assert.equal(View.empty.largestUid, 0);
  assert.equal(View.empty.countUpTo(7), 0);
  assert.ok(View.empty.isWithin(viewOf([1])));
  assert.deepEqual([...View.empty.gaps({ first: 3, last: 9 })], [{ first: 3, last: 9 }]);
  assert.equal(new View([pageOf(3, Buffer.alloc(pageUids / 8))]).pages.length, 0);
});
