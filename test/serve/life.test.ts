/** The service from its start to its end: what it opens, what it says of itself, how it stops. */
import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/repository.ts';
import { isAlive, Lines, readReady, ServedStore, until } from './service.ts';

const loopback = ['--listen', 'lmtp=127.0.0.1:0', '--listen', 'pop3=127.0.0.1:0'];

test('ready.json names addresses and processes while the service runs, and is gone when it stopped', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...loopback, '--listen', 'lmtp=unix:run/mail.sock', '--listen', 'metrics=[::1]:0');
  const ready = await service.ready();
  assert.match(ready.lmtp[0] ?? '', /^127\.0\.0\.1:[1-9]\d+$/);
  assert.equal(ready.lmtp[1], `unix:${store.directory}/run/mail.sock`);
  assert.deepEqual([ready.pop3.length, ready.imap, ready.metrics.length], [1, [], 1]);
  assert.equal(ready.pids.supervisor, service.pid);
  assert.ok([ready.pids.writer, ...ready.pids.pop3].every(isAlive));
  assert.ok(existsSync(join(store.directory, 'directory.sqlite')));
  for (const name of ['run/mail.sock', 'run/lda.sock']) {
    assert.equal(statSync(join(store.directory, name)).mode & 0o777, 0o660, name);
  }
  assert.equal(statSync(join(store.directory, 'run/control.sock')).mode & 0o777, 0o600);
  const printed = JSON.parse(await until('the answer', () => service.stdout.endsWith('\n') && service.stdout));
  assert.deepEqual(printed.lmtp, ready.lmtp);
  for (const address of [...ready.lmtp, ...ready.pop3]) await Lines.open(address).hears(/^(?:writer|pop3) \d+\n/);
  service.child.kill('SIGTERM');
  assert.equal(await service.exit(), 0);
  assert.equal(readReady(store.directory), undefined);
  assert.ok(![ready.pids.writer, ...ready.pids.pop3].some(isAlive));
  for (const name of ['mail', 'lda', 'control']) assert.ok(!existsSync(join(store.directory, `run/${name}.sock`)));
});

test('a session in the middle of something ends before the writer does, and nobody new comes in', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...loopback);
  const ready = await service.ready();
  const idle = Lines.open(ready.pop3[0]);
  const busy = Lines.open(ready.pop3[0]);
  await idle.hears(/^pop3/);
  busy.say('hold\n');
  await busy.hears(/hold\n/);
  service.child.kill('SIGINT');
  await idle.hears(/bye drain/);
  await until('nobody listens', async () => {
    const late = Lines.open(ready.pop3[0]);
    await until('an answer', () => late.isEnded || late.heard !== '');
    return late.heard === '';
  });
  assert.ok(isAlive(ready.pids.writer));
  assert.equal(readReady(store.directory), undefined);
  busy.say('ok');
  await busy.hears(/held 2\nbye drain\n/);
  assert.equal(await service.exit(), 0);
  const drained = service.logged('drained').map((line) => line.name);
  assert.deepEqual(drained, ['pop3', 'writer']);
});

test('a second signal ends everything at once', async () => {
  await using store = await ServedStore.make();
  const service = store.pretend(...loopback);
  const ready = await service.ready();
  const busy = Lines.open(ready.pop3[0]);
  busy.say('hold\n');
  await busy.hears(/hold\n/);
  service.child.kill('SIGTERM');
  await until('draining', () => service.logged('draining').some((line) => line.name === 'mstore'));
  service.child.kill('SIGTERM');
  assert.equal(await service.exit(), 0);
  await busy.ends();
  await until('no child', () => ![ready.pids.writer, ...ready.pids.pop3].some(isAlive));
});

test('told to stop while a program starts, it stops', async () => {
  await using store = await ServedStore.make();
  writeFileSync(join(store.directory, 'pretend.json'), JSON.stringify({ pop3: 'hang' }));
  const service = store.pretend(...loopback);
  await until('the writer', () => service.logged('ready').length > 0);
  service.child.kill('SIGTERM');
  assert.equal(await service.exit(), 0);
  assert.equal(readReady(store.directory), undefined);
});

test('a reload reaches the daemons, says what waits for a restart, and keeps the old configuration when the new is wrong', async () => {
  await using store = await ServedStore.make();
  const file = join(store.folder, 'other.toml');
  writeFileSync(file, '[pop3]\nloginDelay = 1\n');
  const service = store.pretend(...loopback, '--config', file);
  const ready = await service.ready();
  writeFileSync(file, '[pop3]\nloginDelay = "soon"\n');
  service.child.kill('SIGHUP');
  const [refused] = await until('a refusal', () =>
    nonEmpty(service.logged('not reloaded: the old configuration stays')),
  );
  assert.match(JSON.stringify(refused?.error), /other\.toml: pop3\.loginDelay must be/);
  assert.deepEqual([refused?.name, service.logged('reloaded')], ['mstore', []]);
  const atOnce = '[quota]\noverQuota = "permanent"\n[delivery]\ndetail = "create"\n[retention]\ntrash = 30\n';
  writeFileSync(file, `[pop3]\nloginDelay = 2\n[server]\ndrain = 7\n${atOnce}`);
  service.child.kill('SIGHUP');
  const [pending] = await until('a warning', () => nonEmpty(service.logged('changed settings wait for a restart')));
  assert.deepEqual(new Set([pending?.settings].flat()), new Set(['server.drain', 'pop3.loginDelay']));
  await until('three reloads', () => service.logged('reloaded').length === 3);
  await Lines.open(ready.pop3[0]).hears(new RegExp(`^pop3 ${ready.pids.pop3[0]}\n`));
});

test('a reload refuses addresses that a restart could not open', async () => {
  await using store = await ServedStore.make();
  const file = join(store.folder, 'other.toml');
  const listen = '[listen]\nlmtp = "127.0.0.1:0"\nimap = []\n';
  writeFileSync(file, `${listen}pop3 = "127.0.0.1:0"\n`);
  const service = store.pretend('--config', file);
  await service.ready();
  for (const [pop3, expected] of [
    ['localhost', /listen\.pop3: localhost: expected/],
    ['0.0.0.0:0', /there is no TLS yet/],
  ] as const) {
    writeFileSync(file, `${listen}pop3 = "${pop3}"\n`);
    service.child.kill('SIGHUP');
    await until('a refusal', () =>
      service
        .logged('not reloaded: the old configuration stays')
        .some(({ error }) => expected.test(JSON.stringify(error))),
    );
  }
  assert.deepEqual(service.logged('reloaded'), []);
});

test('signals are answered before the program is loaded', async () => {
  await using store = await ServedStore.make();
  const program = join(repositoryRoot, 'packages/cli/dist/main.js');
  const signalled = (name: string): readonly string[] => {
    const raise = `() => setImmediate(() => process.kill(process.pid, '${name}'))`;
    const preload = `process.on('newListener', (event) => event === '${name}' && (${raise})())`;
    return ['--import', `data:text/javascript,${encodeURIComponent(preload)}`, program];
  };
  const args = ['serve', '--data', store.directory, ...loopback];
  const ended = store.start([...signalled('SIGTERM'), ...args]);
  assert.equal(await ended.exit(), 0);
  assert.ok(!existsSync(join(store.directory, 'run/serve.lock')), ended.stderr);
  const reloaded = store.start([...signalled('SIGHUP'), ...args]);
  await until('the reload', () => nonEmpty(reloaded.logged('reloaded')));
  reloaded.child.kill('SIGTERM');
  assert.equal(await reloaded.exit(), 0);
});

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}
