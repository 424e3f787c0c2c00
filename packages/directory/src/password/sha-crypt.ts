/**
 * SHA-crypt, the `$5$` and `$6$` of Unix password files, after "Unix crypt using SHA-256 and SHA-512" by Ulrich Drepper,
 * version 0.6; its test vectors stand in the tests. The numbers of the specification's steps are named below.
 *
 * Takes milliseconds to seconds of processor time: for hash-worker.ts only.
 */
import { hash } from 'node:crypto';

interface Variant {
  readonly algorithm: 'sha256' | 'sha512';
  readonly digestBytes: number;
  /** The digest's octets in the order in which they are written, three to a group of four letters. */
  readonly order: readonly number[];
}

const letters = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The order is a rotation of three columns, each group starting one column further; the last group is short. */
function order(third: number, step: readonly [number, number, number], last: readonly number[]): readonly number[] {
  const octets: number[] = [];
  let columns: readonly [number, number, number] = [0, third, 2 * third];
  for (let row = 0; row < third; row += 1) {
    octets.push(columns[0] + row, columns[1] + row, columns[2] + row);
    columns = [columns[step[0]] ?? 0, columns[step[1]] ?? 0, columns[step[2]] ?? 0];
  }
  return [...octets, ...last];
}

const variants: Readonly<Record<string, Variant>> = {
  5: { algorithm: 'sha256', digestBytes: 32, order: order(10, [2, 0, 1], [31, 30]) },
  6: { algorithm: 'sha512', digestBytes: 64, order: order(21, [1, 2, 0], [63]) },
};

const form = /^\$([56])\$(?:rounds=(\d{1,10})\$)?([^$\s]{0,64})(?:\$([./0-9A-Za-z]+))?$/;

/** A setting or a whole hash, taken apart. */
interface ShaCrypt {
  readonly variant: Variant;
  readonly id: string;
  readonly rounds: number;
  /** Whether the rounds are written down. */
  readonly explicit: boolean;
  readonly salt: string;
  readonly digest: string | undefined;
}

/** Takes `$5$…` and `$6$…` apart; undefined when it is neither. */
export function parseShaCrypt(text: string): ShaCrypt | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [, id = '', rounds, salt = '', digest] = match;
  const variant = variants[id];
  if (variant === undefined) return undefined;
  const digestLength = Math.ceil((variant.digestBytes * 8) / 6);
  if (digest !== undefined && digest.length !== digestLength) return undefined;
  const asked = rounds === undefined ? 5_000 : Number(rounds);
  return {
    variant,
    id,
    rounds: Math.min(Math.max(asked, 1_000), 999_999_999),
    explicit: rounds !== undefined,
    salt: Buffer.from(salt).subarray(0, 16).toString(),
    digest,
  };
}

/** `source` over and over, `length` octets of it. */
function repeated(source: Buffer, length: number): Buffer {
  return length === 0 ? Buffer.alloc(0) : Buffer.alloc(length, source);
}

/** Steps 1 to 12. */
function firstDigest({ algorithm, digestBytes }: Variant, password: Buffer, salt: Buffer): Buffer {
  const inner = hash(algorithm, Buffer.concat([password, salt, password]), 'buffer');
  const pieces = [password, salt, repeated(inner, password.length)];
  for (let bits = password.length; bits > 0; bits >>>= 1) {
    pieces.push((bits & 1) === 1 ? inner.subarray(0, digestBytes) : password);
  }
  return hash(algorithm, Buffer.concat(pieces), 'buffer');
}

function encoded(digest: Buffer, octets: readonly number[]): string {
  let text = '';
  for (let at = 0; at < octets.length; at += 3) {
    const group = octets.slice(at, at + 3);
    // A short last group has zeros in front.
    let value = group.reduce((sum, octet) => sum * 256 + (digest[octet] ?? 0), 0);
    for (let letter = 0; letter <= group.length; letter += 1) {
      text += letters[value % 64];
      value = Math.floor(value / 64);
    }
  }
  return text;
}

/** The whole hash of a password under a setting. */
export function shaCrypt(password: Buffer, { variant, id, rounds, explicit, salt: saltText }: ShaCrypt): string {
  const { algorithm } = variant;
  const salt = Buffer.from(saltText);
  const first = firstDigest(variant, password, salt);
  // Steps 13 to 16, and 17 to 20.
  const p = repeated(hash(algorithm, repeated(password, password.length * password.length), 'buffer'), password.length);
  const s = repeated(hash(algorithm, repeated(salt, salt.length * (16 + (first[0] ?? 0))), 'buffer'), salt.length);
  // Step 21.
  let digest = first;
  for (let round = 0; round < rounds; round += 1) {
    const odd = round % 2 === 1;
    const pieces = [odd ? p : digest];
    if (round % 3 !== 0) pieces.push(s);
    if (round % 7 !== 0) pieces.push(p);
    pieces.push(odd ? digest : p);
    digest = hash(algorithm, Buffer.concat(pieces), 'buffer');
  }
  return `$${id}$${explicit ? `rounds=${rounds}$` : ''}${saltText}$${encoded(digest, variant.order)}`;
}
