import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from 'zstd-napi';
import { isStoreError } from '../errors.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { Heap, isSegmentGone } from './heap.ts';
import {
  append,
  directory,
  highWater,
  newHeap,
  openToWrite,
  pathOf,
  portsFor,
  record,
  scanned,
  start,
  texts,
} from './heap-support.test.ts';
import type { MemoryFs } from './memory-fs.test.ts';

const big = 'x'.repeat(5000);

function openToRead(fs: MemoryFs): Promise<Heap> {
  return Heap.openForReading(portsFor(fs), directory);
}

test('a reader never writes and refuses to', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const calls = fs.calls.length;
  const reader = await openToRead(fs);
  assert.deepEqual(await texts(reader), ['one']);
  assert.throws(
    () => reader.begin(highWater),
    (error) => isStoreError(error, 'readOnly'),
  );
  await reader.close();
  assert.equal(fs.calls.length, calls);
  await assert.rejects(reader.read(start), (error) => isStoreError(error));
});

test('a reader reads new places without a refresh, in the segment it knows and in later ones', async () => {
  const { fs, heap } = await newHeap();
  const reader = await openToRead(fs);
  for (const text of ['one', big, 'three', big, 'five']) {
    const [place] = await append(heap, text);
    assert.equal((await reader.read(place!.lsn, place!.bytes)).payload.toString(), text);
  }
  assert.equal(heap.segments().length, 3);
});

test('a refresh believes what was appended since, and reads only that', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'y'.repeat(3000));
  const reader = await openToRead(fs);
  await append(heap, 'two');
  const before = reader.counters.readBytes;
  await reader.refresh();
  assert.ok(reader.counters.readBytes - before < 1200);
  assert.equal(reader.durableLsn, heap.durableLsn);
  assert.deepEqual(reader.lastCommit, heap.lastCommit);
  await append(heap, big);
  await append(heap, 'four');
  await reader.refresh();
  assert.deepEqual(reader.segments(), heap.segments());
  assert.equal((await texts(reader)).length, 4);
});

test('a reader beside a writer believes only whole batches, wherever the write stands', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const before = heap.durableLsn;
  const whole = fs.copy();
  await append(heap, 'two', 'three');
  const after = fs.file(pathOf(1)).octets;
  const from = whole.file(pathOf(1)).octets.length;
  for (let length = from; length < after.length; length++) {
    whole.file(pathOf(1)).octets = Buffer.from(after.subarray(0, length));
    assert.equal((await openToRead(whole)).durableLsn, before);
  }
});

test('a place read before it was written and proved after is looked at again, not called corrupt', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const reader = await openToRead(fs);
  const early = Buffer.from(fs.file(pathOf(1)).octets);
  await append(heap, 'two');
  await append(heap, 'three');
  const file = fs.file(pathOf(1));
  const late = file.octets;
  // The first read of the tail sees its octets as they were, with the length they have now.
  let reads = 0;
  const open = fs.open.bind(fs);
  fs.open = async (path, mode) => {
    const handle = await open(path, mode);
    const read = handle.read.bind(handle);
    return {
      ...handle,
      read: async (buffer, offset, length, position) => {
        const tail = position >= early.length;
        const got = await read(buffer, offset, length, position);
        if (tail && reads++ === 0) buffer.fill(0, offset, offset + 40);
        return got;
      },
    };
  };
  const fresh = await openToRead(fs);
  await fresh.refresh();
  assert.equal(late, file.octets);
  assert.equal(fresh.durableLsn, heap.durableLsn);
  await reader.refresh();
  assert.equal(reader.durableLsn, heap.durableLsn);
});

test('a batch that was seen before its sync failed is void once a later header says so', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  fs.fault = (_index, call) => (call === 'datasync' ? new Error('EIO') : undefined);
  await assert.rejects(append(heap, 'void'));
  fs.fault = () => undefined;
  const reader = await openToRead(fs);
  assert.deepEqual(await texts(reader), ['one', 'void']);
  await append(heap, 'two');
  await reader.refresh();
  assert.deepEqual(await texts(reader), ['one', 'two']);
});

test('the place of a dropped segment is told from damage', async () => {
  const { fs, heap } = await newHeap();
  const [place] = await append(heap, big);
  const [moved] = await append(heap, big);
  await append(heap, 'two');
  const reader = await openToRead(fs);
  const idle = await openToRead(fs);
  assert.equal((await idle.read(place!.lsn)).payload.length, 5000);
  heap.retire(1);
  await assert.rejects(heap.drop(1), /a listed segment/);
  await heap.endSegment();
  await append(heap, 'three');
  await heap.drop(1);
  await assert.rejects(heap.read(place!.lsn), isSegmentGone);
  await assert.rejects(reader.read(place!.lsn), isSegmentGone);
  assert.equal((await reader.read(moved!.lsn)).payload.length, 5000);
  await idle.drop(1);
  await assert.rejects(idle.read(place!.lsn), isSegmentGone);
});

test('a reader that did not look for long finds the end of the log, though the segment it knew as the last is gone', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const reader = await openToRead(fs);
  await heap.endSegment();
  await append(heap, 'two');
  heap.retire(1);
  await heap.endSegment();
  await append(heap, 'three');
  await heap.drop(1);
  await reader.forgetUnlinked();
  assert.equal(await reader.writtenLsn(), heap.durableLsn);
});

test('a reader keeps a retired segment readable while its file is there, and leaves it out of scans', async () => {
  const { fs, heap } = await newHeap();
  const [place] = await append(heap, big);
  await append(heap, `${big}2`);
  const reader = await openToRead(fs);
  heap.retire(1);
  await append(heap, 'three');
  await reader.refresh();
  assert.equal((await reader.read(place!.lsn)).payload.length, 5000);
  assert.deepEqual(await texts(reader), [`${big}2`, 'three']);
});

test('compressed payloads come decoded from read and scan', async () => {
  const { heap } = await newHeap();
  const plain = Buffer.from('and again, '.repeat(50_000));
  const packed = compress(plain);
  const batch = heap.begin(highWater);
  const place = batch.add({ type: 1, fields: Buffer.from('f'), payload: packed, codec: 1, decodedBytes: plain.length });
  await heap.commit(batch);
  assert.ok((await heap.read(place.lsn)).payload.equals(plain));
  assert.ok((await scanned(heap))[0]!.payload.equals(plain));
});

test('a read of a known size is one call, and of an unknown one at most three', async () => {
  const { heap } = await newHeap();
  const [small, large] = await append(heap, 'one', 'x'.repeat(100_000));
  for (const [place, bytes, calls] of [
    [small!, undefined, 1],
    [large!, large!.bytes, 1],
    [large!, undefined, 2],
  ] as const) {
    const before = heap.counters.readCalls;
    await heap.read(place.lsn, bytes);
    assert.equal(heap.counters.readCalls - before, calls);
  }
});

test('a scan begins and ends where it is told, and does not read large payloads that are not wanted', async () => {
  const { fs } = await newHeap();
  const heap = await Heap.openForWriting(portsFor(fs, 'b'), directory, { segmentBytes: 1 << 26 });
  const batch = heap.begin(highWater);
  const payload = Buffer.alloc(1 << 20, 7);
  const places = Array.from({ length: 8 }, () => batch.add({ ...record(''), payload, decodedBytes: payload.length }));
  await heap.commit(batch);
  const end = heap.durableLsn;
  await append(heap, 'last');
  const before = heap.counters.readBytes;
  let seen = 0;
  for await (const one of heap.scan({ from: places[2]!.lsn, to: places[7]!.lsn, wantPayload: () => false })) {
    seen++;
    assert.equal(one.payload.length, 0);
    assert.equal(one.decodedBytes, 1 << 20);
  }
  assert.equal(seen, 5);
  assert.ok(heap.counters.readBytes - before < 1 << 20);
  const rest: string[] = [];
  for await (const one of heap.scan({ from: end })) rest.push(one.payload.toString());
  assert.deepEqual(rest, ['last', '']);
});

test('scans and reads go on while batches are appended', async () => {
  const { heap } = await newHeap();
  await append(heap, 'one', 'two');
  const seen: string[] = [];
  for await (const one of heap.scan({ from: start })) {
    seen.push(one.payload.toString());
    await append(heap, big);
  }
  assert.deepEqual(seen, ['one', 'two', '']);
});

test('an LSN that is no record is refused with its place', async () => {
  const { heap } = await newHeap();
  const [place] = await append(heap, 'one');
  for (const lsn of [place!.lsn + 8, place!.lsn - 8, 0, heap.durableLsn, Number.MAX_SAFE_INTEGER]) {
    await assert.rejects(
      heap.read(brandNumber<Lsn>(lsn)),
      (error) => isStoreError(error, 'corrupt') && error.details.lsn === lsn,
    );
  }
});

test('more segments than descriptors can be read and scanned', async () => {
  const { fs, heap } = await newHeap();
  const places = [];
  for (let index = 0; index < 300; index++) places.push(...(await append(heap, big)));
  const reader = await openToRead(fs);
  assert.equal(reader.segments().length, 300);
  await Promise.all(places.map(({ lsn }) => reader.read(lsn)));
  assert.equal((await texts(reader)).length, 300);
  assert.equal((await texts(await openToWrite(fs))).length, 300);
});
