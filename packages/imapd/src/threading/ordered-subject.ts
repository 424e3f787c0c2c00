/** THREAD=ORDEREDSUBJECT (RFC 5256 §3): messages of one base subject, the earliest with all others below it. */
import { limits } from '../limits.ts';
import type { Turns } from '../sorting/turns.ts';
import { type Forest, forestOf, none } from './forest.ts';
import type { ThreadFacts } from './thread-facts.ts';

/** @param order the messages by their sent dates */
export async function orderedSubject(facts: ThreadFacts, order: Uint32Array, pace: Turns): Promise<Forest> {
  const { subjects } = facts;
  const earliest = new Int32Array(facts.subjectCount).fill(none);
  for (const place of order) {
    if (pace.isDue(limits.stepWork)) await pace.turn();
    const subject = subjects[place] ?? 0;
    if (earliest[subject] === none) earliest[subject] = place;
  }
  const parentOf = (place: number): number => {
    const first = earliest[subjects[place] ?? 0] ?? none;
    return first === place ? none : first;
  };
  return forestOf(facts.count, order, parentOf, (place) => place, pace);
}
