/** One round of `power-loss.ts` in a process of its own: `power-loss-round.js KIND SEED PER-MOMENT ON-DISK`. Sends its tally. */
import { powerLossRound, roundKind } from './power-loss.ts';

const [kind, seed, perMoment, onDisk] = process.argv.slice(2);
try {
  const tally = await powerLossRound({
    kind: roundKind(kind),
    seed: Number(seed),
    perMoment: Number(perMoment),
    onDisk: Number(onDisk),
  });
  process.send?.(tally);
} catch (error) {
  throw new Error(`MSTORE_TEST_SEED=${seed}`, { cause: error });
} finally {
  process.disconnect?.();
}
