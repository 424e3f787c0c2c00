/** Thousands of connections that do nothing: they cost memory, and nothing else. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Connection,
  ConnectionCounter,
  DeadlineWheel,
  LineReader,
  Listener,
  parseListenAddress,
} from '@mstore/net';
import { liveBytes } from '../support/live-bytes.ts';
import { counts } from '../support/long.ts';

const idle = counts(2_000, 5_000);

/** KiB that one idle connection may cost, session and line reader included; 5 were measured on Node 20. */
const kibMax = 10;

/** Dials as often as its second argument says, and stays until it is killed. */
const dialler = `
  const [port, count] = process.argv.slice(1).map(Number);
  const dial = (left) => {
    if (left === 0) return;
    const socket = require('node:net').connect(port, '127.0.0.1', () => dial(left - 1));
    socket.on('error', () => undefined).resume();
  };
  for (let lane = 0; lane < 20; lane += 1) dial(count / 20);
  setInterval(() => undefined, 1000);`;

async function session(connection: Connection): Promise<void> {
  const lines = new LineReader(connection);
  connection.write('+OK ready\r\n');
  for (let line = await lines.next(); line !== undefined; line = await lines.next()) connection.write('+OK\r\n');
}

test(`${idle} idle connections cost a few KiB each, and end within a drain`, async (t) => {
  const listener = await Listener.listen(parseListenAddress('127.0.0.1:0'), {
    wheel: new DeadlineWheel(),
    counter: new ConnectionCounter(),
    serve: session,
    failed: (error) => assert.fail(String(error)),
    refusal: () => 'busy\r\n',
  });
  const before = liveBytes();
  const port = listener.address.split(':')[1] ?? '';
  const client = spawn(process.execPath, ['-e', dialler, port, String(idle)], { stdio: 'ignore' });
  t.after(() => client.kill('SIGKILL'));
  const deadline = performance.now() + 60_000;
  while (listener.connections.size < idle) {
    assert.ok(performance.now() < deadline, `${listener.connections.size} connections came`);
    await sleep(20);
  }
  const kib = (liveBytes() - before) / idle / 1_024;
  t.diagnostic(`${kib.toFixed(1)} KiB each`);
  assert.ok(kib < kibMax, `${kib.toFixed(1)} KiB each`);
  await listener.drain(5_000);
  assert.equal(listener.connections.size, 0);
});
