/** The end of retention: of expunged entries, deleted mailboxes and accounts, and of the memory of expunges. */
import { Catalog } from '../../catalog/catalog.ts';
import { hasDeletedMailboxes } from '../../catalog/due.ts';
import type { Entry } from '../../catalog/index-chunk.ts';
import { keyOctets, kind, kindU32Key, prefixEnd, readU64, u32Key } from '../../catalog/keys.ts';
import { shaBytes } from '../../catalog/message-row.ts';
import { expungedTable, nameMemoryTable } from '../../catalog/schema.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { StoreError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { partsOf } from '../../log/references.ts';
import { type AccountId, brandNumber, type MailboxId, type ModSeq } from '../../types.ts';
import type { Turn } from '../turn.ts';

/** What went, in octets. */
export interface Purged {
  /** Entries that are gone for good. */
  readonly entries: number;
  /** Their octets as clients saw them. */
  readonly bytes: number;
  /** Octets of the heap that nothing names any more: what compaction gives back. */
  readonly reclaimed: number;
  /** Octets of their content that stay, since other mail holds the same message or the same part. */
  readonly shared: number;
}

export interface PurgeAnswer extends Purged {
  /** True: ask again, there are more. */
  readonly more: boolean;
}

export const nothingPurged: Purged = { entries: 0, bytes: 0, reclaimed: 0, shared: 0 };

export function addPurged(a: Purged, b: Purged): Purged {
  return {
    entries: a.entries + b.entries,
    bytes: a.bytes + b.bytes,
    reclaimed: a.reclaimed + b.reclaimed,
    shared: a.shared + b.shared,
  };
}

/** Ends the retention of the first of the given UIDs: expunged ones, or any of a deleted mailbox, which goes with its last. */
export function decidePurge(turn: Turn, mailbox: MailboxId, uids: UidSet): PurgeAnswer {
  const most = limits.purgeEntries;
  const catalog = new Catalog(turn.view);
  const row = catalog.mailbox(mailbox);
  if (row === undefined) return { ...nothingPurged, more: false };
  const gone: number[] = [];
  const room = new PurgeRoom(catalog);
  for (const { entry } of catalog.retained(mailbox, uids, most)) {
    if (!room.takes(entry)) break;
    gone.push(entry.uid);
  }
  if (row.deleted && !room.isFull) {
    for (const entry of catalog.entries(mailbox, uids)) {
      if (gone.length >= most || !room.takes(entry)) break;
      gone.push(entry.uid);
    }
  }
  const purged = purgeUids(turn, mailbox, UidSet.of(gone));
  const after = catalog.mailbox(mailbox);
  const isEmpty = after?.deleted === true && after.messages === 0 && after.retainedMessages === 0;
  if (!isEmpty) return { ...purged, more: room.isFull || gone.length >= most };
  if (forgetExpunges(turn, mailbox, Number.POSITIVE_INFINITY)) return { ...purged, more: true };
  turn.event({ kind: 'mailboxPurged', mailbox });
  return { ...purged, more: false };
}

/** What one turn may release: of a message of thousands of parts, each is a row to change. One entry always fits. */
class PurgeRoom {
  readonly #catalog: Catalog;
  #parts = 0;
  isFull = false;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  takes({ message }: Entry): boolean {
    const before = this.#parts;
    this.#parts += (this.#catalog.message(message)?.parts.length ?? 0) / shaBytes;
    this.isFull = before > 0 && this.#parts > limits.purgeParts;
    return !this.isFull;
  }
}

/** Some entries of a mailbox whose time may be over. */
export interface DueUids {
  readonly mailbox: MailboxId;
  readonly uids: readonly number[];
}

/** Ends the retention of the first of those that are still retained and were expunged before a time. */
export function decidePurgeDue(turn: Turn, due: readonly DueUids[], before: number): PurgeAnswer {
  const catalog = new Catalog(turn.view);
  const byMailbox = new Map<MailboxId, number[]>();
  const room = new PurgeRoom(catalog);
  for (const { mailbox, uids } of due) {
    if (room.isFull) break;
    const all = byMailbox.get(mailbox) ?? [];
    for (const { entry, expungedAt } of catalog.retained(mailbox, UidSet.of(uids))) {
      if (expungedAt >= before) continue;
      if (!room.takes(entry)) break;
      all.push(entry.uid);
    }
    byMailbox.set(mailbox, all);
  }
  let sum = nothingPurged;
  for (const [mailbox, uids] of byMailbox) sum = addPurged(sum, purgeUids(turn, mailbox, UidSet.of(uids)));
  return { ...sum, more: room.isFull };
}

/** Logs the purge of entries that are there to be purged, and says what it meant. */
function purgeUids(turn: Turn, mailbox: MailboxId, uids: UidSet): Purged {
  if (uids.size === 0) return nothingPurged;
  const catalog = new Catalog(turn.view);
  const content = new Map<number, { readonly size: number; readonly parts: readonly Buffer[] }>();
  let bytes = 0;
  const rows = [...catalog.retained(mailbox, uids)].map((row) => row.entry);
  const whole = catalog.mailbox(mailbox)?.deleted === true ? catalog.entries(mailbox, uids) : [];
  for (const entry of [...rows, ...whole]) {
    bytes += entry.size;
    const message = catalog.message(entry.message);
    if (message !== undefined) content.set(entry.message, { size: message.size, parts: [...partsOf(message)] });
  }
  const before = turn.deadBytes;
  turn.event({ kind: 'purged', mailbox, uids });
  let shared = 0;
  for (const [id, { size, parts }] of content) {
    if (catalog.message(brandNumber(id)) !== undefined) shared += size;
    else for (const sha of parts) shared += sharedBytes(catalog, sha);
  }
  return { entries: uids.size, bytes, reclaimed: turn.deadBytes - before, shared };
}

function sharedBytes(catalog: Catalog, sha: Buffer): number {
  const part = catalog.part(sha);
  return part === undefined || part.refs === 0 ? 0 : part.size;
}

/**
 * Raises the floor of a mailbox over expunges older than a time, some at a time. True: there are more.
 * Rows stand by MODSEQ: the first that is younger ends it, whatever a clock that was set back left behind it.
 */
export function forgetExpunges(turn: Turn, mailbox: MailboxId, before: number): boolean {
  const row = new Catalog(turn.view).mailbox(mailbox);
  if (row === undefined) return false;
  const from = keyOctets(expungedTable.key(mailbox, brandNumber<ModSeq>(0)));
  const to = prefixEnd(Buffer.concat([u32Key(mailbox), Buffer.of(0)]));
  let floor = 0;
  let count = 0;
  for (const [key, { expungedAt }] of turn.view.range(expungedTable, { from, to, limit: limits.forgottenExpunges })) {
    if (expungedAt >= before) break;
    floor = readU64(key, 4);
    count++;
  }
  if (count === 0 || (count < limits.forgottenExpunges && before === Number.POSITIVE_INFINITY)) return false;
  turn.event({ kind: 'expungeFloor', mailbox, floor: brandNumber<ModSeq>(floor) });
  return count === limits.forgottenExpunges;
}

/**
 * Ends a deleted account of which no mailbox is left; its names go some at a time. True: ask again.
 * @throws {StoreError} noAccount when there is none that was deleted, badIntent while mailboxes are left
 */
export function decidePurgeAccount(turn: Turn, account: AccountId): boolean {
  const row = new Catalog(turn.view).account(account);
  if (row?.deleted !== true) throw new StoreError('noAccount', `no deleted account ${account}`);
  if (row.mailboxes > 0 || hasDeletedMailboxes(turn.view, account)) {
    throw new StoreError('badIntent', `account ${account} still has mailboxes: they are purged first`);
  }
  const prefix = kindU32Key(kind.nameMemory, account);
  const most = limits.namesForgotten;
  const names: string[] = [];
  for (const [key] of turn.view.range(nameMemoryTable, { from: prefix, to: prefixEnd(prefix), limit: most })) {
    names.push(key.toString('utf8', prefix.length));
  }
  if (names.length === most) {
    turn.event({ kind: 'namesForgotten', account, names });
    return true;
  }
  const subscriptions = new Catalog(turn.view).subscriptions(account, most);
  if (subscriptions.length === most) {
    for (const name of subscriptions) turn.event({ kind: 'subscribed', account, name, on: false });
    return true;
  }
  turn.event({ kind: 'accountPurged', account });
  return false;
}
