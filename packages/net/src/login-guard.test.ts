import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from './limits.ts';
import { MemoryLoginGuard } from './login-guard.ts';
import { Company, HandClock } from './support.test.ts';

function guarded(addressFailuresMax?: number): { guard: MemoryLoginGuard; waits: number[]; clock: HandClock } {
  const waits: number[] = [];
  const clock = new HandClock();
  const wait = async (ms: number): Promise<void> => void waits.push(ms);
  const guard = new MemoryLoginGuard({ clock, wait, ...(addressFailuresMax !== undefined && { addressFailuresMax }) });
  return { guard, waits, clock };
}

test('the first failures cost nothing, then each answer waits twice as long, up to a bound', async () => {
  const { guard, waits } = guarded();
  for (let count = 0; count < 9; count += 1) await guard.failed({ address: '192.0.2.1', login: 'anna' });
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
});

test('failures count by login from many addresses, and by address over many logins', async () => {
  const { guard, waits } = guarded();
  for (let count = 0; count < 3; count += 1) await guard.failed({ address: `192.0.2.${count}`, login: 'Anna' });
  assert.deepEqual(waits, [1_000]);
  for (let count = 0; count < 3; count += 1) await guard.failed({ address: '198.51.100.1', login: `user${count}` });
  assert.deepEqual(waits, [1_000, 1_000]);
});

test('an address is locked after many failures, until the window has passed', async () => {
  const { guard, clock } = guarded(3);
  const attempt = { address: '192.0.2.1', login: 'anna' };
  for (let count = 0; count < 2; count += 1) await guard.failed(attempt);
  assert.equal(await guard.isLocked(attempt), false);
  await guard.failed(attempt);
  assert.equal(await guard.isLocked(attempt), true);
  assert.equal(await guard.isLocked({ ...attempt, address: '192.0.2.2' }), false);
  await clock.advance(limits.loginGuardWindowMs + 1_000, limits.loginGuardWindowMs);
  assert.equal(await guard.isLocked(attempt), false);
});

test('a program with an old password, that tries now and then, locks nobody out behind its address', async () => {
  const { guard, waits, clock } = guarded(10);
  const everyMs = 300_000;
  for (let count = 0; count < 50; count += 1) {
    await guard.failed({ address: '192.0.2.1', login: 'anna' });
    await clock.advance(everyMs, everyMs);
  }
  assert.equal(await guard.isLocked({ address: '192.0.2.1', login: 'bert' }), false);
  assert.ok(
    waits.every((ms) => ms <= 2_000),
    `${waits}`,
  );
});

test('loopback and Unix sockets are never locked, their logins still slowed', async () => {
  const { guard, waits } = guarded(1);
  for (const address of ['', '127.0.0.1', '::1']) {
    await guard.failed({ address, login: 'anna' });
    assert.equal(await guard.isLocked({ address, login: 'anna' }), false);
  }
  assert.deepEqual(waits, [1_000]);
});

test('a success clears the login and not the address', async () => {
  const { guard, waits } = guarded(3);
  for (const login of ['anna', 'anna', 'bert']) await guard.failed({ address: '192.0.2.1', login });
  await guard.succeeded({ address: '192.0.2.1', login: 'anna' });
  assert.equal(await guard.isLocked({ address: '192.0.2.1', login: 'anna' }), true);
  waits.length = 0;
  await guard.failed({ address: '127.0.0.1', login: 'anna' });
  assert.deepEqual(waits, []);
});

test('what is remembered is bounded, and the longest untouched goes first', async () => {
  const { guard } = guarded();
  for (let count = 0; count < limits.loginGuardEntries + 10; count += 1) {
    await guard.failed({ address: '', login: `user${count}` });
  }
  assert.equal(guard.entries, limits.loginGuardEntries);
});

test('beyond a number of held answers, further ones go out at once', async () => {
  const held: (() => void)[] = [];
  const wait = (): Promise<void> => new Promise((resolve) => held.push(resolve));
  const guard = new MemoryLoginGuard({ clock: new HandClock(), wait });
  const answers: Promise<void>[] = [];
  for (let count = 0; count < limits.loginDelaysPending + limits.loginFailuresFree + 50; count += 1) {
    answers.push(guard.failed({ address: '192.0.2.1', login: `user${count}` }));
  }
  assert.equal(held.length, limits.loginDelaysPending);
  for (const release of held) release();
  await Promise.all(answers);
});

test('processes count the failures that any of them saw, and forget together', async () => {
  const company = new Company();
  const waits: number[] = [];
  const wait = async (ms: number): Promise<void> => void waits.push(ms);
  const guards = [1, 2, 3].map((pid) => {
    const siblings = company.enter(pid);
    return new MemoryLoginGuard({ clock: new HandClock(), wait, addressFailuresMax: 6, siblings });
  });
  for (const guard of guards) await guard.failed({ address: '192.0.2.1', login: 'anna' });
  assert.deepEqual(waits, [1_000]);
  await guards[1]?.succeeded({ address: '192.0.2.9', login: 'Anna' });
  for (const guard of guards) await guard.failed({ address: '192.0.2.2', login: 'anna' });
  assert.deepEqual(waits, [1_000, 1_000]);
  for (const guard of guards) await guard.failed({ address: '192.0.2.1', login: 'bert' });
  for (const guard of guards) assert.equal(await guard.isLocked({ address: '192.0.2.1', login: 'eve' }), true);
});
