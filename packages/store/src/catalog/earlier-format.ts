/**
 * What a catalog of any format says of itself. The state row begins with the format in every version, so that a catalog of
 * another one is told from a damaged one; of format 1 the rest is read too, to compare with the catalog that takes its place.
 */
import { Reader } from '../codec/bytes.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { keyOctets, stateText } from './keys.ts';
import type { Kv } from './kv.ts';
import { emptyTotals, type Totals, totalsKeys } from './rows.ts';

/** The format of a catalog; undefined when it has no state row. @throws {DecodeError} the row is damaged */
export function formatOf(kv: Kv): number | undefined {
  const octets = kv.get('meta', keyOctets(stateText));
  return octets === undefined ? undefined : new Reader(octets).varint();
}

/** What two catalogs of one log must agree in. */
export interface CatalogSums {
  readonly storeId: Buffer;
  readonly appliedLsn: Lsn;
  readonly sequence: number;
  readonly totals: Totals;
}

/** Reads the state row of a catalog of format 1. @throws {DecodeError} it is damaged, or of another format */
export function sumsOfFormat1(kv: Kv): CatalogSums {
  const r = new Reader(kv.get('meta', keyOctets(stateText)) ?? Buffer.alloc(0));
  r.varint();
  const storeId = Buffer.from(r.block());
  r.varint();
  const appliedLsn = brandNumber<Lsn>(r.varint());
  r.varint();
  const sequence = r.varint();
  // The highest account, mailbox, message and thread id, and UIDVALIDITY.
  for (let n = 0; n < 5; n++) r.varint();
  const totals = emptyTotals();
  for (const key of totalsKeys.slice(0, totalsOfFormat1)) totals[key] = r.varint();
  r.end();
  return { storeId, appliedLsn, sequence, totals };
}

/** Later formats add theirs behind these. */
const totalsOfFormat1 = 12;
