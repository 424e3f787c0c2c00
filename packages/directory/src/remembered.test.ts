import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from './limits.ts';
import { RememberedPasswords } from './remembered.ts';
import { userId } from './types.ts';

const ann = userId(1);
const bob = userId(2);

test('a password is remembered for this user, password and token only, for five minutes', () => {
  let now = 0;
  const remembered = new RememberedPasswords({ now: () => now, monotonic: () => now });
  remembered.remember(ann, 'hash', 'secret');
  assert.equal(remembered.isRemembered(ann, 'hash', 'secret'), true);
  assert.equal(remembered.isRemembered(ann, 'hash', 'Secret'), false);
  assert.equal(remembered.isRemembered(ann, 'other', 'secret'), false);
  assert.equal(remembered.isRemembered(bob, 'hash', 'secret'), false);
  now = limits.rememberMs - 1;
  assert.equal(remembered.isRemembered(ann, 'hash', 'secret'), true);
  now = limits.rememberMs;
  assert.equal(remembered.isRemembered(ann, 'hash', 'secret'), false);
});

test('forgetting takes effect at once, and the oldest makes room', () => {
  const remembered = new RememberedPasswords({ now: () => 0, monotonic: () => 0 }, 1_000, 2);
  for (const id of [1, 2, 3]) remembered.remember(userId(id), '', 'x');
  assert.deepEqual(
    [1, 2, 3].map((id) => remembered.isRemembered(userId(id), '', 'x')),
    [false, true, true],
  );
  remembered.forget(bob);
  assert.equal(remembered.isRemembered(bob, '', 'x'), false);
  remembered.forgetAll();
  assert.equal(remembered.isRemembered(userId(3), '', 'x'), false);
});

test('the same password is verified once however many ask, and a wrong one each time', async () => {
  const remembered = new RememberedPasswords({ now: () => 0, monotonic: () => 0 });
  let calls = 0;
  const verify = async (): Promise<boolean> => {
    calls += 1;
    await new Promise(setImmediate);
    return true;
  };
  const ask = (password: string): Promise<boolean> => remembered.check(ann, 't', password, verify);
  assert.deepEqual(await Promise.all([ask('x'), ask('x'), ask('y')]), [true, true, true]);
  assert.equal(calls, 2);
  assert.equal(await ask('y'), true);
  assert.equal(calls, 2);
  let tries = 0;
  const refuse = async (): Promise<boolean> => {
    tries += 1;
    return false;
  };
  for (let round = 0; round < 3; round += 1) assert.equal(await remembered.check(bob, 't', 'z', refuse), false);
  assert.equal(tries, 3);
  await assert.rejects(remembered.check(bob, 't', 'z', () => Promise.reject(new Error('down'))));
  assert.equal(await remembered.check(bob, 't', 'z', verify), true);
});
