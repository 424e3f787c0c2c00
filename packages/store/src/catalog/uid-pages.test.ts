import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError } from '../codec/bytes.ts';
import { pageUids, UidPage } from './uid-pages.ts';

const pageNumber = 3;
const first = pageNumber * pageUids;

const uid = fc.oneof(fc.nat(20), fc.nat(pageUids - 1), fc.constant(pageUids - 1)).map((n) => first + n);
const steps = fc.array(fc.tuple(uid, fc.constantFrom('seen', 'unseen', 'removed')), { maxLength: 80 });

/** Makes the steps on a page and on a Map from UID to unseen. */
function make(given: readonly (readonly [number, string])[]): { page: UidPage; model: Map<number, boolean> } {
  const page = new UidPage();
  const model = new Map<number, boolean>();
  for (const [one, what] of given) {
    if (what === 'removed') {
      page.remove(one);
      model.delete(one);
    } else {
      page.set(one, what === 'unseen');
      model.set(one, what === 'unseen');
    }
  }
  return { page, model };
}

test('property: a page holds what a Map holds, before and after its octets', () => {
  fc.assert(
    fc.property(steps, (given) => {
      const { page, model } = make(given);
      for (const some of [page, UidPage.decode(page.encode()), page.copy()]) {
        assert.deepEqual(
          [...some.uids(pageNumber)],
          [...model.keys()].sort((a, b) => a - b),
        );
        assert.equal(some.isEmpty, model.size === 0);
        for (const [one] of given) {
          assert.equal(some.has(one), model.has(one));
          assert.equal(some.isUnseen(one), model.get(one) ?? false);
        }
      }
    }),
  );
});

test('a copy and its original do not change one another', () => {
  const { page } = make([[first, 'unseen']]);
  const copy = page.copy();
  copy.set(first, false);
  copy.set(first + 1, true);
  assert.equal(page.isUnseen(first), true);
  assert.equal(page.has(first + 1), false);
});

test('a page has the octets of its span, not of its size', () => {
  assert.equal(new UidPage().encode().length, 8);
  assert.equal(make([[first + 4000, 'seen']]).page.encode().length, 9);
  const all = new UidPage();
  for (let n = 0; n < pageUids; n++) all.set(first + n, true);
  assert.equal(all.encode().length, 8 + 2 * (pageUids / 8));
});

test('octets that are no page are refused', () => {
  const good = make([[first, 'unseen']]).page.encode();
  for (let length = 0; length < good.length; length++) {
    assert.throws(() => UidPage.decode(good.subarray(0, length)), DecodeError);
  }
  assert.throws(() => UidPage.decode(Buffer.concat([good, Buffer.of(0)])), DecodeError);
  const beyond = Buffer.alloc(10);
  beyond.writeUInt16LE(1023, 0);
  beyond.writeUInt16LE(2, 2);
  assert.throws(() => UidPage.decode(beyond), DecodeError);
});
