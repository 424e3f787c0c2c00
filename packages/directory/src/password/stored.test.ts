import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../limits.ts';
import { readGiven, readStored } from './stored.ts';
import { verify } from './work.ts';

const digest = 'A'.repeat(43);

test('hashes at the bounds are read and ones past them are not', () => {
  const cost = (value: number): string => `$2b$${String(value).padStart(2, '0')}$${'a'.repeat(53)}`;
  assert(readStored(cost(limits.bcryptCost)) !== undefined);
  assert.equal(readStored(cost(limits.bcryptCost + 1)), undefined);
  assert.equal(readStored(cost(3)), undefined);
  const rounds = (value: number): string => `$5$rounds=${value}$salt$${digest}`;
  assert(readStored(rounds(limits.shaCryptRounds)) !== undefined);
  assert.equal(readStored(rounds(limits.shaCryptRounds + 1)), undefined);
  const argon = (kib: number, passes: number): string => `$argon2id$v=19$m=${kib},t=${passes},p=1$${digest}$${digest}`;
  assert(readStored(argon(limits.hashMemoryBytes / 1_024, limits.argon2Passes)) !== undefined);
  assert.equal(readStored(argon(limits.hashMemoryBytes / 1_024 + 1, 1)), undefined);
  assert.equal(readStored(argon(8, limits.argon2Passes + 1)), undefined);
  assert.equal(readStored(argon(8, 0)), undefined);
  const scrypt = (ln: number, r: number, p: number): string => `$scrypt$ln=${ln},r=${r},p=${p}$${digest}$${digest}`;
  assert(readStored(scrypt(17, 8, 8)) !== undefined);
  assert.equal(readStored(scrypt(18, 8, 1)), undefined);
  assert.equal(readStored(scrypt(17, 8, 9)), undefined);
  assert.equal(readStored(scrypt(0, 8, 1)), undefined);
  assert.equal(readStored(`{SSHA}${'A'.repeat(limits.storedPasswordBytes)}`), undefined);
});

test('every hash that is read can be verified', () => {
  const argon = (memory: string, lanes: number, salt = digest, hash = digest): string =>
    `$argon2id$v=19$m=${memory},t=1,p=${lanes}$${salt}$${hash}`;
  const scrypt = (ln: number, r: number): string => `$scrypt$ln=${ln},r=${r},p=1$${digest}$${digest}`;
  for (const stored of [argon('8', 1), argon('32', 4), argon('8', 1, 'A'.repeat(11)), scrypt(15, 1), scrypt(17, 2)]) {
    assert.equal(verify(stored, 'x'), false, stored);
  }
  const impossible = [
    argon('7', 1),
    argon('31', 4),
    argon('8', 0),
    argon('08', 1),
    argon('8', 1, 'A'.repeat(13)),
    argon('8', 1, digest, `${'A'.repeat(42)}B`),
    scrypt(16, 1),
  ];
  for (const stored of impossible) assert.equal(readStored(stored), undefined, stored);
});

test('a password is told from a hash', () => {
  assert.deepEqual(readGiven('secret'), { kind: 'plain', password: 'secret' });
  assert.deepEqual(readGiven('{PLAIN}{x}y'), { kind: 'plain', password: '{x}y' });
  assert.deepEqual(readGiven('{cleartext}y'), { kind: 'plain', password: 'y' });
  assert.deepEqual(readGiven('$2b$oney'), { kind: 'plain', password: '$2b$oney' });
  for (const stored of [`$5$salt$${digest}`, `{CRYPT}$5$salt$${digest}`, `{sha256-crypt}$5$salt$${digest}`]) {
    assert.deepEqual(readGiven(stored), { kind: 'stored', stored });
  }
  for (const text of [`$2b$16$${'a'.repeat(53)}`, '$1$salt$x', '$argon2id$v=19$m=7,t=1,p=1$x$y', '$y$j9T$salt$x']) {
    assert.deepEqual(readGiven(text), { kind: 'unknown', scheme: text.split('$')[1] });
    assert.deepEqual(readGiven(`{PLAIN}${text}`), { kind: 'plain', password: text });
  }
  for (const scheme of ['SHA1', 'MD5-CRYPT', 'SSHA', 'SHA512-CRYPT', 'constructor', 'SSHA.HEX']) {
    assert.deepEqual(readGiven(`{${scheme}}$5$salt$${digest}`), { kind: 'unknown', scheme });
  }
});
