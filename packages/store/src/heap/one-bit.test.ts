import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { brandNumber, type Lsn } from '../types.ts';
import { encodeRecordHead } from './format.ts';
import { withHeadBit, withPayloadBit } from './one-bit.ts';

const salt = 0x1234_5678;

function flipped(octets: Buffer, bit: number): Buffer {
  const other = Buffer.from(octets);
  other[bit >>> 3] = (other[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
  return other;
}

test('any one bit of a payload is turned back, and two are not taken for another one', () => {
  const payload = Buffer.from(
    'Received: from here by there; and a body of some length, for the crc to work on.\r\n'.repeat(3),
  );
  const crc = crc32(payload, salt);
  for (let bit = 0; bit < payload.length * 8; bit++) {
    assert.deepEqual(withPayloadBit(flipped(payload, bit), crc, salt), payload);
    const two = withPayloadBit(flipped(flipped(payload, bit), (bit + 77) % (payload.length * 8)), crc, salt);
    assert.equal(two, undefined);
  }
});

test('any one bit of a head is turned back, in its header and in its fields', () => {
  const fields = Buffer.from('forty-one octets of fields, such as PARTs');
  const octets = Buffer.alloc(32 + fields.length + 7);
  const lsn = brandNumber<Lsn>(4_248);
  const values = { type: 1, codec: 0 as const, decodedBytes: 5, payloadBytes: 5, payloadCrc: 99, lsn };
  encodeRecordHead(octets, 0, values, fields, salt);
  for (let bit = 0; bit < (32 + fields.length) * 8; bit++) {
    const found = withHeadBit(flipped(octets, bit), lsn, salt);
    assert.deepEqual(found?.right, octets, `bit ${bit}`);
  }
  assert.equal(withHeadBit(flipped(flipped(octets, 40), 300), lsn, salt), undefined);
});
