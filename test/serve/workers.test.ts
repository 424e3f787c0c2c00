/** A daemon that runs as several processes behind the same addresses: `pop3.workers`. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { commonPassword, Service } from '../support/service.ts';
import { oneInEach, readyNow, who } from './processes.ts';
import { isAlive, Lines, readReady, until } from './service.ts';

const ann = 'ann@example.org';
const bob = 'bob@example.org';
const plain = Buffer.from(`\0${ann}\0${commonPassword}`).toString('base64');

const greeting = /^\+OK/;

test('several processes share the address: each gets sessions, who and the metrics page show all, kick ends all', async () => {
  await using service = await Service.start({
    users: [ann, bob],
    config: '[pop3]\nworkers = 3\n',
    listen: ['lmtp=127.0.0.1:0', 'pop3=127.0.0.1:0', 'metrics=127.0.0.1:0'],
  });
  const { pids, metrics } = readyNow(service);
  assert.equal(new Set(pids.pop3).size, 3);
  assert.ok(pids.pop3.every(isAlive));
  const sessions = await oneInEach(service, 'pop3', greeting);
  assert.deepEqual([...sessions.keys()].sort(), [...pids.pop3].sort());
  for (const lines of sessions.values()) {
    lines.say(`AUTH PLAIN ${plain}\r\n`);
    await lines.hears(/^\+OK logged in/m);
  }
  const rows = await who(service);
  assert.deepEqual(
    rows
      .filter(({ login }) => login === ann)
      .map(({ pid }) => pid)
      .sort(),
    [...pids.pop3].sort(),
  );
  const page = await (await fetch(`http://${metrics[0]}/metrics`)).text();
  assert.match(page, /^mstore_pop3_logins_total\{outcome="in"\} 3$/m);
  for (const name of ['pop3-1', 'pop3-2', 'pop3-3']) {
    assert.match(page, new RegExp(`^mstore_child_up\\{child="${name}"\\} 1$`, 'm'));
    assert.match(page, new RegExp(`^process_resident_memory_bytes\\{process="${name}"\\} \\d+$`, 'm'));
  }
  const kicked = await service.mstore(['kick', ann]);
  assert.equal(kicked.stdout, '3 sessions ended\n');
  for (const lines of sessions.values()) await lines.ends();
});

test('the end of one process is felt by its own sessions only, and it alone is started again', async () => {
  await using service = await Service.start({ users: [ann], config: '[pop3]\nworkers = 2\n' });
  const before = readyNow(service);
  const sessions = await oneInEach(service, 'pop3', greeting);
  const [killed = 0, kept = 0] = before.pids.pop3;
  process.kill(killed, 'SIGKILL');
  await sessions.get(killed)?.ends();
  const after = await until('another process', () => {
    const ready = readReady(service.directory);
    return ready !== undefined && ready.pids.pop3[0] !== killed ? ready : undefined;
  });
  assert.deepEqual([after.pids.pop3[1], after.pids.writer, after.pop3], [kept, before.pids.writer, before.pop3]);
  sessions.get(kept)?.say(`AUTH PLAIN ${plain}\r\nSTAT\r\n`);
  await sessions.get(kept)?.hears(/^\+OK 0 0/m);
  assert.equal((await oneInEach(service, 'pop3', greeting)).size, 2);
});

test('LOGIN-DELAY holds whichever process a login comes to, and outlives the process', async () => {
  await using service = await Service.start({ users: [ann, bob], config: '[pop3]\nworkers = 2\nloginDelay = 3600\n' });
  const sessions = [...(await oneInEach(service, 'pop3', greeting)).values()];
  for (const lines of sessions) lines.say(`AUTH PLAIN ${plain}\r\n`);
  const answers = await Promise.all(sessions.map(async (lines) => (await lines.hears(/^(\+OK|-ERR \S+).*\r\n/m))[1]));
  assert.deepEqual(answers.sort(), ['+OK', '-ERR [LOGIN-DELAY]']);
  const { pids } = readyNow(service);
  for (const pid of pids.pop3) process.kill(pid, 'SIGKILL');
  await until('other processes', () =>
    readReady(service.directory)?.pids.pop3.every((pid) => !pids.pop3.includes(pid)),
  );
  const late = Lines.open(service.tcp('pop3'));
  late.say(`AUTH PLAIN ${plain}\r\n`);
  await late.hears(/-ERR \[LOGIN-DELAY\]/);
  late.say(`USER ${bob}\r\nPASS ${commonPassword}\r\n`);
  await late.hears(/^\+OK logged in/m);
});

test('the limit of connections is for all processes together', async () => {
  await using service = await Service.start({ users: [ann], config: '[pop3]\nworkers = 2\nconnections = 12\n' });
  const open: Lines[] = [];
  // Each knows what the other has a moment later.
  await until('a refusal', async () => {
    const lines = Lines.open(service.tcp('pop3'));
    const [, answer] = await lines.hears(/^(\+OK|-ERR \[SYS\/TEMP\] too many connections)/);
    if (answer === '+OK') open.push(lines);
    if (open.length < 12) await until('both know', async () => (await who(service)).length === open.length);
    return answer !== '+OK';
  });
  assert.ok(open.length >= 12 && open.length <= 14, `${open.length} connections`);
  const rows = await who(service);
  assert.equal(new Set(rows.map(({ pid }) => pid)).size, 2);
});

test('a reload and a stop reach every process', async () => {
  await using service = await Service.start({ users: [ann], config: '[pop3]\nworkers = 3\n' });
  const { pids } = readyNow(service);
  const sessions = await oneInEach(service, 'pop3', greeting);
  await writeFile(join(service.directory, 'mstore.toml'), '[pop3]\nworkers = 4\n');
  process.kill(pids.supervisor, 'SIGHUP');
  await until('the warning', () =>
    service.log.split('\n').some((line) => /wait for a restart/.test(line) && line.includes('pop3.workers')),
  );
  assert.deepEqual(readyNow(service).pids.pop3, pids.pop3);
  const stopped = service.stop();
  for (const lines of sessions.values()) await lines.hears(/^-ERR \[SYS\/TEMP\]/m);
  assert.equal(await stopped, 0);
  assert.ok(!pids.pop3.some(isAlive));
});
