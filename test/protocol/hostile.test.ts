/**
 * Peers that mean harm, or have lost their senses: thousands that do nothing, that send an octet now and then, that never read, that
 * send too much; disks that are full and directories that cannot be written. The right answer, bounded memory, and everyone
 * else is served meanwhile.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseListenAddress } from '@mstore/net';
import { Daemons, until } from '../support/daemons.ts';
import { keptSince, liveBytes } from '../support/live-bytes.ts';
import { counts } from '../support/long.ts';

const ann = 'ann@example.org';
const transaction = `MAIL FROM:<>\r\nRCPT TO:<${ann}>\r\nDATA\r\n`;

/** KiB that an idle connection may cost: 12 were measured on Node 20. */
const idleKibMax = 40;

/** Calls `count` times at once, and stays until it is killed; sends an octet of `drip` each `everyMs`, over and over. */
const dialler = `
  const [port, count, drip, everyMs] = process.argv.slice(1);
  const sockets = [];
  const dial = (left) => {
    if (left === 0) return;
    const socket = require('node:net').connect(Number(port), '127.0.0.1', () => dial(left - 1));
    socket.on('error', () => undefined).resume();
    sockets.push(socket);
  };
  for (let lane = 0; lane < 20; lane += 1) dial(Number(count) / 20);
  let at = 0;
  setInterval(() => {
    if (drip === '') return;
    const octet = drip[at++ % drip.length];
    for (const socket of sockets) if (socket.writable) socket.write(octet);
  }, Number(everyMs));`;

function dial(t: TestContext, address: string, count: number, drip = '', everyMs = 1_000): void {
  const { port } = { port: 0, ...parseListenAddress(address) };
  const args = ['-e', dialler, String(port), String(count), drip, String(everyMs)];
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
}

/** As many connections as wanted, unless this process may not have so many descriptors. */
async function affordable(t: TestContext, wanted: number): Promise<number> {
  const text = await readFile('/proc/self/limits', 'latin1').catch(() => '');
  const [, most] = /^Max open files +(\d+)/m.exec(text) ?? [];
  const room = Math.floor((Number(most ?? wanted + 500) - 500) / 20) * 20;
  if (room >= wanted) return wanted;
  t.diagnostic(`${room} connections instead of ${wanted}: no more descriptors`);
  return room;
}

async function started(config: readonly string[] = []): Promise<Daemons> {
  const daemons = await Daemons.start({ config, mayLog: /ENOSPC|EACCES|diskFull|readOnly/ });
  await daemons.addUser(ann);
  return daemons;
}

async function assertServes(daemons: Daemons): Promise<void> {
  const lmtp = await daemons.connect('lmtp');
  await lmtp.write(`LHLO c\r\n${transaction}Subject: served\r\n\r\n.\r\nQUIT\r\n`);
  assert.match((await lmtp.rest()).toString(), /\r\n250 2\.1\.5 Delivered/);
  lmtp.kill();
  const pop3 = await daemons.connect('pop3');
  await pop3.write(`USER ${ann}\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n`);
  assert.match((await pop3.rest()).toString(), /\r\n\+OK \d+ octets\r\n/);
  pop3.kill();
}

for (const protocol of ['lmtp', 'pop3'] as const) {
  test(`thousands of idle ${protocol.toUpperCase()} connections cost some KiB each, and others are served`, async (t) => {
    const idle = await affordable(t, 5_000);
    await using daemons = await started(['lmtp.connections = 6000', 'pop3.connections = 6000']);
    await assertServes(daemons);
    const before = liveBytes();
    dial(t, daemons.address(protocol), idle);
    await until(`${idle} connections`, async () => (await daemons.connections(protocol)) >= idle, 60_000);
    const kib = (liveBytes() - before) / idle / 1_024;
    t.diagnostic(`${idle} connections, ${kib.toFixed(1)} KiB each`);
    assert.ok(kib < idleKibMax, `${kib.toFixed(1)} KiB each`);
    await assertServes(daemons);
  });
}

test('peers that send an octet now and then are sent away when their time is over, and others are served', async (t) => {
  const slow = counts(300, 3_000);
  await using daemons = await Daemons.start({
    config: ['lmtp.connections = 6000'],
    lmtpTimeouts: { idleTimeoutMs: 3_000, lineTimeoutMs: 1_500, stallTimeoutMs: 1_500 },
  });
  await daemons.addUser(ann);
  dial(t, daemons.address('lmtp'), slow, 'LHLO', 100);
  await until('they are here', async () => (await daemons.connections('lmtp')) >= slow / 2, 60_000);
  await assertServes(daemons);
  await until('they are gone', async () => (await daemons.connections('lmtp')) === 0, 60_000);
  await assertServes(daemons);
});

test('content that comes an octet at a time is given up, and stores nothing', async () => {
  await using daemons = await Daemons.start({
    lmtpTimeouts: { idleTimeoutMs: 3_000, lineTimeoutMs: 1_000, stallTimeoutMs: 1_000 },
  });
  await daemons.addUser(ann);
  const peer = await daemons.connect('lmtp');
  await peer.write(`LHLO c\r\n${transaction}Subject: slow\r\n\r\n`);
  const dripping = setInterval(() => void peer.write('x'), 50);
  const heard = (await peer.rest()).toString();
  clearInterval(dripping);
  peer.kill();
  assert.match(heard, /\r\n354 [^\r]*\r\n421 4\.4\.2 [^\r]*\r\n$/);
  assert.equal(await daemons.count(ann), 0);
});

test('a client that asks for large messages and never reads costs a bounded buffer', async () => {
  await using daemons = await started();
  const large = Buffer.from(`Subject: large\r\n\r\n${`${randomBytes(30).toString('base64')}\r\n`.repeat(200_000)}`);
  await daemons.deliver(ann, large);
  const before = liveBytes();
  const readers = counts(20, 200);
  const peers = [];
  for (let at = 0; at < readers; at += 1) {
    const { host, port } = { host: '', port: 0, ...parseListenAddress(daemons.address('pop3')) };
    const socket = connect({ host, port }).pause();
    socket.on('error', () => undefined);
    socket.write(`USER ${ann}\r\nPASS secret\r\n${'RETR 1\r\n'.repeat(50)}`);
    peers.push(socket);
  }
  // Until nothing moves any more: all have logged in and have as much as they are given.
  let last = -1;
  await until('all of them wait', async () => {
    const now = liveBytes();
    const isStill = Math.abs(now - last) < 100_000 && (await daemons.connections('pop3')) === readers;
    last = now;
    await sleep(100);
    return isStill;
  });
  const each = (liveBytes() - before) / readers;
  assert.ok(each < 3 * 2 ** 20, `${Math.round(each / 1_024)} KiB each`);
  await assertServes(daemons);
  for (const socket of peers) socket.destroy();
});

test('a peer that never reads its replies is not read from either', async () => {
  await using daemons = await started();
  const peer = await daemons.connect('lmtp');
  peer.stopReading();
  const before = liveBytes();
  await peer.write('LHLO c\r\n');
  const commands = Buffer.from('NOOP\r\n'.repeat(20_000));
  let taken = 0;
  // The kernel takes some megabytes in both directions, then nobody takes any more.
  for (let at = 0; at < 300; at += 1) {
    const written = peer.write(commands).then(() => true);
    if (!(await Promise.race([written, sleep(500).then(() => false)]))) break;
    taken += commands.length;
  }
  assert.ok(taken < 300 * commands.length, 'it would have taken everything');
  assert.ok((await keptSince(before, 8 * 2 ** 20)) < 8 * 2 ** 20, 'what it does not read is not kept');
  peer.kill();
  await assertServes(daemons);
});

test('a flood of wrong commands ends its session and no other', async () => {
  await using daemons = await started();
  for (const protocol of ['lmtp', 'pop3'] as const) {
    const flooding = Array.from({ length: 20 }, async () => {
      const peer = await daemons.connect(protocol);
      await peer.write('NONSENSE\r\n'.repeat(10_000));
      const heard = (await peer.rest()).toString();
      assert.ok(heard.split('\r\n').length < 40, `${protocol} answered them all`);
      peer.kill();
    });
    await Promise.all([...flooding, assertServes(daemons)]);
  }
});

test('a line without an end, and messages that are far too large, take no memory and store nothing', async () => {
  await using daemons = await started(['limits.messageBytes = 100000']);
  const before = liveBytes();
  const endlessly = Buffer.alloc(65_536, 'x');
  const endless = await daemons.connect('lmtp');
  await endless.write('LHLO c\r\n');
  for (let at = 0; at < 640; at += 1) void endless.write(endlessly);
  assert.match((await endless.rest()).toString(), /\r\n500 5\.5\.\d [^\r]*\r\n$/);
  endless.kill();
  const large = await daemons.connect('lmtp');
  await large.write(`LHLO c\r\n${transaction}Subject: large\r\n\r\n`);
  const lines = Buffer.from(`${'y'.repeat(998)}\r\n`.repeat(64));
  for (let at = 0; at < 400; at += 1) void large.write(lines);
  await large.write('.\r\nNOOP\r\nQUIT\r\n');
  assert.match((await large.rest()).toString(), /354 [^\r]*\r\n552 5\.3\.4 [^\r]*\r\n250 [^\r]*\r\n221 [^\r]*\r\n$/);
  large.kill();
  const most = 16 * 2 ** 20;
  const kept = await keptSince(before, most);
  assert.ok(kept <= most, `${Math.round(kept / 1_024)} KiB stay behind`);
  assert.equal(await daemons.count(ann), 0);
  await assertServes(daemons);
});

test('ten thousand recipients that do not exist, and more than a transaction may have, are each answered', async () => {
  await using daemons = await started();
  const peer = await daemons.connect('lmtp');
  const unknown = counts(2_000, 10_000);
  const names = Array.from({ length: unknown }, (_, at) => `RCPT TO:<nobody${at}@example.org>\r\n`);
  void peer.write(`LHLO c\r\nMAIL FROM:<>\r\n${names.join('')}DATA\r\nRSET\r\nMAIL FROM:<>\r\n`);
  void peer.write(`${`RCPT TO:<${ann}>\r\n`.repeat(10_001)}DATA\r\nSubject: many\r\n\r\n.\r\nQUIT\r\n`);
  const heard = (await peer.rest()).toString();
  assert.equal(heard.match(/^550 5\.1\.1 /gm)?.length, unknown);
  assert.equal(heard.match(/^452 4\.5\.3 /gm)?.length, 1);
  assert.equal(heard.match(/^250 2\.1\.5 Delivered/gm)?.length, 10_000);
  assert.equal(await daemons.count(ann), 1);
  peer.kill();
});

test('a full disk is 452 4.3.1 for all who deliver at that time, and nothing is there half', async () => {
  await using daemons = await started();
  await assertServes(daemons);
  const held = await daemons.count(ann);
  daemons.disk.trouble = 'ENOSPC';
  const body = randomBytes(200_000).toString('base64').replace(/.{76}/g, '$&\r\n');
  const large = `Content-Transfer-Encoding: base64\r\n\r\n${body}\r\n`;
  await Promise.all(
    Array.from({ length: 8 }, async (_, at) => {
      const peer = await daemons.connect('lmtp');
      await peer.write(`LHLO c\r\n${transaction}${at % 2 === 0 ? large : 'Subject: small\r\n\r\n'}.\r\nQUIT\r\n`);
      assert.match((await peer.rest()).toString(), /\r\n452 4\.3\.1 [^\r]*\r\n221 /);
      peer.kill();
    }),
  );
  // What is there can be read meanwhile; what would change the store says so.
  const pop3 = await daemons.connect('pop3');
  await pop3.write(`USER ${ann}\r\nPASS secret\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n`);
  assert.match(
    (await pop3.rest()).toString(),
    /\+OK \d+ octets\r\n.*\r\n\+OK [^\r]*\r\n-ERR \[SYS\/TEMP\] [^\r]*\r\n$/s,
  );
  pop3.kill();
  daemons.disk.trouble = undefined;
  assert.equal(await daemons.count(ann), held);
  await assertServes(daemons);
  assert.equal(await daemons.count(ann), held + 1);
});

test('where nothing may be written, mail is refused for now, what is there can be read, and nothing is lost', async () => {
  await using daemons = await started();
  await assertServes(daemons);
  const held = await daemons.count(ann);
  daemons.disk.trouble = 'EACCES';
  for (let times = 0; times < 4; times += 1) {
    const peer = await daemons.connect('lmtp');
    await peer.write(`LHLO c\r\n${transaction}Subject: refused\r\n\r\n.\r\nQUIT\r\n`);
    assert.match((await peer.rest()).toString(), /\r\n4(?:51 4\.3\.0|52 4\.3\.1) [^\r]*\r\n221 /);
    peer.kill();
  }
  const pop3 = await daemons.connect('pop3');
  await pop3.write(`USER ${ann}\r\nPASS secret\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n`);
  assert.match((await pop3.rest()).toString(), /\+OK \d+ octets\r\n.*-ERR \[SYS\/TEMP\] [^\r]*\r\n$/s);
  pop3.kill();
  daemons.disk.trouble = undefined;
  assert.equal(await daemons.count(ann), held);
});
