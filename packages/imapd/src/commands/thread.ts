/** THREAD and UID THREAD (RFC 5256 §3): the messages that match, as threads. */
import { fieldTexts, type UidSet } from '@mstore/store';
import { limits } from '../limits.ts';
import { type Numbering, selectedOf } from '../message-set.ts';
import { type Completion, completed } from '../reply.ts';
import { matching } from '../search/matching.ts';
import { Pace } from '../search/pace.ts';
import type { Session } from '../session.ts';
import { headerWork, type ListedMessage, listedMessages } from '../sorting/listed-messages.ts';
import { sorted } from '../sorting/order.ts';
import type { Turns } from '../sorting/turns.ts';
import type { Forest } from '../threading/forest.ts';
import { Links } from '../threading/links.ts';
import { allIds, firstId } from '../threading/message-ids.ts';
import { orderedSubject } from '../threading/ordered-subject.ts';
import { references } from '../threading/references.ts';
import { ThreadFacts } from '../threading/thread-facts.ts';
import { tellThreads } from '../threading/thread-writer.ts';
import type { ThreadArguments } from '../wire/search-arguments.ts';

const done = completed('those are the threads');

const threadFields: ReadonlySet<string> = new Set(['message-id', 'references', 'in-reply-to']);

export function thread(session: Session, args: ThreadArguments): Promise<Completion> {
  return threadBy(session, args, 'sequence');
}

export function uidThread(session: Session, args: ThreadArguments): Promise<Completion> {
  return threadBy(session, args, 'uid');
}

async function threadBy(
  session: Session,
  { algorithm, key }: ThreadArguments,
  numbering: Numbering,
): Promise<Completion> {
  const selected = selectedOf(session);
  const uids = await matching(session, selected, [key]);
  const count = Math.min(uids.size, selected.view.count);
  const find = (): Promise<Threads> => threadsOf(session, algorithm, uids, count, numbering);
  const { forest, names } = await session.services.sorting.run(count, find);
  await tellThreads(session, forest, names);
  return done;
}

interface Threads {
  readonly forest: Forest;
  /** What messages are called, by their place. */
  readonly names: Uint32Array;
}

/** @param most how many messages there can be */
async function threadsOf(
  session: Session,
  algorithm: ThreadArguments['algorithm'],
  uids: UidSet,
  most: number,
  numbering: Numbering,
): Promise<Threads> {
  const pace = new Pace(session);
  const facts = new ThreadFacts(most);
  const links = algorithm === 'REFERENCES' ? new Links(most) : undefined;
  for await (const slice of listedMessages(session, selectedOf(session), uids, true, pace)) {
    for (const message of slice) {
      await facts.reserve(1, pace);
      facts.add(message, numbering === 'uid' ? message.entry.uid : message.number);
      if (links !== undefined) await link(links, message, pace);
      if (pace.isDue(headerWork(message.header))) await pace.turn();
    }
  }
  const order = await sorted(facts.count, facts.dates.compare, pace);
  const forest = links === undefined ? orderedSubject(facts, order, pace) : references(links, facts, order, pace);
  return { forest: await forest, names: facts.names };
}

async function link(links: Links, { header }: ListedMessage, pace: Turns): Promise<void> {
  const fields = fieldTexts(header.listedFields, threadFields);
  const own = firstId(fields.get('message-id')?.[0] ?? '');
  const named = referencesOf(fields);
  await links.reserve(named.length + 1, pace);
  if (pace.isDue(links.add(own, named) * limits.stepWork)) await pace.turn();
}

/** Of References, or else the first of In-Reply-To. */
function referencesOf(fields: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const text = (name: string): string => (fields.get(name)?.join(' ') ?? '').slice(-limits.referencesBytes);
  const named = allIds(text('references'), limits.threadReferences);
  if (named.length > 0) return named;
  const answered = firstId(text('in-reply-to'));
  return answered === undefined ? [] : [answered];
}
