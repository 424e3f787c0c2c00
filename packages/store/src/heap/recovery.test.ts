import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { isStoreError } from '../errors.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { type Damage, Heap } from './heap.ts';
import {
  append,
  directory,
  highWater,
  newHeap,
  openToWrite,
  options,
  pathOf,
  portsFor,
  record,
  scanned,
  start,
  stopCleanly,
  storeId,
  texts,
} from './heap-support.test.ts';
import { MemoryFs } from './memory-fs.test.ts';

test('an empty directory is no store, and a store is not made twice', async () => {
  const fs = new MemoryFs();
  await assert.rejects(openToWrite(fs), (error) => isStoreError(error, 'noStore'));
  await newHeap(fs);
  await assert.rejects(newHeap(fs), (error) => isStoreError(error, 'storeExists'));
});

test('a store whose making was cut short is made again', async () => {
  const fs = new MemoryFs();
  fs.fault = (_index, call) => (call === 'write' ? new Error('stop') : undefined);
  await assert.rejects(newHeap(fs));
  fs.fault = () => undefined;
  fs.files.set(pathOf(1), { octets: Buffer.alloc(70), durable: Buffer.alloc(0), unsynced: [] });
  await assert.rejects(openToWrite(fs), (error) => isStoreError(error, 'noStore'));
  const { heap } = await newHeap(fs);
  assert.equal(heap.segments()[0]!.number, 2);
});

test('what was committed is read back by place and in order, by the same heap and by the next', async () => {
  const { fs, heap } = await newHeap();
  const places = await append(heap, 'one', 'two', 'x'.repeat(100_000));
  places.push(...(await append(heap, 'four')));
  for (const each of [heap, await openToWrite(fs)]) {
    const found = await Promise.all(places.map(({ lsn, bytes }) => each.read(lsn, bytes)));
    assert.deepEqual(
      found.map(({ payload }) => payload.length),
      [3, 3, 100_000, 4],
    );
    assert.deepEqual(
      found.map(({ location }) => location),
      places,
    );
    assert.deepEqual(
      (await texts(each)).map((text) => text.length),
      [3, 3, 100_000, 4],
    );
    assert.equal(each.lastCommit?.number, 2);
    assert.equal(each.segmentOf(places[1]!.lsn), 1);
    assert.equal(each.segmentOf(each.durableLsn), undefined);
  }
});

test('a batch is one write and one sync, and an open writes only the unproved tail', async () => {
  const { fs, heap } = await newHeap();
  const before = { ...heap.counters };
  await append(heap, 'one', 'two');
  const lastStart = heap.durableLsn;
  await append(heap, 'three');
  assert.equal(heap.counters.writeCalls - before.writeCalls, 2);
  assert.equal(heap.counters.syncs - before.syncs, 2);
  const again = await openToWrite(fs);
  assert.equal(again.report.rewrittenBytes, heap.durableLsn - lastStart);
  assert.equal(again.counters.writtenBytes, heap.durableLsn - lastStart);
});

test('writing goes on in the same segment after a clean stop and in a new one otherwise', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  await stopCleanly(heap);
  const second = await openToWrite(fs, 'b');
  await append(second, 'two');
  assert.equal(second.segments().length, 1);
  const third = await openToWrite(fs, 'c');
  await append(third, 'three');
  assert.deepEqual(
    third.segments().map(({ number, predecessor }) => [number, predecessor]),
    [
      [1, 0],
      [2, 1],
    ],
  );
  assert.deepEqual(await texts(third), ['one', 'two', 'three']);
  assert.equal(third.lastCommit?.number, 4);
  const fourth = await openToWrite(fs, 'd');
  assert.deepEqual(fourth.segments(), third.segments());
  assert.deepEqual(await texts(fourth), ['one', 'two', 'three']);
});

test('octets behind a clean stop force a new segment', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  await stopCleanly(heap);
  fs.put(pathOf(1), Buffer.alloc(8), fs.file(pathOf(1)).octets.length);
  const again = await openToWrite(fs);
  assert.equal(again.report.voidBytes, 8);
  await append(again, 'two');
  assert.equal(again.segments().length, 2);
});

test('a segment that reached its size is followed by another, beyond its every octet', async () => {
  const { fs, heap } = await newHeap();
  for (let index = 0; index < 12; index++) await append(heap, `${index}`.padEnd(1500, '.'));
  const segments = heap.segments();
  assert.ok(segments.length >= 4);
  for (const [index, { baseLsn, liveSegments }] of segments.entries()) {
    const before = segments[index - 1];
    if (before !== undefined) assert.ok(baseLsn >= before.baseLsn + before.fileBytes && baseLsn % 4096 === 0);
    assert.equal(liveSegments.length, index === segments.length - 1 ? index : 0);
  }
  const again = await openToWrite(fs);
  assert.equal((await texts(again)).length, 12);
  assert.deepEqual(again.segments(), segments);
});

test('a last segment cut at any octet opens at its last whole batch', async () => {
  const { fs, heap } = await newHeap();
  const ends = [heap.durableLsn];
  for (const text of ['one', 'two', 'three']) {
    await append(heap, text, `${text}!`);
    ends.push(heap.durableLsn);
  }
  const { baseLsn, headerBytes } = heap.segments()[0]!;
  const whole = fs.file(pathOf(1)).octets;
  for (let length = headerBytes; length < whole.length; length++) {
    const cut = fs.copy();
    cut.file(pathOf(1)).octets = Buffer.from(whole.subarray(0, length));
    const again = await openToWrite(cut);
    const batches = ends.filter((end) => end <= baseLsn + length).length - 1;
    assert.equal(again.durableLsn, ends[batches], `cut at ${length}`);
    assert.equal((await scanned(again)).length, batches * 3);
    await append(again, 'after');
    assert.equal((await texts(await openToWrite(cut, 'third'))).length, batches * 2 + 1);
  }
});

test('a last batch with any page lost is void as a whole, and those before it stay', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'kept');
  fs.fault = (_index, call) => (call === 'datasync' ? new Error('no power') : undefined);
  await assert.rejects(append(heap, 'a'.repeat(300), 'b'.repeat(300), 'c'.repeat(20)));
  const pages = Math.ceil(fs.file(pathOf(1)).octets.length / 64);
  for (let lost = 0; lost < pages; lost++) {
    const after = fs.powerCut(64, (_path, page) => page !== lost);
    const again = await openToWrite(after);
    const count = (await texts(again)).length;
    assert.ok(count === 1 || count === 4, `page ${lost}: ${count}`);
    if (count === 4) assert.equal(lost * 64 + 64 <= again.durableLsn - 4096, true);
    await append(again, 'next');
    assert.equal((await texts(await openToWrite(after, 'c'))).length, count + 1);
  }
});

test('damage below a later proof is refused at open with its place, and passed over by name on request', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const places = await append(heap, 'two', 'three', 'four');
  await append(heap, 'five');
  const offset = places[1]!.lsn - heap.segments()[0]!.baseLsn;
  fs.file(pathOf(1)).octets[offset + 16]! ^= 1;
  await assert.rejects(
    openToWrite(fs),
    (error) => isStoreError(error, 'corrupt') && error.details.segment === 1 && error.details.offset === offset,
  );
  const found: Damage[] = [];
  const tolerant = await Heap.openForWriting(portsFor(fs, 'b'), directory, {
    ...options,
    onDamage: (damage) => found.push(damage),
  });
  assert.deepEqual(found, [{ kind: 'recordHead', segment: 1, offset, lsn: places[1]!.lsn, bytes: places[1]!.bytes }]);
  assert.equal(tolerant.durableLsn, heap.durableLsn);
  const seen: Damage[] = [];
  const reader = await Heap.openForReading(portsFor(fs), directory, { onDamage: (damage) => seen.push(damage) });
  assert.deepEqual(seen, found);
  assert.equal(reader.durableLsn, heap.durableLsn);
  assert.deepEqual(reader.lastCommit, heap.lastCommit);
  const scan: Damage[] = [];
  const kept: string[] = [];
  for await (const one of tolerant.scan({ from: start, onDamage: (damage) => scan.push(damage) })) {
    if (one.commit === undefined) kept.push(one.payload.toString());
  }
  assert.deepEqual(kept, ['one', 'two', 'four', 'five']);
  assert.deepEqual(scan, found);
  await append(tolerant, 'six');
  assert.equal(tolerant.segments().length, 2);
});

test('a lost COMMIT below a later proof is damage, and the batches around it are kept on request', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const end = heap.durableLsn - heap.segments()[0]!.baseLsn;
  await append(heap, 'two');
  fs.file(pathOf(1)).octets.fill(0, end - 88, end);
  await assert.rejects(openToWrite(fs), (error) => isStoreError(error, 'corrupt'));
  const found: Damage[] = [];
  const tolerant = await Heap.openForWriting(portsFor(fs, 'b'), directory, {
    ...options,
    onDamage: (damage) => found.push(damage),
  });
  assert.equal(tolerant.durableLsn, heap.durableLsn);
  assert.deepEqual(
    found.map(({ offset, bytes }) => [offset, bytes]),
    [[end - 88, 88]],
  );
});

test('a damaged last batch is a torn tail, unless an idle COMMIT proves it', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const [place] = await append(heap, 'two');
  const unproved = fs.copy();
  await heap.commit(heap.begin(highWater), { idle: true });
  for (const disk of [unproved, fs]) disk.file(pathOf(1)).octets[place!.lsn - 4096]! ^= 1;
  assert.deepEqual(await texts(await openToWrite(unproved)), ['one']);
  await assert.rejects(openToWrite(fs), (error) => isStoreError(error, 'corrupt'));
});

test('damage in a payload is found by scan, with what its head says, and skipped alone', async () => {
  const { fs, heap } = await newHeap();
  const places = await append(heap, 'one', 'two', 'three');
  fs.file(pathOf(1)).octets[places[1]!.lsn - 4096 + places[1]!.bytes - 1]! ^= 1;
  const found: Damage[] = [];
  const kept: string[] = [];
  for await (const one of heap.scan({ from: start, onDamage: (damage) => found.push(damage) })) {
    if (one.commit === undefined) kept.push(one.payload.toString());
  }
  assert.deepEqual(kept, ['one', 'three']);
  assert.equal(found.length, 1);
  assert.equal(found[0]!.kind, 'payload');
  assert.equal(found[0]!.record?.fields.toString(), 'fields of two');
  const unwanted: number[] = [];
  for await (const one of heap.scan({ from: start, wantPayload: () => false })) unwanted.push(one.storedBytes);
  assert.deepEqual(unwanted, [3, 3, 5, 0]);
});

test('unborn segments, also several, are ignored and their numbers not used again', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  for (const [number, octets] of [
    [2, Buffer.alloc(0)],
    [3, Buffer.alloc(168)],
    [4, fs.file(pathOf(1)).octets.subarray(0, 151)],
  ] as const) {
    fs.files.set(pathOf(number), { octets: Buffer.from(octets), durable: Buffer.alloc(0), unsynced: [] });
  }
  const again = await openToWrite(fs);
  assert.deepEqual(again.report.unborn, [2, 3, 4]);
  await append(again, 'two');
  assert.equal(again.segments().at(-1)!.number, 5);
  const third = await openToWrite(fs, 'c');
  assert.deepEqual(third.report.unlisted, [2, 3, 4]);
  assert.deepEqual(await texts(third), ['one', 'two']);
});

test('a last segment with records and a bad header is refused, and on request counts as damaged', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one'.padEnd(5000));
  await append(heap, 'two');
  fs.file(pathOf(2)).octets[40]! ^= 1;
  await assert.rejects(openToWrite(fs), (error) => isStoreError(error, 'corrupt') && error.details.segment === 2);
  const lost = heap.durableLsn;
  const tolerant = await Heap.openForWriting(portsFor(fs, 'b'), directory, { ...options, onDamage: () => undefined });
  assert.deepEqual(tolerant.report.damaged, [2]);
  const [place] = await append(tolerant, 'three');
  assert.ok(place!.lsn >= lost);
  assert.deepEqual((await openToWrite(fs, 'c')).report.damaged, [2]);
});

test('a listed segment that is gone stays missing until it is retired, and a scan names it', async () => {
  const { fs, heap } = await newHeap();
  const [first] = await append(heap, 'one'.padEnd(5000));
  await append(heap, 'two'.padEnd(5000));
  await append(heap, 'three');
  fs.files.delete(pathOf(2));
  const again = await openToWrite(fs);
  assert.deepEqual(again.report.missing, [2]);
  await assert.rejects(texts(again), (error) => isStoreError(error, 'corrupt') && error.details.segment === 2);
  const found: Damage[] = [];
  const kept: string[] = [];
  for await (const one of again.scan({ from: start, onDamage: (damage) => found.push(damage) })) {
    if (one.commit === undefined) kept.push(one.payload.toString().trim());
  }
  assert.deepEqual(kept, ['one', 'three']);
  assert.deepEqual(
    found.map(({ kind, segment }) => [kind, segment]),
    [['missingSegment', 2]],
  );
  assert.equal((await again.read(first!.lsn)).payload.length, 5000);
  await append(again, 'four');
  assert.deepEqual((await openToWrite(fs, 'c')).report.missing, [2]);
  again.retire(2);
  await append(again, 'five'.padEnd(5000));
  await append(again, 'six');
  await again.drop(2);
  assert.deepEqual((await openToWrite(fs, 'd')).report.missing, []);
});

test('a retired segment is not listed by the next header, and its file is unlisted until dropped', async () => {
  const { fs, heap } = await newHeap();
  const [first] = await append(heap, 'one'.padEnd(5000));
  await append(heap, 'two');
  heap.retire(1);
  assert.equal((await heap.read(first!.lsn)).type, 3);
  await append(heap, 'three'.padEnd(5000));
  await append(heap, 'four');
  assert.deepEqual(heap.segments().at(-1)!.liveSegments, [2]);
  assert.equal((await heap.read(first!.lsn)).type, 3);
  const again = await openToWrite(fs);
  assert.deepEqual(again.report.unlisted, [1]);
  assert.equal(again.segments().length, 2);
  await again.drop(1);
  assert.equal(fs.files.has(pathOf(1)), false);
});

test('a void batch does not come back when the segment that voided it is retired', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  fs.fault = (_index, call) => (call === 'datasync' ? new Error('EIO') : undefined);
  await assert.rejects(append(heap, 'void'));
  fs.fault = () => undefined;
  await append(heap, 'two'.padEnd(5000));
  await append(heap, 'three');
  heap.retire(2);
  await append(heap, 'four'.padEnd(5000));
  await append(heap, 'five');
  await heap.drop(2);
  assert.deepEqual(
    (await texts(await openToWrite(fs))).map((text) => text.trim()),
    ['one', 'three', 'four', 'five'],
  );
});

test('a newer format is refused, and one that only a flipped bit makes newer is damage', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const { octets } = fs.file(pathOf(1));
  octets[8] = 3;
  await assert.rejects(openToWrite(fs), (error) => isStoreError(error, 'corrupt'));
  octets.writeUInt32LE(crc32(octets.subarray(0, 148)), 148);
  await assert.rejects(openToWrite(fs), (error) => isStoreError(error, 'newerFormat'));
});

test('segments of another store are damaged ones here', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one'.padEnd(5000));
  await append(heap, 'two');
  const other = new MemoryFs();
  await Heap.create(portsFor(other), directory, Buffer.alloc(16, 9), options);
  fs.file(pathOf(1)).octets = other.file(pathOf(1)).octets;
  assert.deepEqual((await openToWrite(fs)).report.damaged, [1]);
  assert.deepEqual(heap.storeId, storeId);
});

test('a mail that holds a copy of a segment passes for records nowhere', async () => {
  const inner = await newHeap();
  await append(inner.heap, 'planted', 'planted');
  await append(inner.heap, 'planted');
  const copy = inner.fs.file(pathOf(1)).octets;
  const fs = new MemoryFs();
  const heap = await Heap.create(portsFor(fs, 'other salt'), directory, storeId, { segmentBytes: 1 << 20 });
  // The mail lies so that its copy stands at the very places, and so LSNs, at which its records once stood.
  const batch = heap.begin(highWater);
  const skipped = 152 + 32;
  batch.add({
    ...record(''),
    fields: Buffer.alloc(0),
    payload: copy.subarray(skipped),
    decodedBytes: copy.length - skipped,
  });
  await heap.commit(batch);
  await append(heap, 'after');
  const offset = batch.firstLsn - 4096;
  fs.file(pathOf(1)).octets[offset]! ^= 1;
  const kept: string[] = [];
  const found: Damage[] = [];
  for await (const one of heap.scan({ from: start, onDamage: (damage) => found.push(damage) })) {
    if (one.commit === undefined) kept.push(one.payload.toString());
  }
  assert.deepEqual(kept, ['after']);
  assert.equal(found.length, 1);
  await assert.rejects(heap.read(brandNumber<Lsn>(batch.firstLsn + 64)), (error) => isStoreError(error, 'corrupt'));
});
