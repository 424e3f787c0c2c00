/**
 * Replay: the log applied to a catalog, batch by batch, in order. Recovery replays what lies behind `appliedLsn`; the result is
 * the catalog that the live path would have written, since both run `apply`. Repeating it changes nothing: each transaction
 * moves `appliedLsn` with what it applied.
 */
import type { Kv } from '../catalog/kv.ts';
import { stateTable } from '../catalog/schema.ts';
import { View, WriteSet } from '../catalog/write-set.ts';
import { errorText, invariant, StoreError } from '../errors.ts';
import type { Heap, ScannedRecord } from '../heap/heap.ts';
import type { Location, Lsn } from '../types.ts';
import { Applier } from './apply.ts';
import { decodeRecord, type LogRecord } from './records.ts';

/** Rows changed after which a replay writes a transaction. */
const rowsPerWrite = 20_000;

interface ReplayReport {
  readonly batches: number;
  readonly records: number;
}

/**
 * Applies what is durable in the log and not yet in the catalog; nothing, where the log lost octets and that may be.
 * @throws {StoreError} lostLog, corrupt
 */
export async function recover(heap: Heap, kv: Kv, despiteLoss: boolean): Promise<void> {
  const state = new View(kv).read(stateTable);
  invariant(state !== undefined, 'a catalog has a state row');
  if (state.appliedLsn > heap.durableLsn) {
    if (despiteLoss) return;
    throw new StoreError(
      'lostLog',
      `the catalog knows the log up to ${state.appliedLsn}, the heap ends at ${heap.durableLsn}: heap octets were lost`,
      { applied: state.appliedLsn, durable: heap.durableLsn },
    );
  }
  await replay(heap, kv, state.appliedLsn);
}

/** Applies every believed batch from `from` on; durable in `kv` on return. @throws {StoreError} corrupt */
async function replay(heap: Heap, kv: Kv, from: Lsn): Promise<ReplayReport> {
  const report = { batches: 0, records: 0 };
  let set = new WriteSet();
  let applier = applierFor(heap, kv, set);
  let batch: { record: LogRecord; location: Location }[] = [];
  for await (const scanned of heap.scan({ from })) {
    if (scanned.commit === undefined) {
      batch.push({ record: decode(scanned), location: scanned.location });
      continue;
    }
    for (const { record, location } of batch) applier.apply(record, location);
    applier.close(scanned.location, scanned.commit.number, scanned.commit.epoch);
    report.batches++;
    report.records += batch.length;
    batch = [];
    if (set.size < rowsPerWrite) continue;
    await kv.write(WriteSet.encode([set]));
    set = new WriteSet();
    applier = applierFor(heap, kv, set);
  }
  if (report.batches > 0) await kv.write(WriteSet.encode([set]));
  return report;
}

function applierFor(heap: Heap, kv: Kv, set: WriteSet): Applier {
  return new Applier(new View(kv, [], set), (lsn) => heap.segmentOf(lsn));
}

/** @throws {StoreError} corrupt: well framed, and not what its type says */
function decode(scanned: ScannedRecord): LogRecord {
  try {
    return decodeRecord(scanned);
  } catch (error) {
    const { lsn } = scanned.location;
    const text = `the record at ${lsn} (segment ${scanned.segment}) cannot be read: ${errorText(error)}`;
    throw new StoreError('corrupt', text, { lsn, segment: scanned.segment }, error);
  }
}
