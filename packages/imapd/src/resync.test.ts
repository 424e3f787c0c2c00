import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageUids, UidSet } from '@mstore/store';
import fc from 'fast-check';
import { limits } from './limits.ts';
import { matchedUid } from './resync.ts';
import { pageOf, View } from './view.ts';

function viewOf(uids: readonly number[]): View {
  const pages = new Map<number, Buffer>();
  for (const uid of uids) {
    const number = Math.floor(uid / pageUids);
    const bits = pages.get(number) ?? Buffer.alloc(pageUids / 8);
    const octet = (uid % pageUids) >>> 3;
    bits.writeUInt8(bits.readUInt8(octet) | (1 << (uid & 7)), octet);
    pages.set(number, bits);
  }
  return new View([...pages].sort(([a], [b]) => a - b).map(([number, bits]) => pageOf(number, bits)));
}

function matched(view: View, pairs: readonly (readonly [number: number, uid: number])[]): number {
  return matchedUid(view, UidSet.of(pairs.map(([number]) => number)), UidSet.of(pairs.map(([, uid]) => uid)));
}

test('the example of RFC 7162 §3.2.5.2: the fourth message has UID 8, the twelfth has 25', () => {
  const view = viewOf([2, 3, 6, 8, 9, 10, 14, 15, 16, 20, 21, 25]);
  const pairs = [
    [4, 8],
    [12, 24],
  ] as const;
  assert.equal(matched(view, pairs), 8);
  assert.equal(matched(view, [...pairs, [13, 30]]), 8, 'there is no thirteenth');
  assert.equal(matched(view, []), 0);
  assert.equal(matched(View.empty, pairs), 0);
});

test('the last right pair is found, wherever it stands in a run', () => {
  const some = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 50 });
  fc.assert(
    fc.property(some, some, some, (before, gone, asked) => {
      const then = [...before].sort((a, b) => a - b);
      const view = viewOf(then.filter((uid) => !gone.includes(uid)));
      const numbers = asked.filter((number) => number <= then.length).sort((a, b) => a - b);
      const pairs = numbers.map((number) => [number, then[number - 1] ?? 0] as const);
      const right = pairs.filter(([number, uid]) => view.uidAt(number) === uid);
      assert.equal(matched(view, pairs), right.at(-1)?.[1] ?? 0);
    }),
  );
});

test('a client may name every message of a large mailbox, or nonsense', () => {
  const uids = Array.from({ length: 200_000 }, (_, at) => at + 1);
  const view = viewOf(uids.filter((uid) => uid !== 150_000));
  assert.equal(matchedUid(view, UidSet.range(1, 200_000), UidSet.range(1, 200_000)), 149_999);
  assert.equal(matchedUid(view, UidSet.range(1, 4_000_000_000), UidSet.range(7, 4_000_000_006)), 0);
  const sparse = Array.from({ length: 2 * limits.matchRuns }, (_, at): readonly [number, number] => [
    2 * at + 1,
    2 * at + 1,
  ]);
  assert.equal(matched(view, sparse), sparse.at(-1)?.[1]);
  const wrong = sparse.map(([number, uid]): readonly [number, number] => [number, uid + 3]);
  assert.equal(matched(view, [[1, 1], ...wrong.slice(1)]), 0, 'only so many are compared');
});
