/**
 * SCRAM-SHA-256 verifiers (RFC 5802 §3, RFC 7677): made when a password is set, so that logins with SCRAM become possible
 * without ever keeping the password. Kept as `SCRAM-SHA-256$iterations:salt$storedKey:serverKey`, in base64.
 *
 * Takes milliseconds of processor time: for hash-worker.ts only, but for reading.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import type { ScramVerifier } from '../directory.ts';
import type { UserId } from '../types.ts';

const form = /^SCRAM-SHA-256\$(\d{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]{44}):([A-Za-z0-9+/=]{44})$/;

/** What SASLprep (RFC 4013) makes of a password that it would let pass; it prohibits nothing here. */
function prepared(password: string): string {
  return password
    .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ')
    .replace(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200c\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/g, '')
    .normalize('NFKC');
}

/** Makes the verifier that is kept. */
export function scramText(password: string, salt: Buffer, iterations: number): string {
  const salted = pbkdf2Sync(prepared(password), salt, iterations, 32, 'sha256');
  const key = (name: string): Buffer => createHmac('sha256', salted).update(name).digest();
  const storedKey = createHash('sha256').update(key('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${key('Server Key').toString('base64')}`;
}

/** Reads a kept verifier; undefined when it is none. */
export function readScram(userId: UserId, text: string): ScramVerifier | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, iterations, salt = '', storedKey = '', serverKey = ''] = match;
  return {
    userId,
    iterations: Number(iterations),
    salt: Buffer.from(salt, 'base64'),
    storedKey: Buffer.from(storedKey, 'base64'),
    serverKey: Buffer.from(serverKey, 'base64'),
  };
}
