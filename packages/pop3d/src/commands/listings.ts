/** What there is, and what of it shall go: STAT, LIST, UIDL, DELE, RSET (RFC 1939 §5, §7). No octet of the heap is read for it. */
import { setImmediate as turn } from 'node:timers/promises';
import { refusals } from '../errors.ts';
import { limits } from '../limits.ts';
import type { Listing } from '../listing.ts';
import type { Maildrop } from '../maildrop.ts';
import { ok } from '../reply.ts';
import type { Session } from '../session.ts';

/** What stands behind a message's number. */
type Column = (listing: Listing, index: number) => number | string;

const sizes: Column = (listing, index) => listing.size(index);
const uidls: Column = (listing, index) => listing.uidl(index);

export function stat(session: Session): Promise<void> | undefined {
  const { maildrop } = session;
  return session.say(ok(`${maildrop?.count ?? 0} ${maildrop?.bytes ?? 0}`));
}

export function list(session: Session, which: number | 'all'): Promise<void> | undefined {
  if (which !== 'all') return one(session, which, sizes);
  const { maildrop } = session;
  return all(session, sizes, ok(`${maildrop?.count ?? 0} messages (${maildrop?.bytes ?? 0} octets)`));
}

export function uidl(session: Session, which: number | 'all'): Promise<void> | undefined {
  return which === 'all' ? all(session, uidls, ok('identifiers follow')) : one(session, which, uidls);
}

export function dele(session: Session, number: number): Promise<void> | undefined {
  const maildrop = checked(session, number);
  if (maildrop === undefined) return refuse(session, number);
  maildrop.mark(number);
  return session.say(ok('marked as deleted'));
}

export function rset(session: Session): Promise<void> | undefined {
  session.maildrop?.unmarkAll();
  return stat(session);
}

/** The maildrop, when the number names a message of it that is not marked. */
export function checked({ maildrop }: Session, number: number): Maildrop | undefined {
  return maildrop?.has(number) === true && !maildrop.isMarked(number) ? maildrop : undefined;
}

/** Says why a number names no message. */
export function refuse(session: Session, number: number): Promise<void> | undefined {
  return session.refuse(session.maildrop?.isMarked(number) === true ? refusals.deleted : refusals.noMessage);
}

function one(session: Session, number: number, column: Column): Promise<void> | undefined {
  const maildrop = checked(session, number);
  if (maildrop === undefined) return refuse(session, number);
  return session.say(ok(`${number} ${column(maildrop.listing, number - 1)}`));
}

function all(session: Session, column: Column, first: string): Promise<void> | undefined {
  const { maildrop } = session;
  if (maildrop === undefined) return session.say(`${first}.\r\n`);
  const { count } = maildrop.listing;
  if (count <= limits.sliceLines) return session.say(`${first}${slice(maildrop, column, 1, count)}.\r\n`);
  return inSlices(session, maildrop, column, first);
}

async function inSlices(session: Session, maildrop: Maildrop, column: Column, first: string): Promise<void> {
  session.say(first);
  for (let from = 1; from <= maildrop.listing.count; from += limits.sliceLines) {
    const to = Math.min(from + limits.sliceLines - 1, maildrop.listing.count);
    await session.say(slice(maildrop, column, from, to));
    await turn();
  }
  await session.say('.\r\n');
}

/** The lines of the messages from … to that are not marked. */
function slice(maildrop: Maildrop, column: Column, from: number, to: number): string {
  let text = '';
  for (let number = from; number <= to; number += 1) {
    if (!maildrop.isMarked(number)) text += `${number} ${column(maildrop.listing, number - 1)}\r\n`;
  }
  return text;
}
