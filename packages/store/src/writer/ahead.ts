/** How far batches that are durable may be ahead of the catalog, and how many of them one transaction takes. */
import { limits } from '../limits.ts';

/** What a durable batch costs the catalog. */
export interface Weight {
  readonly bytes: number;
  /** Rows its write set changes. */
  readonly rows: number;
}

/** Rows of a catalog transaction (about 4 ms to encode), unless one batch alone has more. */
const rowsPerWrite = 2_000;

/** Whether the next batch has to wait for the catalog. */
export function isTooFar(ahead: readonly Weight[]): boolean {
  return ahead.length >= limits.batchesAhead || ahead.reduce((sum, { bytes }) => sum + bytes, 0) >= limits.bytesAhead;
}

/** How many batches the next transaction takes: encoding their rows must not hold the event loop. */
export function shareOf(ahead: readonly Weight[]): number {
  let rows = 0;
  const behind = ahead.findIndex((batch, at) => {
    rows += batch.rows;
    return at > 0 && rows > rowsPerWrite;
  });
  return behind < 0 ? ahead.length : behind;
}
