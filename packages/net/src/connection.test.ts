import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { DeadlineWheel } from './deadline.ts';
import { isPeerError, PeerError, type PeerErrorCode } from './errors.ts';
import { limits } from './limits.ts';
import { HandClock, loopback, MemoryPeer, until } from './support.test.ts';

const is =
  (code: PeerErrorCode) =>
  (error: unknown): boolean =>
    isPeerError(error, code);

test('octets come as they are asked for, and undefined at the end', async () => {
  const peer = new MemoryPeer(new HandClock());
  peer.say('one');
  assert.equal(String(await peer.connection.read()), 'one');
  const next = peer.connection.read();
  peer.say('two');
  assert.equal(String(await next), 'two');
  peer.end();
  assert.equal(await peer.connection.read(), undefined);
  assert.equal(peer.connection.farewell, 'peer');
  assert.equal(peer.connection.bytesIn, 6);
});

test('octets that were given back are read again first', async () => {
  const peer = new MemoryPeer(new HandClock());
  peer.connection.pushBack(Buffer.from('again'));
  peer.say('new');
  assert.equal(String(await peer.connection.read()), 'again');
  assert.equal(String(await peer.connection.read()), 'new');
});

test('what one turn writes goes out in one write, in order', async () => {
  const peer = new MemoryPeer(new HandClock());
  for (const piece of ['+OK ', Buffer.from('é'), ' done\r\n', 'ü']) peer.connection.write(piece);
  await Promise.resolve();
  peer.connection.write('!\r\n');
  await peer.connection.flush();
  assert.deepEqual(peer.heard.map(String), ['+OK é done\r\nü!\r\n']);
  assert.equal(peer.connection.bytesOut, Buffer.byteLength('+OK é done\r\nü!\r\n'));
});

test('a small piece is never cut between two writes', async () => {
  const peer = new MemoryPeer(new HandClock());
  const end = Buffer.from('\r\n.\r\n');
  peer.connection.write(Buffer.alloc(limits.writeGroupBytes - 2));
  peer.connection.write(end);
  peer.connection.write(Buffer.alloc(limits.writeGroupBytes - end.length));
  peer.connection.write(end);
  await peer.connection.flush();
  const ends = peer.heard.filter((octets) => octets.subarray(0, end.length).equals(end));
  assert.equal(ends.length, 2);
  assert.equal(Buffer.concat(peer.heard).length, 2 * limits.writeGroupBytes - 2 + end.length);
});

test('a writer is told to wait at the bound, not before, and goes on when the peer reads', async () => {
  const peer = new MemoryPeer(new HandClock());
  peer.reads = false;
  assert.equal(peer.connection.write(Buffer.alloc(limits.writeAheadBytes)), undefined);
  const room = peer.connection.write(Buffer.alloc(1));
  assert.ok(room instanceof Promise);
  let released = false;
  void room.then(() => {
    released = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(released, false);
  peer.readOn();
  await room;
  await peer.connection.flush();
  assert.equal(peer.connection.bytesOut, limits.writeAheadBytes + 1);
});

test('a peer that does not read gets no further question read', async () => {
  const peer = new MemoryPeer(new HandClock());
  peer.reads = false;
  peer.say('a question');
  peer.connection.write(Buffer.alloc(limits.writeAheadBytes + 1));
  let read = false;
  const question = peer.connection.read().then((octets) => {
    read = true;
    return String(octets);
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(read, false);
  peer.readOn();
  assert.equal(await question, 'a question');
});

test('a client that sends and is not read stays in its kernel: memory here is bounded', async () => {
  const wheel = new DeadlineWheel();
  await using ends = await loopback(wheel);
  const { client, connection } = ends;
  const block = Buffer.alloc(65_536, 'x');
  let sent = 0;
  while (client.write(block) || client.writableLength < 64 * block.length) {
    sent += block.length;
    await new Promise((resolve) => setImmediate(resolve));
    if (sent > 64 * 1_048_576) break;
  }
  assert.ok(sent < 64 * 1_048_576, 'the client was stopped');
  assert.ok(connection.bytesIn <= limits.readAheadBytes * 2, `${connection.bytesIn} octets taken in`);
  let got = 0;
  while (got < sent) got += (await connection.read())?.length ?? 0;
  assert.ok(got >= sent);
});

test('a client that asks and does not read makes memory grow to the bound and no further', async () => {
  const wheel = new DeadlineWheel();
  await using ends = await loopback(wheel);
  const { client, connection } = ends;
  client.pause();
  client.write('x'.repeat(4_000_000));
  const answer = 'an answer longer than its question\r\n'.repeat(100);
  let most = 0;
  let answered = 0;
  const serving = (async () => {
    for (;;) {
      const octets = await connection.read();
      if (octets === undefined) return;
      // Careless: the promise of write is not awaited.
      for (let at = 0; at < octets.length; at += 4_096) connection.write(answer);
      answered += octets.length;
      most = Math.max(most, connection.unsentBytes);
    }
  })().catch((error: unknown) => assert.ok(isPeerError(error)));
  let before = -1;
  await until(() => {
    const still = before === answered && answered > 0;
    before = answered;
    return still;
  }, 'serving stands still');
  assert.ok(most <= limits.writeAheadBytes + 64 * answer.length, `${most} octets unsent`);
  client.destroy();
  await serving;
});

test('an idle peer gets its farewell between commands, after the idle time and not before', async () => {
  const clock = new HandClock();
  const { connection } = new MemoryPeer(clock, { idleTimeoutMs: 10_000 });
  let answered = false;
  const command = connection.read('command').then((octets) => {
    answered = true;
    return octets;
  });
  await clock.advance(9_500);
  assert.equal(answered, false);
  await clock.advance(1_000);
  assert.equal(await command, undefined);
  assert.equal(connection.farewell, 'idle');
  connection.write('421 too slow\r\n');
});

test('time spent on our own work is not held against the peer', async () => {
  const clock = new HandClock();
  const peer = new MemoryPeer(clock, { stallTimeoutMs: 5_000 });
  for (let round = 0; round < 4; round += 1) {
    const content = peer.connection.read('content');
    peer.say('x');
    await content;
    await clock.advance(60_000);
  }
  assert.equal(peer.connection.farewell, undefined);
});

test('a peer that drips content is late, one that makes progress is not', async () => {
  for (const [bytes, late] of [
    [1, true],
    [limits.progressBytes, false],
  ] as const) {
    const clock = new HandClock();
    const peer = new MemoryPeer(clock, { stallTimeoutMs: 5_000 });
    const drip = async (): Promise<void> => {
      for (let round = 0; round < 10; round += 1) {
        const content = peer.connection.read('content');
        content.catch(() => undefined);
        await clock.advance(1_000);
        peer.say(Buffer.alloc(bytes));
        await content;
      }
    };
    if (late) await assert.rejects(drip(), is('timeout'));
    else await drip();
  }
});

test('a peer that drips a line is late, one that completes lines is not', async () => {
  const clock = new HandClock();
  const peer = new MemoryPeer(clock, { lineTimeoutMs: 5_000 });
  for (let round = 0; round < 10; round += 1) {
    const rest = peer.connection.read('line');
    await clock.advance(1_000);
    peer.say('x');
    await rest;
    peer.connection.progress();
  }
  const drip = async (): Promise<void> => {
    for (;;) {
      const rest = peer.connection.read('line');
      rest.catch(() => undefined);
      await clock.advance(1_000);
      peer.say('x');
      await rest;
    }
  };
  await assert.rejects(drip(), is('timeout'));
});

test('a peer that does not take what it asked for is disconnected', async () => {
  const clock = new HandClock();
  const peer = new MemoryPeer(clock, { stallTimeoutMs: 5_000 });
  peer.reads = false;
  peer.connection.write('an answer');
  const flushed = assert.rejects(peer.connection.flush(), is('timeout'));
  await clock.advance(6_000);
  await flushed;
  assert.equal(peer.connection.isOpen, false);
  assert.throws(() => peer.connection.write('more'), is('timeout'));
});

test('a login that is not over in time ends the session, whatever it waits for', async () => {
  const clock = new HandClock();
  const { connection } = new MemoryPeer(clock);
  connection.setDeadline(10_000);
  const line = assert.rejects(connection.read('line'), is('timeout'));
  await clock.advance(11_000);
  await line;
  assert.equal(connection.farewell, 'deadline');
  assert.equal(await connection.read('command'), undefined);
});

test('a deadline that is taken away does not come', async () => {
  const clock = new HandClock();
  const { connection } = new MemoryPeer(clock);
  connection.setDeadline(10_000);
  connection.setDeadline(undefined);
  await clock.advance(20_000);
  assert.equal(connection.farewell, undefined);
});

test('a deadline that passed while nobody waited for the peer is forgotten with what it was set for', async () => {
  const clock = new HandClock();
  const peer = new MemoryPeer(clock);
  const { connection } = peer;
  connection.setDeadline(10_000);
  await clock.advance(11_000);
  connection.setDeadline(undefined);
  assert.equal(connection.farewell, undefined);
  peer.say('STAT');
  assert.equal(String(await connection.read('command')), 'STAT');

  const stopped = new MemoryPeer(clock).connection;
  stopped.setDeadline(10_000);
  stopped.finish();
  await clock.advance(11_000);
  stopped.setDeadline(undefined);
  assert.equal(stopped.farewell, 'drain');
});

test('a drain ends the wait for a command, and lets content come to its end', async () => {
  const waiting = new MemoryPeer(new HandClock());
  const command = waiting.connection.read('command');
  waiting.connection.finish();
  assert.equal(await command, undefined);
  assert.equal(waiting.connection.farewell, 'drain');

  const sending = new MemoryPeer(new HandClock());
  const content = sending.connection.read('content');
  sending.connection.finish();
  sending.say('the rest');
  assert.equal(String(await content), 'the rest');
  assert.equal(await sending.connection.read('command'), undefined);
});

test('the last reply arrives although the client still sends', async () => {
  const wheel = new DeadlineWheel();
  await using ends = await loopback(wheel);
  const { client, connection } = ends;
  let heard = '';
  client.on('data', (octets) => {
    heard += octets.toString();
  });
  client.on('end', () => client.end());
  for (let count = 0; count < 50; count += 1) client.write(Buffer.alloc(10_000, 'x'));
  await connection.read();
  connection.write('421 enough\r\n');
  await connection.end();
  await until(() => client.closed, 'the client is closed');
  assert.equal(heard, '421 enough\r\n');
});

test('an end waits for a lingering peer only so long', async () => {
  const clock = new HandClock();
  await using ends = await loopback(clock.wheel);
  let ended = false;
  const end = ends.connection.end().then(() => {
    ended = true;
  });
  ends.client.resume();
  await until(() => ends.client.readableEnded, 'the end arrives');
  await clock.advance(limits.lingerMs - 500);
  assert.equal(ended, false);
  await clock.advance(1_000);
  await end;
});

test('a peer that breaks off is gone: for the reader, the writer, and who waits for the end', async () => {
  const wheel = new DeadlineWheel();
  await using ends = await loopback(wheel);
  const read = assert.rejects(ends.connection.read(), is('gone'));
  ends.client.resetAndDestroy();
  await read;
  await ends.connection.closed;
  assert.throws(() => ends.connection.write('x'), is('gone'));
  await ends.connection.end();
});

test('destroy gives its reason to all who wait', async () => {
  const peer = new MemoryPeer(new HandClock());
  peer.reads = false;
  peer.connection.write('x');
  const reason = new PeerError('gone', 'kicked');
  const waits = [assert.rejects(peer.connection.flush(), reason), assert.rejects(peer.connection.read(), reason)];
  peer.connection.destroy(reason);
  await Promise.all(waits);
  await peer.connection.closed;
});

/** A transport that turns every bit around, both ways. */
function inverted(below: Duplex, unread: Buffer): Duplex {
  const invert = (octets: Buffer): Buffer => Buffer.from(octets.map((octet) => octet ^ 255));
  const above: Duplex = new Duplex({
    allowHalfOpen: true,
    read: () => void below.resume(),
    write: (octets: Buffer, _encoding, done) => void below.write(invert(octets), done),
    final: (done) => void below.end(done),
  });
  below.on('data', (octets: Buffer) => void above.push(invert(octets)));
  below.on('end', () => void above.push(null));
  if (unread.length > 0) above.push(invert(unread));
  return above;
}

test('a connection goes on over another transport, with what was sent ahead', async () => {
  const wheel = new DeadlineWheel();
  await using ends = await loopback(wheel);
  const client: Socket = ends.client;
  const heard: Buffer[] = [];
  client.on('data', (octets) => heard.push(octets));
  client.write(Buffer.from('plain'));
  assert.equal(String(await ends.connection.read()), 'plain');
  client.write(Buffer.from([~0x61 & 255, ~0x62 & 255]));
  await until(() => ends.connection.bytesIn === 7, 'it came');
  ends.connection.write('go ahead');
  await ends.connection.upgrade(inverted);
  assert.equal(String(await ends.connection.read()), 'ab');
  ends.connection.write('cd');
  await ends.connection.flush();
  await until(() => Buffer.concat(heard).length === 10, 'the answer');
  assert.deepEqual(Buffer.concat(heard).subarray(8), Buffer.from([~0x63 & 255, ~0x64 & 255]));
  client.end();
  assert.equal(await ends.connection.read(), undefined);
  await ends.connection.end();
});
