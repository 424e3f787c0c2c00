import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DotDecoder, DotEncoder } from './dot-lines.ts';

const octets = (text: string): Buffer => Buffer.from(text, 'latin1');
const runs = process.env.MSTORE_TEST_LONG === '1' ? 100_000 : 3_000;

/** Octets of a message as a list of the pieces that matter, so that every neighbourhood of CR, LF and dot is met. */
const message = fc
  .array(fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '\r\n..', 'a', 'body ', '\0', '\xff', 'x'.repeat(300)), {
    maxLength: 60,
  })
  .map((parts) => octets(parts.join('')));
const cuts = fc.array(fc.nat(400), { maxLength: 30 });

/** The octets in pieces of the given lengths; zero is a piece too. */
function cut(whole: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    pieces.push(whole.subarray(at, at + length));
    at += length;
  }
  pieces.push(whole.subarray(at));
  return pieces;
}

/** What the RFCs say, line by line. */
function encodeByLine(content: string): string {
  const lines = content.split('\r\n').map((line) => (line.startsWith('.') ? `.${line}` : line));
  const text = lines.join('\r\n');
  return `${text}${content === '' || content.endsWith('\r\n') ? '' : '\r\n'}.\r\n`;
}

function decodeAll(pieces: readonly Buffer[]): { content: Buffer; done: boolean; rest: Buffer } {
  const decoder = new DotDecoder();
  const content: Buffer[] = [];
  for (const [index, piece] of pieces.entries()) {
    const decoded = decoder.push(piece);
    content.push(...decoded.content);
    if (decoded.done) {
      const rest = Buffer.concat([decoded.rest, ...pieces.slice(index + 1)]);
      return { content: Buffer.concat(content), done: true, rest };
    }
  }
  return { content: Buffer.concat(content), done: false, rest: Buffer.alloc(0) };
}

function encodeAll(pieces: readonly Buffer[]): Buffer {
  const encoder = new DotEncoder();
  const output = pieces.flatMap((piece) => encoder.push(piece));
  return Buffer.concat([...output, encoder.finish()]);
}

test('the encoder says what a line-by-line one says, wherever the octets are cut', () => {
  fc.assert(
    fc.property(message, cuts, (content, lengths) => {
      assert.equal(encodeAll(cut(content, lengths)).toString('latin1'), encodeByLine(content.toString('latin1')));
    }),
    { numRuns: runs },
  );
});

test('the decoder takes back what the encoder made, and leaves what follows, wherever the octets are cut', () => {
  fc.assert(
    fc.property(message, message, cuts, (content, rest, lengths) => {
      const sent = Buffer.concat([octets(encodeByLine(content.toString('latin1'))), rest]);
      const got = decodeAll(cut(sent, lengths));
      assert.equal(got.done, true);
      const whole = content.length === 0 || content.subarray(-2).equals(octets('\r\n'));
      assert.deepEqual(got.content, whole ? content : Buffer.concat([content, octets('\r\n')]));
      assert.deepEqual(got.rest, rest);
    }),
    { numRuns: runs },
  );
});

test('the decoder says the same of any octets however they are cut', () => {
  fc.assert(
    fc.property(message, cuts, (stream, lengths) => {
      assert.deepEqual(decodeAll(cut(stream, lengths)), decodeAll([stream]));
    }),
    { numRuns: runs },
  );
});

for (const [name, stream] of [
  ['LF . LF', 'a\n.\nb'],
  ['LF . CRLF', 'a\n.\r\nb'],
  ['CRLF . LF', 'a\r\n.\nb'],
  ['CRLF . CR', 'a\r\n.\rb'],
  ['CR . CR', 'a\r.\rb'],
  ['CR . CRLF', 'a\r.\r\nb'],
  ['CR LF . CR CR LF', 'a\r\n.\r\r\nb'],
  ['CRLF .. CRLF', 'a\r\n..\r\nb'],
] as const) {
  test(`${name} does not end a message`, () => {
    assert.equal(decodeAll([octets(stream)]).done, false);
    const smuggled = decodeAll([octets(`${stream}\r\n.\r\nrest`)]);
    assert.equal(smuggled.done, true);
    assert.equal(smuggled.rest.toString(), 'rest');
  });
}

test('a dot is taken only from behind CRLF, and only the first', () => {
  const content = '.a\r\n..\r\n\n..b\r..c\r\n.\nd\r\n.\re\r\n';
  assert.equal(decodeAll([octets(`${content}.\r\n`)]).content.toString(), 'a\r\n.\r\n\n..b\r..c\r\n\nd\r\n\re\r\n');
});

test('an empty message is a dot', () => {
  assert.deepEqual(decodeAll([octets('.\r\nQUIT\r\n')]), {
    content: Buffer.alloc(0),
    done: true,
    rest: octets('QUIT\r\n'),
  });
  assert.equal(encodeAll([]).toString(), '.\r\n');
});

test('octets without dots at line starts are passed on, not copied', () => {
  const content = octets('Subject: a\r\n\r\nno dots here\r\nnor there');
  const [view, ...more] = new DotDecoder().push(content).content;
  assert.equal(more.length, 0);
  assert.equal(view?.buffer, content.buffer);
  const [sent, ...others] = new DotEncoder().push(content);
  assert.equal(others.length, 0);
  assert.equal(sent?.buffer, content.buffer);
});

test('the last CRLF goes out in one piece with the dot', () => {
  const encoder = new DotEncoder();
  assert.equal(Buffer.concat(encoder.push(octets('a\r\n'))).toString(), 'a');
  assert.equal(encoder.finish().toString(), '\r\n.\r\n');
});

test('many dots make few pieces', () => {
  const content = octets('.\r\n'.repeat(20_000));
  assert.ok(new DotEncoder().push(content).length <= 3);
  assert.ok(new DotDecoder().push(octets('..\r\n'.repeat(20_000))).content.length <= 3);
});
