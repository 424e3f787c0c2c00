/** What an account has that left sight and can be brought back: deleted mailboxes, expunged messages. */
import {
  type AccountId,
  deletedMailboxes,
  type Entry,
  type MailboxId,
  type NamedMailbox,
  type StoreReading,
  UidSet,
} from '@mstore/store';

/** Which of it is wanted. */
export interface Wanted {
  /** One mailbox's name only. */
  readonly mailbox?: string;
  /** What left sight at that time or later; seconds since 1970. */
  readonly since: number;
}

export interface KeptMessage {
  readonly entry: Entry;
  /** Seconds since 1970. */
  readonly expungedAt: number;
}

const pageRows = 1_000;
const uidMax = 0xffff_ffff;

/** Deleted mailboxes, the last deleted first, so that a name goes to the one that bore it last. */
export function keptMailboxes(reading: StoreReading, account: AccountId, wanted: Wanted): NamedMailbox[] {
  const catalog = reading.catalog();
  const found: NamedMailbox[] = [];
  for (const id of deletedMailboxes(catalog, account)) {
    const row = catalog.mailbox(id);
    if (row === undefined || row.deletedAt < wanted.since) continue;
    if (wanted.mailbox === undefined || wanted.mailbox === row.name) found.push({ id, row });
  }
  return found.sort((a, b) => b.row.deletedAt - a.row.deletedAt || b.id - a.id);
}

/** The mailboxes whose expunged messages are wanted. */
export function visibleMailboxes(reading: StoreReading, account: AccountId, { mailbox }: Wanted): NamedMailbox[] {
  const catalog = reading.catalog();
  if (mailbox === undefined) return [...catalog.mailboxes(account)].filter(({ row }) => row.retainedMessages > 0);
  const named = catalog.mailboxNamed(account, mailbox);
  return named === undefined ? [] : [named];
}

/** A mailbox's expunged messages by UID, some at a time. */
export async function* keptMessages(
  reading: StoreReading,
  mailbox: MailboxId,
  { since }: Wanted,
): AsyncGenerator<readonly KeptMessage[]> {
  for (let next = 1; next <= uidMax; ) {
    const page = [...reading.catalog().retained(mailbox, UidSet.range(next, uidMax), pageRows)];
    const some = page.filter(({ expungedAt }) => expungedAt >= since);
    if (some.length > 0) yield some;
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) return;
    next = last.entry.uid + 1;
  }
}
