/** The part tree of a stored message, which takes tens of ms where there are thousands of parts. */
import { type Entity, type StoredMessage, treeInSteps } from '@mstore/store';

/** @param rest what is done behind each `stepBytes` of what is no part's content */
export async function treeWithRests(
  { manifest, literals }: StoredMessage,
  stepBytes: number,
  rest: () => Promise<void>,
): Promise<Entity> {
  const steps = treeInSteps(manifest, literals, stepBytes);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await rest();
  }
}
