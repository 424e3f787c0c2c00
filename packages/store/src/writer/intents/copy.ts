/** COPY and MOVE. The trace lines stand in ENTRY records, so they are read from the heap before the decision. */
import { Catalog } from '../../catalog/catalog.ts';
import type { Entry } from '../../catalog/index-chunk.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { brandNumber, type Lsn, type MailboxId, type Uid, type UidValidity } from '../../types.ts';
import type { Turn } from '../turn.ts';
import { checkQuota, checkUids, liveMailbox } from './checks.ts';
import { checkKeywords } from './flags.ts';
import { threadOf } from './place.ts';

export interface CopyRequest {
  readonly source: MailboxId;
  readonly target: MailboxId;
  readonly uids: UidSet;
  /** True: the source's entries go, without retention. */
  readonly move: boolean;
  /** Trace lines by the LSN of the ENTRY they were read from. */
  readonly traces: ReadonlyMap<Lsn, Buffer>;
}

export interface CopyAnswer {
  readonly uidValidity: UidValidity;
  /** Source UID and the UID it got, in order (RFC 4315 COPYUID). */
  readonly pairs: readonly (readonly [Uid, Uid])[];
  /** Empty, or all that was asked for: an entry moved in the heap since its trace was read, and nothing was done. */
  readonly again: UidSet;
  readonly sequence: number;
}

export function decideCopy(turn: Turn, request: CopyRequest): CopyAnswer {
  const source = liveMailbox(turn, request.source);
  const target = liveMailbox(turn, request.target);
  const catalog = new Catalog(turn.view);
  const words = catalog.keywords(request.source);
  const { uidValidity } = target.row;
  const entries: Entry[] = [];
  for (const entry of catalog.entries(request.source, request.uids)) {
    // New UIDs rise as the old ones do (RFC 4315 §3): none may be left for later.
    if (!request.traces.has(entry.lsn)) {
      return { uidValidity, pairs: [], again: request.uids, sequence: turn.sequence };
    }
    entries.push(entry);
  }
  checkUids(target, entries.length);
  const sameAccount = source.row.account === target.row.account;
  if (entries.length > 0 && !(request.move && sameAccount)) {
    const bytes = entries.reduce((sum, entry) => sum + entry.size, 0);
    checkQuota(turn, target.row.account, bytes, entries.length);
  }
  const keywordsOf = (entry: Entry): string[] => entry.keywords.map((number) => words[number] ?? '');
  checkKeywords(turn, request.target, entries.flatMap(keywordsOf));
  const pairs: (readonly [Uid, Uid])[] = [];
  for (const entry of entries) {
    const uid = brandNumber<Uid>(liveMailbox(turn, request.target).row.uidNext);
    turn.entry({
      account: target.row.account,
      mailbox: request.target,
      uid,
      internalDate: entry.internalDate,
      flags: entry.flags,
      keywords: keywordsOf(entry),
      uidl: '',
      thread: sameAccount ? entry.thread : threadOf(turn, target.row.account, entry.message),
      email: sameAccount ? entry.email : 0,
      size: entry.size,
      message: entry.message,
      trace: request.traces.get(entry.lsn) ?? Buffer.alloc(0),
    });
    pairs.push([entry.uid, uid]);
  }
  announce(turn, request, pairs);
  return { uidValidity, pairs, again: UidSet.empty, sequence: turn.sequence };
}

function announce(turn: Turn, request: CopyRequest, pairs: readonly (readonly [Uid, Uid])[]): void {
  if (pairs.length === 0) return;
  const target = liveMailbox(turn, request.target).row.account;
  const copies = UidSet.of(pairs.map(([, uid]) => uid));
  turn.changes.push({
    kind: 'appended',
    sequence: turn.sequence,
    account: target,
    mailbox: request.target,
    uids: copies,
  });
  if (!request.move) return;
  const account = liveMailbox(turn, request.source).row.account;
  const uids = UidSet.of(pairs.map(([uid]) => uid));
  const sequence = turn.event({ kind: 'expunged', mailbox: request.source, uids, retained: false });
  turn.changes.push({ kind: 'expunged', sequence, account, mailbox: request.source, uids });
}
