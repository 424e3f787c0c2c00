/** Expunge, and the end of retention. */
import { Catalog } from '../../catalog/catalog.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { flag, type MailboxId } from '../../types.ts';
import type { Turn } from '../turn.ts';
import { liveMailbox } from './checks.ts';

export interface ExpungeRequest {
  readonly mailbox: MailboxId;
  readonly uids: UidSet;
  /** True: only entries that bear \Deleted (IMAP EXPUNGE); false: all of them (POP3). */
  readonly onlyDeleted: boolean;
}

export interface ExpungeAnswer {
  readonly expunged: UidSet;
  readonly sequence: number;
}

export function decideExpunge(turn: Turn, request: ExpungeRequest): ExpungeAnswer {
  const { row } = liveMailbox(turn, request.mailbox);
  const uids: number[] = [];
  for (const entry of new Catalog(turn.view).entries(request.mailbox, request.uids)) {
    if (!request.onlyDeleted || (entry.flags & flag.deleted) !== 0) uids.push(entry.uid);
  }
  if (uids.length === 0) return { expunged: UidSet.empty, sequence: turn.sequence };
  const expunged = UidSet.of(uids);
  const sequence = turn.event({ kind: 'expunged', mailbox: request.mailbox, uids: expunged, retained: true });
  turn.changes.push({ kind: 'expunged', sequence, account: row.account, mailbox: request.mailbox, uids: expunged });
  return { expunged, sequence };
}

export interface PurgeAnswer {
  readonly purged: number;
  /** True: ask again, there are more. */
  readonly more: boolean;
}

/** Entries purged in one turn: each releases a message and its parts. */
const purgeEntries = 250;

/** Ends the retention of the first of the given UIDs: expunged ones, or any of a deleted mailbox. */
export function decidePurge(turn: Turn, mailbox: MailboxId, uids: UidSet): PurgeAnswer {
  const catalog = new Catalog(turn.view);
  const row = catalog.mailbox(mailbox);
  if (row === undefined) return { purged: 0, more: false };
  const gone = new Set<number>();
  for (const { entry } of catalog.retained(mailbox, uids, purgeEntries)) gone.add(entry.uid);
  if (row.deleted) {
    for (const entry of catalog.entries(mailbox, uids)) {
      if (gone.size >= purgeEntries) break;
      gone.add(entry.uid);
    }
  }
  if (gone.size > 0) turn.event({ kind: 'purged', mailbox, uids: UidSet.of(gone) });
  const after = catalog.mailbox(mailbox);
  const isEmpty = after?.deleted === true && after.messages === 0 && after.retainedMessages === 0;
  if (isEmpty) turn.event({ kind: 'mailboxPurged', mailbox });
  return { purged: gone.size, more: !isEmpty && gone.size >= purgeEntries };
}
