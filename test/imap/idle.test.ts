/** Thousands of clients that are logged in, have INBOX selected and idle: what each costs the daemon's memory, and how they end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemons } from '../support/daemons.ts';
import { liveBytes } from '../support/live-bytes.ts';
import { counts } from '../support/long.ts';

const idle = counts(1_000, 5_000);
/** Each has that share of the sessions, as people have some mail programs that open several connections. */
const users = idle / 20;

/** KiB that a session which idles may cost; 13 were measured on Node 20. */
const kibMax = 24;

/** Dials, logs in, selects and idles as often as its second argument says, and says so; exits 0 when all have heard BYE. */
const dialler = `
  const [port, count, users] = process.argv.slice(1).map(Number);
  let idling = 0;
  let left = count;
  const dial = (number) => {
    if (number >= count) return;
    const socket = require('node:net').connect(port, '127.0.0.1');
    let heard = '';
    socket.on('error', () => process.exit(1));
    socket.write('a LOGIN u' + (number % users) + '@example.org secret\\r\\nb SELECT INBOX\\r\\nc IDLE\\r\\n');
    socket.on('data', function look(octets) {
      heard += octets.toString('latin1');
      if (!/^\\+ idling\\r\\n/m.test(heard)) return;
      socket.off('data', look).once('data', (last) => {
        if (!last.toString().startsWith('* BYE ')) process.exit(1);
        socket.end();
        if (--left === 0) process.exit(0);
      });
      dial(number + 20);
      if (++idling === count) process.stdout.write('idling\\n');
    });
  };
  for (let lane = 0; lane < 20; lane += 1) dial(lane);`;

test(`${idle} sessions that idle cost some KiB each, and end within a drain`, async (t) => {
  await using daemons = await Daemons.start();
  for (let user = 0; user < users; user += 1) {
    const address = `u${user}@example.org`;
    await daemons.addUser(address);
    await daemons.deliver(address, Buffer.from('Subject: one\r\n\r\nText.\r\n'));
  }
  const port = daemons.address('imap').split(':')[1] ?? '';
  const before = liveBytes();
  const client = spawn(process.execPath, ['-e', dialler, port, String(idle), String(users)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => client.kill('SIGKILL'));
  let isIdling = false;
  client.stdout.once('data', () => {
    isIdling = true;
  });
  const deadline = performance.now() + 180_000;
  while (!isIdling) {
    assert.ok(performance.now() < deadline && client.exitCode === null, 'not all idle');
    await sleep(20);
  }
  const kib = (liveBytes() - before) / idle / 1_024;
  t.diagnostic(`${kib.toFixed(1)} KiB each`);
  assert.ok(kib < kibMax, `${kib.toFixed(1)} KiB each`);
  daemons.drain();
  const [code] = await once(client, 'exit');
  assert.equal(code, 0, 'each hears BYE');
});
