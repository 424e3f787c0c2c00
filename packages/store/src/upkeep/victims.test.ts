import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Catalog } from '../catalog/catalog.ts';
import type { Kv } from '../catalog/kv.ts';
import { emptySegment, type SegmentRow } from '../catalog/rows.ts';
import { segmentTable } from '../catalog/schema.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import type { SegmentState } from '../heap/location.ts';
import { brandNumber } from '../types.ts';
import { victimsOf } from './victims.ts';

const nothing: Kv = {
  get: () => undefined,
  peek: () => undefined,
  range: () => [],
  write: async () => undefined,
  refresh: () => undefined,
  snapshot: () => ({ ...nothing, release: () => undefined }),
  close: async () => undefined,
};

const bytes = 1_000_000;
const highWater = { sequence: 0, account: 0, mailbox: 0, message: 0, thread: 0, uidValidity: 0 };

/** Segments of a million octets, with these rows, and a newest one behind them. */
function victims(rows: readonly Partial<SegmentRow>[], minGarbage: number): number[] {
  const view = new View(nothing, [], new WriteSet());
  for (const [at, row] of rows.entries()) view.put(segmentTable, { ...emptySegment(), ...row }, at + 1);
  const segments = Array.from({ length: rows.length + 1 }, (_, at): SegmentState => {
    const base = (at + 1) * 2_000_000;
    const ends = {
      baseLsn: brandNumber<SegmentState['baseLsn']>(base),
      endLsn: brandNumber<SegmentState['endLsn']>(base + bytes),
    };
    const sizes = {
      fileBytes: bytes,
      headerBytes: 152,
      predecessor: at,
      predecessorEnd: ends.baseLsn,
      liveSegments: [],
      highWater,
    };
    return { number: at + 1, epoch: 1, format: 2, ...ends, ...sizes };
  });
  return victimsOf(new Catalog(view), segments, { minGarbage, segmentBytes: bytes }).map(({ segment }) => segment);
}

test('segments with enough garbage are victims, the one with the most first, and the newest never', () => {
  assert.deepEqual(victims([{ live: 900_000 }, { live: 100_000 }, { live: 600_000 }], 0.3), [2, 3]);
  assert.deepEqual(victims([{ live: 900_000 }, { live: 100_000 }, { live: 600_000 }], 0.05), [2, 3, 1]);
});

test('what would only be restated again is no garbage, and a retired segment is no victim', () => {
  assert.deepEqual(
    victims(
      [
        { live: 500_000, restated: 300_000 },
        { live: 0, retiredAt: 5 },
      ],
      0.3,
    ),
    [],
  );
});

test('small segments are joined when there are several', () => {
  const small = { live: 0, restated: 100_000 };
  assert.deepEqual(victims([small, small, { live: 990_000 }], 1), []);
  assert.deepEqual(victims([small, small, { live: 990_000 }, small, small], 1), [1, 2, 4, 5]);
});
