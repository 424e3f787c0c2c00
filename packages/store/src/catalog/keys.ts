/** Keys of the catalog's tables: big-endian numbers, so that order by key is order by number. */
import { StoreError } from '../errors.ts';
import { type AccountId, brandNumber, type MailboxId, type MessageId, type ModSeq } from '../types.ts';

/** First octet of the keys in `accounts` and `mailboxes`, which hold several kinds of row. */
export const kind = { row: 1, name: 2, subscription: 3, metadata: 4, nameMemory: 5 } as const;

export function u32Key(n: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(n, 0);
  return key;
}

export function u32PairKey(a: number, b: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeUInt32BE(a, 0);
  key.writeUInt32BE(b, 4);
  return key;
}

export function u64Key(n: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  writeU64(key, n, 0);
  return key;
}

function writeU64(key: Buffer, n: number, at: number): void {
  key.writeUInt32BE(Math.floor(n / 0x1_0000_0000), at);
  key.writeUInt32BE(n % 0x1_0000_0000, at + 4);
}

export function readU64(key: Buffer, at: number): number {
  return key.readUInt32BE(at) * 0x1_0000_0000 + key.readUInt32BE(at + 4);
}

export function kindU32Key(kindOctet: number, n: number): Buffer {
  const key = Buffer.allocUnsafe(5);
  key[0] = kindOctet;
  key.writeUInt32BE(n, 1);
  return key;
}

export function accountNameKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(kind.name), Buffer.from(name.toLowerCase(), 'utf8')]);
}

/** Key of a row that belongs to an account and a name: a mailbox's name, a subscription, the memory of a name. */
export function accountTextKey(kindOctet: number, account: AccountId, name: string): Buffer {
  const key = Buffer.allocUnsafe(5 + Buffer.byteLength(name));
  key[0] = kindOctet;
  key.writeUInt32BE(account, 1);
  key.write(name, 5, 'utf8');
  return key;
}

/** Metadata of a mailbox, or of the account when `mailbox` is 0. */
export function metadataKey(account: AccountId, mailbox: MailboxId | 0, name: string): Buffer {
  const text = Buffer.from(name, 'utf8');
  const key = Buffer.allocUnsafe(9 + text.length);
  key[0] = kind.metadata;
  key.writeUInt32BE(account, 1);
  key.writeUInt32BE(mailbox, 5);
  text.copy(key, 9);
  return key;
}

export function expungedKey(mailbox: MailboxId, modSeq: ModSeq | 0): Buffer {
  const key = Buffer.allocUnsafe(12);
  key.writeUInt32BE(mailbox, 0);
  writeU64(key, modSeq, 4);
  return key;
}

export function uidlKey(mailbox: MailboxId, uidl: string): Buffer {
  return Buffer.concat([u32Key(mailbox), Buffer.from(uidl.toLowerCase(), 'latin1')]);
}

/** `threadKey` is the first 8 octets of SHA-256 over a Message-ID. */
export function accountThreadKey(account: AccountId, threadKey: Buffer): Buffer {
  const key = Buffer.allocUnsafe(12);
  key.writeUInt32BE(account, 0);
  threadKey.copy(key, 4, 0, 8);
  return key;
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

export const stateKey: Buffer = Buffer.from('state');

export function mailboxOfKey(key: Buffer): MailboxId {
  return brandNumber<MailboxId>(key.readUInt32BE(0));
}

export function messageOfKey(key: Buffer): MessageId {
  return brandNumber<MessageId>(readU64(key, 0));
}
