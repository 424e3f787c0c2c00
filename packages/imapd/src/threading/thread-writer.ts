/** `* THREAD (2)(3 6 (4 23)(44 7 96))` (RFC 5256 §4): however deep a thread is, nothing here goes deeper with it. */

import { LongLine } from '../responses/long-line.ts';
import type { Session } from '../session.ts';
import { type Forest, none } from './forest.ts';

/** @param names by place */
export async function tellThreads(
  session: Pick<Session, 'encoder' | 'say'>,
  forest: Forest,
  names: Uint32Array,
): Promise<void> {
  const line = new LongLine(session, session.encoder().raw('* THREAD'));
  if (forest.roots.length > 0) line.raw(' ');
  for (const root of forest.roots) await tellThread(line, forest, names, root);
  await line.end();
}

async function tellThread(line: LongLine, forest: Forest, names: Uint32Array, root: number): Promise<void> {
  const { firstChild, nextSibling } = forest;
  // The next sibling, of each list of siblings that is not at its end yet.
  const open: number[] = [];
  line.raw('(');
  for (let node = root; ; ) {
    if (line.isFull) await line.send();
    if (node === none) {
      const sibling = open.pop();
      if (sibling === undefined) return;
      // The last one ends the list that its parent is in.
      line.raw(sibling === none ? ')' : '(');
      if (sibling !== none) open.push(nextSibling[sibling] ?? none);
      node = sibling;
      continue;
    }
    const message = forest.messageOf(node);
    if (message !== none) line.raw(`${names[message] ?? 0}`);
    const child = firstChild[node] ?? none;
    const second = child === none ? none : (nextSibling[child] ?? none);
    if (child === none) line.raw(')');
    else if (message !== none) line.raw(' ');
    if (second !== none) {
      open.push(second);
      line.raw('(');
    }
    node = child;
  }
}
