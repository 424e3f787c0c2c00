import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../limits.ts';
import {
  type Base64Recipe,
  Base64Unwrapper,
  contentWindow,
  encodedBytes,
  type UnwrappedBase64,
  unwrapBase64,
  unwrapHeldBytesMax,
  wrapBase64Window,
} from './transfer-encoding.ts';

/** The plain way to encode. */
function wrap(content: Buffer, { lineBytes, finalLineEnd }: Base64Recipe): Buffer {
  const text = content.toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += lineBytes || text.length)
    lines.push(text.slice(at, at + (lineBytes || text.length)));
  return Buffer.from(lines.join('\r\n') + (finalLineEnd ? '\r\n' : ''), 'latin1');
}

/** Unwraps what arrives cut at `cuts`; checks on the way that nothing given out was unproved. */
function unwrapCut(source: Buffer, cuts: readonly number[]): UnwrappedBase64 {
  const unwrapper = new Base64Unwrapper();
  const pieces: Buffer[] = [];
  let pushed = 0;
  for (const cut of [...new Set(cuts.map((each) => each % (source.length + 1)))].sort((a, b) => a - b)) {
    const piece = Buffer.from(source.subarray(pushed, cut));
    pieces.push(unwrapper.push(piece));
    piece.fill(0);
    pushed = cut;
    if (unwrapper.ended) break;
    assert.ok(pushed - unwrapper.sourceBytes <= unwrapHeldBytesMax);
  }
  if (!unwrapper.ended) {
    pieces.push(unwrapper.push(source.subarray(pushed)));
    pushed = source.length;
  }
  const run = unwrapper.finish();
  assert.ok(run.rest.equals(source.subarray(run.sourceBytes, pushed)));
  return { ...run, content: Buffer.concat([...pieces, run.content]), rest: source.subarray(run.sourceBytes) };
}

function rewrap(run: UnwrappedBase64): Buffer {
  return wrapBase64Window(run.recipe, run.contentBytes, run.content, 0, encodedBytes(run.recipe, run.contentBytes));
}

/** Checks that the covered prefix comes out again. */
function checkRun(run: UnwrappedBase64, source: Buffer): void {
  assert.equal(run.content.length, run.contentBytes);
  if (run.sourceBytes === 0) return;
  assert.ok(rewrap(run).equals(source.subarray(0, run.sourceBytes)));
  const [lines, ends] = [run.lines, source.subarray(0, run.sourceBytes).toString('latin1').split('\r\n').length - 1];
  assert.equal(lines, run.recipe.finalLineEnd ? ends : ends + 1);
}

const octets = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const lineLengths = fc.oneof(
  fc.integer({ min: 1, max: 12 }),
  fc.constantFrom(60, 64, 72, 74, 75, 76, 77, 78, 500, limits.base64LineBytes),
  fc.integer({ min: 1, max: limits.base64LineBytes }),
);
const recipes = fc.record({ lineBytes: fc.oneof(fc.constant(0), lineLengths), finalLineEnd: fc.boolean() });
const cutLists = fc.array(fc.nat(), { maxLength: 6 });

test('every line length and every size comes back octet for octet', () => {
  const content = Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 7919 + (n >> 8)) & 0xff));
  for (let lineBytes = 0; lineBytes <= limits.base64LineBytes; lineBytes += lineBytes < 100 ? 1 : 47) {
    for (const size of [1, 2, 3, 4, 56, 57, 58, 114, 1000, 4999, 5000]) {
      for (const finalLineEnd of [true, false]) {
        const source = wrap(content.subarray(0, size), { lineBytes, finalLineEnd });
        const run = unwrapBase64(source);
        assert.ok(run !== undefined, `${lineBytes} columns, ${size} octets`);
        assert.equal(run.sourceBytes, source.length, `${lineBytes} columns, ${size} octets`);
        assert.ok(run.content.equals(content.subarray(0, size)));
        checkRun(run, source);
      }
    }
  }
});

test('property: round trip, wherever the source is cut', () => {
  fc.assert(
    fc.property(octets(5000), recipes, cutLists, (content, recipe, cuts) => {
      fc.pre(content.length > 0);
      const source = wrap(content, recipe);
      const run = unwrapCut(source, cuts);
      assert.equal(run.sourceBytes, source.length);
      assert.ok(run.content.equals(content));
      checkRun(run, source);
    }),
    { numRuns: 300 },
  );
});

test('property: long runs cut in pieces of any size', () => {
  const content = Buffer.from(Array.from({ length: 400_000 }, (_, n) => (n * n) & 0xff));
  fc.assert(
    fc.property(fc.nat(400_000), recipes, cutLists, (size, recipe, cuts) => {
      const part = content.subarray(0, size + 1);
      const source = wrap(part, recipe);
      const run = unwrapCut(source, cuts);
      assert.equal(run.sourceBytes, source.length);
      assert.ok(run.content.equals(part));
    }),
    { numRuns: 40 },
  );
});

test('property: an octet changed, added or removed anywhere leaves a prefix that comes out exactly', () => {
  const change = fc.record({ at: fc.nat(), kind: fc.constantFrom('set', 'insert', 'remove'), octet: fc.nat(255) });
  fc.assert(
    fc.property(octets(3000), recipes, change, cutLists, (content, recipe, { at, kind, octet }, cuts) => {
      fc.pre(content.length > 0);
      const source = wrap(content, recipe);
      const where = at % source.length;
      const changed = Buffer.concat([
        source.subarray(0, where),
        kind === 'remove' ? Buffer.alloc(0) : Buffer.of(octet),
        source.subarray(kind === 'insert' ? where : where + 1),
      ]);
      const run = unwrapCut(changed, cuts);
      checkRun(run, changed);
      // At most the line that was hit, the lines that share its groups of four columns, and nothing before is lost.
      const line = recipe.lineBytes;
      const isLineLengthKnown = line > 0 && where >= line + 2;
      if (isLineLengthKnown) assert.ok(run.sourceBytes >= where - 4 * (line + 2), `${run.sourceBytes} of ${where}`);
    }),
    { numRuns: 500 },
  );
});

test('property: every window of the encoding is made from its window of the content', () => {
  fc.assert(
    fc.property(octets(5000), recipes, fc.nat(), fc.nat(), (content, recipe, a, b) => {
      fc.pre(content.length > 0);
      const source = wrap(content, recipe);
      assert.equal(encodedBytes(recipe, content.length), source.length);
      const from = Math.min(a % (source.length + 1), b % (source.length + 1));
      const to = Math.max(a % (source.length + 1), b % (source.length + 1));
      const window = contentWindow(recipe, content.length, from, to);
      assert.ok(window.to - window.from <= ((to - from) * 3) / 4 + 6);
      const part = wrapBase64Window(recipe, content.length, content.subarray(window.from, window.to), from, to);
      assert.ok(part.equals(source.subarray(from, to)));
    }),
    { numRuns: 500 },
  );
});

test('property: octets that are anything are covered as far as they come out again', () => {
  const pieces = fc.constantFrom('QUJD', 'QQ==', 'QUI=', 'QR==', '====', '\r\n', '\r', '\n', '-_', 'A', ' ', '');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), cutLists, (texts, cuts) => {
      const source = Buffer.from(texts.join(''), 'latin1');
      const run = unwrapCut(source, cuts);
      checkRun(run, source);
      assert.deepEqual(run, unwrapCut(source, []));
    }),
    { numRuns: 1000 },
  );
});

test('what is covered, by example', () => {
  const long = 'QUJD'.repeat(300);
  const cases: [string, number, Partial<Base64Recipe>?][] = [
    ['', 0],
    ['\r\n', 0],
    ['QUJD', 4, { lineBytes: 0, finalLineEnd: false }],
    ['QUJD\r\n', 6, { lineBytes: 0, finalLineEnd: true }],
    ['QUJD\r\nQUJD', 10, { lineBytes: 4, finalLineEnd: false }],
    ['QUJD\r\nQQ==\r\n', 12, { lineBytes: 4, finalLineEnd: true }],
    ['QUJDQUJD\r\nQQ==\r\nQUJD\r\n', 16], // padding ends the run
    ['QUJDQUJD\r\nQUJD\r\nQUJD\r\n', 16], // so does a short line
    ['QUJD\r\nQUJDQUJD\r\n', 6], // a longer one
    ['QUJD\r\nQUJD\r\n\r\nQUJD\r\n', 12], // an empty one
    ['QUJD\r\nQUJD\nQUJD\r\n', 6], // a bare LF
    ['QUJD\r\nQUJ \r\n', 6], // a blank
    ['QUJD\r\nQR==\r\n', 6], // unused bits set
    ['QUJD\r\nQQ=\r\n', 6], // padding too short
    ['QUJD\r\nQQ\r\n', 6], // or missing
    ['QUJD\r\nQUJ-\r\n', 6], // the other alphabet
    ['QUJDQU\r\nJDQUJD\r\nQUJDQU\r\n', 16, { lineBytes: 6, finalLineEnd: true }], // half a group
    ['QQ==QUJD\r\n', 0],
    ['Hello, world\r\n', 0],
    [long, 1200, { lineBytes: 0, finalLineEnd: false }],
    [`${long}\r\n`, 1202, { lineBytes: 0, finalLineEnd: true }],
    [`${long}\r\n${long}\r\n`, 1202, { lineBytes: 0, finalLineEnd: true }],
    [`${long}QU\r\n`, 1200, { lineBytes: 0, finalLineEnd: false }],
    [`${long}QQ==QUJD`, 1204, { lineBytes: 0, finalLineEnd: false }],
    [`${long}*${long}`, 1200, { lineBytes: 0, finalLineEnd: false }],
  ];
  for (const [text, sourceBytes, recipe] of cases) {
    const run = unwrapCut(Buffer.from(text, 'latin1'), []);
    assert.equal(run.sourceBytes, sourceBytes, JSON.stringify(text.slice(-40)));
    if (recipe !== undefined) assert.deepEqual(run.recipe, recipe, JSON.stringify(text.slice(-40)));
  }
});

test('an unwrapper says when the run is over, and gives back what it took in behind it', () => {
  const unwrapper = new Base64Unwrapper();
  const noise = Buffer.alloc(unwrapHeldBytesMax * 2, '*');
  assert.equal(unwrapper.push(Buffer.concat([Buffer.from('QUJD\r\n'), noise])).toString(), 'ABC');
  assert.ok(unwrapper.ended);
  assert.throws(() => unwrapper.push(Buffer.from('QUJD')));
  const run = unwrapper.finish();
  assert.equal(run.sourceBytes, 6);
  assert.ok(run.rest.equals(noise));
});
