import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { tableNames } from '../../catalog/kv.ts';
import { DecodeError } from '../../codec/bytes.ts';
import { brandNumber, type Lsn } from '../../types.ts';
import {
  BlockSums,
  blockHeadBytes,
  type CheckpointHeader,
  checkpointLsn,
  checkpointName,
  decodeBlockHead,
  decodeHeader,
  decodePayload,
  decodeRows,
  decodeSums,
  encodeEnd,
  encodeHeader,
  encodeRows,
  headerBytes,
  type Row,
} from './format.ts';

const header: CheckpointHeader = {
  catalogFormat: 1,
  storeId: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  lsn: brandNumber<Lsn>(8192),
  batch: 7,
  sequence: 12,
  epoch: 1,
  time: 1_700_000_000_000,
};

const octets = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const sortedRows: fc.Arbitrary<Row[]> = fc
  .uniqueArray(fc.tuple(octets, octets), { maxLength: 60, selector: ([key]) => key.toString('hex') })
  .map((rows) => rows.sort(([a], [b]) => Buffer.compare(a, b)));

function decodeBlock(block: Buffer): ReturnType<typeof decodeRows> {
  const head = decodeBlockHead(block);
  return decodeRows(head, decodePayload(head, block.subarray(blockHeadBytes)));
}

test('property: rows come back as they were written, whatever their octets', () => {
  fc.assert(
    fc.property(fc.constantFrom(...tableNames), sortedRows, (table, rows) => {
      const { octets: block } = encodeRows(table, rows);
      assert.equal(decodeBlockHead(block).table, table);
      assert.deepEqual(decodeBlock(block), rows);
    }),
  );
});

test('property: a block with one bit changed, or cut anywhere, is noticed', () => {
  fc.assert(
    fc.property(sortedRows, fc.nat(), fc.nat(7), (rows, at, bit) => {
      const { octets: block } = encodeRows('parts', rows);
      const bad = Buffer.from(block);
      const place = at % bad.length;
      bad[place] = (bad[place] ?? 0) ^ (1 << bit);
      assert.throws(() => decodeBlock(bad), DecodeError);
      assert.throws(() => decodeBlock(block.subarray(0, place)), DecodeError);
    }),
  );
});

test('a header with one bit changed is noticed, and one of a later release refused', () => {
  const good = encodeHeader(header);
  assert.equal(good.length, headerBytes);
  assert.deepEqual(decodeHeader(good), header);
  for (let bit = 0; bit < good.length * 8; bit++) {
    const bad = Buffer.from(good);
    const at = bit >> 3;
    bad[at] = (bad[at] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => decodeHeader(bad), DecodeError);
  }
  assert.throws(() => decodeHeader(good.subarray(0, 79)), DecodeError);
});

test('names of files and LSNs belong together', () => {
  assert.equal(checkpointName(8192), '0000000000008192.ckp');
  assert.equal(checkpointLsn('0000000000008192.ckp'), 8192);
  for (const name of ['8192.ckp', '0000000000008192.ckp.new', '000000000000819x.ckp']) {
    assert.equal(checkpointLsn(name), undefined);
  }
});

test("the document's example is what the code writes and reads", () => {
  const document = readFileSync(new URL('../../../../../docs/format/checkpoint.md', import.meta.url), 'utf8');
  const dump = /```hex\n([\s\S]*?)```/.exec(document)?.[1] ?? '';
  const example = Buffer.from(dump.replace(/^[0-9a-f]{4}: | {2}.*$/gm, '').replace(/\s/g, ''), 'hex');
  const sums = new BlockSums();
  const rows: Row[] = [
    [Buffer.from([0, 0, 0, 1]), Buffer.from('\x02\x03red\x04blue', 'latin1')],
    [Buffer.from([0, 0, 0, 9]), Buffer.from('\x01\x03red', 'latin1')],
  ];
  const block = encodeRows('keywords', rows);
  sums.add('keywords', rows.length, block.headCrc);
  const written = Buffer.concat([encodeHeader(header), block.octets, encodeEnd(sums)]);
  assert.equal(example.toString('hex'), written.toString('hex'), `written:\n${hexDump(written)}`);
  const end = example.subarray(headerBytes + block.octets.length);
  const endHead = decodeBlockHead(end);
  assert.equal(endHead.table, undefined);
  const said = decodeSums(decodePayload(endHead, end.subarray(blockHeadBytes)));
  assert.deepEqual(said, { blocks: 1, rows: sums.rows, headsCrc: sums.headsCrc });
});

function hexDump(dumped: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < dumped.length; at += 16) {
    const row = [...dumped.subarray(at, at + 16)].map((octet) => octet.toString(16).padStart(2, '0'));
    lines.push(`${at.toString(16).padStart(4, '0')}: ${row.join(' ')}`);
  }
  return lines.join('\n');
}
