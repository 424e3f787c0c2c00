/** Sorts messages in slices of the event loop: short runs at once, which are then merged. */
import { limits } from '../limits.ts';
import type { Compare } from './columns.ts';
import type { Turns } from './turns.ts';

/** Messages of a run: some 0.3 ms. */
const runMessages = 1_000;
/** Comparisons that sorting a run takes for each of its messages. */
const runComparisons = 10;

/** The places 0 to `count` - 1 in order; those that are alike stay as they were. Takes 8 octets a message. */
export async function sorted(count: number, compare: Compare, pace: Turns): Promise<Uint32Array> {
  let from = new Uint32Array(count);
  for (let at = 0; at < count; at += 1) from[at] = at;
  for (let low = 0; low < count; low += runMessages) {
    from.subarray(low, low + runMessages).sort((one, other) => compare(one, other) || one - other);
    if (pace.isDue(runMessages * runComparisons * limits.stepWork)) await pace.turn();
  }
  let to = new Uint32Array(count <= runMessages ? 0 : count);
  for (let width = runMessages; width < count; width *= 2) {
    for (let low = 0; low < count; low += 2 * width) {
      await merge(from, to, low, Math.min(low + width, count), Math.min(low + 2 * width, count), compare, pace);
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Merges the runs that begin at `low` and `middle`; the second one ends at `high`. */
async function merge(
  from: Uint32Array,
  to: Uint32Array,
  low: number,
  middle: number,
  high: number,
  compare: Compare,
  pace: Turns,
): Promise<void> {
  let left = low;
  let right = middle;
  for (let out = low; out < high; out += 1) {
    const takesLeft = right >= high || (left < middle && compare(from[left] ?? 0, from[right] ?? 0) <= 0);
    to[out] = from[takesLeft ? left : right] ?? 0;
    if (takesLeft) left += 1;
    else right += 1;
    if (pace.isDue(limits.stepWork)) await pace.turn();
  }
}
