import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, Reader } from '../codec/bytes.ts';
import { brandNumber, type Location, type Lsn } from '../types.ts';
import { messageCodec } from './message-row.ts';
import { isUnreferenced } from './row-codecs.ts';
import type { MessageRow } from './rows.ts';

const plain = { noNullPrototype: true } as const;
const whole = fc.oneof(fc.nat(300), fc.maxSafeNat());
const octets = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const sha = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const place = fc.record<Location>({ lsn: whole.map((n) => brandNumber<Lsn>(n)), bytes: whole }, plain);

const message = fc.record<MessageRow>(
  {
    refs: whole,
    record: place,
    sha,
    size: whole,
    headerBytes: whole,
    plainBytes: whole,
    storedBytes: whole,
    namedBytes: whole,
    parts: octets,
    threadKeys: octets,
    derived: fc.boolean(),
    envelope: octets,
    bodyStructure: octets,
    listedFields: octets,
  },
  plain,
);

/** What the format says stands in the octets, read field by field. */
function fieldsOf(row: Buffer): MessageRow {
  const r = new Reader(row);
  const fields = {
    refs: r.varint(),
    record: { lsn: brandNumber<Lsn>(r.varint()), bytes: r.varint() },
    sha: r.bytes(32),
    size: r.varint(),
    headerBytes: r.varint(),
    plainBytes: r.varint(),
    storedBytes: r.varint(),
    namedBytes: r.varint(),
    parts: r.block(),
    threadKeys: r.block(),
    derived: r.u8() === 1,
    envelope: r.block(),
    bodyStructure: r.block(),
    listedFields: r.block(),
  };
  r.end();
  return fields;
}

/** All fields of a row, whichever way it keeps them. */
function shown(row: MessageRow): MessageRow {
  const { refs, record, sha, size, headerBytes, plainBytes, storedBytes, namedBytes, parts, threadKeys } = row;
  const { derived, envelope, bodyStructure, listedFields } = row;
  const numbers = { refs, record, size, headerBytes, plainBytes, storedBytes, namedBytes, derived };
  return { ...numbers, sha, parts, threadKeys, envelope, bodyStructure, listedFields };
}

test('property: a row of messages comes back, and so does its copy', () => {
  fc.assert(
    fc.property(message, (row) => {
      const written = messageCodec.encode(row);
      assert.deepEqual(fieldsOf(written), row);
      const read = messageCodec.decode(written);
      assert.deepEqual(shown(read), row);
      assert.deepEqual(messageCodec.encode(read), written);
      assert.deepEqual(messageCodec.encode(messageCodec.copy(read)), written);
      assert.deepEqual(messageCodec.encode(messageCodec.copy(row)), written);
    }),
  );
});

test('property: what is changed in a row that was read is written as if it had been made so; the original stays', () => {
  fc.assert(
    fc.property(message, whole, place, (row, refs, record) => {
      const written = messageCodec.encode(row);
      const read = messageCodec.decode(Buffer.from(written));
      const copy = messageCodec.copy(read);
      copy.refs = refs;
      copy.record = record;
      const changed = messageCodec.encode(copy);
      assert.deepEqual(changed, messageCodec.encode({ ...row, refs, record }));
      assert.deepEqual(shown(messageCodec.copy(copy)), { ...row, refs, record });
      assert.deepEqual(messageCodec.encode(read), written);
      assert.equal(isUnreferenced(changed), refs === 0);
    }),
  );
});

test('a row that is too short or too long is damage, and told at once', () => {
  const row: MessageRow = {
    refs: 1,
    record: { lsn: brandNumber<Lsn>(4096), bytes: 300 },
    sha: Buffer.alloc(32, 7),
    size: 1000,
    headerBytes: 200,
    plainBytes: 900,
    storedBytes: 280,
    namedBytes: 0,
    parts: Buffer.alloc(0),
    threadKeys: Buffer.alloc(8, 1),
    derived: true,
    envelope: Buffer.from('(NIL)'),
    bodyStructure: Buffer.from('("TEXT")'),
    listedFields: Buffer.from('Subject: one\r\n'),
  };
  const written = messageCodec.encode(row);
  for (let bytes = 0; bytes < written.length; bytes++) {
    assert.throws(() => messageCodec.decode(written.subarray(0, bytes)), DecodeError, `${bytes} octets`);
  }
  assert.throws(() => messageCodec.decode(Buffer.concat([written, Buffer.of(0)])), DecodeError);
});
