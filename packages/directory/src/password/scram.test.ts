import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import { userId } from '../types.ts';
import { readScram, scramText } from './scram.ts';

test('the example of RFC 7677 comes out', () => {
  const verifier = readScram(userId(1), scramText('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4_096));
  assert(verifier !== undefined);
  const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  const first = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`;
  const signature = createHmac('sha256', verifier.serverKey).update(first).digest('base64');
  assert.equal(signature, '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64');
  const mask = createHmac('sha256', verifier.storedKey).update(first).digest();
  const clientKey = proof.map((octet, at) => octet ^ (mask[at] ?? 0));
  assert.deepEqual(createHash('sha256').update(clientKey).digest(), verifier.storedKey);
});

test('passwords are prepared as clients do', () => {
  const salt = Buffer.alloc(16);
  // The examples of RFC 4013 §3.
  assert.equal(scramText('I\u00adX', salt, 1), scramText('IX', salt, 1));
  assert.equal(scramText('\u00aa', salt, 1), scramText('a', salt, 1));
  assert.equal(scramText('\u2168', salt, 1), scramText('IX', salt, 1));
  assert.notEqual(scramText('user', salt, 1), scramText('USER', salt, 1));
});

test('what is no verifier is told', () => {
  assert.equal(readScram(userId(1), 'SCRAM-SHA-256$x'), undefined);
});
