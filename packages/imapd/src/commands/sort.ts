/** SORT and UID SORT (RFC 5256 §3): the messages that match, in the order that was asked for. */
import { RefusedError, refusals } from '../errors.ts';
import { type Numbering, selectedOf } from '../message-set.ts';
import { type Completion, completed } from '../reply.ts';
import { matching } from '../search/matching.ts';
import { Pace } from '../search/pace.ts';
import type { Session } from '../session.ts';
import { headerWork, listedMessages } from '../sorting/listed-messages.ts';
import { LongLine } from '../sorting/long-line.ts';
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
  const uids = await matching(session, selected, [key]);
  const pace = new Pace(session);
  const capacity = selected.view.numbersOf(uids).size;
  const names = new Uint32Array(capacity);
  const keys = new SortKeys(order, capacity);
  let count = 0;
  for await (const slice of listedMessages(session, selected, uids, needsHeaders(order), pace)) {
    for (const message of slice) {
      names[count] = numbering === 'uid' ? message.entry.uid : message.number;
      keys.add(message);
      count += 1;
      if (pace.isDue(headerWork(message.header))) await pace.turn();
    }
  }
  await tell(session, names, await sorted(count, keys.compare, pace));
  return done;
}

async function tell(session: Session, names: Uint32Array, order: Uint32Array): Promise<void> {
  const line = new LongLine(session, '* SORT');
  for (const place of order) {
    line.raw(` ${names[place] ?? 0}`);
    if (line.isFull) await line.send();
  }
  await line.end();
}
