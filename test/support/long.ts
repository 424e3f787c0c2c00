/** How much a test does: less on every change, all of it in `npm run test:long`. */

const isLong = process.env.MSTORE_TEST_LONG === '1';

/** `short`, or `long` in a long run: rounds, messages, seconds, whatever the test counts. */
export function counts(short: number, long: number): number {
  return isLong ? long : short;
}
