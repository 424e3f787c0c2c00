/**
 * The work itself: verifying a password against what is kept, and making what is kept. Everything here takes tens of
 * milliseconds of processor time and blocks its thread: for hash-worker.ts only.
 */
import { hash, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { verifySync } from '@node-rs/argon2';
import bcrypt from 'bcrypt';
import { scramText } from './scram.ts';
import { parseShaCrypt, shaCrypt } from './sha-crypt.ts';
import { readStored, scryptMemoryBytes } from './stored.ts';

/** What new passwords cost. */
export interface PasswordCost {
  /** Binary logarithm of scrypt's N; with r = 8 and p = 1, 15 takes 32 MiB and about 80 ms. */
  readonly scryptLog2N: number;
  /** PBKDF2's, and what each client with SCRAM must do too. */
  readonly scramIterations: number;
}

/** The two forms in which a new password is kept. */
export interface NewPassword {
  readonly stored: string;
  readonly scram: string;
}

/** What a thread is asked. */
export type HashRequest =
  | { readonly kind: 'verify'; readonly stored: string; readonly password: string }
  | { readonly kind: 'make'; readonly password: string; readonly cost: PasswordCost };

/** True when the digests are equal; takes as long when they are not. */
function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The form in which our own hashes take a password: RFC 8265 §4.2, OpaqueString. */
function opaque(password: string): string {
  return password.replace(/[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g, ' ').normalize('NFC');
}

/** True when `password` is the one behind `stored`. @throws {Error} when `stored` is nothing we can verify. */
export function verify(storedText: string, password: string): boolean {
  const stored = readStored(storedText);
  if (stored === undefined) throw new Error('the kept password is of no form that can be verified');
  switch (stored.scheme) {
    case 'scrypt': {
      const { n, r, p, salt, digest } = stored;
      const options = { N: n, r, p, maxmem: scryptMemoryBytes(stored) };
      return equal(scryptSync(opaque(password), salt, digest.length, options), digest);
    }
    case 'bcrypt':
      return bcrypt.compareSync(password, stored.text);
    case 'argon2id':
      return verifySync(stored.text, password);
    case 'sha-crypt': {
      const setting = parseShaCrypt(stored.text);
      if (setting === undefined) return false;
      // Compared with what the same setting writes, so that spellings of the rounds do not matter.
      const made = parseShaCrypt(shaCrypt(Buffer.from(password), setting));
      return equal(Buffer.from(made?.digest ?? ''), Buffer.from(setting.digest ?? ''));
    }
    case 'salted': {
      const octets = Buffer.concat([Buffer.from(password), stored.salt]);
      return equal(hash(stored.algorithm, octets, 'buffer'), stored.digest);
    }
  }
}

/** What is kept of a new password. */
export function make(password: string, cost: PasswordCost): NewPassword {
  const salt = randomBytes(16);
  const parameters = { n: 2 ** cost.scryptLog2N, r: 8, p: 1 };
  const options = { N: parameters.n, r: parameters.r, p: parameters.p, maxmem: scryptMemoryBytes(parameters) };
  const digest = scryptSync(opaque(password), salt, 32, options);
  const phc = (octets: Buffer): string => octets.toString('base64').replace(/=+$/, '');
  return {
    stored: `$scrypt$ln=${cost.scryptLog2N},r=8,p=1$${phc(salt)}$${phc(digest)}`,
    scram: scramText(password, randomBytes(16), cost.scramIterations),
  };
}
