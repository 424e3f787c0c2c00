import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from 'zstd-napi';
import { Heap } from './heap.ts';
import { append, directory, highWater, newHeap, pathOf, portsFor, storeId } from './heap-support.test.ts';
import type { Location } from './location.ts';
import { MemoryFs } from './memory-fs.test.ts';

/** Four records side by side, one of them compressed, in a heap whose reader has them open. */
async function filled(): Promise<{
  fs: MemoryFs;
  reader: Heap;
  places: readonly Location[];
  texts: readonly string[];
}> {
  const { fs, heap } = await newHeap();
  const texts = ['one', 'two'.repeat(100), 'three'.repeat(100), ''];
  const batch = heap.begin(highWater);
  const places = texts.map((text, at) => {
    const plain = Buffer.from(text);
    const payload = at === 2 ? compress(plain) : plain;
    return batch.add({
      type: 3,
      fields: Buffer.alloc(at),
      payload,
      codec: at === 2 ? 1 : 0,
      decodedBytes: plain.length,
    });
  });
  await heap.commit(batch);
  const reader = await Heap.openForReading(portsFor(fs), directory);
  for (const { lsn, bytes } of places) await reader.read(lsn, bytes);
  fs.quickReads = 0;
  return { fs, reader, places, texts };
}

test('records side by side are had with one read, in the order asked for, as read gives them', async () => {
  const { fs, reader, places, texts } = await filled();
  const order = [2, 0, 3, 1];
  const records = reader.peek(order.map((at) => places[at]!));
  assert.equal(fs.quickReads, 1);
  assert.deepEqual(
    records?.map(({ payload }) => payload.toString()),
    order.map((at) => texts[at]),
  );
  for (const [at, record] of (records ?? []).entries()) {
    const { lsn, bytes } = places[order[at]!]!;
    assert.deepEqual({ ...record, location: { lsn, bytes } }, await reader.read(lsn, bytes));
  }
});

test('records far apart, or in two segments, are had one by one', async () => {
  const { fs, heap } = await newHeap();
  const places: Location[] = [];
  for (const text of ['a', 'b'.repeat(5_000), 'c']) places.push(...(await append(heap, text)));
  const reader = await Heap.openForReading(portsFor(fs), directory);
  for (const { lsn, bytes } of places) await reader.read(lsn, bytes);
  fs.quickReads = 0;
  const records = reader.peek([places[0]!, places[2]!]);
  assert.deepEqual(
    records?.map(({ payload }) => payload.toString()),
    ['a', 'c'],
  );
  assert.equal(fs.quickReads, 2);
});

test('damage, a wrong place, a slow disk, too much at once and a closed heap give nothing', async () => {
  const { fs, reader, places } = await filled();
  const [first, second] = [places[0]!, places[1]!];
  assert.equal(reader.peek([first, { ...second, bytes: second.bytes + 8 }]), undefined);
  assert.equal(reader.peek([{ ...second, lsn: first.lsn }]), undefined);
  fs.isQuick = false;
  assert.equal(reader.peek([first]), undefined);
  fs.isQuick = true;
  assert.equal(reader.peek(Array.from({ length: 2_000 }, () => places[2]!)), undefined);
  const { octets } = fs.file(pathOf(1));
  for (let at = octets.length - 1; at >= 0; at--) {
    octets.writeUInt8(octets.readUInt8(at) ^ 1, at);
    const records = reader.peek([first, second]);
    if (records !== undefined) {
      assert.equal(records[0]?.payload.toString(), 'one', `octet ${at}`);
      assert.equal(records[1]?.payload.toString(), 'two'.repeat(100), `octet ${at}`);
    }
    octets.writeUInt8(octets.readUInt8(at) ^ 1, at);
  }
  assert.ok(reader.peek([first, second]) !== undefined);
  await reader.close();
  assert.equal(reader.peek([first]), undefined);
});

test('calls that follow one another share their reads, and get what each would get alone', async () => {
  const fs = new MemoryFs();
  const heap = await Heap.create(portsFor(fs), directory, storeId, { segmentBytes: 1_048_576 });
  const texts = Array.from({ length: 400 }, (_, at) => `${at} `.repeat(1 + ((at * 7) % 90)));
  const places: Location[] = [];
  for (const text of texts) places.push(...(await append(heap, text)));
  const reader = await Heap.openForReading(portsFor(fs), directory);
  await reader.read(places[0]!.lsn, places[0]!.bytes);
  const had = (pair: number): readonly string[] | undefined =>
    reader.peek([places[2 * pair]!, places[2 * pair + 1]!])?.map(({ payload }) => payload.toString());
  fs.quickReads = 0;
  for (let pair = 0; pair < 200; pair++)
    assert.deepEqual(had(pair), texts.slice(2 * pair, 2 * pair + 2), `pair ${pair}`);
  assert.ok(fs.quickReads < 10, `${fs.quickReads} reads`);
  for (let pair = 199; pair >= 0; pair--)
    assert.deepEqual(had(pair), texts.slice(2 * pair, 2 * pair + 2), `pair ${pair}`);
  // What came since is not in what was read ahead, and records of several calls do not mix.
  for (const text of ['more', 'and more']) places.push(...(await append(heap, text)));
  await reader.refresh();
  assert.deepEqual(had(199), texts.slice(398));
  assert.deepEqual(had(200), ['more', 'and more']);
  // Damage of what was read ahead is found as elsewhere.
  const { octets } = fs.file(pathOf(1));
  octets.fill(0xff, octets.length - 8_000);
  assert.deepEqual(had(0), texts.slice(0, 2));
  assert.deepEqual(had(1), texts.slice(2, 4));
  assert.equal(had(200), undefined);
  assert.deepEqual(had(0), texts.slice(0, 2));
  assert.deepEqual(had(1), texts.slice(2, 4));
  await reader.close();
  for (const pair of [0, 1, 2, 200]) assert.equal(had(pair), undefined);
});
