/** Daemons as processes: ready notice, signals, crashes, and listening sockets that outlive them. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HeldSocket, parseListenAddress } from '@mstore/net';

const program = fileURLToPath(new URL('./echo-daemon.js', import.meta.url));
const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
});

interface Daemon {
  readonly child: ChildProcess;
  readonly address: string;
  /** Lines of the log so far. */
  readonly log: () => Record<string, unknown>[];
}

async function start(at: string, handle?: object): Promise<Daemon> {
  const stdio = ['ignore', 'ignore', 'pipe', 'ipc', ...(handle === undefined ? [] : [handle])];
  // Node passes any handle of its own on; its types know only streams.
  const child = Reflect.apply(spawn, undefined, [process.execPath, [program, at], { stdio }]);
  assert.ok(child.stderr);
  children.add(child);
  child.once('exit', () => children.delete(child));
  let text = '';
  child.stderr.on('data', (octets: Buffer) => {
    text += octets.toString();
  });
  const [notice] = await once(child, 'message', { signal: AbortSignal.timeout(10_000) });
  assert.equal(notice.type, 'ready');
  const lines = (): Record<string, unknown>[] =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  return { child, address: notice.listening.echo[0], log: lines };
}

/** The exit code, or the signal, when the process has ended and its log is whole. */
async function exitOf(child: ChildProcess): Promise<unknown> {
  if (child.exitCode === null) await once(child, 'exit', { signal: AbortSignal.timeout(10_000) });
  if (child.stderr?.readableEnded === false) await once(child.stderr, 'end');
  return child.exitCode ?? child.signalCode;
}

/** Calls, and gives what is heard until the other side ends; `say` is sent after the greeting. */
async function call(address: string, say: string): Promise<{ socket: Socket; heard: Promise<string> }> {
  const { host, port } = { host: '', port: 0, ...parseListenAddress(address) };
  const socket = connect({ host, port });
  socket.on('error', () => socket.destroy());
  let text = '';
  socket.on('data', (octets) => {
    text += octets.toString();
  });
  const heard = once(socket, 'close').then(() => text);
  await once(socket, 'data', { signal: AbortSignal.timeout(10_000) });
  socket.write(say);
  return { socket, heard };
}

test('SIGTERM lets sessions say goodbye and exits 0', async () => {
  const { child, address, log } = await start('127.0.0.1:0');
  const { heard } = await call(address, '');
  child.kill('SIGTERM');
  assert.equal(await exitOf(child), 0);
  assert.equal(await heard, `hello from ${child.pid}\r\nbye drain\r\n`);
  assert.deepEqual(
    log().map((line) => line.event),
    ['ready', 'draining', 'stopped'],
  );
});

test('a failed reload is logged and changes nothing', async () => {
  const { child, address, log } = await start('127.0.0.1:0');
  child.kill('SIGHUP');
  const { socket, heard } = await call(address, 'still here\r\n');
  while (!log().some((line) => String(line.event).startsWith('not reloaded')))
    await once(child.stderr ?? child, 'data');
  socket.end();
  assert.match(await heard, /still here/);
  child.kill('SIGTERM');
  assert.equal(await exitOf(child), 0);
});

test('what nobody caught is one line in the log and exit code 70', async () => {
  const { child, address, log } = await start('127.0.0.1:0');
  await call(address, 'crash\r\n');
  assert.equal(await exitOf(child), 70);
  const [last] = log().filter((line) => line.level === 'fatal');
  assert.match(JSON.stringify(last?.error), /nobody catches this/);
});

test('a child ends when its parent closes the channel', async () => {
  const { child } = await start('127.0.0.1:0');
  child.disconnect();
  assert.equal(await exitOf(child), 0);
});

test('a start that fails exits 69', async () => {
  const { child, address } = await start('127.0.0.1:0');
  assert.equal(await exitOf(spawn(process.execPath, [program, address], { stdio: 'ignore' })), 69);
  child.kill('SIGTERM');
  await exitOf(child);
});

test('a held address outlives its listeners, and who calls in between waits for the next one', async () => {
  const held = await HeldSocket.bind(parseListenAddress('127.0.0.1:0'));
  const first = await start('fd:4', held.handle);
  const { heard } = await call(held.address, '');
  first.child.kill('SIGKILL');
  await exitOf(first.child);
  await heard;
  const between = call(held.address, '');
  const second = await start('fd:4', held.handle);
  const { socket, heard: then } = await between;
  socket.end();
  assert.match(await then, new RegExp(`^hello from ${second.child.pid}\r\nbye peer`));
  second.child.kill('SIGTERM');
  assert.equal(await exitOf(second.child), 0);
  held.close();
});

test('an address that another program listens on, or that cannot be, is not held', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  await assert.rejects(HeldSocket.bind({ kind: 'tcp', host: '127.0.0.1', port }), { code: 'EADDRINUSE' });
  await assert.rejects(HeldSocket.bind({ kind: 'tcp', host: '192.0.2.1', port: 0 }), { code: 'EADDRNOTAVAIL' });
  taken.close();
});

test('a log that cannot be written does not end a daemon', async () => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [program, '127.0.0.1:0'], { stdio: ['ignore', 'ignore', full, 'ipc'] });
  closeSync(full);
  children.add(child);
  const [notice] = await once(child, 'message', { signal: AbortSignal.timeout(10_000) });
  child.kill('SIGHUP');
  const { socket, heard } = await call(notice.listening.echo[0], 'still here\r\n');
  socket.end();
  assert.match(await heard, /still here/);
  child.kill('SIGTERM');
  assert.equal(await exitOf(child), 0);
});
