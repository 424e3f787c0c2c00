import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DecodeError, Reader, Writer } from '../codec/bytes.ts';
import { limits } from '../limits.ts';
import { encodedBytes } from '../mime/transfer-encoding.ts';
import { decodeManifest, encodeManifest, type Manifest, manifestParts, type Piece } from './manifest.ts';

const bytes = fc.nat(2 ** 40);
const sha = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((octets) => Buffer.from(octets));

const literal = bytes.map((n): Piece => ({ kind: 'literal', bytes: n }));
const raw = fc
  .record({ sha, contentBytes: bytes, lines: bytes, endsWithLineEnd: fc.boolean() })
  .map((part): Piece => ({ kind: 'part', ...part, bytes: part.contentBytes, recipe: undefined }));
const wrapped = fc
  .record({
    sha,
    contentBytes: fc.integer({ min: 1, max: 2 ** 40 }),
    lines: bytes,
    lineBytes: fc.nat(limits.base64LineBytes),
    endsWithLineEnd: fc.boolean(),
  })
  .map(({ lineBytes, ...part }): Piece => {
    const recipe = { lineBytes, finalLineEnd: part.endsWithLineEnd };
    return { kind: 'part', ...part, bytes: encodedBytes(recipe, part.contentBytes), recipe };
  });
const manifests = fc.array(fc.oneof(literal, raw, wrapped), { maxLength: 20 });

function encode(manifest: Manifest): Buffer {
  const writer = new Writer();
  encodeManifest(writer, manifest);
  return writer.finish();
}

test('property: a manifest comes back as it was written, and ends where it ends', () => {
  fc.assert(
    fc.property(manifests, (manifest) => {
      const reader = new Reader(Buffer.concat([encode(manifest), Buffer.from('literals')]));
      assert.deepEqual(decodeManifest(reader), manifest);
      assert.equal(reader.remaining, 8);
    }),
  );
});

test('property: a manifest cut anywhere is not a manifest', () => {
  fc.assert(
    fc.property(manifests, fc.nat(), (manifest, at) => {
      const octets = encode(manifest);
      const cut = octets.subarray(0, at % octets.length);
      assert.throws(() => decodeManifest(new Reader(cut)), DecodeError);
    }),
  );
});

test('property: any octets are a manifest or a DecodeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      try {
        decodeManifest(new Reader(Buffer.from(octets)));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
  );
});

test('a recipe names lines up to the limit and not one column more', () => {
  const piece = (lineBytes: number): Buffer => {
    const writer = new Writer().varint(1).u8(2).bytes(Buffer.alloc(32)).varint(3).varint(0).u8(0);
    return writer.varint(lineBytes).finish();
  };
  assert.equal(decodeManifest(new Reader(piece(limits.base64LineBytes))).length, 1);
  assert.throws(() => decodeManifest(new Reader(piece(limits.base64LineBytes + 1))), DecodeError);
});

test('the parts of a manifest are named once each, in order of first use', () => {
  const part = (octet: number): Piece => ({
    kind: 'part',
    sha: Buffer.alloc(32, octet),
    contentBytes: 9,
    bytes: 9,
    lines: 0,
    endsWithLineEnd: false,
    recipe: undefined,
  });
  const parts = manifestParts([part(7), { kind: 'literal', bytes: 1 }, part(3), part(7)]);
  assert.deepEqual(parts, Buffer.concat([Buffer.alloc(32, 7), Buffer.alloc(32, 3)]));
  assert.equal(manifestParts([]).length, 0);
});
