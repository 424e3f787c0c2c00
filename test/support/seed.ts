/** The seed of a randomised test: the one given for a replay, else a new one, which the test prints. */
import { randomInt } from 'node:crypto';
import { errorText } from '@mstore/store';

/** `MSTORE_TEST_SEED`, or a random seed. */
export function testSeed(): number {
  const given = process.env.MSTORE_TEST_SEED;
  return given === undefined ? randomInt(2 ** 31) : Number(given);
}

/** Whether one run is wanted, with the seed that failed. */
export const isReplay: boolean = process.env.MSTORE_TEST_SEED !== undefined;

/** Seeds of as many runs, one after the other from `testSeed()` on; of a replay, the one. */
export function testSeeds(count: number): readonly [number, ...number[]] {
  const first = testSeed();
  return [first, ...Array.from({ length: isReplay ? 0 : count - 1 }, (_, n) => (first + n + 1) % 2 ** 31)];
}

/** The sum of what runs with seeds of their own come to. A failure names its seed. */
export async function sumOfRuns(seeds: readonly number[], run: (seed: number) => Promise<number>): Promise<number> {
  let sum = 0;
  for (const seed of seeds) {
    try {
      sum += await run(seed);
    } catch (error) {
      throw new Error(`MSTORE_TEST_SEED=${seed}: ${errorText(error)}`, { cause: error });
    }
  }
  return sum;
}
