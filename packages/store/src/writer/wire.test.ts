import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StoreError } from '../errors.ts';
import { encodeFrame, type Frame, FrameReader, frameType } from './wire.ts';

const bytesMax = 100_000;

const frame = fc.record({
  type: fc.constantFrom(...Object.values(frameType)),
  id: fc.nat(0xffff_ffff),
  payload: fc.oneof(fc.nat(20), fc.nat(20_000)).map((length) => Buffer.alloc(length, length)),
});

function text({ type, id, payload }: Frame): string {
  return `${type} ${id} ${payload.toString('base64')}`;
}

test('property: frames cut anywhere come out whole', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat(30_000)), (frames, cuts) => {
      const octets = Buffer.concat(frames.map(({ type, id, payload }) => encodeFrame(type, id, payload)));
      const reader = new FrameReader(bytesMax);
      const found: Frame[] = [];
      let at = 0;
      for (const length of [...cuts, octets.length]) {
        found.push(...reader.push(Buffer.from(octets.subarray(at, at + length))));
        at += length;
      }
      assert.deepEqual(found.map(text), frames.map(text));
    }),
  );
});

test('a frame beyond the bound is refused by its first octets', () => {
  const octets = encodeFrame(frameType.body, 7, Buffer.alloc(500));
  assert.throws(() => [...new FrameReader(100).push(octets.subarray(0, 9))], StoreError);
});
