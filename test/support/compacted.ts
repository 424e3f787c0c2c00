/** What must stay the same through compaction and rebuild, as lines of a dump. */
import assert from 'node:assert/strict';
import type { Store } from '@mstore/store';
import { difference, dumpStore } from './dump-store.ts';
import { assertClean, type TempStore } from './temp-store.ts';

/**
 * A dump without what two true catalogs of one store may tell apart: parts that nothing names (a hint, which a rebuild may find in
 * an older copy), where COMMITs stand, and which thread a Message-ID that several threads bear leads to.
 */
export function told(dump: readonly string[]): string[] {
  return dump
    .filter((line) => !/^part .* refs=0 /.test(line))
    .map((line) => line.replace(/ appliedLsn=\d+ batch=\d+| (?:other|idle)=\d+/g, ''))
    .map((line) => (line.startsWith('thread key') ? line.replace(/ thread=\d+/, '') : line));
}

/** A dump without places: what clients see, and what compaction must not change. */
export function seen(dump: readonly string[]): string[] {
  return told(dump)
    .filter((line) => !/^(?:segment|part) /.test(line))
    .map((line) => line.replace(/ (?:sequence|bytes|memoryLsn|lsn)=[\d+]+| record=\{[^}]*\}/g, ''));
}

/** Compacts every segment that has any garbage, and unlinks what was retired. */
export async function compactAll(store: Store): Promise<readonly number[]> {
  const report = await store.compact({ minGarbage: 0, maxRate: 0 });
  assert.deepEqual(report.kept, []);
  await store.dropRetired(true);
  return report.segments;
}

/** The catalog made again from the heap, in either way, says what the live one said. */
export async function assertRebuildsAlike(temp: TempStore): Promise<void> {
  await temp.reopen();
  const before = told(dumpStore(temp.store));
  for (const contentFirst of [false, true]) {
    const { damage } = await temp.rebuild({ contentFirst });
    assert.deepEqual(damage, []);
    assert.deepEqual(difference(told(dumpStore(temp.store)), before), []);
  }
  await assertClean(temp.store);
}
