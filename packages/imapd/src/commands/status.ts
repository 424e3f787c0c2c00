/** STATUS (RFC 9051 §6.3.11): what there is of a mailbox, from its row alone. */
import type { NamedMailbox } from '@mstore/store';
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
  if (items.includes('HIGHESTMODSEQ')) useModSeqs(session);
  const answer = session.encoder();
  writeStatus(session, answer, namedMailbox(session, mailbox), items);
  await session.say(answer.take());
  return completed('that is its status');
}

/** The line of one mailbox. */
export function writeStatus(session: Session, to: Encoder, mailbox: NamedMailbox, items: readonly StatusItem[]): void {
  to.raw('* STATUS ').mailbox(mailbox.row.name).raw(' ');
  to.list(items, (item) => to.raw(`${item} ${itemText(session, mailbox, item)}`));
  to.crlf();
}

function itemText({ services }: Session, { id, row }: NamedMailbox, item: StatusItem): string {
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
