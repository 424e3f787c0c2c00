/** Expunge: asked for, or by age. */
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
  /** False: they go for good. */
  readonly retained?: boolean;
}

export interface ExpungeAnswer {
  readonly expunged: UidSet;
  readonly sequence: number;
}

export function decideExpunge(turn: Turn, request: ExpungeRequest): ExpungeAnswer {
  const { mailbox, onlyDeleted, retained = true } = request;
  const { row } = liveMailbox(turn, mailbox);
  const uids: number[] = [];
  for (const entry of new Catalog(turn.view).entries(mailbox, request.uids)) {
    if (!onlyDeleted || (entry.flags & flag.deleted) !== 0) uids.push(entry.uid);
  }
  if (uids.length === 0) return { expunged: UidSet.empty, sequence: turn.sequence };
  const expunged = UidSet.of(uids);
  const sequence = turn.event({ kind: 'expunged', mailbox, uids: expunged, retained });
  turn.changes.push({ kind: 'expunged', sequence, account: row.account, mailbox, uids: expunged });
  return { expunged, sequence };
}

/** Expunges those that came into the mailbox before a time, whatever they bear; they are kept as others are. */
export function decideExpungeAged(turn: Turn, mailbox: MailboxId, uids: UidSet, before: number): number {
  const row = new Catalog(turn.view).mailbox(mailbox);
  if (row === undefined || row.deleted) return 0;
  const aged: number[] = [];
  for (const { uid, saveDate } of new Catalog(turn.view).entries(mailbox, uids)) if (saveDate < before) aged.push(uid);
  return aged.length === 0
    ? 0
    : decideExpunge(turn, { mailbox, uids: UidSet.of(aged), onlyDeleted: false }).expunged.size;
}
