import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kv } from '../catalog/kv.ts';
import { emptySegment, emptyTotals, type SegmentRow } from '../catalog/rows.ts';
import { catalogFormat, partTable, segmentTable, stateTable } from '../catalog/schema.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { References, type SegmentOf } from './references.ts';

const emptyKv: Kv = {
  get: () => undefined,
  peek: () => undefined,
  range: () => [],
  write: () => Promise.reject(new Error('only read here')),
  refresh: () => undefined,
  snapshot: () => {
    throw new Error('nobody keeps a state of this store');
  },
  close: () => Promise.resolve(),
};

const sha = Buffer.alloc(32, 7);
const piece = { lsn: brandNumber<Lsn>(4_096), bytes: 500, contentBytes: 480, storedBytes: 480 };

/** A part that nothing names goes, and then its segment, 3, is retired. */
function segmentBehind(segmentOf: SegmentOf): SegmentRow | undefined {
  const view = new View(emptyKv, [], new WriteSet());
  view.put(stateTable, {
    format: catalogFormat,
    storeId: Buffer.alloc(16),
    epoch: 1,
    appliedLsn: brandNumber<Lsn>(8_192),
    batch: 9,
    sequence: 9,
    account: 1,
    mailbox: 1,
    message: 1,
    thread: 1,
    uidValidity: 1,
    totals: emptyTotals(),
  });
  view.put(segmentTable, { ...emptySegment(), live: 40, dead: 500, idle: 500 }, 3);
  view.put(partTable, { refs: 0, size: 480, pieces: [piece] }, sha);
  const refs = new References(view, segmentOf);
  refs.recount({ lsn: brandNumber<Lsn>(5_000), bytes: 40 }, 'dead');
  refs.dropPart(sha, 8_192);
  refs.retire(3, 1_700_000_000);
  return view.read(segmentTable, 3);
}

test('what a retired segment counts is the same where a replay finds it listed and where it does not', () => {
  const expected = { ...emptySegment(), dead: 540, retiredAt: 1_700_000_000 };
  assert.deepEqual(
    segmentBehind(() => 3),
    expected,
  );
  assert.deepEqual(
    segmentBehind(() => undefined),
    expected,
  );
});
