/**
 * Which messages are recent (RFC 3501 §2.3.2): those that no session was told as such before. IMAP4rev2 does without, so that this
 * is worth no event and no octet on disk: each process remembers for each mailbox up to which UID it told messages. What came
 * before the process began is not recent; of what came since, the change feed says where it begins.
 *
 * Invariant: a floor only rises.
 */
import type { Change, MailboxId } from '@mstore/store';
import { limits } from './limits.ts';

export class RecentFloors {
  /** The last UID that is not recent any more; the mailbox longest not touched comes first, and leaves first. */
  readonly #floors = new Map<MailboxId, number>();
  readonly #mailboxesMax: number;

  constructor(mailboxesMax: number = limits.recentMailboxes) {
    this.#mailboxesMax = mailboxesMax;
  }

  /** Messages came: those of a mailbox that nobody asked about yet are recent. */
  heard(changes: readonly Change[]): void {
    for (const { kind, mailbox, uids } of changes) {
      const [first] = uids.ranges;
      if (kind !== 'appended' || mailbox === 0 || first === undefined || this.#floors.has(mailbox)) continue;
      this.#set(mailbox, first.first - 1);
    }
  }

  /** The floor, which stays; messages below UIDNEXT and above it are recent. */
  floor(mailbox: MailboxId, uidNext: number): number {
    return Math.min(this.#floors.get(mailbox) ?? uidNext - 1, uidNext - 1);
  }

  /** The floor for a session that is told of all messages below UIDNEXT: they are recent to nobody else. */
  claim(mailbox: MailboxId, uidNext: number): number {
    const floor = this.floor(mailbox, uidNext);
    this.#set(mailbox, Math.max(this.#floors.get(mailbox) ?? 0, uidNext - 1));
    return floor;
  }

  #set(mailbox: MailboxId, floor: number): void {
    this.#floors.delete(mailbox);
    this.#floors.set(mailbox, floor);
    for (const oldest of this.#floors.keys()) {
      if (this.#floors.size <= this.#mailboxesMax) break;
      this.#floors.delete(oldest);
    }
  }
}
