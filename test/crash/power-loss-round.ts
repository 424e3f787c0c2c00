/** One round of `power-loss.ts` in a process of its own: `power-loss-round.js KIND SEED PER-MOMENT ON-DISK`. Sends its tally. */
import { powerLossRound } from './power-loss.ts';

const [kind, seed, perMoment, onDisk] = process.argv.slice(2);
if (kind !== 'requests' && kind !== 'largeParts') throw new Error(`no round of ${kind}`);
try {
  const tally = await powerLossRound({
    kind,
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
