import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { constants, createInflateRaw, deflateRawSync, type InflateRaw, inflateRawSync } from 'node:zlib';
import type { Connection } from './connection.ts';
import { DeadlineWheel } from './deadline.ts';
import { deflated } from './deflated.ts';
import { isPeerError } from './errors.ts';
import { limits } from './limits.ts';
import { LineReader } from './line-reader.ts';
import { HandClock, type Loopback, loopback, MemoryPeer, until } from './support.test.ts';

const flushed = { finishFlush: constants.Z_SYNC_FLUSH };

/** Octets as a peer sends them: whole, and without an end of the stream. */
function compressed(text: string | Buffer): Buffer {
  return deflateRawSync(text, flushed);
}

/** A connection that went over, and what its peer reads. */
async function compressing(): Promise<Loopback & { readonly inflate: InflateRaw; readonly heard: Buffer[] }> {
  const ends = await loopback(new DeadlineWheel());
  await ends.connection.upgrade(deflated);
  const inflate = createInflateRaw();
  const heard: Buffer[] = [];
  inflate.on('data', (octets: Buffer) => heard.push(octets));
  ends.client.pipe(inflate);
  return { ...ends, inflate, heard };
}

function randomOctets(bytes: number): Buffer {
  const octets = Buffer.alloc(bytes);
  let state = 1;
  for (let at = 0; at < bytes; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    octets[at] = state >>> 16;
  }
  return octets;
}

async function readAll(connection: Connection, bytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let left = bytes; left > 0; ) {
    const octets = await connection.read();
    assert.ok(octets !== undefined);
    pieces.push(octets);
    left -= octets.length;
  }
  return Buffer.concat(pieces);
}

test('each burst can be read as soon as it is there, both ways', async () => {
  await using ends = await compressing();
  for (const text of ['one\r\n', 'two\r\n'.repeat(10_000), 'three\r\n']) {
    ends.client.write(compressed(text));
    assert.equal(String(await readAll(ends.connection, text.length)), text);
    ends.heard.length = 0;
    ends.connection.write('* ');
    ends.connection.write(Buffer.from(text));
    await until(() => Buffer.concat(ends.heard).length === text.length + 2, 'the answer');
    assert.equal(Buffer.concat(ends.heard).toString(), `* ${text}`);
  }
  assert.equal(ends.connection.unsentBytes, 0);
});

test('what one turn writes is one block', async () => {
  const sent: Buffer[] = [];
  const below = new Duplex({
    read: () => undefined,
    write: (octets: Buffer, _encoding, done) => {
      sent.push(octets);
      done();
    },
  });
  const above = deflated(below, Buffer.alloc(0));
  above.cork();
  for (let at = 0; at < 100; at += 1) above.write(Buffer.from(`* ${at} EXPUNGE\r\n`));
  above.uncork();
  await until(() => sent.length > 0, 'something was sent');
  assert.equal(sent.length, 1);
  const [octets = Buffer.alloc(0)] = sent;
  assert.deepEqual(octets.subarray(-4), Buffer.from([0, 0, 0xff, 0xff]), 'flushed');
  assert.match(String(inflateRawSync(octets, flushed)), /^\* 0 EXPUNGE\r\n(.*\r\n)*\* 99 EXPUNGE\r\n$/);
  above.destroy();
});

test('octets that come one by one, and some that came ahead of the change, are read', async () => {
  await using ends = await loopback(new DeadlineWheel());
  const octets = compressed('NOOP\r\nLOGOUT\r\n');
  ends.client.write(octets.subarray(0, 3));
  await until(() => ends.connection.bytesIn === 3, 'some of it');
  await ends.connection.upgrade(deflated);
  const lines = new LineReader(ends.connection);
  const first = lines.next();
  for (const octet of octets.subarray(3)) {
    ends.client.write(Buffer.of(octet));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(String(await first), 'NOOP');
  assert.equal(String(await lines.next()), 'LOGOUT');
});

test('a little that becomes much is inflated no further than it is read', async () => {
  await using ends = await compressing();
  const bomb = compressed(Buffer.alloc(200_000_000));
  assert.ok(bomb.length < 250_000);
  ends.client.write(bomb);
  await until(() => ends.connection.unreadBytes >= limits.readAheadBytes, 'the read-ahead is full');
  assert.ok(ends.connection.unreadBytes <= limits.readAheadBytes + 2 * limits.inflateBytes);
  assert.ok(ends.connection.bytesIn < 2 * limits.readAheadBytes, 'and nothing is dropped');
  const before = ends.connection.bytesIn;
  await readAll(ends.connection, 1_000_000);
  assert.ok(ends.connection.bytesIn >= before + 800_000);
  assert.ok(ends.connection.bytesIn < 1_300_000);
  // A line without an end is given up as on any connection.
  const lines = new LineReader(ends.connection, { bareLineFeed: 'ends' });
  await assert.rejects(lines.next(), (error) => isPeerError(error, 'lineEndless'));
  assert.ok(ends.connection.bytesIn < 1_300_000 + 1.1 * limits.lineSkipBytes);
});

test('who does not read holds up who writes', async () => {
  const peer = new MemoryPeer(new HandClock());
  await peer.connection.upgrade(deflated);
  peer.reads = false;
  // Octets that do not become fewer.
  const noise = randomOctets(65_536);
  let written = 0;
  let room: Promise<void> | undefined;
  for (; room === undefined; written += noise.length) room = peer.connection.write(noise);
  assert.ok(written <= limits.writeAheadBytes + noise.length);
  await until(() => peer.heard.length > 0, 'the first group is compressed');
  assert.equal(peer.connection.unsentBytes, written);
  peer.readOn();
  await room;
  await peer.connection.flush();
  const plain = inflateRawSync(Buffer.concat(peer.heard), flushed);
  assert.equal(plain.length, written);
  assert.ok(plain.subarray(-noise.length).equals(noise));
  peer.connection.destroy();
});

test('what is not compressed, or no longer, breaks the connection', async () => {
  await using ends = await compressing();
  ends.client.write('this is no DEFLATE\r\n');
  await assert.rejects(ends.connection.read('command'), (error) => isPeerError(error, 'gone'));
  await ends.connection.closed;
});

test('the ends come as those of the connection below', async () => {
  await using ends = await compressing();
  ends.connection.write('* BYE\r\n');
  const over = once(ends.client, 'end');
  ends.client.end(compressed('x\r\n'));
  assert.equal(String(await ends.connection.read('command')), 'x\r\n');
  assert.equal(await ends.connection.read('command'), undefined);
  assert.equal(ends.connection.farewell, 'peer');
  await ends.connection.end();
  await over;
  await until(() => Buffer.concat(ends.heard).toString() === '* BYE\r\n', 'the last word');
});

test('a peer that ends the stream of DEFLATE has ended', async () => {
  await using ends = await compressing();
  ends.client.write(Buffer.concat([deflateRawSync('x\r\n'), Buffer.from('behind it')]));
  assert.equal(String(await ends.connection.read('command')), 'x\r\n');
  assert.equal(await ends.connection.read('command'), undefined);
});
