/**
 * The numbers that name things in a store, branded so that one cannot stand for another.
 *
 * A brand is given only by the decoder that read the number or the allocator that made it; everything else passes it on.
 * All of them are integers in 0 … 2^53 − 1 unless said otherwise.
 */

declare const brand: unique symbol;
type Branded<Name extends string> = number & { readonly [brand]: Name };

/** Log sequence number: a position in the log, in octets; every record's own position. Multiple of 8. */
export type Lsn = Branded<'Lsn'>;
/** An account's id, the directory's user id; never given twice. u32, from 1. */
export type AccountId = Branded<'AccountId'>;
/** A mailbox's id, unique in the store; never given twice (RFC 8474 MAILBOXID). u32, from 1. */
export type MailboxId = Branded<'MailboxId'>;
/** A stored message's id: one per distinct content, however many entries name it. From 1. */
export type MessageId = Branded<'MessageId'>;
/** A thread's id (RFC 8474 THREADID), unique in the store. From 1. */
export type ThreadId = Branded<'ThreadId'>;
/** What RFC 8474 calls EMAILID: the LSN of the first entry of this content in this account. */
export type EmailId = Branded<'EmailId'>;
/** RFC 9051 §2.3.1.1. u32, from 1. */
export type Uid = Branded<'Uid'>;
/** RFC 9051 §2.3.1.1. u32, from 1. */
export type UidValidity = Branded<'UidValidity'>;
/** RFC 7162: the store-wide event sequence that last touched an entry. */
export type ModSeq = Branded<'ModSeq'>;

/** Makes a branded number; for decoders and allocators only. */
export function brandNumber<T extends number>(value: number): T {
  return value as T;
}

/** System flags as bits (RFC 9051 §2.3.2); `\Recent` is a session's, not the store's. */
export const flag = {
  seen: 1,
  answered: 2,
  flagged: 4,
  deleted: 8,
  draft: 16,
} as const;

/** Every system flag. */
export const allFlags = 31;

/** A part's or a message's SHA-256, as 32 octets. */
export type Sha256 = Buffer;

/** Mailbox roles (RFC 6154 special use); empty for none. */
export type MailboxRole = '' | 'drafts' | 'sent' | 'junk' | 'trash' | 'archive' | 'flagged' | 'all';

/** Where a record lies. */
export interface Location {
  readonly lsn: Lsn;
  /** Octets of the whole record in the segment, header and padding included: a multiple of 8. */
  readonly bytes: number;
}
