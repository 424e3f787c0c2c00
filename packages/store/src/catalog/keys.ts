/** Keys of the catalog's tables: big-endian numbers, so that order by key is order by number. */
import { StoreError } from '../errors.ts';
import { type AccountId, brandNumber, type MailboxId, type MessageId, type ModSeq } from '../types.ts';

/** First octet of the keys in `accounts` and `mailboxes`, which hold several kinds of row. */
export const kind = { row: 1, name: 2, subscription: 3, metadata: 4, nameMemory: 5 } as const;

/** First octet of the keys in `due`. */
export const dueKind = {
  retained: 1,
  mailbox: 2,
  account: 3,
  mailboxOf: 4,
  retentionOf: 5,
  unfinished: 6,
  expunge: 7,
} as const;

/** A key as text: one character an octet (latin1), which is cheaper to make and to look up than a buffer. */
export type KeyText = string;

export function keyOctets(text: KeyText): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Buffers that `passingKey` fills, by their lengths. */
const passing: readonly Buffer[] = Array.from({ length: 33 }, (_, length) => Buffer.alloc(length));

/** As `keyOctets`, in a buffer that is good until the next call. */
export function passingKey(text: KeyText): Buffer {
  const octets = passing[text.length];
  if (octets === undefined) return keyOctets(text);
  for (let at = 0; at < text.length; at++) octets[at] = text.charCodeAt(at);
  return octets;
}

export function keyText(octets: Buffer): KeyText {
  return octets.toString('latin1');
}

export function u32Text(n: number): KeyText {
  return String.fromCharCode(n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff);
}

export function u32PairText(a: number, b: number): KeyText {
  return u32Text(a) + u32Text(b);
}

export function u64Text(n: number): KeyText {
  const high = Math.floor(n / 0x1_0000_0000);
  const low = n >>> 0;
  return String.fromCharCode(
    high >>> 24,
    (high >>> 16) & 0xff,
    (high >>> 8) & 0xff,
    high & 0xff,
    low >>> 24,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
  );
}

export function kindU32Text(kindOctet: number, n: number): KeyText {
  return String.fromCharCode(kindOctet) + u32Text(n);
}

export function accountNameText(name: string): KeyText {
  return String.fromCharCode(kind.name) + utf8Text(name.toLowerCase());
}

/** Key of a row that belongs to an account and a name: a mailbox's name, a subscription, the memory of a name. */
export function ownedNameText(kindOctet: number, account: AccountId, name: string): KeyText {
  return kindU32Text(kindOctet, account) + utf8Text(name);
}

/** Metadata of a mailbox, or of the account when `mailbox` is 0. */
export function metadataText(account: AccountId, mailbox: MailboxId | 0, name: string): KeyText {
  return kindU32Text(kind.metadata, account) + u32Text(mailbox) + utf8Text(name);
}

export function expungedText(mailbox: MailboxId, modSeq: ModSeq | 0): KeyText {
  return u32Text(mailbox) + u64Text(modSeq);
}

export function uidlText(mailbox: MailboxId, uidl: string): KeyText {
  return u32Text(mailbox) + keyText(Buffer.from(uidl.toLowerCase(), 'latin1'));
}

/** Key of a row in `due` that stands in the order of time. */
export function timedText(kindOctet: number, seconds: number): KeyText {
  return String.fromCharCode(kindOctet) + u64Text(Math.max(0, seconds));
}

/** `threadKey` is the first 8 octets of SHA-256 over a Message-ID. */
export function accountThreadText(account: AccountId, threadKey: Buffer): KeyText {
  return u32Text(account) + threadKey.toString('latin1', 0, 8);
}

function utf8Text(name: string): KeyText {
  return keyText(Buffer.from(name, 'utf8'));
}

export function u32Key(n: number): Buffer {
  return keyOctets(u32Text(n));
}

export function u32PairKey(a: number, b: number): Buffer {
  return keyOctets(u32PairText(a, b));
}

export function kindU32Key(kindOctet: number, n: number): Buffer {
  return keyOctets(kindU32Text(kindOctet, n));
}

export function readU64(key: Buffer, at: number): number {
  return key.readUInt32BE(at) * 0x1_0000_0000 + key.readUInt32BE(at + 4);
}

/** The first key behind all keys that begin with `prefix`. */
export function prefixEnd(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at--) {
    const octet = end.readUInt8(at);
    if (octet < 0xff) {
      end.writeUInt8(octet + 1, at);
      return end.subarray(0, at + 1);
    }
  }
  throw new StoreError('badIntent', 'a key prefix of 0xff octets has no end');
}

export const stateText: KeyText = 'state';

export function mailboxOfKey(key: Buffer): MailboxId {
  return brandNumber<MailboxId>(key.readUInt32BE(0));
}

export function messageOfKey(key: Buffer): MessageId {
  return brandNumber<MessageId>(readU64(key, 0));
}
