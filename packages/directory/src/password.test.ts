import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { isDirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import { type PasswordOptions, Passwords } from './password.ts';

const cheap = { scryptLog2N: 4, scramIterations: 10 };

function passwords(t: TestContext, options: PasswordOptions = {}): Passwords {
  const made = new Passwords({ threads: 2, cost: cheap, ...options });
  t.after(() => made.close());
  return made;
}

test('the published test vectors of every scheme verify, and no other password does', async (t) => {
  const checked = passwords(t);
  const vectors: readonly (readonly [string, string])[] = [
    // RFC 7914 §12
    [
      'password',
      '{SCRYPT}$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA',
    ],
    // crypt_blowfish's wrapper.c
    ['U*U', '{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['U*U', '{BLF-CRYPT}$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
    ['U*U*', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
    ['U*U*U', '$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a'],
    // Argon2's own test.c
    ['password', '{ARGON2ID}$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'],
    ['password', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'],
    ['differentpassword', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94'],
    // "Unix crypt using SHA-256 and SHA-512"; more in sha-crypt.test.ts
    ['Hello world!', '{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
    [
      'Hello world!',
      '{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    [
      'Hello world!',
      '{CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    // Made with Python's hashlib, salt "salt1234"
    ['s3cret päß', '{SSHA}gfAMBO2sKMPx1d/fBlX2o9V9DkpzYWx0MTIzNA=='],
    ['s3cret päß', '{SSHA256}7M06ugQvWwk/ON4ft953ZEjGrr2wNid8+u9km0rk6UJzYWx0MTIzNA=='],
    [
      's3cret päß',
      '{ssha512}aTqixhObDWjnRW62WUuYAE+qSswxv34lCtAwNLOI0GunS8dNQK9xEVZ1npBj0fmywLRUIpRW7/rpY0C78MjGlnNhbHQxMjM0',
    ],
  ];
  for (const [password, stored] of vectors) {
    assert.equal(await checked.verify(stored, password), true, stored);
    assert.equal(await checked.verify(stored, `${password}x`), false, stored);
    assert.equal(await checked.verify(stored, ''), false, stored);
  }
});

test('a new password is kept as scrypt and as a SCRAM verifier, each time with another salt', async (t) => {
  const made = passwords(t);
  const [one, two] = await Promise.all([made.make('pä\u00a0ss'), made.make('pä\u00a0ss')]);
  assert.match(one.stored, /^\$scrypt\$ln=4,r=8,p=1\$/);
  assert.match(one.scram, /^SCRAM-SHA-256\$10:/);
  assert.notEqual(one.stored, two.stored);
  assert.notEqual(one.scram, two.scram);
  assert.equal(await made.verify(one.stored, 'pa\u0308 ss'), true);
  assert.equal(await made.verify(one.stored, 'pass'), false);
});

test('passwords nobody can have are refused when set and wrong when tried', async (t) => {
  const made = passwords(t);
  const longest = 'x'.repeat(limits.passwordBytes);
  const { stored } = await made.make(longest);
  assert.equal(await made.verify(stored, longest), true);
  for (const password of ['', `${longest}x`, 'a\0b']) {
    await assert.rejects(made.make(password), (error) => isDirectoryError(error, 'badPassword'));
    assert.equal(await made.verify(stored, password), false);
  }
  await assert.rejects(made.make('a\nb'), (error) => isDirectoryError(error, 'badPassword'));
});

test('a kept password that we cannot read is unavailable, not wrong', async (t) => {
  const checked = passwords(t);
  for (const stored of ['', 'x', '{MD5}x']) {
    await assert.rejects(checked.verify(stored, 'x'), (error) => isDirectoryError(error, 'unavailable'));
  }
});

test('the queue before the threads is bounded', async (t) => {
  const checked = passwords(t, { threads: 1, queue: 3 });
  const { stored } = await checked.make('x');
  const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => checked.verify(stored, 'x')));
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.equal(refused.length, 2);
  for (const { reason } of refused) assert(isDirectoryError(reason, 'unavailable'));
  assert.equal(await checked.verify(stored, 'x'), true);
});

test('who waited too long is told that the directory is unavailable', async (t) => {
  let now = 0;
  const checked = passwords(t, { threads: 1, clock: { now: () => now, monotonic: () => now } });
  const { stored } = await checked.make('x');
  const early = Promise.allSettled([checked.verify(stored, 'x'), checked.verify(stored, 'x')]);
  now = limits.hashWaitMs + 1;
  const late = checked.verify(stored, 'x');
  const [first, second] = await early;
  assert(first.status === 'fulfilled' && first.value);
  assert(second.status === 'rejected' && isDirectoryError(second.reason, 'unavailable'));
  assert.equal(await late, true);
});

test('where the system refuses a thread, passwords cannot be checked for now', async () => {
  const program = `
    import { Passwords } from '${new URL('./password.js', import.meta.url).href}';
    const failed = (error) => console.log(error.code, error.message);
    const made = new Passwords({ threads: 2 });
    await Promise.all([made.make('x').catch(failed), made.verify('x', 'x').catch(failed)]);
    await made.make('y').catch(failed);
  `;
  // Without --allow-worker Node refuses as the system does when its threads are used up.
  const node = ['--experimental-permission', '--allow-fs-read=/', '--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, node);
  assert.match(stdout, /^(?:unavailable no hashing thread could be started: .+\n){3}$/);
});

test('closing rejects what waits', async () => {
  const checked = new Passwords({ threads: 1, cost: { scryptLog2N: 14, scramIterations: 10 } });
  const waiting = Promise.allSettled([checked.make('x'), checked.make('y'), checked.make('z')]);
  await checked.close();
  for (const outcome of await waiting)
    assert(outcome.status === 'rejected' && isDirectoryError(outcome.reason, 'closed'));
  await assert.rejects(checked.make('x'), (error) => isDirectoryError(error, 'closed'));
});

test('fifty logins at once do not hold up the event loop', async (t) => {
  const checked = passwords(t, { cost: { scryptLog2N: 15, scramIterations: 10 } });
  const { stored } = await checked.make('x');
  await checked.verify(stored, 'x');
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const startMs = performance.now();
  const answers = await Promise.all(Array.from({ length: 50 }, () => checked.verify(stored, 'x')));
  const tookMs = performance.now() - startMs;
  delay.disable();
  assert(answers.every((isRight) => isRight));
  const worstMs = delay.max / 1e6;
  t.diagnostic(`50 passwords in ${tookMs.toFixed()} ms, longest delay of the event loop ${worstMs.toFixed(1)} ms`);
  // On the event loop it would be all of it; this bound is for a busy machine.
  assert(worstMs < tookMs / 5, `${worstMs} of ${tookMs} ms`);
});
