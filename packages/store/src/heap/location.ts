/** What the heap hands out and takes in: places, records, segments, and damage by name. */
import type { Clock } from '../sys/clock.ts';
import type { FileSystem } from '../sys/fs.ts';
import type { Location, Lsn } from '../types.ts';

export type { Location };

/** A record as it came off the disk, its checksums verified. The buffers are the caller's. */
export interface HeapRecord {
  readonly type: number;
  /** The format version of its segment: what the record may be. */
  readonly format: number;
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

/** A verified record with its payload as stored: what a copy needs. */
export interface StoredRecord extends NewRecord {
  readonly location: Location;
}

/** A record met by a scan. */
export interface ScannedRecord extends HeapRecord {
  /** Number of its segment. */
  readonly segment: number;
  readonly codec: 0 | 1;
  /** Octets of the payload decoded; `payload` itself is empty where the scan did not want it. */
  readonly decodedBytes: number;
  /** Present on COMMITs. */
  readonly commit?: Commit;
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
  /** The format version it was written in. */
  readonly format: number;
  readonly epoch: number;
  readonly baseLsn: Lsn;
  /** End of the log in this segment: a later header's word, or the last believed batch's end. */
  readonly endLsn: Lsn;
  /** Octets of the file, void ones included. */
  readonly fileBytes: number;
  readonly headerBytes: number;
  readonly predecessor: number;
  /** End of the log in the predecessor. */
  readonly predecessorEnd: Lsn;
  /** The numbers its header lists; of the newest segment only, empty for older ones: their lists are history. */
  readonly liveSegments: readonly number[];
  readonly highWater: HighWater;
}

/**
 * What is wrong at a place: a listed segment's file is not there; a segment's header is not believable; no record head
 * where one must be; a payload's crc; a COMMIT that disagrees with its batch; octets behind the end of the log that a catalog
 * had applied.
 */
export type DamageKind = 'missingSegment' | 'segmentHeader' | 'recordHead' | 'payload' | 'batch' | 'lostEnd';

/** A bad place in the log, by name. */
export interface Damage {
  readonly kind: DamageKind;
  readonly segment: number;
  /** Octets from the start of the file. */
  readonly offset: number;
  /** LSN of that place; 0 where it is not known (a segment without a header). */
  readonly lsn: Lsn;
  /** Octets that could not be read as records. */
  readonly bytes: number;
  /** Of a bad payload: what the record's head, which is good, says. */
  readonly record?: { readonly type: number; readonly fields: Buffer };
}

/** A listed segment that cannot be read, and where the log ended in it. */
export interface LostSegment {
  readonly damage: Damage;
  readonly endLsn: Lsn;
}

/** Told of each damage; to throw in it ends the walk. */
export type OnDamage = (damage: Damage) => void;

export interface CommitOptions {
  /** The last batch before `close`: writing may go on in this segment. */
  readonly cleanStop?: boolean;
  /** An empty batch that proves the one before. */
  readonly idle?: boolean;
}

export interface HeapPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  /** As many unpredictable octets. */
  readonly random: (bytes: number) => Buffer;
}
