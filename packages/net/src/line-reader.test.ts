import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPeerError } from './errors.ts';
import { limits } from './limits.ts';
import { LineReader, type LineReaderOptions } from './line-reader.ts';
import { HandClock, MemoryPeer } from './support.test.ts';

const runs = process.env.MSTORE_TEST_LONG === '1' ? 20_000 : 1_000;

async function collect(octets: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of octets) parts.push(part);
  return Buffer.concat(parts).toString('latin1');
}

/** Lines and complaints in the order they come, until the peer's end. */
async function readAll(lines: LineReader): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    try {
      const line = await lines.next();
      if (line === undefined) return seen;
      seen.push(`= ${line.toString('latin1')}`);
    } catch (error) {
      if (!isPeerError(error)) throw error;
      seen.push(`! ${error.code}`);
      if (error.code === 'gone' || error.code === 'lineEndless') return seen;
    }
  }
}

/** One for all: a wheel of deadlines with its timer is not small. */
const stillClock = new HandClock();

function saying(pieces: readonly (Buffer | string)[]): MemoryPeer {
  const peer = new MemoryPeer(stillClock);
  for (const piece of pieces) if (piece.length > 0) peer.say(piece);
  return peer;
}

async function readStream(pieces: readonly (Buffer | string)[], options: LineReaderOptions = {}): Promise<string[]> {
  const peer = saying(pieces);
  peer.end();
  return await readAll(new LineReader(peer.connection, options));
}

test('pipelined lines come one by one, without their ends', async () => {
  assert.deepEqual(await readStream(['NOOP\r\n\r\nQUIT\r\n']), ['= NOOP', '= ', '= QUIT']);
});

test('a line may be cut anywhere, between CR and LF too', async () => {
  assert.deepEqual(await readStream(['NO', 'OP\r', '\nQU', 'IT', '\r\n']), ['= NOOP', '= QUIT']);
});

test('a bare LF is refused with its whole line, or ends a line where that is asked for', async () => {
  assert.deepEqual(await readStream(['A\nB\r\nC\r\n']), ['! bareLineFeed', '= C']);
  assert.deepEqual(await readStream(['A\nB\r\nC\r\n'], { bareLineFeed: 'ends' }), ['= A', '= B', '= C']);
});

test('a bare CR is content of its line', async () => {
  assert.deepEqual(await readStream(['A\rB\r\r\n']), ['= A\rB\r']);
});

test('a line of the bound is read, one octet more is skipped and reported', async () => {
  const options = { lineBytesMax: 10 };
  const lines = ['0123456789', '0123456789X', 'ok'];
  const expected = ['= 0123456789', '! lineTooLong', '= ok'];
  const text = `${lines.join('\r\n')}\r\n`;
  assert.deepEqual(await readStream([text], options), expected);
  for (let at = 1; at < text.length; at += 1) {
    assert.deepEqual(await readStream([text.slice(0, at), text.slice(at)], options), expected, `cut at ${at}`);
  }
  assert.deepEqual(await readStream([...text], options), expected);
});

test('the first and the last octets of a skipped line can be asked for until the next one', async () => {
  const text = `tag ${'x'.repeat(2_000)} {10+}`;
  const wire = `${text}\r\nok\r\n`;
  for (const at of [1, 3, 600, text.length - 3, text.length, text.length + 1, text.length + 2]) {
    const lines = new LineReader(saying([wire.slice(0, at), wire.slice(at)]).connection, { lineBytesMax: 100 });
    await assert.rejects(lines.next(), (error) => isPeerError(error, 'lineTooLong'));
    const { start, end } = lines.skipped ?? {};
    assert.equal(String(start), text.slice(0, limits.skippedEdgeBytes), `cut at ${at}`);
    assert.ok(text.endsWith(String(end)) && String(end).endsWith('x {10+}'), `cut at ${at}: ${end}`);
    assert.equal(String(await lines.next()), 'ok');
    assert.equal(lines.skipped, undefined);
  }
});

test('a long line is skipped without being kept, and an endless one given up', async () => {
  const block = Buffer.alloc(65_536, 'x');
  const peer = new MemoryPeer(new HandClock());
  const lines = new LineReader(peer.connection, { lineBytesMax: 100 });
  const next = lines.next().then(
    () => 'a line',
    (error: unknown) => (isPeerError(error) ? error.code : 'another error'),
  );
  for (let sent = 0; sent <= limits.lineSkipBytes + block.length; sent += block.length) {
    peer.say(block);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await next, 'lineEndless');
});

test('a peer that ends within a line is gone', async () => {
  assert.deepEqual(await readStream(['QUIT\r\nNOO']), ['= QUIT', '! gone']);
});

test('a literal lies between lines and may hold anything', async () => {
  const peer = saying(['A {6}\r\nx\r\n', '.\r\n rest\r\n']);
  const lines = new LineReader(peer.connection);
  assert.equal(String(await lines.next()), 'A {6}');
  assert.equal(await collect(lines.bytes(6)), 'x\r\n.\r\n');
  assert.equal(String(await lines.next()), ' rest');
});

test('a literal that ends in CR does not lend it to the next line', async () => {
  const peer = saying(['{1}\r\n\r\nA\r\nB\r\n']);
  const lines = new LineReader(peer.connection);
  await lines.next();
  assert.equal(await collect(lines.bytes(1)), '\r');
  await assert.rejects(lines.next(), (error) => isPeerError(error, 'bareLineFeed'));
  assert.equal(String(await lines.next()), 'B');
});

test('an empty literal is no octets', async () => {
  const lines = new LineReader(saying(['{0}\r\nA\r\n']).connection);
  await lines.next();
  assert.equal(await collect(lines.bytes(0)), '');
  assert.equal(String(await lines.next()), 'A');
});

test('what is left unread of a literal or a message is skipped before the next line', async () => {
  const peer = saying(['{10}\r\n0123', '456789DATA\r\na\r\n..b\r\n.', '\r\nQUIT\r\n']);
  const lines = new LineReader(peer.connection);
  await lines.next();
  for await (const octets of lines.bytes(10)) {
    assert.equal(String(octets), '0123');
    break;
  }
  assert.equal(String(await lines.next()), 'DATA');
  lines.dotLines();
  assert.equal(String(await lines.next()), 'QUIT');
});

test('a message cut off before its dot is not whole', async () => {
  const peer = saying(['DATA\r\nSubject: a\r\n\r\nb\r\n']);
  peer.end();
  const lines = new LineReader(peer.connection);
  await lines.next();
  await assert.rejects(collect(lines.dotLines()), (error) => isPeerError(error, 'gone'));
});

test('what was read ahead goes back to the connection on release', async () => {
  const peer = saying(['COMPRESS\r\nraw octets']);
  const lines = new LineReader(peer.connection);
  await lines.next();
  lines.release();
  assert.equal(String(await peer.connection.read()), 'raw octets');
});

test('any session of lines, literals and messages is read alike however it is cut', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', '.', '\r', '\n', '\r\n', '\r\n.', ' '), maxLength: 40 });
  const item = fc.oneof(
    fc.constantFrom('NOOP', 'x'.repeat(30), '').map((line) => ({ kind: 'line' as const, line })),
    fc.constantFrom(31, 64, 200).map((length) => ({ kind: 'long' as const, line: 'y'.repeat(length) })),
    text.map((line) => ({ kind: 'literal' as const, line })),
    text.map((line) => ({ kind: 'message' as const, line })),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(item, { maxLength: 12 }),
      fc.array(fc.nat(25), { maxLength: 60 }),
      async (items, cuts) => {
        const wire = items.map(({ kind, line }) => {
          if (kind === 'literal') return `{${line.length}}\r\n${line}`;
          if (kind !== 'message') return `${line}\r\n`;
          const stuffed = line.replace(/(^|\r\n)\./g, '$1..');
          return `DATA\r\n${stuffed}\r\n.\r\n`;
        });
        let left = wire.join('');
        const pieces: string[] = [];
        for (const length of cuts) {
          pieces.push(left.slice(0, length));
          left = left.slice(length);
        }
        const peer = saying([...pieces, left]);
        peer.end();
        const lines = new LineReader(peer.connection, { lineBytesMax: 30 });
        for (const { kind, line } of items) {
          if (kind === 'long') {
            await assert.rejects(lines.next(), (error) => isPeerError(error, 'lineTooLong'));
            continue;
          }
          const got = String(await lines.next());
          if (kind === 'line') assert.equal(got, line);
          else if (kind === 'literal') assert.equal(await collect(lines.bytes(line.length)), line);
          else assert.equal(await collect(lines.dotLines()), `${line}\r\n`);
        }
        assert.equal(await lines.next(), undefined);
      },
    ),
    { numRuns: runs },
  );
});

test('hostile octets make lines and complaints, whose lines are within their bound', async () => {
  const noise = fc.array(fc.constantFrom('a', '\r', '\n', '\0', '\xff', '\r\n', 'z'.repeat(20)), { maxLength: 80 });
  await fc.assert(
    fc.asyncProperty(noise, fc.boolean(), async (pieces, ends) => {
      const options: LineReaderOptions = { lineBytesMax: 25, bareLineFeed: ends ? 'ends' : 'refused' };
      const cutAtEach = await readStream(
        pieces.map((piece) => Buffer.from(piece, 'latin1')),
        options,
      );
      const whole = await readStream([Buffer.from(pieces.join(''), 'latin1')], options);
      assert.deepEqual(cutAtEach, whole);
      for (const seen of whole) assert.ok(seen.length <= 27 && !seen.includes('\n'));
    }),
    { numRuns: runs },
  );
});

test('a message in dots comes whole when it ends in time, and flows on from its beginning when not', async () => {
  for (const heldBytesMax of [0, 1, 5, 10, 11, 100]) {
    for (let cut = 0; cut <= 16; cut++) {
      const sent = 'ab\r\n..c\r\nde\r\n.\r\nNOOP\r\n';
      const lines = new LineReader(saying([sent.slice(0, cut), sent.slice(cut)]).connection);
      const message = await lines.dotMessage(heldBytesMax);
      const text = Buffer.isBuffer(message) ? message.toString() : await collect(message);
      assert.equal(text, 'ab\r\n.c\r\nde\r\n', `held ${heldBytesMax}, cut at ${cut}`);
      if (heldBytesMax >= text.length) assert.ok(Buffer.isBuffer(message));
      assert.equal(String(await lines.next()), 'NOOP');
    }
  }
});

test('what is left of a message or a literal is skipped when asked, and nothing when there is none', async () => {
  const lines = new LineReader(saying(['ab\r\ncd\r\n.\r\n12345NOOP\r\n']).connection);
  await lines.skip();
  lines.dotLines();
  await lines.skip();
  lines.bytes(5);
  await lines.skip();
  assert.equal(String(await lines.next()), 'NOOP');
});
