/**
 * What the change feed said of the mailboxes that sessions have selected: which messages got other flags, so that nobody has to look
 * for them; and who wants to be woken.
 *
 * A log of a mailbox is complete between `since` and `latest`: the feed speaks in the order of the sequences and leaves nothing out
 * while its connection holds. After a gap (an empty list: look again) it knows nothing until somebody has looked for themselves
 * and says from where it is good again.
 */
import { type Change, type MailboxId, UidSet } from '@mstore/store';
import { limits } from './limits.ts';

interface FlagChange {
  readonly sequence: number;
  readonly uids: UidSet;
}

interface MailboxLog {
  /** Changes above this sequence are all here. */
  since: number;
  /** The last sequence that was heard. */
  latest: number;
  changes: FlagChange[];
  readonly wakes: Set<() => void>;
}

/** Sessions come and go; a mailbox has a log while one of them watches. */
export class MailboxNews {
  readonly #logs = new Map<MailboxId, MailboxLog>();

  /** What the feed says. */
  heard(changes: readonly Change[]): void {
    if (changes.length === 0) {
      for (const log of this.#logs.values()) forget(log);
      for (const log of this.#logs.values()) wakeAll(log);
      return;
    }
    const woken = new Set<MailboxLog>();
    for (const change of changes) {
      const log = change.mailbox === 0 ? undefined : this.#logs.get(change.mailbox);
      if (log === undefined) continue;
      log.latest = Math.max(log.latest, change.sequence);
      if (change.kind === 'flags') add(log, change);
      woken.add(log);
    }
    for (const log of woken) wakeAll(log);
  }

  /**
   * Watches a mailbox whose changes are known up to `modSeq`; `wake` is called behind each change, and must not throw. Returns what
   * ends it.
   */
  watch(mailbox: MailboxId, modSeq: number, wake: () => void): () => void {
    const log = this.#logs.get(mailbox) ?? { since: modSeq, latest: modSeq, changes: [], wakes: new Set() };
    this.#logs.set(mailbox, log);
    log.wakes.add(wake);
    return () => {
      log.wakes.delete(wake);
      if (log.wakes.size === 0 && this.#logs.get(mailbox) === log) this.#logs.delete(mailbox);
    };
  }

  /** UIDs whose flags changed above `from` and up to `upTo`, but for what happened at the sequences `own`; undefined when that is
   *  not known here. */
  changed(mailbox: MailboxId, from: number, upTo: number, own: ReadonlySet<number>): UidSet | undefined {
    const log = this.#logs.get(mailbox);
    if (log === undefined || from < log.since || upTo > log.latest) return undefined;
    const wanted = log.changes.filter(({ sequence }) => sequence > from && sequence <= upTo && !own.has(sequence));
    return UidSet.ofRanges(wanted.flatMap(({ uids }) => uids.ranges));
  }

  /** Somebody looked for themselves, in a snapshot of that MODSEQ: from there on the log is good again. */
  looked(mailbox: MailboxId, modSeq: number): void {
    const log = this.#logs.get(mailbox);
    if (log === undefined || log.since !== Number.POSITIVE_INFINITY) return;
    log.since = modSeq;
    log.latest = Math.max(log.latest, modSeq);
  }
}

function add(log: MailboxLog, { sequence, uids }: Change): void {
  log.changes.push({ sequence, uids });
  if (log.changes.length <= limits.newsKept) return;
  const [oldest, ...others] = log.changes;
  log.changes = others;
  log.since = Math.max(log.since, oldest?.sequence ?? 0);
}

function forget(log: MailboxLog): void {
  log.since = Number.POSITIVE_INFINITY;
  log.changes = [];
}

function wakeAll({ wakes }: MailboxLog): void {
  for (const wake of wakes) wake();
}
