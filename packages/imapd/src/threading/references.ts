/**
 * THREAD=REFERENCES (RFC 5256 §3): messages below what they answer, and threads of one base subject together. Steps 1 to 3 are those of
 * `Links`; here are 4 to 6. Siblings need no sorting of their own: trees are built in the order of all messages.
 */
import { limits } from '../limits.ts';
import type { Turns } from '../sorting/turns.ts';
import { type Forest, forestOf, none } from './forest.ts';
import type { Links } from './links.ts';
import { noSubject, type ThreadFacts } from './thread-facts.ts';

/** @param order the messages by their sent dates */
export async function references(links: Links, facts: ThreadFacts, order: Uint32Array, pace: Turns): Promise<Forest> {
  await links.prune(pace);
  const nodes = new Int32Array(order.length);
  for (let at = 0; at < order.length; at += 1) {
    nodes[at] = links.nodeAt(order[at] ?? 0);
    if (pace.isDue(limits.stepWork)) await pace.turn();
  }
  const forest = await forestOf(links.nodes, nodes, links.parentOf, links.messageOf, pace);
  // Each two threads may get a dummy.
  await links.reserve(forest.roots.length, pace);
  await gather(links, forest, facts, pace);
  return forestOf(links.nodes, nodes, links.parentOf, links.messageOf, pace);
}

/** Puts threads of the same subject together (step 5). */
async function gather(links: Links, forest: Forest, facts: ThreadFacts, pace: Turns): Promise<void> {
  const { roots, firstChild } = forest;
  const isDummy = (node: number): boolean => links.messageOf(node) === none;
  const isReply = (node: number): boolean => facts.areReplies[links.messageOf(node)] === 1;
  const subjectOf = (root: number): number => {
    const node = isDummy(root) ? (firstChild[root] ?? none) : root;
    return facts.subjects[links.messageOf(node)] ?? noSubject;
  };
  const bySubject = new Int32Array(facts.subjectCount).fill(none);
  for (const root of roots) {
    if (pace.isDue(limits.stepWork)) await pace.turn();
    const subject = subjectOf(root);
    const other = bySubject[subject] ?? none;
    const replaces = other === none || (!isDummy(other) && (isDummy(root) || (isReply(other) && !isReply(root))));
    if (replaces && subject !== noSubject) bySubject[subject] = root;
  }
  for (const root of roots) {
    if (pace.isDue(limits.stepWork)) await pace.turn();
    const subject = subjectOf(root);
    const other = bySubject[subject] ?? none;
    if (other === none || other === root) continue;
    if (isDummy(other) && isDummy(root)) await putChildren(links, forest, root, other, pace);
    else if (isDummy(other) || (isReply(root) && !isReply(other))) links.put(root, other);
    else {
      const dummy = links.addDummy();
      links.put(root, dummy);
      links.put(other, dummy);
      bySubject[subject] = dummy;
    }
  }
}

/** Makes one dummy's children those of another. */
async function putChildren(links: Links, forest: Forest, from: number, to: number, pace: Turns): Promise<void> {
  const { firstChild, nextSibling } = forest;
  for (let child = firstChild[from] ?? none; child !== none; child = nextSibling[child] ?? none) {
    links.put(child, to);
    if (pace.isDue(limits.stepWork)) await pace.turn();
  }
}
