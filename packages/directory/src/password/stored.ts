/**
 * The strings in which passwords are kept: reads them and says whether we could verify them, within the bounds of limits.ts.
 * Pure; the work is in verify.ts.
 *
 * Our own are `$scrypt$ln=…,r=…,p=…$salt$hash` (PHC string format). Imported ones bear the scheme in braces as other mail
 * servers write it; the forms that show their kind (`$2b$`, `$5$`, `$6$`, `$argon2id$`, `$scrypt$`) may stand alone.
 */
import { limits } from '../limits.ts';
import { parseShaCrypt } from './sha-crypt.ts';

export type StoredPassword =
  | {
      readonly scheme: 'scrypt';
      /** The parameters of RFC 7914, `n` as a power of two. */
      readonly n: number;
      readonly r: number;
      readonly p: number;
      readonly salt: Buffer;
      readonly digest: Buffer;
    }
  /** `text` is the hash as the scheme's library reads it. */
  | { readonly scheme: 'bcrypt' | 'sha-crypt' | 'argon2id'; readonly text: string }
  | {
      readonly scheme: 'salted';
      readonly algorithm: 'sha1' | 'sha256' | 'sha512';
      readonly digest: Buffer;
      /** Hashed behind the password. */
      readonly salt: Buffer;
    };

type Reader = (text: string) => StoredPassword | undefined;

const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** What begins so and goes on with another `$` is a hash, not a password that somebody typed. */
const hashForms = /^\$(1|2[abxy]?|5|6|7|g?y|md5|sha1|apr1|argon2(?:i|d|id)|scrypt|pbkdf2(?:-[a-z0-9]+)?)\$.*\$/i;

function readScrypt(text: string): StoredPassword | undefined {
  const match =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{1,128})\$([A-Za-z0-9+/]{22,128})$/.exec(text);
  if (match === null) return undefined;
  const [, ln, r, p, salt = '', digest = ''] = match;
  const parameters = { n: 2 ** Number(ln), r: Number(r), p: Number(p) };
  if (parameters.n < 2 || parameters.r < 1 || parameters.p < 1) return undefined;
  // RFC 7914 §2: N is less than 2^(128 * r / 8).
  if (Number(ln) >= 16 * parameters.r) return undefined;
  if (scryptMemoryBytes(parameters) > limits.hashMemoryBytes) return undefined;
  if (parameters.n * parameters.r * parameters.p > limits.scryptBlocks) return undefined;
  return {
    scheme: 'scrypt',
    ...parameters,
    salt: Buffer.from(salt, 'base64'),
    digest: Buffer.from(digest, 'base64'),
  };
}

/** What OpenSSL counts against its bound. */
export function scryptMemoryBytes({ n, r, p }: { readonly n: number; readonly r: number; readonly p: number }): number {
  return 128 * r * (n + p + 2);
}

function readBcrypt(text: string): StoredPassword | undefined {
  const match = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(text);
  const cost = Number(match?.[1]);
  if (match === null || cost < 4 || cost > limits.bcryptCost) return undefined;
  // 2y is what PHP and Apache call the corrected algorithm that OpenBSD calls 2b.
  return { scheme: 'bcrypt', text: text.replace('$2y$', '$2b$') };
}

function readShaCrypt(id: string): Reader {
  return (text) => {
    const parsed = text.startsWith(`$${id}$`) ? parseShaCrypt(text) : undefined;
    if (parsed?.digest === undefined || parsed.rounds > limits.shaCryptRounds) return undefined;
    return { scheme: 'sha-crypt', text };
  };
}

function readArgon2id(text: string): StoredPassword | undefined {
  const match =
    /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d{0,2}),p=([1-9]\d{0,2})\$([A-Za-z0-9+/]{11,128})\$([A-Za-z0-9+/]{11,128})$/.exec(
      text,
    );
  if (match === null) return undefined;
  const [, memoryKib, passes, lanes, salt = '', digest = ''] = match;
  // RFC 9106 §3.1: eight KiB for each lane at least.
  if (Number(memoryKib) < 8 * Number(lanes) || !isExactBase64(salt) || !isExactBase64(digest)) return undefined;
  const isBounded = Number(memoryKib) * 1_024 <= limits.hashMemoryBytes && Number(passes) <= limits.argon2Passes;
  return isBounded ? { scheme: 'argon2id', text } : undefined;
}

/** True for unpadded base64 that an encoder can have written: the library refuses any other. */
function isExactBase64(text: string): boolean {
  return Buffer.from(text, 'base64').toString('base64').replace(/=+$/, '') === text;
}

function readSalted(algorithm: 'sha1' | 'sha256' | 'sha512', digestBytes: number): Reader {
  return (text) => {
    const octets = base64.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
    if (octets.length < digestBytes) return undefined;
    return { scheme: 'salted', algorithm, digest: octets.subarray(0, digestBytes), salt: octets.subarray(digestBytes) };
  };
}

const selfDescribing: readonly Reader[] = [readScrypt, readBcrypt, readShaCrypt('5'), readShaCrypt('6'), readArgon2id];

function readAny(text: string): StoredPassword | undefined {
  for (const read of selfDescribing) {
    const stored = read(text);
    if (stored !== undefined) return stored;
  }
  return undefined;
}

const schemes: Readonly<Record<string, Reader>> = {
  SCRYPT: readScrypt,
  'BLF-CRYPT': readBcrypt,
  BCRYPT: readBcrypt,
  'SHA256-CRYPT': readShaCrypt('5'),
  'SHA512-CRYPT': readShaCrypt('6'),
  CRYPT: readAny,
  ARGON2ID: readArgon2id,
  SSHA: readSalted('sha1', 20),
  SSHA256: readSalted('sha256', 32),
  SSHA512: readSalted('sha512', 64),
};

/** Reads a kept password; undefined when we could not verify it. */
export function readStored(text: string): StoredPassword | undefined {
  if (text.length > limits.storedPasswordBytes) return undefined;
  const match = /^\{([\w-]+)\}(.+)$/s.exec(text);
  if (match === null) return readAny(text);
  const [, scheme = '', rest = ''] = match;
  return Object.hasOwn(schemes, scheme.toUpperCase()) ? schemes[scheme.toUpperCase()]?.(rest) : undefined;
}

/** What the password column of an import means. */
export type GivenPassword =
  | { readonly kind: 'plain'; readonly password: string }
  | { readonly kind: 'stored'; readonly stored: string }
  /** A hash, but of no scheme that we can verify, malformed, or beyond our bounds. */
  | { readonly kind: 'unknown'; readonly scheme: string };

/**
 * Tells a hash from a password: `{SCHEME}…` is a hash, `{PLAIN}…` and `{CLEARTEXT}…` a password, and so is everything without
 * braces that does not look like a hash.
 */
export function readGiven(text: string): GivenPassword {
  const match = /^\{([\w.-]+)\}(.*)$/s.exec(text);
  if (match === null) {
    if (readAny(text) !== undefined) return { kind: 'stored', stored: text };
    const form = hashForms.exec(text)?.[1];
    return form === undefined ? { kind: 'plain', password: text } : { kind: 'unknown', scheme: form };
  }
  const [, scheme = '', rest = ''] = match;
  if (/^(?:PLAIN|CLEARTEXT)$/i.test(scheme)) return { kind: 'plain', password: rest };
  return readStored(text) === undefined ? { kind: 'unknown', scheme } : { kind: 'stored', stored: text };
}
