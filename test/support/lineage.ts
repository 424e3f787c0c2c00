/**
 * What a catalog must be after each batch of a log: the log of a store replayed from its start, batch by batch. A store that
 * was opened after a crash must equal one of these states, whatever the crash left.
 */
import { createHash } from 'node:crypto';
import type { StorePorts } from '@mstore/store';
import { brandNumber, type Lsn } from '@mstore/store';
import { View, WriteSet } from '@mstore/store/internal/catalog/write-set';
import { Heap } from '@mstore/store/internal/heap/heap';
import { Applier } from '@mstore/store/internal/log/apply';
import { decodeRecord as decode } from '@mstore/store/internal/log/records';
import { initializeCatalog } from '@mstore/store/internal/writer/store-directory';
import { dumpView } from './dump-store.ts';
import { MemoryKv } from './memory-kv.ts';

/** The dump after a batch, kept as a digest; `dump` makes its lines again. */
export interface Lineage {
  readonly digests: ReadonlyMap<number, string>;
  readonly lastBatch: number;
  dump(batch: number): string[];
}

export function digestOf(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

/** Replays the log of the store in `directory`, which nobody writes. */
export async function lineageOf(ports: StorePorts, directory: string): Promise<Lineage> {
  const heap = await Heap.openForReading(ports, directory);
  const kv = new MemoryKv();
  const states = new Map<number, MemoryKv>();
  const digests = new Map<number, string>();
  let lastBatch = 0;
  try {
    await initializeCatalog(kv, heap);
    let batch: Parameters<Applier['apply']>[] = [];
    for await (const scanned of heap.scan({ from: brandNumber<Lsn>(0) })) {
      if (scanned.commit === undefined) {
        batch.push([decode(scanned), scanned.location]);
        continue;
      }
      const set = new WriteSet();
      const applier = new Applier(new View(kv, [], set), (lsn) => heap.segmentOf(lsn));
      for (const [record, location] of batch) applier.apply(record, location);
      applier.close(scanned.location, scanned.commit.number, scanned.commit.epoch);
      batch = [];
      await kv.write(WriteSet.encode([set]));
      lastBatch = scanned.commit.number;
      states.set(lastBatch, kv.clone());
      digests.set(lastBatch, digestOf(dumpView(new View(kv))));
    }
  } finally {
    await heap.close();
  }
  return {
    digests,
    lastBatch,
    dump: (number) => {
      const state = states.get(number);
      return state === undefined ? [`no batch ${number} in the log`] : dumpView(new View(state));
    },
  };
}
