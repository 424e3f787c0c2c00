/** Threads as trees, ready to be told: messages by their place among those that were asked for, and dummies. */
import { limits } from '../limits.ts';
import type { Turns } from '../sorting/turns.ts';

/** No node. */
export const none = -1;

export interface Forest {
  /** Nodes at the top, in order. */
  readonly roots: Int32Array;
  /** Of each node its first child, and the next child of its parent; `none` where there is none. */
  readonly firstChild: Int32Array;
  readonly nextSibling: Int32Array;
  /** The place of a node's message; `none` for a dummy. */
  messageOf(node: number): number;
}

/**
 * The forest in which each message's node stands below its parent, siblings in the order of the messages. A parent that is no message's
 * node is a dummy, which has no parent itself and stands where its first child would.
 * @param nodes how many there are, dummies included
 * @param nodesInOrder the nodes of all messages
 */
export async function forestOf(
  nodes: number,
  nodesInOrder: Iterable<number> & ArrayLike<number>,
  parentOf: (node: number) => number,
  messageOf: (node: number) => number,
  pace: Turns,
): Promise<Forest> {
  const roots = new Int32Array(nodesInOrder.length);
  const isPlaced = new Uint8Array(nodes);
  let count = 0;
  for (const node of nodesInOrder) {
    if (pace.isDue(limits.stepWork)) await pace.turn();
    const parent = parentOf(node);
    const isBelowDummy = parent !== none && messageOf(parent) === none;
    if ((parent !== none && !isBelowDummy) || (isBelowDummy && isPlaced[parent] === 1)) continue;
    if (isBelowDummy) isPlaced[parent] = 1;
    roots[count] = isBelowDummy ? parent : node;
    count += 1;
  }
  const firstChild = new Int32Array(nodes).fill(none);
  const nextSibling = new Int32Array(nodes).fill(none);
  for (let at = nodesInOrder.length - 1; at >= 0; at -= 1) {
    if (pace.isDue(limits.stepWork)) await pace.turn();
    const node = nodesInOrder[at] ?? none;
    const parent = parentOf(node);
    if (parent === none) continue;
    nextSibling[node] = firstChild[parent] ?? none;
    firstChild[parent] = node;
  }
  return { roots: roots.subarray(0, count), firstChild, nextSibling, messageOf };
}
