import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { isStoreError } from '../errors.ts';
import { append, highWater, newHeap, openToWrite, pathOf, texts } from './heap-support.test.ts';
import { errnoError, MemoryFs } from './memory-fs.test.ts';

const big = 'x'.repeat(5000);

for (const code of ['EIO', 'ENOSPC']) {
  for (const tornBytes of [0, 100]) {
    test(`${code} at any one call, ${tornBytes} octets through: acknowledged or absent, and writing goes on`, async () => {
      for (let failing = 0; ; failing++) {
        const { fs, heap } = await newHeap();
        const first = fs.calls.length;
        fs.tornBytes = tornBytes;
        fs.fault = (index) => (index === first + failing ? errnoError(code) : undefined);
        const acknowledged: string[] = [];
        let failed = 0;
        let text = '';
        let lost = '';
        for (text of ['one', `two${big}`, 'three', `four${big}`, 'five']) {
          const before = [heap.durableLsn, heap.segments()];
          try {
            await append(heap, text);
            acknowledged.push(text);
          } catch (error) {
            failed++;
            lost = text;
            const ofWrite = fs.calls.at(first + failing) === 'write' || fs.calls.at(first + failing) === 'create';
            assert.ok(isStoreError(error, code === 'ENOSPC' && ofWrite ? 'diskFull' : 'ioError'));
            assert.deepEqual([heap.durableLsn, heap.segments()], before);
          }
        }
        assert.deepEqual(await texts(heap), acknowledged);
        // A failed batch with nothing acknowledged behind it may be there: its caller was told of an error, no more.
        const late = text === lost ? [[...acknowledged, lost]] : [];
        for (const disk of [fs.copy(), fs.powerCut(64, () => false), fs.powerCut(64, () => true)]) {
          const found = await texts(await openToWrite(disk));
          assert.ok([acknowledged, ...late].some((one) => isDeepStrictEqual(one, found)));
        }
        if (failed === 0) break;
      }
    });
  }
}

test('an unlink that fails too changes nothing', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, big);
  let armed = true;
  fs.fault = (_index, call) => {
    if (call === 'unlink') return errnoError('EIO');
    if (call !== 'syncDirectory' || !armed) return undefined;
    armed = false;
    return errnoError('EIO');
  };
  await assert.rejects(append(heap, 'lost'));
  await append(heap, 'two');
  assert.deepEqual(
    heap.segments().map(({ number }) => number),
    [1, 3],
  );
  const again = await openToWrite(fs.copy());
  assert.deepEqual(again.report.unlisted, [2]);
  assert.deepEqual(await texts(again), [big, 'two']);
});

test('two device errors in a row end writing; reading goes on', async () => {
  const { fs, heap } = await newHeap();
  const [place] = await append(heap, 'one');
  fs.fault = (_index, call) => (call === 'datasync' ? errnoError('EIO') : undefined);
  await assert.rejects(append(heap, 'two'), (error) => isStoreError(error, 'ioError'));
  await assert.rejects(append(heap, 'two'), (error) => isStoreError(error, 'ioError'));
  assert.throws(
    () => heap.begin(highWater),
    (error) => isStoreError(error, 'readOnly'),
  );
  assert.equal((await heap.read(place!.lsn)).payload.toString(), 'one');
});

test('device errors with a success between them do not end writing', async () => {
  const { fs, heap } = await newHeap();
  for (const text of ['one', 'two', 'three']) {
    fs.fault = (_index, call) => (call === 'datasync' ? errnoError('EIO') : undefined);
    await assert.rejects(append(heap, 'void'));
    fs.fault = () => undefined;
    await append(heap, text);
  }
  assert.deepEqual(await texts(heap), ['one', 'two', 'three']);
  assert.deepEqual(await texts(await openToWrite(fs)), ['one', 'two', 'three']);
});

test('a full disk is refused as often as it takes and leaves no files behind', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  fs.fault = (_index, call) => (call === 'write' ? errnoError('ENOSPC') : undefined);
  for (let time = 0; time < 5; time++) {
    await assert.rejects(append(heap, 'two'), (error) => isStoreError(error, 'diskFull'));
  }
  fs.fault = () => undefined;
  assert.equal(fs.files.size, 1);
  await append(heap, 'three');
  assert.deepEqual(await texts(heap), ['one', 'three']);
});

test('a segment that got its header and no batch is believed, empty, once a later one is there', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, big);
  let writes = 0;
  fs.fault = (_index, call) => (call === 'write' && ++writes === 2 ? errnoError('ENOSPC') : undefined);
  await assert.rejects(append(heap, 'void'));
  assert.equal(heap.segments().length, 1);
  await append(heap, 'two');
  assert.deepEqual(
    heap.segments().map(({ number, predecessor }) => [number, predecessor]),
    [
      [1, 0],
      [2, 1],
      [3, 2],
    ],
  );
  const again = await openToWrite(fs);
  assert.deepEqual(again.segments(), heap.segments());
});

test('LSNs of a failed batch are not given again', async () => {
  const { fs, heap } = await newHeap();
  fs.fault = (_index, call) => (call === 'datasync' ? errnoError('EIO') : undefined);
  const batch = heap.begin(highWater);
  const place = batch.add({
    type: 1,
    fields: Buffer.alloc(0),
    payload: Buffer.alloc(9000),
    codec: 0,
    decodedBytes: 9000,
  });
  await assert.rejects(heap.commit(batch));
  fs.fault = () => undefined;
  const [next] = await append(heap, 'next');
  assert.ok(next!.lsn > place.lsn + place.bytes);
});

test('an abandoned batch leaves no trace, and a second one beside an open one is our bug', async () => {
  const { fs, heap } = await newHeap();
  const calls = fs.calls.length;
  const batch = heap.begin(highWater);
  assert.throws(() => heap.begin(highWater), /invariant/);
  heap.abandon(batch);
  assert.equal(fs.calls.length, calls);
  await append(heap, 'one');
  assert.equal(heap.lastCommit?.number, 1);
});

test('a recovery that fails at any call says so and harms nothing', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  await append(heap, 'two');
  for (const disk of [fs, (await newHeap(new MemoryFs())).fs]) {
    const expected = await texts(await openToWrite(disk.copy()));
    for (let failing = 0; ; failing++) {
      const copy = disk.copy();
      copy.tornBytes = 50;
      copy.fault = (index) => (index === failing ? errnoError('EIO') : undefined);
      const outcome = await openToWrite(copy).then(
        () => undefined,
        (error) => error,
      );
      copy.fault = () => undefined;
      assert.deepEqual(await texts(await openToWrite(copy)), expected);
      if (outcome === undefined) break;
      assert.ok(isStoreError(outcome, 'ioError'));
    }
  }
});

test('a header that no batch proves is written and synced once more', async () => {
  const { fs } = await newHeap();
  fs.file(pathOf(1)).durable = Buffer.alloc(0);
  fs.durableNames.clear();
  const again = await openToWrite(fs);
  assert.equal(again.report.rewrittenBytes, 152);
  assert.deepEqual(await texts(await openToWrite(fs.powerCut(64, () => false))), []);
});
