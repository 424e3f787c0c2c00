/** How much this process holds, after what is garbage was collected. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Octets of the heap, and of buffers beside it, that something still points to. */
export function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect === 'function') collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Octets more than `before`, once they are at most `most`, or after five seconds: what was collected goes beside the work, a moment later. */
export async function keptSince(before: number, most: number): Promise<number> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const kept = liveBytes() - before;
    if (kept <= most || performance.now() > deadline) return kept;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
