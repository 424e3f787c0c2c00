/** What the heap takes in and gives back. */
import type { Location, Lsn } from '../types.ts';

/** A record as it came off the disk, its checksums verified. The buffers are the caller's. */
export interface HeapRecord {
  readonly type: number;
  readonly location: Location;
  /** The type's own fields (docs/format/log.md). */
  readonly fields: Buffer;
  /** The payload, decoded. */
  readonly payload: Buffer;
  /** Octets of the payload as stored. */
  readonly storedBytes: number;
}

/** A record to append. */
export interface NewRecord {
  readonly type: number;
  readonly fields: Buffer;
  /** The payload as it shall be stored: zstd frames when `codec` is 1. */
  readonly payload: Buffer;
  readonly codec: 0 | 1;
  /** Octets of the payload before compression; `payload.length` when `codec` is 0. */
  readonly decodedBytes: number;
}

/** What a COMMIT said. */
export interface Commit {
  readonly number: number;
  readonly epoch: number;
  readonly records: number;
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly durableLsn: Lsn;
  /** ms since 1970. */
  readonly time: number;
  readonly cleanStop: boolean;
  readonly idle: boolean;
}

/** The highest of each number ever given out, as a segment header keeps them. */
export interface HighWater {
  readonly sequence: number;
  readonly account: number;
  readonly mailbox: number;
  readonly message: number;
  readonly thread: number;
  readonly uidValidity: number;
}

/** What a segment's header says, and where its log ends. */
export interface SegmentState {
  readonly number: number;
  readonly epoch: number;
  readonly baseLsn: Lsn;
  /** End of the log in this segment: the successor's word, or the last believed batch's end. */
  readonly endLsn: Lsn;
  /** Octets of the file, void ones included. */
  readonly fileBytes: number;
  readonly headerBytes: number;
  readonly predecessor: number;
  readonly liveSegments: readonly number[];
  readonly highWater: HighWater;
}
