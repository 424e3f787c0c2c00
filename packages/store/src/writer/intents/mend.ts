/**
 * What a repair decides about mail whose octets are damaged: content that was found elsewhere is written once more; an entry whose
 * octets cannot be had back is replaced by one that says so. Octets behind a UID never change (RFC 9051 §2.3.1.1), so the
 * replacement has a new UID, and the old one is expunged in the same batch
 * (docs/decisions/0019-damaged-mail-gets-a-new-uid.md).
 */
import { Catalog } from '../../catalog/catalog.ts';
import type { Entry } from '../../catalog/index-chunk.ts';
import { emptySegment } from '../../catalog/rows.ts';
import { segmentTable } from '../../catalog/schema.ts';
import { UidSet } from '../../codec/uid-set.ts';
import type { HeapRecord } from '../../heap/location.ts';
import { limits } from '../../limits.ts';
import { decodeMessage, encodeMessage, type Payload } from '../../log/records.ts';
import type { PreparedMessage, PreparedPart } from '../../mail/prepared.ts';
import { brandNumber, type MailboxId, type MessageId, type Sha256, type Uid } from '../../types.ts';
import type { Turn } from '../turn.ts';
import { checkUids } from './checks.ts';

/** Hashes in one event: 32 KB of them. */
const dropsPerEvent = 1_000;

/** The keyword of a message that a repair replaced. */
export const damagedKeyword = '$Damaged';

/** Writes a part's content once more; false when no message names the part any more. */
export function decidePartAgain(turn: Turn, part: PreparedPart): boolean {
  const row = new Catalog(turn.view).part(part.sha);
  if (row === undefined || row.refs === 0) return false;
  turn.part(part);
  return true;
}

/** Writes a message's MESSAGE record once more, as it was found elsewhere; false when it is not the one that is kept. */
export function decideMessageAgain(turn: Turn, id: MessageId, found: HeapRecord, payload: Payload): boolean {
  const row = new Catalog(turn.view).message(id);
  const record = decodeMessage(found);
  if (row === undefined || !row.sha.equals(record.sha)) return false;
  turn.again(encodeMessage(id, record, payload), { ...record, id });
  return true;
}

/** Forgets parts that cannot be read, so that nobody's mail comes to name them; those that are named stay. */
export function decideDropParts(turn: Turn, hashes: readonly Sha256[]): void {
  const catalog = new Catalog(turn.view);
  const unnamed = hashes.filter((sha) => catalog.part(sha)?.refs === 0);
  for (let at = 0; at < unnamed.length; at += dropsPerEvent) {
    turn.event({ kind: 'partsDropped', hashes: unnamed.slice(at, at + dropsPerEvent) });
  }
}

export interface Replacement {
  readonly mailbox: MailboxId;
  /** As it was when it was found damaged. */
  readonly entry: Entry;
  readonly retained: boolean;
  /** Undefined: the message itself is whole. */
  readonly prepared: PreparedMessage | undefined;
  readonly trace: Buffer;
}

/** What became of a damaged entry: its new UID; removed, in a deleted mailbox; or gone before its turn came. */
export type Replaced = { readonly uid: Uid } | 'removed' | 'gone';

/** Puts the replacement in the entry's place, with its flags, keywords, dates and thread. @throws {StoreError} limitExceeded */
export function decideReplace(turn: Turn, { mailbox, entry, retained, prepared, trace }: Replacement): Replaced {
  const catalog = new Catalog(turn.view);
  const row = catalog.mailbox(mailbox);
  const [held] = catalog.retained(mailbox, UidSet.range(entry.uid, entry.uid));
  const now = retained ? held?.entry : catalog.entry(mailbox, entry.uid);
  if (row === undefined || now === undefined || now.lsn !== entry.lsn) return 'gone';
  const old = UidSet.range(entry.uid, entry.uid);
  if (row.deleted) {
    turn.event({ kind: 'purged', mailbox, uids: old });
    return 'removed';
  }
  checkUids({ id: mailbox, row }, 1);
  const message = prepared === undefined ? now.message : turn.message(prepared);
  const content = prepared?.size ?? catalog.message(message)?.size ?? 0;
  const uid = brandNumber<Uid>(row.uidNext);
  const { account } = row;
  const words = catalog.keywords(mailbox);
  const borne = now.keywords.map((number) => words[number] ?? '');
  const isRoom = words.length < limits.keywords || words.includes(damagedKeyword);
  const keywords = isRoom && !borne.includes(damagedKeyword) ? [...borne, damagedKeyword] : borne;
  const { flags, internalDate, thread } = now;
  const size = content + trace.length;
  turn.entry({
    account,
    mailbox,
    uid,
    internalDate,
    flags,
    keywords,
    uidl: '',
    thread,
    email: 0,
    size,
    message,
    trace,
  });
  const fresh = UidSet.range(uid, uid);
  if (retained) {
    turn.event({ kind: 'purged', mailbox, uids: old });
    turn.event({ kind: 'expunged', mailbox, uids: fresh, retained: true });
  } else turn.event({ kind: 'expunged', mailbox, uids: old, retained: false });
  return { uid };
}

/** A segment's account of its octets, as counting gives it. */
export interface CountedSegment {
  readonly number: number;
  readonly live: number;
  readonly dead: number;
  readonly other: number;
  readonly restated: number;
  /** Of the dead ones, those that parts without references point to. */
  readonly idle: number;
}

/** A lost log cannot have given more sequences than this in a second. */
const sequencesPerSecond = 2 ** 20;

/** Says in the log that acknowledged history may be missing before this: numbers go on above anything that was given. */
export function decideHistoryLost(turn: Turn): void {
  turn.state.sequence = Math.max(turn.state.sequence, turn.time * sequencesPerSecond - 1);
  turn.event({ kind: 'historyLost', epoch: turn.epoch });
}

/** Rows of segments that are no more go; those of segments that lost octets become what counting gives. */
export function decideCounts(turn: Turn, gone: readonly number[], counted: readonly CountedSegment[]): void {
  for (const number of gone) turn.view.remove(segmentTable, number);
  for (const { number, ...octets } of counted) {
    const row = turn.view.edit(segmentTable, number) ?? turn.view.put(segmentTable, emptySegment(), number);
    Object.assign(row, octets);
  }
  // Only what the log says something about is written: this says nothing.
  turn.event({ kind: 'partsDropped', hashes: [] });
}
