import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, Reader, Writer } from './bytes.ts';

const max = Number.MAX_SAFE_INTEGER;

/** What can be written: its kind and value. */
const items = fc.array(
  fc.oneof(
    fc.tuple(fc.constant<'u8'>('u8'), fc.nat(0xff)),
    fc.tuple(fc.constant<'u16'>('u16'), fc.nat(0xffff)),
    fc.tuple(fc.constant<'u32'>('u32'), fc.integer({ min: 0, max: 0xffff_ffff })),
    fc.tuple(fc.constant<'u64'>('u64'), fc.maxSafeNat()),
    fc.tuple(fc.constant<'varint'>('varint'), fc.oneof(fc.maxSafeNat(), fc.nat(300))),
    fc.tuple(fc.constant<'signed'>('signed'), fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 })),
  ),
  { maxLength: 40 },
);

test('property: numbers of every width come back, in order, from a writer that grows', () => {
  fc.assert(
    fc.property(items, (values) => {
      const writer = new Writer(1);
      for (const [kind, value] of values) writer[kind](value);
      const reader = new Reader(writer.finish());
      for (const [kind, value] of values) assert.equal(reader[kind](), value);
      reader.end();
    }),
  );
});

test('property: blocks and text come back', () => {
  const octets = fc.uint8Array({ maxLength: 600 });
  fc.assert(
    fc.property(octets, fc.string({ unit: 'grapheme' }), octets, (block, text, tail) => {
      const writer = new Writer(0).block(block).text(text).bytes(tail);
      const { length } = writer;
      const written = writer.finish();
      assert.equal(written.length, length);
      const reader = new Reader(written);
      assert.deepEqual(reader.block(), Buffer.from(block));
      assert.equal(reader.text(), text);
      assert.equal(reader.position + reader.remaining, length);
      assert.deepEqual(reader.bytes(tail.length), Buffer.from(tail));
      reader.end();
    }),
  );
});

test('a varint has as many octets as its size asks for', () => {
  const lengths: [number, number][] = [
    [0, 1],
    [127, 1],
    [128, 2],
    [16_383, 2],
    [16_384, 3],
    [2 ** 28 - 1, 4],
    [2 ** 31 - 1, 5],
    [2 ** 31, 5],
    [2 ** 32, 5],
    [2 ** 35, 6],
    [2 ** 49, 8],
    [max, 8],
  ];
  for (const [value, length] of lengths) {
    const octets = new Writer(1).varint(value).finish();
    assert.equal(octets.length, length, String(value));
    assert.equal(new Reader(octets).varint(), value);
  }
});

test('integers beyond 2^53 − 1 are refused, written and read', () => {
  assert.throws(() => new Writer().varint(2 ** 53), RangeError);
  assert.throws(() => new Writer().varint(-1), RangeError);
  assert.throws(() => new Writer().varint(0.5), RangeError);
  assert.throws(() => new Writer().signed(2 ** 52), RangeError);
  const beyond = [...Buffer.alloc(7, 0x80), 0x10];
  assert.throws(() => new Reader(Buffer.from(beyond)).varint(), DecodeError);
  assert.throws(() => new Reader(Buffer.alloc(9, 0xff)).varint(), DecodeError);
  assert.throws(() => new Reader(Buffer.alloc(8, 0xff)).u64(), DecodeError);
  assert.equal(new Reader(Buffer.from([...Buffer.alloc(7, 0xff), 0x0f])).varint(), max);
});

test('a reader never goes beyond its end, and names what is left', () => {
  const reads: ((reader: Reader) => unknown)[] = [
    (r) => r.u8(),
    (r) => r.u16(),
    (r) => r.u32(),
    (r) => r.u64(),
    (r) => r.varint(),
    (r) => r.signed(),
    (r) => r.bytes(1),
    (r) => r.block(),
    (r) => r.text(),
  ];
  for (const read of reads) assert.throws(() => read(new Reader(Buffer.alloc(0))), DecodeError);
  for (const read of reads.slice(7)) assert.throws(() => read(new Reader(Buffer.of(2, 0))), DecodeError);
  assert.throws(() => new Reader(Buffer.of(0x80)).varint(), DecodeError);
  assert.throws(() => new Reader(Buffer.of(1)).end(), /1 octets too many/);
});
