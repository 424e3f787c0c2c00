/** Processes that end, hang or refuse, and what becomes of the service. */
import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAlive, Lines, readReady, ServedStore, until } from './service.ts';

const loopback = [
  '--listen',
  'lmtp=127.0.0.1:0',
  '--listen',
  'lmtp=unix:run/lmtp.sock',
  '--listen',
  'pop3=127.0.0.1:0',
];

function breakProgram(directory: string, faults: Readonly<Record<string, string>>): void {
  writeFileSync(join(directory, 'pretend.json'), JSON.stringify(faults));
}

test('a killed process is started again behind the same addresses, and the others never notice', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...loopback);
  const first = await service.ready();
  const reading = Lines.open(first.pop3[0]);
  await reading.hears(/^pop3/);
  process.kill(first.pids.writer, 'SIGKILL');
  // Whoever calls now waits for the next one.
  const waiting = Lines.open(first.lmtp[1]);
  const second = await service.ready(({ pids }) => pids.writer !== first.pids.writer);
  await waiting.hears(new RegExp(`^writer ${second.pids.writer}\n`));
  await Lines.open(first.lmtp[0]).hears(new RegExp(`^writer ${second.pids.writer}\n`));
  reading.say('still here\n');
  await reading.hears(/still here/);
  process.kill(second.pids.pop3[0] ?? 0, 'SIGKILL');
  await reading.ends();
  const third = await service.ready(({ pids }) => pids.pop3[0] !== second.pids.pop3[0]);
  assert.deepEqual([third.lmtp, third.pop3, third.pids.writer], [first.lmtp, first.pop3, second.pids.writer]);
  await Lines.open(first.pop3[0]).hears(new RegExp(`^pop3 ${third.pids.pop3[0]}\n`));
  const ended = service.logged('ended; starting it again').map(({ child, signal, waitMs }) => [child, signal, waitMs]);
  assert.deepEqual(ended, [
    ['writer', 'SIGKILL', 0],
    ['pop3', 'SIGKILL', 0],
  ]);
});

test('a process that keeps ending is started with growing pauses, and works when its trouble is over', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...loopback);
  const first = await service.ready();
  breakProgram(store.directory, { pop3: 'crash' });
  process.kill(first.pids.pop3[0] ?? 0, 'SIGKILL');
  await until('four ends', () => service.logged('ended; starting it again').length >= 4);
  rmSync(join(store.directory, 'pretend.json'));
  const then = await service.ready(({ pids }) => pids.pop3[0] !== first.pids.pop3[0]);
  await Lines.open(then.pop3[0]).hears(/^pop3/);
  const waits = service.logged('ended; starting it again').map(({ waitMs, code }) => [waitMs, code]);
  assert.deepEqual(waits.slice(0, 4), [
    [0, undefined],
    [100, 3],
    [200, 3],
    [400, 3],
  ]);
});

test('ready.json says what does not run and why, and the next start is told what the end before means', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...loopback);
  const first = await service.ready();
  assert.deepEqual(first.down, {});
  breakProgram(store.directory, { writer: 'crash' });
  process.kill(first.pids.writer, 'SIGKILL');
  await service.ready(({ down }) => down.writer === 'exit code 3');
  rmSync(join(store.directory, 'pretend.json'));
  const second = await service.ready(({ down }) => down.writer === undefined);
  assert.deepEqual(second.down, {});
  await Lines.open(second.lmtp[0]).hears(new RegExp(`^writer ${second.pids.writer} told\n`));
  // One that was ready has done what it was told.
  process.kill(second.pids.writer, 'SIGKILL');
  const third = await service.ready(
    ({ pids, down }) => pids.writer !== second.pids.writer && down.writer === undefined,
  );
  await Lines.open(third.lmtp[0]).hears(new RegExp(`^writer ${third.pids.writer}\n`));
});

test('a ready.json that cannot be written keeps nobody from mail, and is written when it can be', async () => {
  await using store = await ServedStore.make();
  const inTheWay = join(store.directory, 'run/ready.json');
  mkdirSync(inTheWay, { recursive: true });
  const service = store.pretend(...loopback);
  await until('a line about it', () => service.logged('ready.json is not current').length > 0);
  await until('all three ready', () => service.logged('ready').length === 3);
  rmdirSync(inTheWay);
  const { lmtp } = await service.ready();
  await Lines.open(lmtp[0]).hears(/^writer/);
});

test('what a process said of its end counts, where it is then killed by a signal', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...loopback);
  const first = await service.ready();
  const session = Lines.open(first.lmtp[0]);
  await session.hears(/^writer/);
  session.say('break\n');
  await session.ends();
  const second = await service.ready(({ pids }) => pids.writer !== first.pids.writer);
  await Lines.open(second.lmtp[0]).hears(new RegExp(`^writer ${second.pids.writer} told\n`));
  const ended = service.logged('ended; starting it again').map(({ code, signal }) => [code, signal]);
  assert.deepEqual(ended, [[3, 'SIGABRT']]);
});

test('a process that does not become ready is killed and started again', async () => {
  await using store = await ServedStore.make();
  breakProgram(store.directory, { pop3: 'hang' });
  const service = store.pretend(...loopback, '--ready-ms', '3000');
  await until('a killing', () => service.logged('killed: it did not become ready in time').length > 0);
  rmSync(join(store.directory, 'pretend.json'));
  const { pop3 } = await service.ready();
  await Lines.open(pop3[0]).hears(/^pop3/);
});

test('a refusal at the first start ends the service with the reason; a later one is tried again', async () => {
  await using store = await ServedStore.make();
  breakProgram(store.directory, { pop3: 'refuse' });
  const refused = store.pretend(...loopback);
  assert.equal(await refused.exit(), 78);
  assert.match(refused.stderr, /^mstore: pop3 did not start: this daemon was told to refuse$/m);
  breakProgram(store.directory, { writer: 'crash' });
  const broken = store.pretend(...loopback);
  assert.equal(await broken.exit(), 69);
  assert.match(broken.stderr, /^mstore: writer did not start: exit code 3$/m);
  rmSync(join(store.directory, 'pretend.json'));
  const service = store.pretend(...loopback);
  const first = await service.ready();
  breakProgram(store.directory, { pop3: 'refuse' });
  process.kill(first.pids.pop3[0] ?? 0, 'SIGKILL');
  await until('two ends', () => service.logged('ended; starting it again').length >= 2);
  rmSync(join(store.directory, 'pretend.json'));
  await service.ready(({ pids }) => pids.pop3[0] !== first.pids.pop3[0]);
});

test('children end when the supervisor is killed, and the next one has the same addresses at once', async () => {
  await using store = await ServedStore.make();
  const killed = store.pretend(...loopback);
  const first = await killed.ready();
  const busy = Lines.open(first.pop3[0]);
  busy.say('hold\n');
  await busy.hears(/hold\n/);
  killed.child.kill('SIGKILL');
  await killed.exit();
  assert.deepEqual(readReady(store.directory)?.pid, first.pid);
  const again = ['lmtp', 'pop3'] as const;
  const listen = again.flatMap((name) => first[name].flatMap((address) => ['--listen', `${name}=${address}`]));
  const service = store.pretend(...listen);
  const second = await service.ready();
  assert.deepEqual([second.lmtp, second.pop3], [first.lmtp, first.pop3]);
  for (const address of [...second.lmtp, ...second.pop3]) await Lines.open(address).hears(/^(?:writer|pop3) \d+\n/);
  await until('the end of the old children', () => ![first.pids.writer, ...first.pids.pop3].some(isAlive));
  await busy.ends();
});

test('a second service of the same store is refused with the first one named, whose sockets stay', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...loopback);
  const ready = await service.ready();
  const second = store.pretend(...loopback);
  assert.equal(await second.exit(), 75);
  assert.equal(second.stderr.split('\n').filter((line) => line.startsWith('mstore:')).length, 1);
  assert.match(second.stderr, new RegExp(`^mstore: a service runs in \\S+ already \\(pid ${service.pid}\\)$`, 'm'));
  assert.deepEqual(readReady(store.directory), ready);
  for (const address of [...ready.lmtp, ...ready.pop3]) await Lines.open(address).hears(/^(?:writer|pop3) \d+\n/);
});
