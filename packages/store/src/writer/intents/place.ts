/** Deliver and append: a prepared message takes its place in mailboxes. */
import { Catalog, type NamedMailbox } from '../../catalog/catalog.ts';
import { messageHashTable, messageTable, partTable, threadTable, uidlTable } from '../../catalog/schema.ts';
import type { View } from '../../catalog/write-set.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { invariant, isStoreError, StoreError, type StoreErrorCode } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { threadKeysOf } from '../../log/references.ts';
import { inbox, mailboxName } from '../../mail/mailbox-name.ts';
import type { PreparedMessage, PreparedPart } from '../../mail/prepared.ts';
import {
  type AccountId,
  allFlags,
  brandNumber,
  type EmailId,
  type Lsn,
  type MailboxId,
  type MessageId,
  type ThreadId,
  type Uid,
  type UidValidity,
} from '../../types.ts';
import type { Turn } from '../turn.ts';
import { decideEnsureAccount, type WantedAccount } from './account.ts';
import { checkQuota, checkUids, liveMailbox } from './checks.ts';
import { checkKeywords } from './flags.ts';

/** One place a delivered message goes to. */
export interface DeliveryTarget {
  readonly account: AccountId;
  /** A mailbox's name; the message goes to INBOX when it does not exist. Default INBOX. */
  readonly mailbox?: string;
  /** The account as it should be; made or changed before, unless absent. */
  readonly wanted?: WantedAccount;
  /** Header lines put on top, each with CRLF. */
  readonly trace: Buffer;
}

/** Where a message came to lie. */
export interface Placed {
  readonly account: AccountId;
  readonly mailbox: MailboxId;
  readonly mailboxName: string;
  readonly uidValidity: UidValidity;
  readonly uid: Uid;
  /** Octets with trace lines. */
  readonly size: number;
  readonly sequence: number;
}

/** What became of one target. */
export type DeliveryResult =
  | { readonly ok: true; readonly placed: Placed }
  | { readonly ok: false; readonly code: StoreErrorCode; readonly message: string };

/** Stores one copy per account and mailbox; each target is accepted or refused by itself. */
export function decideDeliver(
  turn: Turn,
  prepared: PreparedMessage,
  targets: readonly DeliveryTarget[],
): DeliveryResult[] {
  turn.checkStorable(prepared);
  const done = new Map<MailboxId, DeliveryResult>();
  return targets.map((target) => {
    try {
      if (target.wanted !== undefined) ensureOwner(turn, target.account, target.wanted);
      const mailbox = deliveryMailbox(turn.view, target);
      const known = done.get(mailbox.id);
      if (known !== undefined) return known;
      checkTrace(target.trace);
      checkUids(mailbox, 1);
      const size = prepared.size + target.trace.length;
      checkQuota(turn, target.account, size, 1);
      const result: DeliveryResult = { ok: true, placed: placeDelivered(turn, mailbox, prepared, target.trace) };
      done.set(mailbox.id, result);
      return result;
    } catch (error) {
      return refusedResult(error);
    }
  });
}

function ensureOwner(turn: Turn, account: AccountId, wanted: WantedAccount): void {
  if (wanted.id !== account) throw new StoreError('badIntent', `account ${wanted.id} wanted for account ${account}`);
  decideEnsureAccount(turn, wanted);
}

/** A failure as what became of a target. @throws what is no StoreError: a bug */
export function refusedResult(error: unknown): DeliveryResult {
  if (!isStoreError(error)) throw error;
  return { ok: false, code: error.code, message: error.message };
}

/** One copy per account and mailbox, in all of them or in none. Makes no account: a refusal must leave nothing behind.
 *  @throws {StoreError} what any target is refused for */
export function decideDeliverTogether(
  turn: Turn,
  prepared: PreparedMessage,
  targets: readonly DeliveryTarget[],
): DeliveryResult[] {
  turn.checkStorable(prepared);
  const byMailbox = new Map<MailboxId, { mailbox: NamedMailbox; trace: Buffer }>();
  const added = new Map<AccountId, { bytes: number; messages: number }>();
  const wanted = targets.map((target) => {
    const { trace } = target;
    const mailbox = deliveryMailbox(turn.view, target);
    if (byMailbox.has(mailbox.id)) return mailbox.id;
    checkTrace(trace);
    checkUids(mailbox, 1);
    const sum = added.get(target.account) ?? { bytes: 0, messages: 0 };
    sum.bytes += prepared.size + trace.length;
    sum.messages += 1;
    checkQuota(turn, target.account, sum.bytes, sum.messages);
    added.set(target.account, sum);
    byMailbox.set(mailbox.id, { mailbox, trace });
    return mailbox.id;
  });
  const placed = new Map<MailboxId, Placed>();
  for (const [id, { mailbox, trace }] of byMailbox) placed.set(id, placeDelivered(turn, mailbox, prepared, trace));
  return wanted.map((id) => {
    const at = placed.get(id);
    invariant(at !== undefined, 'every target has a place');
    return { ok: true, placed: at };
  });
}

function placeDelivered(turn: Turn, mailbox: NamedMailbox, prepared: PreparedMessage, trace: Buffer): Placed {
  return place(turn, mailbox, prepared, { flags: 0, keywords: [], internalDate: turn.time, uidl: '', trace });
}

function deliveryMailbox(view: View, target: DeliveryTarget): NamedMailbox {
  const catalog = new Catalog(view);
  const account = catalog.account(target.account);
  if (account === undefined || account.deleted) throw new StoreError('noAccount', `no account ${target.account}`);
  const wanted = namedOrInbox(target.mailbox);
  const found = catalog.mailboxNamed(target.account, wanted) ?? catalog.mailboxNamed(target.account, inbox);
  if (found === undefined) throw new StoreError('noMailbox', `account ${target.account} has no INBOX`);
  return found;
}

/** A name no mailbox can bear names none: INBOX. */
function namedOrInbox(name: string | undefined): string {
  try {
    return name === undefined ? inbox : mailboxName(name);
  } catch (error) {
    if (isStoreError(error, 'badName')) return inbox;
    throw error;
  }
}

/** One message of an append. */
export interface AppendItem {
  readonly prepared: PreparedMessage;
  readonly flags: number;
  readonly keywords: readonly string[];
  /** Seconds since 1970; default now. */
  readonly internalDate?: number;
  /** UIDL to keep from another server (RFC 1939 §7). */
  readonly uidl?: string;
  /** Header lines that once stood on top. */
  readonly trace?: Buffer;
  /** Kept: the email id that this content had in this account. */
  readonly email?: EmailId;
}

const noTrace = Buffer.alloc(0);

/** Appends all messages or none. */
export function decideAppend(turn: Turn, id: MailboxId, items: readonly AppendItem[]): Placed[] {
  const mailbox = liveMailbox(turn, id);
  checkUids(mailbox, items.length);
  for (const { internalDate, flags, trace } of items) {
    checkDate(internalDate ?? turn.time);
    checkTrace(trace ?? noTrace);
    if ((flags & allFlags) !== flags) throw new StoreError('badIntent', 'flags that no system flag has');
  }
  const bytes = items.reduce((sum, item) => sum + item.prepared.size + (item.trace?.length ?? 0), 0);
  checkRecords(turn, items);
  checkQuota(turn, mailbox.row.account, bytes, items.length);
  checkKeywords(
    turn,
    id,
    items.flatMap((item) => item.keywords),
  );
  return items.map((item) =>
    place(turn, mailbox, item.prepared, {
      flags: item.flags,
      keywords: item.keywords,
      internalDate: item.internalDate ?? turn.time,
      uidl: importedUidl(turn.view, id, item.uidl ?? ''),
      trace: item.trace ?? noTrace,
      ...(item.email !== undefined && { email: item.email }),
    }),
  );
}

/** Stores a part ahead of its message, unless the store has it where it stays; returns where it lies. */
export function decidePart(turn: Turn, part: PreparedPart): readonly Lsn[] {
  if (!turn.keepsPart(part.sha)) turn.part(part);
  return turn.view.read(partTable, part.sha)?.pieces.map(({ lsn }) => lsn) ?? [];
}

interface PlaceOptions {
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly internalDate: number;
  readonly uidl: string;
  readonly trace: Buffer;
  readonly email?: EmailId;
}

function place(turn: Turn, mailbox: NamedMailbox, prepared: PreparedMessage, options: PlaceOptions): Placed {
  const message = turn.message(prepared);
  const { account, uidNext, uidValidity, name } = mailbox.row;
  const current = liveMailbox(turn, mailbox.id).row;
  const uid = brandNumber<Uid>(Math.max(uidNext, current.uidNext));
  const { flags, keywords, internalDate, uidl, trace, email = 0 } = options;
  const size = prepared.size + trace.length;
  const thread = threadOf(turn, account, message);
  const sequence = turn.entry({
    account,
    mailbox: mailbox.id,
    uid,
    internalDate,
    flags,
    keywords,
    uidl,
    thread,
    email,
    size,
    message,
    trace,
  });
  turn.changes.push({ kind: 'appended', sequence, account, mailbox: mailbox.id, uids: UidSet.range(uid, uid) });
  return { account, mailbox: mailbox.id, mailboxName: name, uidValidity, uid, size, sequence };
}

/** The thread of the first Message-ID that the account knows, or a new one. */
export function threadOf(turn: Turn, account: AccountId, message: MessageId): ThreadId {
  const row = turn.view.read(messageTable, message);
  invariant(row !== undefined, 'a message is stored before it is placed');
  for (const key of threadKeysOf(row)) {
    const thread = turn.view.read(threadTable, account, key);
    if (thread !== undefined) return thread.thread;
  }
  return turn.nextThread();
}

/** What an intent puts into one batch is bounded: contents that are not parts yet. @throws {StoreError} limitExceeded */
function checkRecords(turn: Turn, items: readonly AppendItem[]): void {
  let bytes = 0;
  for (const { prepared } of items) {
    turn.checkStorable(prepared);
    const isKnown = turn.view.read(messageHashTable, prepared.sha) !== undefined;
    if (!isKnown) bytes += prepared.content().payload().octets.length;
  }
  if (bytes > limits.intentBytes) {
    throw new StoreError('limitExceeded', `${items.length} messages at once are more than one append can hold`);
  }
}

/** @throws {StoreError} badIntent for a date that the index could not keep */
function checkDate(seconds: number): void {
  if (Number.isInteger(seconds) && Math.abs(seconds) <= limits.dateSeconds) return;
  throw new StoreError('badIntent', `no internal date: ${seconds}`);
}

function checkTrace(trace: Buffer): void {
  if (trace.length > limits.traceBytes) {
    throw new StoreError('limitExceeded', `trace lines of ${trace.length} octets, ${limits.traceBytes} are allowed`);
  }
}

const derivedShape = /^[0-9a-f]{16}$/i;

/** The UIDL to keep: never one of the shape we derive, never one in use; empty to derive it. */
function importedUidl(view: View, mailbox: MailboxId, given: string): string {
  if (given === '' || !/^[\u0021-\u007e]+$/.test(given)) return '';
  const uidl = derivedShape.test(given) ? `x${given}` : given;
  if (uidl.length > limits.uidlBytes) return '';
  return view.read(uidlTable, mailbox, uidl) === undefined ? uidl : '';
}
