/** MODSEQs as clients write them (RFC 7162 §7, mod-sequence-value): 63 bits, of which this store gives out 53. */
import type { Decoder } from './decoder.ts';
import { octetClass } from './octet-class.ts';

const most = 2n ** 63n - 1n;
const digitsMax = `${most}`.length;

/** A MODSEQ of `least` or more; one above all that are ever given stands for the highest of those. */
export function expectModSeq(decoder: Decoder, least: number): number {
  const digits = decoder.tryRun(octetClass.digit);
  const value = digits === undefined || digits.length > digitsMax ? -1n : BigInt(digits);
  if (value < BigInt(least) || value > most) decoder.fail(`a MODSEQ from ${least} to ${most}`);
  return Math.min(Math.max(Number(value), least), Number.MAX_SAFE_INTEGER);
}
