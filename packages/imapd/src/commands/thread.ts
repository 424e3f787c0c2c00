/** THREAD and UID THREAD (RFC 5256 §3): the messages that match, as threads. */
import { fieldTexts } from '@mstore/store';
import { limits } from '../limits.ts';
import { type Numbering, selectedOf } from '../message-set.ts';
import { type Completion, completed } from '../reply.ts';
import { matching } from '../search/matching.ts';
import { Pace } from '../search/pace.ts';
import type { Session } from '../session.ts';
import { headerWork, type ListedMessage, listedMessages } from '../sorting/listed-messages.ts';
import { sorted } from '../sorting/order.ts';
import type { Turns } from '../sorting/turns.ts';
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
  const pace = new Pace(session);
  const capacity = selected.view.numbersOf(uids).size;
  const facts = new ThreadFacts(capacity);
  const links = algorithm === 'REFERENCES' ? new Links(capacity) : undefined;
  for await (const slice of listedMessages(session, selected, uids, true, pace)) {
    for (const message of slice) {
      await facts.reserve(1, pace);
      facts.add(message, numbering === 'uid' ? message.entry.uid : message.number);
      if (links !== undefined) await link(links, message, pace);
      if (pace.isDue(headerWork(message.header))) await pace.turn();
    }
  }
  const order = await sorted(facts.count, facts.dates.compare, pace);
  const forest = await (links === undefined
    ? orderedSubject(facts, order, pace)
    : references(links, facts, order, pace));
  await tellThreads(session, forest, facts.names);
  return done;
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
