/** `* THREAD (2)(3 6 (4 23)(44 7 96))` (RFC 5256 §4): however deep a thread is, nothing here goes deeper with it. */
import { limits } from '../limits.ts';
import type { Session } from '../session.ts';
import type { Turns } from '../sorting/turns.ts';
import type { Encoder } from '../wire/encoder.ts';
import { type Forest, none } from './forest.ts';

/** @param names by place */
export async function tellThreads(
  session: Pick<Session, 'encoder' | 'say'>,
  forest: Forest,
  names: Uint32Array,
  pace: Turns,
): Promise<void> {
  const { roots, firstChild, nextSibling } = forest;
  const answer = session.encoder().raw('* THREAD');
  if (roots.length > 0) answer.raw(' ');
  // Siblings that are still to be told, of each level that branches.
  const open: number[] = [];
  for (const root of roots) {
    answer.raw('(');
    for (let node = root; node !== none; ) {
      const message = forest.messageOf(node);
      if (message !== none) answer.raw(`${names[message] ?? 0}`);
      const child = firstChild[node] ?? none;
      const second = child === none ? none : (nextSibling[child] ?? none);
      if (child !== none && message !== none) answer.raw(' ');
      if (second !== none) {
        open.push(second);
        answer.raw('(');
      }
      node = child;
      if (child === none) {
        answer.raw(')');
        node = next(open, nextSibling, answer);
      }
      if (answer.bytes >= limits.answerBytes) await session.say(answer.take());
      if (pace.isDue(limits.stepWork)) await pace.turn();
    }
  }
  await session.say(answer.crlf().take());
}

/** Behind the end of a branch: closes what ends with it, and opens the next; `none` at the end of the thread. */
function next(open: number[], nextSibling: Int32Array, answer: Encoder): number {
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node === none) {
      answer.raw(')');
      continue;
    }
    open.push(nextSibling[node] ?? none);
    answer.raw('(');
    return node;
  }
  return none;
}
