/** Small words for the heap's own tests. */
import { createHash } from 'node:crypto';
import { brandNumber, type Lsn } from '../types.ts';
import { Heap, type HeapPorts, type HighWater, type Location, type NewRecord, type ScannedRecord } from './heap.ts';
import { MemoryFs } from './memory-fs.test.ts';
import { segmentName } from './names.ts';

export const storeId: Buffer = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
export const directory = '/store';
export const highWater: HighWater = { sequence: 1, account: 2, mailbox: 3, message: 4, thread: 5, uidValidity: 6 };
export const options = { segmentBytes: 4096 };
export const start: Lsn = brandNumber<Lsn>(0);

export function pathOf(number: number): string {
  return `${directory}/heap/${segmentName(number)}`;
}

/** Ports with a clock that stands and randomness that repeats. */
export function portsFor(fs: MemoryFs, seed = 'seed'): HeapPorts {
  let drawn = 0;
  const random = (bytes: number): Buffer =>
    createHash('sha256').update(`${seed}${drawn++}`).digest().subarray(0, bytes);
  return { fs, clock: { now: () => 1_700_000_000_000, monotonic: () => 0 }, random };
}

export function record(text: string, type = 3): NewRecord {
  const payload = Buffer.from(text, 'latin1');
  return {
    type,
    fields: Buffer.from(`fields of ${text.slice(0, 20)}`),
    payload,
    codec: 0,
    decodedBytes: payload.length,
  };
}

/** Appends one batch of these texts. */
export async function append(heap: Heap, ...texts: string[]): Promise<Location[]> {
  const batch = heap.begin(highWater);
  const locations = texts.map((text) => batch.add(record(text)));
  await heap.commit(batch);
  return locations;
}

export async function stopCleanly(heap: Heap): Promise<void> {
  await heap.commit(heap.begin(highWater), { cleanStop: true });
  await heap.close();
}

export async function newHeap(fs: MemoryFs = new MemoryFs()): Promise<{ fs: MemoryFs; heap: Heap }> {
  return { fs, heap: await Heap.create(portsFor(fs), directory, storeId, options) };
}

export function openToWrite(fs: MemoryFs, seed = 'again'): Promise<Heap> {
  return Heap.openForWriting(portsFor(fs, seed), directory, options);
}

export async function scanned(heap: Heap): Promise<ScannedRecord[]> {
  const records: ScannedRecord[] = [];
  for await (const one of heap.scan({ from: start })) records.push(one);
  return records;
}

/** Payloads of all records but COMMITs, in order. */
export async function texts(heap: Heap): Promise<string[]> {
  const records = await scanned(heap);
  return records.filter(({ commit }) => commit === undefined).map(({ payload }) => payload.toString('latin1'));
}
