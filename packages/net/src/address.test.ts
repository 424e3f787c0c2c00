import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  addressBelow,
  addressKey,
  formatListenAddress,
  isLocalAddress,
  isLoopback,
  openServer,
  parseListenAddress,
  removeStaleSocket,
} from './address.ts';
import { HeldSocket } from './held-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'mstore-net-'));
after(() => rmSync(folder, { recursive: true }));

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

test('addresses are written as they are read', () => {
  for (const text of ['127.0.0.1:0', '0.0.0.0:143', '[::1]:0', '[2001:db8::1]:65535', 'unix:/run/mstore/lmtp.sock']) {
    assert.equal(formatListenAddress(parseListenAddress(text)), text);
  }
});

test('what is no address is refused', () => {
  const longPath = `unix:/${'x'.repeat(107)}`;
  for (const text of [
    '',
    '143',
    'localhost:143',
    '127.0.0.1',
    '::1:143',
    '[127.0.0.1]:1',
    '1.2.3.4:65536',
    'unix:',
    longPath,
  ]) {
    assert.throws(() => parseListenAddress(text), Error, text);
  }
  assert.doesNotThrow(() => parseListenAddress(`unix:/${'x'.repeat(106)}`));
});

test('loopback and Unix sockets are local', () => {
  for (const text of ['127.0.0.1:0', '127.9.9.9:1', '[::1]:0', 'unix:x']) {
    assert.equal(isLocalAddress(parseListenAddress(text)), true, text);
  }
  for (const text of ['0.0.0.0:0', '192.0.2.1:1', '[::]:0', '[2001:db8::1]:0']) {
    assert.equal(isLocalAddress(parseListenAddress(text)), false, text);
  }
  assert.equal(isLoopback('::ffff:127.0.0.1'), true);
});

test('IPv4 peers count by address, IPv6 ones by their /64', () => {
  assert.equal(addressKey('192.0.2.1'), '192.0.2.1');
  assert.equal(addressKey('::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(addressKey('2001:db8:0:1:ffff::9'), '2001:db8:0:1::/64');
  assert.equal(addressKey('2001:db8:0:1::'), '2001:db8:0:1::/64');
  assert.equal(addressKey('2001:db8::1:2:3'), '2001:db8:0:0::/64');
  assert.equal(addressKey('::1'), '0:0:0:0::/64');
  assert.equal(addressKey('::ffff:0:192.0.2.1'), '0:0:0:0::/64');
  assert.equal(addressKey('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.equal(addressKey(''), '');
});

test('port 0 is answered with the port', async () => {
  for (const text of ['127.0.0.1:0', '[::1]:0']) {
    const server = createServer();
    const bound = await openServer(server, parseListenAddress(text));
    assert.ok(bound.kind === 'tcp' && bound.port > 0);
    await close(server);
  }
});

test('an address in use is an error with its errno', async () => {
  const server = createServer();
  const bound = await openServer(server, parseListenAddress('127.0.0.1:0'));
  await assert.rejects(openServer(createServer(), bound), { code: 'EADDRINUSE' });
  await close(server);
});

test('a Unix socket has the mode that was asked for', async () => {
  const path = join(folder, 'mode');
  const server = createServer();
  await openServer(server, { kind: 'unix', path }, { unixMode: 0o660 });
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await close(server);
  assert.equal(existsSync(path), false);
});

test('a socket that answers is left alone, one that nobody answers on is replaced', async () => {
  const path = join(folder, 'stale');
  const held = await HeldSocket.bind({ kind: 'unix', path });
  // Bound and never listening: what a killed process leaves behind looks the same to who connects.
  const server = createServer();
  await openServer(server, { kind: 'unix', path });
  await assert.rejects(openServer(createServer(), { kind: 'unix', path }), /another process listens there/);
  await close(server);
  held.close();
});

test('a file that is not a socket is never removed', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, 'mail');
  await assert.rejects(openServer(createServer(), { kind: 'unix', path }), /not a socket/);
  await assert.rejects(removeStaleSocket(path), /not a socket/);
  assert.equal(existsSync(path), true);
});

test('a relative socket is below the directory that is named with it', () => {
  assert.deepEqual(addressBelow('/srv/mail', 'unix:run/pop3.sock'), { kind: 'unix', path: '/srv/mail/run/pop3.sock' });
  assert.deepEqual(addressBelow('/srv/mail', 'unix:/run/pop3.sock'), { kind: 'unix', path: '/run/pop3.sock' });
  assert.deepEqual(addressBelow('/srv/mail', '127.0.0.1:110'), { kind: 'tcp', host: '127.0.0.1', port: 110 });
});
