/** What `mstore undelete` lists: what is kept of an account, and until when. */
import {
  type Catalog,
  type NamedAccount,
  type Retention,
  retainedUntil,
  retentionOf,
  type StoreReading,
} from '@mstore/store';
import type { Run } from './command.ts';
import { exit } from './errors.ts';
import { type KeptMessage, keptMailboxes, keptMessages, visibleMailboxes, type Wanted } from './kept.ts';
import { answerList } from './list.ts';
import { counted, humanBytes, humanTime, safeText } from './text.ts';

const subjectLength = 60;

/** What is told of an expunged message. */
export interface MessageValue {
  readonly kind: 'message';
  readonly mailbox: string;
  readonly uid: number;
  /** Seconds since 1970. */
  readonly expungedAt: number;
  readonly internalDate: number;
  readonly size: number;
  /** As it stands in the header, on one line. */
  readonly subject: string;
}

export function messageValue(catalog: Catalog, mailbox: string, { entry, expungedAt }: KeptMessage): MessageValue {
  const { uid, internalDate, size } = entry;
  const subject = subjectOf(catalog.message(entry.message)?.listedFields ?? Buffer.alloc(0));
  return { kind: 'message', mailbox, uid, expungedAt, internalDate, size, subject };
}

function subjectOf(fields: Buffer): string {
  const match = /^subject[ \t]*:((?:.*)(?:\r?\n[ \t].*)*)/im.exec(fields.toString('utf8'));
  return (match?.[1] ?? '').replace(/\s+/g, ' ').trim();
}

export function messageLine({ mailbox, uid, expungedAt, size, subject }: MessageValue): string {
  const short = subject.length > subjectLength ? `${subject.slice(0, subjectLength)}…` : subject;
  const what = `${humanBytes(size)}, expunged ${humanTime(expungedAt)}`;
  return `${safeText(mailbox)}, UID ${uid}: ${safeText(short) || '(no subject)'}, ${what}`;
}

interface MailboxValue {
  readonly kind: 'mailbox';
  readonly mailbox: string;
  readonly id: number;
  readonly messages: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly deletedAt: number;
}

type Kept = (MessageValue | MailboxValue) & {
  /** When it goes for good, at the earliest; seconds since 1970. */
  readonly until: number;
};

export async function listKept(
  run: Run,
  reading: StoreReading,
  account: NamedAccount,
  wanted: Wanted,
): Promise<number> {
  const { config } = await run.config();
  const retention = retentionOf(reading.catalog(), account.id, config.retention);
  await answerList(run, 'kept', everythingKept(reading, account, wanted, retention), {
    line: (item) =>
      `${item.kind === 'message' ? messageLine(item) : mailboxLine(item)}, kept until ${humanTime(item.until)}\n`,
    none: 'Nothing that left sight is kept.\n',
  });
  return exit.done;
}

async function* everythingKept(
  reading: StoreReading,
  account: NamedAccount,
  wanted: Wanted,
  retention: Retention,
): AsyncGenerator<Kept> {
  for (const { id, row } of keptMailboxes(reading, account.id, wanted)) {
    const { name: mailbox, messages, bytes: size, deletedAt } = row;
    yield { kind: 'mailbox', mailbox, id, messages, size, deletedAt, until: retainedUntil(deletedAt, retention) };
  }
  for (const { id, row } of visibleMailboxes(reading, account.id, wanted)) {
    for await (const some of keptMessages(reading, id, wanted)) {
      const catalog = reading.catalog();
      for (const kept of some) {
        yield { ...messageValue(catalog, row.name, kept), until: retainedUntil(kept.expungedAt, retention) };
      }
    }
  }
}

function mailboxLine({ mailbox, messages, size, deletedAt }: MailboxValue): string {
  const what = `${counted(messages, 'message')} of ${humanBytes(size)}`;
  return `mailbox ${safeText(mailbox)}: ${what}, deleted ${humanTime(deletedAt)}`;
}
