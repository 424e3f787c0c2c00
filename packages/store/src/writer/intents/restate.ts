/**
 * What compaction decides, in its turn among other intents: each looks at the head state and says again what still stands, if its
 * record in the victim is the one that counts. What was seen of the victim before is only where to look.
 *
 * None of these is answered with what changed for clients: nothing does.
 */
import { Catalog } from '../../catalog/catalog.ts';
import type { Entry } from '../../catalog/index-chunk.ts';
import { kind, kindU32Key, prefixEnd, u32Key } from '../../catalog/keys.ts';
import { expungedTable, metadataTable, nameMemoryTable, partTable, segmentTable } from '../../catalog/schema.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { invariant } from '../../errors.ts';
import type { NewRecord } from '../../heap/location.ts';
import { limits } from '../../limits.ts';
import type { FlagGroup } from '../../log/events.ts';
import { type ChunkPlace, encodeClosing, type LogRecord } from '../../log/records.ts';
import type { RestatedDetails } from '../../log/restate.ts';
import type { AccountId, Location, Lsn, MailboxId, ModSeq, Sha256 } from '../../types.ts';
import type { Turn } from '../turn.ts';

/** A record of the victim that may be the one a row points to. */
export type Move = { readonly lsn: Lsn; readonly bytes: number } & (
  | { readonly kind: 'part'; readonly sha: Sha256; readonly record: NewRecord; readonly applied: LogRecord }
  | { readonly kind: 'message'; readonly id: MessageIdOf; readonly record: NewRecord; readonly applied: LogRecord }
  | { readonly kind: 'entry'; readonly mailbox: MailboxId; readonly uid: number; readonly trace: Buffer }
);

type MessageIdOf = Parameters<Catalog['message']>[0];

/** Writes again what still counts; returns the octets of that. */
export function decideMoves(turn: Turn, moves: readonly Move[]): number {
  const before = turn.bytes;
  const catalog = new Catalog(turn.view);
  for (const move of moves) {
    switch (move.kind) {
      case 'part': {
        const row = catalog.part(move.sha);
        if (row !== undefined && row.refs > 0 && row.pieces[0]?.lsn === move.lsn) turn.copy(move.record, move.applied);
        break;
      }
      case 'message':
        if (catalog.message(move.id)?.record.lsn === move.lsn) turn.copy(move.record, move.applied);
        break;
      case 'entry':
        moveEntry(turn, catalog, move);
        break;
    }
  }
  return turn.bytes - before;
}

function moveEntry(turn: Turn, catalog: Catalog, move: Extract<Move, { readonly kind: 'entry' }>): void {
  const { mailbox, uid, trace } = move;
  const row = catalog.mailbox(mailbox);
  const found = catalog.entryOrRetained(mailbox, uid);
  if (row === undefined || found?.entry.lsn !== move.lsn) return;
  const { entry, expungedAt } = found;
  const words = catalog.keywords(mailbox);
  turn.restate({
    kind: 'entry',
    account: row.account,
    mailbox,
    uid: entry.uid,
    modSeq: entry.modSeq,
    internalDate: entry.internalDate,
    saveDate: entry.saveDate,
    flags: entry.flags,
    keywords: entry.keywords.map((number) => words[number] ?? ''),
    uidl: entry.uidl,
    thread: entry.thread,
    email: entry.email,
    size: entry.size,
    message: entry.message,
    trace,
    expungedAt,
  });
}

/** Writes a chunk again; nothing names the new one yet. */
export function decideChunkCopy(turn: Turn, record: NewRecord): Location {
  return turn.copy(record, { type: 'chunk', offset: 0 });
}

/** Gives a large part its new chunks, if it still is what it was when they were copied; returns whether. */
export function decideClosing(
  turn: Turn,
  sha: Sha256,
  before: readonly Location[],
  chunks: readonly ChunkPlace[],
): boolean {
  const row = turn.view.read(partTable, sha);
  if (row === undefined || row.refs === 0) return false;
  if (row.pieces.length !== before.length || row.pieces.some(({ lsn }, at) => lsn !== before[at]?.lsn)) return false;
  turn.copy(encodeClosing(sha, row.size, chunks), { type: 'closing', sha, size: row.size, chunks });
  return true;
}

/** What a record in the victim said of several UIDs of a mailbox. */
export interface Said {
  readonly mailbox: MailboxId;
  /** The record's own place. */
  readonly lsn: Lsn;
}

/** Whether an entry's state rests on an older record, which is not in the victim: what is there is restated whole. */
function restsOn(entry: Entry, { lsn }: Said, inVictim: (lsn: Lsn) => boolean): boolean {
  return entry.lsn < lsn && !inVictim(entry.lsn);
}

/** The flags that an event gave and that still are the last. */
export function flagsToRestate(
  catalog: Catalog,
  said: Said & { readonly modSeq: ModSeq; readonly groups: readonly FlagGroup[] },
  inVictim: (lsn: Lsn) => boolean,
): FlagGroup[] {
  const { mailbox, modSeq, groups } = said;
  return groups.flatMap(({ flags, keywords, uids }) => {
    const still: number[] = [];
    for (const uid of uids) {
      const entry = catalog.entryOrRetained(mailbox, uid)?.entry;
      if (entry !== undefined && entry.modSeq === modSeq && restsOn(entry, said, inVictim)) still.push(uid);
    }
    return still.length === 0 ? [] : [{ flags, keywords, uids: UidSet.of(still) }];
  });
}

/** The UIDs that an event expunged, that are retained, and whose record does not say so. */
export function retainedToRestate(
  catalog: Catalog,
  said: Said & { readonly uids: UidSet },
  inVictim: (lsn: Lsn) => boolean,
): UidSet {
  const still: number[] = [];
  for (const { entry } of catalog.retained(said.mailbox, said.uids)) {
    if (restsOn(entry, said, inVictim)) still.push(entry.uid);
  }
  return UidSet.of(still);
}

/** Says again which UIDs an expunge took out, while the catalog remembers it. */
export function decideVanished(turn: Turn, mailbox: MailboxId, modSeq: ModSeq, time: number): void {
  const row = turn.view.read(expungedTable, mailbox, modSeq);
  if (row === undefined) return;
  const isOld = turn.time - time > limits.expungeLogSeconds;
  if (isOld) turn.event({ kind: 'expungeFloor', mailbox, floor: modSeq });
  else turn.restate({ kind: 'vanished', mailbox, modSeq, time: row.expungedAt, uids: row.uids });
}

/**
 * Says the mailbox again, if its row rests on a record up to `seen`; with its account, if names were lost since that was said: for
 * that is known of one that is gone by `maker`, the account that the record which made it names.
 */
export function decideMailbox(turn: Turn, id: MailboxId, seen: Lsn, maker?: AccountId): void {
  const catalog = new Catalog(turn.view);
  const row = catalog.mailbox(id);
  // Older records of its names, in segments that stay, say nothing any more to a rebuild that does not know the mailbox.
  if (row === undefined && maker !== undefined) decideMemory(turn, maker);
  if (row === undefined || row.record.lsn > seen) return;
  const { account, name, deleted, uidValidity, uidNext, highestModSeq, expungeFloor, modSeqFloor } = row;
  const { createdAt, deletedAt, role } = row;
  const numbers = { uidValidity, uidNext, highestModSeq, expungeFloor, modSeqFloor, createdAt, deletedAt };
  const keywords = [...catalog.keywords(id)];
  const metadata = metadataOf(turn, account, id);
  turn.restate({ kind: 'mailbox', mailbox: id, account, name, deleted, ...numbers, role, keywords });
  writeDetails(turn, { kind: 'details', account, mailbox: id, subscriptions: [], metadata, memory: [] });
  // A rebuild passes over what older records say of the mailbox, what they say of its old names included.
  decideMemory(turn, account);
}

/** Says the account again, if its mailboxes lost names since it was said. */
function decideMemory(turn: Turn, account: AccountId): void {
  const row = new Catalog(turn.view).account(account);
  if (row !== undefined && row.memoryLsn > row.record.lsn) decideAccount(turn, account, row.memoryLsn);
}

/** Says the account again, if its row rests on a record up to `seen`. */
export function decideAccount(turn: Turn, account: AccountId, seen: number): void {
  const catalog = new Catalog(turn.view);
  const row = catalog.account(account);
  if (row === undefined || row.record.lsn > seen) return;
  const { name, deleted, createdAt, deletedAt, quotaBytes, quotaMessages } = row;
  const subscriptions = catalog.subscriptions(account);
  const metadata = metadataOf(turn, account, 0);
  const prefix = kindU32Key(kind.nameMemory, account);
  const rows = turn.view.range(nameMemoryTable, { from: prefix, to: prefixEnd(prefix) });
  const memory = [...rows].map(([key, uidValidity]) => ({ name: key.toString('utf8', prefix.length), uidValidity }));
  turn.restate({ kind: 'account', account, name, deleted, createdAt, deletedAt, quotaBytes, quotaMessages });
  writeDetails(turn, { kind: 'details', account, mailbox: 0, subscriptions, metadata, memory });
}

function metadataOf(turn: Turn, account: AccountId, mailbox: MailboxId | 0): { name: string; value: Buffer }[] {
  const prefix = Buffer.concat([kindU32Key(kind.metadata, account), u32Key(mailbox)]);
  const rows = turn.view.range(metadataTable, { from: prefix, to: prefixEnd(prefix) });
  return [...rows].map(([key, value]) => ({ name: key.toString('utf8', prefix.length), value }));
}

/** Rows of details in a record. */
const detailRows = 1_000;
/** Octets of metadata values in a record, unless one alone has more. */
const detailBytes = 262_144;

function writeDetails(turn: Turn, all: RestatedDetails): void {
  const { subscriptions, metadata, memory } = all;
  const none = { ...all, subscriptions: [], metadata: [], memory: [] };
  for (let at = 0; at < subscriptions.length; at += detailRows) {
    turn.restate({ ...none, subscriptions: subscriptions.slice(at, at + detailRows) });
  }
  for (let at = 0; at < memory.length; at += detailRows) {
    turn.restate({ ...none, memory: memory.slice(at, at + detailRows) });
  }
  let some: { name: string; value: Buffer }[] = [];
  let bytes = 0;
  for (const one of metadata) {
    if (some.length > 0 && (bytes + one.value.length > detailBytes || some.length >= detailRows)) {
      turn.restate({ ...none, metadata: some });
      some = [];
      bytes = 0;
    }
    some.push(one);
    bytes += one.value.length;
  }
  if (some.length > 0) turn.restate({ ...none, metadata: some });
}

/** Forgets parts that nothing names and that lie in the victim. */
export function decideDrop(turn: Turn, hashes: readonly Sha256[], inVictim: (lsn: Lsn) => boolean): void {
  invariant(hashes.length <= limits.eventEntries, 'an event names so many parts');
  const gone = hashes.filter((sha) => {
    const row = turn.view.read(partTable, sha);
    return row !== undefined && row.refs === 0 && row.pieces.some(({ lsn }) => inVictim(lsn));
  });
  if (gone.length > 0) turn.event({ kind: 'partsDropped', hashes: gone });
}

/** Retires the segment, if nothing points into it; else says how many octets something does. */
export function decideRetire(turn: Turn, segment: number): number {
  const row = turn.view.read(segmentTable, segment);
  const pointed = (row?.live ?? 0) + (row?.idle ?? 0);
  if (pointed === 0) turn.event({ kind: 'segmentsRetired', segments: [segment], dropped: false });
  return pointed;
}

/** Says again that a segment is retired, while its row is there. */
export function decideRetiredAgain(turn: Turn, segment: number): void {
  const row = turn.view.read(segmentTable, segment);
  if (row !== undefined && row.retiredAt > 0) {
    turn.event({ kind: 'segmentsRetired', segments: [segment], dropped: false });
  }
}

/** The files of retired segments are gone, and with them their rows. */
export function decideDropped(turn: Turn, segments: readonly number[]): void {
  const still = segments.filter((segment) => turn.view.read(segmentTable, segment) !== undefined);
  if (still.length > 0) turn.event({ kind: 'segmentsRetired', segments: still, dropped: true });
}
