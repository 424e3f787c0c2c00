import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, pageUids, type UidPage, UidSet } from '@mstore/store';
import fc from 'fast-check';
import { pageOf } from '../view.ts';
import { type Leaf, reduced, type Tree } from './key-tree.ts';
import { bitsSet, bitsWithin, PageBounds } from './page-bits.ts';

const pageNumber = 3;
const start = pageNumber * pageUids;
const uid = fc.integer({ min: start - 50, max: start + pageUids + 50 });
const uids = fc
  .array(fc.tuple(uid, fc.nat(300)), { maxLength: 5 })
  .map((ranges) => UidSet.ofRanges(ranges.map(([first, more]) => ({ first, last: first + more }))));

/** Leaves of every cost; what stands for an index entry is a set that bitmaps do not know. */
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.boolean(),
    uids.map((set): Leaf => ({ kind: 'uids', uids: set })),
    fc.constant<Leaf>({ kind: 'unseen' }),
    uids.map((set): Leaf => ({ kind: 'entry', holds: (entry) => set.has(entry.uid) })),
    tie('tree').map((one): Tree => ({ kind: 'not', tree: one })),
    fc.array(tie('tree'), { maxLength: 3 }).map((trees): Tree => ({ kind: 'and', trees })),
    fc.array(tie('tree'), { maxLength: 3 }).map((trees): Tree => ({ kind: 'or', trees })),
  ),
}));

/** What the tree says of one message, looked at by itself. */
function truth(of: Tree, number: number, isUnseen: boolean): boolean {
  if (typeof of === 'boolean') return of;
  switch (of.kind) {
    case 'not':
      return !truth(of.tree, number, isUnseen);
    case 'and':
      return of.trees.every((one) => truth(one, number, isUnseen));
    case 'or':
      return of.trees.some((one) => truth(one, number, isUnseen));
    default:
      return leafHolds(of, number, isUnseen);
  }
}

function leafHolds(leaf: Leaf, number: number, isUnseen: boolean): boolean {
  if (leaf.kind === 'unseen') return isUnseen;
  if (leaf.kind === 'uids') return leaf.uids.has(number);
  return leaf.kind === 'entry' && leaf.holds({ uid: number } as Entry, { keywords: new Map(), modSeqFloor: 0 });
}

function noBits(): Buffer {
  return Buffer.alloc(pageUids / 8);
}

function setBitOf(bitmap: Buffer, bit: number): void {
  bitmap.writeUInt8(bitmap.readUInt8(bit >>> 3) | (1 << (bit & 7)), bit >>> 3);
}

test('bounds hold what is true between them, and the rest of a tree decides what they leave open', () => {
  fc.assert(
    fc.property(tree, uids, uids, uids, (keys, there, gone, unseen) => {
      const [seen, stored] = [noBits(), { present: noBits(), unseen: noBits() }];
      for (let number = start; number < start + pageUids; number += 1) {
        if (!there.has(number)) continue;
        setBitOf(seen, number - start);
        if (!gone.has(number)) setBitOf(stored.present, number - start);
        if (!gone.has(number) && unseen.has(number)) setBitOf(stored.unseen, number - start);
      }
      const { sure, possible } = new PageBounds(pageOf(pageNumber, seen), stored as UidPage).of(keys);
      const [certain, maybe] = [new Set(bitsSet(sure)), new Set(bitsSet(possible))];
      for (let number = start; number < start + pageUids; number += 1) {
        const bit = number - start;
        const isTrue = there.has(number) && truth(keys, number, unseen.has(number));
        assert.ok(!certain.has(bit) || isTrue, `${number} is sure`);
        assert.ok(maybe.has(bit) || !isTrue, `${number} is possible`);
        if (!maybe.has(bit) || certain.has(bit)) continue;
        assert.equal(
          reduced(keys, (leaf) => leafHolds(leaf, number, unseen.has(number))),
          isTrue,
        );
      }
    }),
    { numRuns: 40 },
  );
});

test('a tree without dear keys is decided by bitmaps alone', () => {
  const page = pageOf(0, Buffer.alloc(pageUids / 8, 0xff));
  const stored = { present: Buffer.alloc(pageUids / 8, 0xff), unseen: Buffer.alloc(pageUids / 8, 0x0f) } as UidPage;
  const keys: Tree = {
    kind: 'and',
    trees: [
      { kind: 'not', tree: { kind: 'unseen' } },
      { kind: 'uids', uids: UidSet.range(0, 9) },
    ],
  };
  const { sure, possible } = new PageBounds(page, stored).of(keys);
  assert.deepEqual([...bitsSet(sure)], [4, 5, 6, 7]);
  assert.deepEqual(possible, sure);
});

test('ranges become bits up to the edges of words and pages', () => {
  const bits = (...ranges: [number, number][]): number[] => [
    ...bitsSet(bitsWithin(UidSet.ofRanges(ranges.map(([first, last]) => ({ first, last }))), 1)),
  ];
  assert.deepEqual(bits([1, pageUids - 1]), []);
  assert.deepEqual(bits([pageUids, pageUids]), [0]);
  assert.deepEqual(bits([pageUids + 31, pageUids + 32]), [31, 32]);
  assert.deepEqual(bits([2 * pageUids - 1, 3 * pageUids]), [pageUids - 1]);
  assert.equal(bits([1, 0xffff_ffff]).length, pageUids);
});

test('what is known goes out of a tree, and nothing else', () => {
  const [a, b]: [Leaf, Leaf] = [{ kind: 'unseen' }, { kind: 'body', text: 'X' }];
  const keys: Tree = {
    kind: 'or',
    trees: [
      { kind: 'and', trees: [a, b] },
      { kind: 'not', tree: a },
    ],
  };
  assert.equal(
    reduced(keys, (leaf) => (leaf === a ? false : undefined)),
    true,
  );
  assert.equal(
    reduced(keys, (leaf) => (leaf === a ? true : undefined)),
    b,
  );
  assert.equal(
    reduced({ kind: 'and', trees: [] }, () => undefined),
    true,
  );
  assert.equal(
    reduced({ kind: 'or', trees: [] }, () => undefined),
    false,
  );
});
