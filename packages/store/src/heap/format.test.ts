import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { compress } from 'zstd-napi';
import { DecodeError } from '../codec/bytes.ts';
import { isStoreError } from '../errors.ts';
import { brandNumber, type Lsn } from '../types.ts';
import {
  decodeRecordHead,
  decodeSegmentHeader,
  decodeSegmentList,
  encodeSegmentHeader,
  heapFormat,
  segmentFixedBytes,
} from './format.ts';
import { Heap } from './heap.ts';
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
  storeId,
  texts,
} from './heap-support.test.ts';
import { MemoryFs } from './memory-fs.test.ts';
import { segmentName, segmentNumber } from './names.ts';

const header = {
  storeId,
  number: 3,
  epoch: 1,
  salt: 0x12345678,
  baseLsn: brandNumber<Lsn>(16384),
  predecessor: 2,
  predecessorEnd: brandNumber<Lsn>(12000),
  highWater,
  time: 1_700_000_000_000,
  lastBatch: 7,
};
const live = [
  { number: 1, endLsn: brandNumber<Lsn>(8000) },
  { number: 2, endLsn: brandNumber<Lsn>(12000) },
];

test('a segment header comes back as it was written', () => {
  const octets = encodeSegmentHeader(header, live);
  const decoded = decodeSegmentHeader(octets);
  const { format, headerBytes, listCrc, ...rest } = decoded;
  assert.deepEqual(rest, header);
  assert.equal(format, heapFormat);
  assert.equal(headerBytes, octets.length);
  assert.ok(listCrc >= 0);
  assert.deepEqual(decodeSegmentList(octets.subarray(segmentFixedBytes), decoded), live);
});

test('every single bit flip in a segment header is seen', () => {
  const good = encodeSegmentHeader(header, live);
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bad = Buffer.from(good);
    bad[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(
      () => decodeSegmentList(bad.subarray(segmentFixedBytes), decodeSegmentHeader(bad)),
      DecodeError,
      `bit ${bit}`,
    );
  }
});

test('a version is believed when the crc of the fixed part checks: above ours it is a later release', () => {
  const later = encodeSegmentHeader(header, live);
  later.writeUInt16LE(3, 8);
  assert.throws(() => decodeSegmentHeader(later), DecodeError);
  later.writeUInt32LE(crc32(later.subarray(0, segmentFixedBytes - 4)), segmentFixedBytes - 4);
  assert.throws(
    () => decodeSegmentHeader(later),
    (error) => isStoreError(error, 'newerFormat'),
  );
});

test('a header of an earlier version is read, and one of version 0 is none', () => {
  const earlier = encodeSegmentHeader(header, live);
  const inVersion = (version: number): Buffer => {
    earlier.writeUInt16LE(version, 8);
    earlier.writeUInt32LE(crc32(earlier.subarray(0, segmentFixedBytes - 4)), segmentFixedBytes - 4);
    return earlier;
  };
  assert.equal(decodeSegmentHeader(inVersion(1)).format, 1);
  assert.throws(() => decodeSegmentHeader(inVersion(0)), DecodeError);
});

test('a header cut anywhere is not a header', () => {
  const good = encodeSegmentHeader(header, live);
  for (let length = 0; length < good.length; length++) {
    const cut = good.subarray(0, length);
    assert.throws(() => decodeSegmentList(cut.subarray(segmentFixedBytes), decodeSegmentHeader(cut)), DecodeError);
  }
});

test('every single bit flip in a record, but for its padding, is seen by read and by scan', async () => {
  const { fs, heap } = await newHeap();
  const payload = compress(Buffer.from('the quick brown fox '.repeat(9)));
  const batch = heap.begin(highWater);
  const plain = batch.add(record('thirteen octs'));
  const packed = batch.add({ type: 2, fields: Buffer.from('abc'), payload, codec: 1, decodedBytes: 180 });
  await heap.commit(batch);
  const segment = heap.segments()[0]!;
  const contents = [32 + 23 + 13, 32 + 3 + payload.length];
  for (const [index, { lsn }] of [plain, packed].entries()) {
    for (let bit = 0; bit < contents[index]! * 8; bit++) {
      const at = lsn - segment.baseLsn + (bit >> 3);
      const { octets } = fs.file(pathOf(1));
      octets[at]! ^= 1 << (bit & 7);
      await assert.rejects(heap.read(lsn), (error) => isStoreError(error, 'corrupt') && error.details.lsn === lsn);
      await assert.rejects(scanned(heap), (error) => isStoreError(error, 'corrupt'));
      octets[at]! ^= 1 << (bit & 7);
    }
  }
  assert.equal((await scanned(heap)).length, 3);
});

test('every single bit flip in a COMMIT below another one is corruption at open', async () => {
  const { fs, heap } = await newHeap();
  await append(heap, 'one');
  const end = heap.durableLsn - heap.segments()[0]!.baseLsn;
  await append(heap, 'two');
  for (let bit = 0; bit < 88 * 8; bit++) {
    const bad = fs.copy();
    bad.file(pathOf(1)).octets[end - 88 + (bit >> 3)]! ^= 1 << (bit & 7);
    await assert.rejects(openToWrite(bad), (error) => isStoreError(error, 'corrupt') && error.details.segment === 1);
  }
});

test('names of segments are numbers and nothing else is', () => {
  assert.equal(segmentName(1), '0000000000000001.seg');
  assert.equal(segmentNumber('0000000000000001.seg'), 1);
  for (const name of [
    '1.seg',
    '0000000000000000.seg',
    '0000000000000001.seg~',
    '000000000000000a.seg',
    '9999999999999999.seg',
  ]) {
    assert.equal(segmentNumber(name), undefined);
  }
});

test('records refuse the LSN of another place and the salt of another segment', async () => {
  const { fs, heap } = await newHeap();
  const [place] = await append(heap, 'one');
  const segment = heap.segments()[0]!;
  const octets = fs.file(pathOf(1)).octets.subarray(place!.lsn - segment.baseLsn);
  const salt = fs.file(pathOf(1)).octets.readUInt32LE(44);
  assert.notEqual(decodeRecordHead(octets, 0, place!.lsn, salt), undefined);
  assert.equal(decodeRecordHead(octets, 0, place!.lsn, (salt ^ 1) >>> 0), undefined);
  assert.equal(decodeRecordHead(octets, 0, brandNumber<Lsn>(place!.lsn + 8), salt), undefined);
});

test("the document's example is what the code writes and reads", async () => {
  const document = readFileSync(new URL('../../../../docs/format/heap.md', import.meta.url), 'utf8');
  const dump = /```hex\n([\s\S]*?)```/.exec(document)?.[1] ?? '';
  const octets = Buffer.from(dump.replace(/^[0-9a-f]{4}: | {2}.*$/gm, '').replace(/\s/g, ''), 'hex');
  const fs = new MemoryFs();
  const heap = await Heap.create(portsFor(fs, 'document'), directory, storeId, { segmentBytes: 4096 });
  const batch = heap.begin(highWater);
  const payload = Buffer.from('Hello, heap.\r\n');
  batch.add({ type: 3, fields: Buffer.from('abcd'), payload, codec: 0, decodedBytes: payload.length });
  await heap.commit(batch, { cleanStop: true });
  const written = fs.file(pathOf(1)).octets;
  assert.equal(octets.toString('hex'), written.toString('hex'), `written:\n${hexDump(written)}`);
  assert.deepEqual(await texts(await openToWrite(fs)), ['Hello, heap.\r\n']);
});

function hexDump(octets: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < octets.length; at += 16) {
    const row = octets.subarray(at, at + 16);
    const hex = [...row].map((octet) => octet.toString(16).padStart(2, '0')).join(' ');
    lines.push(`${at.toString(16).padStart(4, '0')}: ${hex}`);
  }
  return lines.join('\n');
}
