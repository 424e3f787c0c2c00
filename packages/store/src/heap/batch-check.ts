/** Holds a COMMIT against the records in front of it, as a walk passes them. */
import type { Lsn } from '../types.ts';
import { addToBatchCrc, decodeCommit } from './format.ts';
import type { Commit } from './location.ts';

export class BatchCheck {
  readonly #baseLsn: Lsn;
  readonly #salt: number;
  /** Offset of the batch's first record. */
  start: number;
  /** True when not all of its records were seen: its COMMIT cannot be held against them. */
  excused = false;
  #last: number;
  #records = 0;
  #crc: number;

  constructor(segment: { readonly baseLsn: Lsn; readonly salt: number }, start: number) {
    this.#baseLsn = segment.baseLsn;
    this.#salt = segment.salt;
    this.start = start;
    this.#last = start;
    this.#crc = segment.salt;
  }

  /** Counts in the record at offset `at`, whose header lies in `octets` at `inOctets`. */
  add(at: number, octets: Buffer, inOctets: number): void {
    this.#crc = addToBatchCrc(this.#crc, octets, inOctets);
    this.#last = at;
    this.#records++;
  }

  /** What the COMMIT at offset `at` says, and whether it speaks of this batch. */
  close(at: number, fields: Buffer): { readonly commit: Commit; readonly agrees: boolean } {
    const { commit, batchCrc } = decodeCommit(fields);
    const agrees =
      commit.records === this.#records &&
      commit.firstLsn === this.#baseLsn + this.start &&
      commit.lastLsn === this.#baseLsn + (this.#records === 0 ? at : this.#last) &&
      commit.durableLsn <= commit.firstLsn &&
      batchCrc === this.#crc;
    return { commit, agrees: agrees || this.excused };
  }

  /** The next batch begins at this offset. */
  restart(start: number): void {
    this.start = start;
    this.excused = false;
    this.#last = start;
    this.#records = 0;
    this.#crc = this.#salt;
  }
}
