/** The seed of a randomised test: the one given for a replay, else a new one, which the test prints. */
import { randomInt } from 'node:crypto';

/** `MSTORE_TEST_SEED`, or a random seed. */
export function testSeed(): number {
  const given = process.env.MSTORE_TEST_SEED;
  return given === undefined ? randomInt(2 ** 31) : Number(given);
}
