/**
 * STATUS (RFC 9051 §6.3.11): what there is of a mailbox, from its row alone; DELETED-STORAGE (RFC 9208 §4.1.4) alone counts, and only
 * where there is something with `\Deleted`.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { flag, type NamedMailbox, UidSet } from '@mstore/store';
import { RefusedError, refusals } from '../errors.ts';
import { limits } from '../limits.ts';
import { mailboxIdText, namedMailbox } from '../mailbox.ts';
import { useModSeqs } from '../mod-seqs.ts';
import { type Completion, completed } from '../reply.ts';
import type { Session } from '../session.ts';
import type { Decoder } from '../wire/decoder.ts';
import type { Encoder } from '../wire/encoder.ts';
import { expectStatusItems, type StatusItem } from '../wire/list-arguments.ts';
import { expectMailbox } from '../wire/mailbox-name.ts';

export interface StatusArguments {
  readonly mailbox: string;
  readonly items: readonly StatusItem[];
}

export function expectStatus(decoder: Decoder): StatusArguments {
  const mailbox = expectMailbox(decoder);
  decoder.expectSpace('a list of status items');
  return { mailbox, items: expectStatusItems(decoder) };
}

export async function status(session: Session, { mailbox, items }: StatusArguments): Promise<Completion> {
  checkItems(session, items);
  if (items.includes('HIGHESTMODSEQ')) useModSeqs(session);
  const answer = session.encoder();
  await writeStatus(session, answer, namedMailbox(session, mailbox), items);
  await session.say(answer.take());
  return completed('that is its status');
}

/** @throws {RefusedError} noRecent: IMAP4rev2 has no such item */
export function checkItems({ isRev2 }: Session, items: readonly StatusItem[]): void {
  if (isRev2 && items.includes('RECENT')) throw new RefusedError(refusals.noRecent);
}

/** The line of one mailbox. What it returns, if anything, must be awaited. */
export function writeStatus(
  session: Session,
  to: Encoder,
  mailbox: NamedMailbox,
  items: readonly StatusItem[],
): Promise<void> | undefined {
  const write = (deletedBytes: number): void => {
    to.raw('* STATUS ').mailbox(mailbox.row.name).raw(' ');
    to.list(items, (item) => to.raw(`${item} ${itemText(session, mailbox, item, deletedBytes)}`));
    to.crlf();
  };
  if (mailbox.row.flaggedDeleted > 0 && items.includes('DELETED-STORAGE')) {
    return deletedBytesOf(session, mailbox).then(write);
  }
  write(0);
  return undefined;
}

/** Octets of the messages with `\Deleted`: the index's entries are looked at, in slices of the event loop. */
async function deletedBytesOf({ services }: Session, { id, row }: NamedMailbox): Promise<number> {
  let bytes = 0;
  let next = 1;
  while (next < row.uidNext) {
    let seen = 0;
    for (const entry of services.reading.catalog().entries(id, UidSet.range(next, row.uidNext - 1))) {
      if ((entry.flags & flag.deleted) !== 0) bytes += entry.size;
      next = entry.uid + 1;
      seen += 1;
      if (seen === limits.sliceEntries) break;
    }
    if (seen < limits.sliceEntries) break;
    await turn();
  }
  return bytes;
}

function itemText({ services }: Session, { id, row }: NamedMailbox, item: StatusItem, deletedBytes: number): string {
  switch (item) {
    case 'MESSAGES':
      return `${row.messages}`;
    case 'RECENT':
      return `${recentCount(services, id, row)}`;
    case 'UIDNEXT':
      return `${row.uidNext}`;
    case 'UIDVALIDITY':
      return `${row.uidValidity}`;
    case 'UNSEEN':
      return `${row.unseen}`;
    case 'DELETED':
      return `${row.flaggedDeleted}`;
    case 'DELETED-STORAGE':
      return `${deletedBytes}`;
    case 'SIZE':
      return `${row.bytes}`;
    case 'HIGHESTMODSEQ':
      return `${row.highestModSeq}`;
    case 'MAILBOXID':
      return `(${mailboxIdText(id)})`;
    case 'APPENDLIMIT':
      return `${services.messageBytes}`;
  }
}

function recentCount(
  { reading, recent, views }: Session['services'],
  id: NamedMailbox['id'],
  row: NamedMailbox['row'],
): number {
  const floor = recent.floor(id, row.uidNext);
  if (floor >= row.uidNext - 1) return 0;
  const catalog = reading.catalog();
  const now = catalog.mailbox(id) ?? row;
  const view = views.of(catalog, id, now);
  return view.count - view.countUpTo(floor);
}
