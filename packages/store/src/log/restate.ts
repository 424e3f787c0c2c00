/**
 * RESTATE: what stands in a segment about to go, said again as it stands, with its old numbers (docs/format/log.md, "RESTATE").
 * Written by compaction alone. Applied to the catalog that it was decided on, it moves places and changes nothing else; in a
 * rebuild, where older records may be missing, it sets what they would have made.
 */
import { DecodeError, type Reader, type Writer } from '../codec/bytes.ts';
import { UidSet } from '../codec/uid-set.ts';
import {
  type AccountId,
  brandNumber,
  type EmailId,
  type Lsn,
  type MailboxId,
  type MailboxRole,
  type MessageId,
  type ModSeq,
  type ThreadId,
  type Uid,
  type UidValidity,
} from '../types.ts';
import { type FlagGroup, isRole, readFlagGroups, readWords, writeFlagGroups, writeWords } from './events.ts';

/** An entry as it stands. */
export interface RestatedEntry {
  readonly kind: 'entry';
  readonly account: AccountId;
  readonly mailbox: MailboxId;
  readonly uid: Uid;
  readonly modSeq: ModSeq;
  readonly internalDate: number;
  readonly saveDate: number;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly uidl: string;
  readonly thread: ThreadId;
  readonly email: EmailId;
  readonly size: number;
  readonly message: MessageId;
  readonly trace: Buffer;
  /** Seconds since 1970 of its expunge; undefined while it is live. */
  readonly expungedAt: number | undefined;
}

/** A mailbox as it stands, without entries and metadata. */
export interface RestatedMailbox {
  readonly kind: 'mailbox';
  readonly mailbox: MailboxId;
  readonly account: AccountId;
  readonly name: string;
  readonly deleted: boolean;
  readonly uidValidity: UidValidity;
  readonly uidNext: number;
  readonly highestModSeq: ModSeq;
  readonly expungeFloor: number;
  readonly modSeqFloor: number;
  readonly createdAt: number;
  readonly deletedAt: number;
  readonly role: MailboxRole;
  readonly keywords: readonly string[];
}

/** An account as it stands, without its mailboxes and details. */
export interface RestatedAccount {
  readonly kind: 'account';
  readonly account: AccountId;
  readonly name: string;
  readonly deleted: boolean;
  readonly createdAt: number;
  readonly deletedAt: number;
  readonly quotaBytes: number;
  readonly quotaMessages: number;
}

/** More of the account or mailbox restated just before it, in the same batch. */
export interface RestatedDetails {
  readonly kind: 'details';
  readonly account: AccountId;
  /** Whose metadata; 0: the account's own. */
  readonly mailbox: MailboxId | 0;
  readonly subscriptions: readonly string[];
  readonly metadata: readonly { readonly name: string; readonly value: Buffer }[];
  /** Names that mailboxes lost, and the highest UIDVALIDITY each stood for. */
  readonly memory: readonly { readonly name: string; readonly uidValidity: number }[];
}

export type RestateBody =
  | RestatedEntry
  | RestatedMailbox
  | RestatedAccount
  | RestatedDetails
  /** Flags whose last change this was. */
  | {
      readonly kind: 'flags';
      readonly mailbox: MailboxId;
      readonly modSeq: ModSeq;
      readonly groups: readonly FlagGroup[];
    }
  | { readonly kind: 'retained'; readonly mailbox: MailboxId; readonly expungedAt: number; readonly uids: UidSet }
  /** What an expunge is remembered by (RFC 7162). */
  | {
      readonly kind: 'vanished';
      readonly mailbox: MailboxId;
      readonly modSeq: ModSeq;
      readonly time: number;
      readonly uids: UidSet;
    }
  /** Tombstones: gone by a record at `goneAt` or before it. */
  | { readonly kind: 'gone'; readonly mailbox: MailboxId; readonly goneAt: Lsn; readonly uids: UidSet }
  | { readonly kind: 'mailboxGone'; readonly mailbox: MailboxId; readonly goneAt: Lsn }
  | { readonly kind: 'accountGone'; readonly account: AccountId; readonly goneAt: Lsn };

export type RestateKind = RestateBody['kind'];

/** Whether the record makes what its row points to: its octets are live as long as the row does. */
export function restatesThing(body: RestateBody): boolean {
  return body.kind === 'entry' || body.kind === 'mailbox' || body.kind === 'account';
}

/** The number of each kind on disk; a number is never used for another kind. */
const restateNumbers: Readonly<Record<RestateKind, number>> = {
  entry: 1,
  flags: 2,
  retained: 3,
  vanished: 4,
  gone: 5,
  mailbox: 6,
  mailboxGone: 7,
  account: 8,
  details: 9,
  accountGone: 10,
};

export function writeRestate(w: Writer, body: RestateBody): void {
  w.u8(restateNumbers[body.kind]);
  switch (body.kind) {
    case 'entry':
      writeEntry(w, body);
      break;
    case 'flags':
      w.varint(body.mailbox).varint(body.modSeq);
      writeFlagGroups(w, body.groups);
      break;
    case 'retained':
      w.varint(body.mailbox).signed(body.expungedAt);
      body.uids.encode(w);
      break;
    case 'vanished':
      w.varint(body.mailbox).varint(body.modSeq).signed(body.time);
      body.uids.encode(w);
      break;
    case 'gone':
      w.varint(body.mailbox).varint(body.goneAt);
      body.uids.encode(w);
      break;
    case 'mailbox':
      writeMailbox(w, body);
      break;
    case 'mailboxGone':
      w.varint(body.mailbox).varint(body.goneAt);
      break;
    case 'account':
      w.varint(body.account)
        .text(body.name)
        .u8(body.deleted ? 1 : 0);
      w.signed(body.createdAt).signed(body.deletedAt).varint(body.quotaBytes).varint(body.quotaMessages);
      break;
    case 'details':
      writeDetails(w, body);
      break;
    case 'accountGone':
      w.varint(body.account).varint(body.goneAt);
      break;
  }
}

function writeEntry(w: Writer, body: RestatedEntry): void {
  w.u8(body.expungedAt === undefined ? 0 : 1).signed(body.expungedAt ?? 0);
  w.varint(body.account).varint(body.mailbox).varint(body.uid).varint(body.modSeq);
  w.signed(body.internalDate).signed(body.saveDate).u8(body.flags);
  writeWords(w, body.keywords);
  w.text(body.uidl).varint(body.thread).varint(body.email).varint(body.size).varint(body.message);
  w.block(body.trace);
}

function writeMailbox(w: Writer, body: RestatedMailbox): void {
  w.varint(body.mailbox)
    .varint(body.account)
    .text(body.name)
    .u8(body.deleted ? 1 : 0);
  w.varint(body.uidValidity)
    .varint(body.uidNext)
    .varint(body.highestModSeq)
    .varint(body.expungeFloor)
    .varint(body.modSeqFloor);
  w.signed(body.createdAt).signed(body.deletedAt).text(body.role);
  writeWords(w, body.keywords);
}

function writeDetails(w: Writer, body: RestatedDetails): void {
  w.varint(body.account).varint(body.mailbox);
  writeWords(w, body.subscriptions);
  w.varint(body.metadata.length);
  for (const { name, value } of body.metadata) w.text(name).block(value);
  w.varint(body.memory.length);
  for (const { name, uidValidity } of body.memory) w.text(name).varint(uidValidity);
}

const accountIn = (r: Reader): AccountId => brandNumber<AccountId>(r.varint());
const mailboxIn = (r: Reader): MailboxId => brandNumber<MailboxId>(r.varint());
const modSeqIn = (r: Reader): ModSeq => brandNumber<ModSeq>(r.varint());
const lsnIn = (r: Reader): Lsn => brandNumber<Lsn>(r.varint());

const readers: Readonly<Record<number, (r: Reader) => RestateBody>> = {
  1: readEntry,
  2: (r) => ({ kind: 'flags', mailbox: mailboxIn(r), modSeq: modSeqIn(r), groups: readFlagGroups(r) }),
  3: (r) => ({ kind: 'retained', mailbox: mailboxIn(r), expungedAt: r.signed(), uids: UidSet.decode(r) }),
  4: (r) => ({
    kind: 'vanished',
    mailbox: mailboxIn(r),
    modSeq: modSeqIn(r),
    time: r.signed(),
    uids: UidSet.decode(r),
  }),
  5: (r) => ({ kind: 'gone', mailbox: mailboxIn(r), goneAt: lsnIn(r), uids: UidSet.decode(r) }),
  6: readMailbox,
  7: (r) => ({ kind: 'mailboxGone', mailbox: mailboxIn(r), goneAt: lsnIn(r) }),
  8: (r) => ({
    kind: 'account',
    account: accountIn(r),
    name: r.text(),
    deleted: r.u8() === 1,
    createdAt: r.signed(),
    deletedAt: r.signed(),
    quotaBytes: r.varint(),
    quotaMessages: r.varint(),
  }),
  9: readDetails,
  10: (r) => ({ kind: 'accountGone', account: accountIn(r), goneAt: lsnIn(r) }),
};

/** @throws DecodeError for an unknown kind or octets that are not such a record's */
export function readRestate(r: Reader): RestateBody {
  const number = r.u8();
  const read = readers[number];
  if (read === undefined) throw new DecodeError(`RESTATE of kind ${number}`);
  return read(r);
}

function readEntry(r: Reader): RestatedEntry {
  const isRetained = r.u8() === 1;
  const time = r.signed();
  return {
    kind: 'entry',
    expungedAt: isRetained ? time : undefined,
    account: accountIn(r),
    mailbox: mailboxIn(r),
    uid: brandNumber<Uid>(r.varint()),
    modSeq: modSeqIn(r),
    internalDate: r.signed(),
    saveDate: r.signed(),
    flags: r.u8(),
    keywords: readWords(r),
    uidl: r.text(),
    thread: brandNumber<ThreadId>(r.varint()),
    email: brandNumber<EmailId>(r.varint()),
    size: r.varint(),
    message: brandNumber<MessageId>(r.varint()),
    trace: Buffer.from(r.block()),
  };
}

function readMailbox(r: Reader): RestatedMailbox {
  const mailbox = mailboxIn(r);
  const account = accountIn(r);
  const name = r.text();
  const deleted = r.u8() === 1;
  const uidValidity = brandNumber<UidValidity>(r.varint());
  const uidNext = r.varint();
  const highestModSeq = modSeqIn(r);
  const expungeFloor = r.varint();
  const modSeqFloor = r.varint();
  const createdAt = r.signed();
  const deletedAt = r.signed();
  const role = r.text();
  if (!isRole(role)) throw new DecodeError('unknown mailbox role');
  const keywords = readWords(r);
  const times = { createdAt, deletedAt };
  const numbers = { uidValidity, uidNext, highestModSeq, expungeFloor, modSeqFloor };
  return { kind: 'mailbox', mailbox, account, name, deleted, ...numbers, ...times, role, keywords };
}

function readDetails(r: Reader): RestatedDetails {
  const account = accountIn(r);
  const number = r.varint();
  const mailbox = number === 0 ? 0 : brandNumber<MailboxId>(number);
  const subscriptions = readWords(r);
  const metadata: { name: string; value: Buffer }[] = [];
  for (let left = r.varint(); left > 0; left--) metadata.push({ name: r.text(), value: Buffer.from(r.block()) });
  const memory: { name: string; uidValidity: number }[] = [];
  for (let left = r.varint(); left > 0; left--) memory.push({ name: r.text(), uidValidity: r.varint() });
  return { kind: 'details', account, mailbox, subscriptions, metadata, memory };
}
