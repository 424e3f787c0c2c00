/** SORT and UID SORT (RFC 5256 §3): the messages that match, in the order that was asked for; MODSEQ as for SEARCH (RFC 7162 §7). */
import type { UidSet } from '@mstore/store';
import { RefusedError, refusals } from '../errors.ts';
import { type Numbering, selectedOf } from '../message-set.ts';
import { useModSeqs } from '../mod-seqs.ts';
import { type Completion, completed } from '../reply.ts';
import { LongLine } from '../responses/long-line.ts';
import { asksForModSeq, highestModSeq } from '../search/highest-mod-seq.ts';
import { matching } from '../search/matching.ts';
import { Pace } from '../search/pace.ts';
import type { Session } from '../session.ts';
import { headerWork, listedMessages } from '../sorting/listed-messages.ts';
import { sorted } from '../sorting/order.ts';
import { needsHeaders, SortKeys } from '../sorting/sort-keys.ts';
import type { SortArguments } from '../wire/search-arguments.ts';

const done = completed('that is their order');

export function sort(session: Session, args: SortArguments): Promise<Completion> {
  return sortBy(session, args, 'sequence');
}

export function uidSort(session: Session, args: SortArguments): Promise<Completion> {
  return sortBy(session, args, 'uid');
}

async function sortBy(
  session: Session,
  { returns, order, key }: SortArguments,
  numbering: Numbering,
): Promise<Completion> {
  if (returns !== undefined) throw new RefusedError(refusals.noSortReturn);
  const selected = selectedOf(session);
  const asksModSeq = asksForModSeq(key);
  if (asksModSeq) useModSeqs(session);
  const uids = await matching(session, selected, [key]);
  const count = Math.min(uids.size, selected.view.count);
  const find = (): Promise<Found> => inOrder(session, order, uids, count, numbering);
  const found = await session.services.sorting.run(count, find);
  const modSeq = asksModSeq && found.order.length > 0 ? await highestModSeq(session, selected, uids) : undefined;
  await tell(session, found, modSeq);
  return done;
}

interface Found {
  /** What messages are called, by their place. */
  readonly names: Uint32Array;
  /** Places. */
  readonly order: Uint32Array;
}

/** @param most how many messages there can be */
async function inOrder(
  session: Session,
  order: SortArguments['order'],
  uids: UidSet,
  most: number,
  numbering: Numbering,
): Promise<Found> {
  const pace = new Pace(session);
  const names = new Uint32Array(most);
  const keys = new SortKeys(order, most);
  let count = 0;
  for await (const slice of listedMessages(session, selectedOf(session), uids, needsHeaders(order), pace)) {
    for (const message of slice) {
      names[count] = numbering === 'uid' ? message.entry.uid : message.number;
      keys.add(message);
      count += 1;
      if (pace.isDue(headerWork(message.header))) await pace.turn();
    }
  }
  return { names, order: await sorted(count, keys.compare, pace) };
}

async function tell(session: Session, { names, order }: Found, modSeq: number | undefined): Promise<void> {
  const line = new LongLine(session, session.encoder().raw('* SORT'));
  for (const place of order) {
    line.raw(` ${names[place] ?? 0}`);
    if (line.isFull) await line.send();
  }
  if (modSeq !== undefined) line.raw(` (MODSEQ ${modSeq})`);
  await line.end();
}
