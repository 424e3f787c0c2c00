import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { decompress } from 'zstd-napi';
import { limits } from '../limits.ts';
import { wrapBase64Window } from '../mime/transfer-encoding.ts';
import { type CollectedPiece, ContentCollector } from './content-collector.ts';
import type { PreparedChunk, PreparedPart } from './prepared.ts';

const { partBytesMin, partChunkBytes, partSpillBytes } = limits;

/** Octets that no compressor makes smaller, the same each time. */
function noise(bytes: number, seed = 1): Buffer {
  const octets = Buffer.allocUnsafe(bytes);
  let state = seed;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    octets[at] = state >>> 24;
  }
  return octets;
}

function base64(content: Buffer, columns = 76, finalLineEnd = true): Buffer {
  const lines = content.toString('base64').match(new RegExp(`.{1,${columns}}`, 'g')) ?? [];
  return Buffer.from(lines.join('\r\n') + (finalLineEnd ? '\r\n' : ''));
}

interface Collected {
  readonly pieces: readonly CollectedPiece[];
  /** Chunks offered before the end. */
  readonly spilled: readonly PreparedChunk[];
}

function collect(
  octets: Buffer,
  encoding: string,
  inlineBytesLeft: number = limits.inlineBytes,
  step = 65_536,
): Collected {
  const collector = new ContentCollector(encoding);
  const spilled: PreparedChunk[] = [];
  for (let at = 0; at < octets.length; at += step) {
    const some = Buffer.from(octets.subarray(at, at + step));
    collector.push(some);
    // The caller's buffer is the caller's again.
    some.fill(0);
    spilled.push(...collector.spillable());
  }
  return { pieces: collector.end(inlineBytesLeft).pieces, spilled };
}

function contentOf(part: PreparedPart): Buffer {
  const payloads = part.chunks.length === 0 ? [part.payload()] : part.chunks.map((chunk) => chunk.payload);
  const content = Buffer.concat(
    payloads.map((payload) => {
      assert.ok(payload !== undefined);
      return payload.codec === 1 ? decompress(payload.octets) : payload.octets;
    }),
  );
  assert.equal(content.length, part.size);
  assert.deepEqual(createHash('sha256').update(content).digest(), part.sha);
  return content;
}

/** The octets that the pieces stand for, each checked against what its reference says. */
function rebuilt(pieces: readonly CollectedPiece[]): Buffer {
  return Buffer.concat(
    pieces.map((piece) => {
      if (piece.kind === 'inline') return piece.octets;
      const { contentBytes, bytes, lines, endsWithLineEnd, recipe, sha } = piece.reference;
      const content = contentOf(piece.part);
      assert.deepEqual(sha, piece.part.sha);
      assert.equal(contentBytes, content.length);
      const octets = recipe === undefined ? content : wrapBase64Window(recipe, contentBytes, content, 0, bytes);
      assert.equal(bytes, octets.length);
      assert.equal(lines, octets.filter((octet) => octet === 10).length);
      assert.equal(endsWithLineEnd, octets.at(-1) === 10);
      return octets;
    }),
  );
}

function kinds(pieces: readonly CollectedPiece[]): string[] {
  return pieces.map((piece) => {
    if (piece.kind === 'inline') return 'inline';
    return piece.reference.recipe === undefined ? 'raw' : 'base64';
  });
}

test('content is inline below the threshold and a part from there on', () => {
  const below = noise(partBytesMin - 1);
  assert.deepEqual(kinds(collect(below, '7bit').pieces), ['inline']);
  const at = noise(partBytesMin);
  assert.deepEqual(kinds(collect(at, '7bit').pieces), ['raw']);
  for (const octets of [below, at]) assert.deepEqual(rebuilt(collect(octets, '7bit').pieces), octets);
});

test('small content becomes a part when the message may keep no more inline', () => {
  const octets = noise(100);
  assert.deepEqual(kinds(collect(octets, '7bit', 100).pieces), ['inline']);
  assert.deepEqual(kinds(collect(octets, '7bit', 99).pieces), ['raw']);
  assert.deepEqual(rebuilt(collect(octets, '7bit', 99).pieces), octets);
});

test('base64 is kept decoded when that gives back every octet, and what stands behind it as it came', () => {
  const content = noise(10_000);
  const wrapped = base64(content);
  const { pieces } = collect(wrapped, 'base64');
  assert.deepEqual(kinds(pieces), ['base64']);
  assert.deepEqual(rebuilt(pieces), wrapped);
  const more = Buffer.concat([wrapped, Buffer.from('\r\n-- \r\nfooter')]);
  const found = collect(more, 'base64').pieces;
  assert.deepEqual(kinds(found), ['base64', 'inline']);
  assert.deepEqual(rebuilt(found), more);
});

test('the same file is one part however its lines were cut', () => {
  const content = noise(10_000);
  const parts = [60, 64, 72, 76, 998].map((columns) => {
    const [piece] = collect(base64(content, columns), 'base64').pieces;
    assert.ok(piece?.kind === 'part');
    return piece.part.sha.toString('hex');
  });
  assert.equal(new Set(parts).size, 1);
});

test('base64 that decodes to less than the threshold is kept as it came', () => {
  const wrapped = base64(noise(partBytesMin - 1));
  assert.ok(wrapped.length > partBytesMin);
  const { pieces } = collect(wrapped, 'base64');
  assert.deepEqual(kinds(pieces), ['raw']);
  assert.deepEqual(rebuilt(pieces), wrapped);
});

test('content that says base64 and is not is kept as it came', () => {
  for (const octets of [noise(9_000), noise(2 * partChunkBytes), Buffer.alloc(9_000, '=')]) {
    const { pieces } = collect(octets, 'base64');
    assert.deepEqual(rebuilt(pieces), octets);
  }
});

test('content above a chunk is cut into chunks of one size, the last one smaller', () => {
  const octets = noise(2 * partChunkBytes + 5);
  const [piece, ...others] = collect(octets, '8bit').pieces;
  assert.ok(piece?.kind === 'part' && others.length === 0);
  const { chunks } = piece.part;
  assert.deepEqual(
    chunks.map(({ offset, contentBytes }) => [offset, contentBytes]),
    [
      [0, partChunkBytes],
      [partChunkBytes, partChunkBytes],
      [2 * partChunkBytes, 5],
    ],
  );
  assert.deepEqual(rebuilt([piece]), octets);
});

test('chunks are offered once each, and none before as much has come as is held', () => {
  const held = noise(partSpillBytes - 1);
  assert.equal(collect(held, '8bit').spilled.length, 0);
  const octets = noise(partSpillBytes + partChunkBytes);
  const { pieces, spilled } = collect(octets, '8bit');
  assert.deepEqual(
    spilled.map(({ offset }) => offset),
    Array.from({ length: spilled.length }, (_, n) => n * partChunkBytes),
  );
  assert.equal(spilled.length, (partSpillBytes + partChunkBytes) / partChunkBytes);
  assert.deepEqual(rebuilt(pieces), octets);
});

test('base64 that breaks off far behind its start is a part of what was decoded and a part of the rest', () => {
  const good = base64(noise(2 * partChunkBytes));
  const octets = Buffer.concat([good, Buffer.from('!not base64!\r\n'), noise(partChunkBytes, 7)]);
  const { pieces } = collect(octets, 'base64');
  assert.deepEqual(kinds(pieces), ['base64', 'raw']);
  assert.deepEqual(rebuilt(pieces), octets);
});

test('property: pieces give back every octet, however it came and was cut', () => {
  const content = fc.record({
    bytes: fc.integer({ min: 0, max: 40_000 }),
    columns: fc.constantFrom(4, 60, 61, 76, 997),
    finalLineEnd: fc.boolean(),
    tail: fc.string({ unit: fc.constantFrom('\r\n', 'a', '=', '+', ' '), maxLength: 12 }),
    step: fc.integer({ min: 500, max: 50_000 }),
    left: fc.nat(8_192),
    encoding: fc.constantFrom('base64', '7bit', 'quoted-printable'),
  });
  fc.assert(
    fc.property(content, ({ bytes, columns, finalLineEnd, tail, step, left, encoding }) => {
      const octets = Buffer.concat([base64(noise(bytes, bytes), columns, finalLineEnd), Buffer.from(tail)]);
      assert.deepEqual(rebuilt(collect(octets, encoding, left, step).pieces), octets);
    }),
    { numRuns: 60 },
  );
});
