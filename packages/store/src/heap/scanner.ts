/**
 * Yields the records of the believed log in LSN order, reading in large pieces and holding one of them.
 *
 * The crash argument of this layer is short, as nothing is decided here: a scan sees the segments and their ends as
 * they were believed when it began. Every octet below a believed end was durable, or was written again and synced by
 * recovery before it was believed; so whatever fails to check here is damage, never a torn write, and is refused or
 * named. What the writer appends meanwhile lies behind the ends and is not looked at; a segment that is dropped
 * meanwhile fails the scan with ENOENT as the cause, unless it was read already.
 */
import type { Lsn } from '../types.ts';
import { BatchCheck } from './batch-check.ts';
import type { Segment } from './chain.ts';
import type { SegmentFiles } from './files.ts';
import { commitType, lsnAt, type RecordHead } from './format.ts';
import type { Commit, Damage, DamageKind, LostSegment, OnDamage, ScannedRecord } from './location.ts';
import { unpack } from './reader.ts';
import { refuseDamage } from './tail.ts';
import { RecordWalk, unread } from './walk.ts';

export interface ScanOptions {
  /** LSN of a record, or of the end of a batch; 0 for the start of the log. */
  readonly from: Lsn;
  /** Records from here on are left out; the end of the log by default. */
  readonly to?: Lsn;
  /** False: the payload is neither verified nor decoded, and not read where it is large. Fields always are. */
  readonly wantPayload?: (type: number) => boolean;
  /** True: payloads as they are stored, not decoded. */
  readonly asStored?: boolean;
  /** Told of damage, behind which the scan goes on; without it the first one is thrown as `corrupt`. */
  readonly onDamage?: OnDamage;
}

/** What a scan goes through. */
export interface ScanView {
  /** Believed segments, rising. */
  readonly segments: readonly Segment[];
  /** Listed segments that cannot be read, and where the log ended in them. */
  readonly lost: readonly LostSegment[];
}

/** Scans. @throws {StoreError} corrupt, ioError */
export async function* scan(files: SegmentFiles, view: ScanView, options: ScanOptions): AsyncGenerator<ScannedRecord> {
  const onDamage = options.onDamage ?? refuseDamage;
  const to = options.to ?? Number.MAX_SAFE_INTEGER;
  let lost = view.lost.filter(({ endLsn }) => endLsn > options.from);
  for (const segment of view.segments) {
    if (segment.baseLsn >= to) break;
    for (const { damage } of lost.filter((one) => one.damage.segment < segment.number)) onDamage(damage);
    lost = lost.filter((one) => one.damage.segment > segment.number);
    if (segment.endLsn > options.from) yield* new SegmentScan(files, segment, options, onDamage).records();
    if (segment === view.segments.at(-1)) for (const { damage } of lost) onDamage(damage);
  }
}

const noOctets = Buffer.alloc(0);

class SegmentScan {
  readonly #segment: Segment;
  readonly #options: ScanOptions;
  readonly #onDamage: OnDamage;
  readonly #walk: RecordWalk;
  readonly #check: BatchCheck;
  readonly #start: number;
  readonly #stop: number;

  constructor(files: SegmentFiles, segment: Segment, options: ScanOptions, onDamage: OnDamage) {
    const { baseLsn, endLsn, headerBytes } = segment;
    this.#segment = segment;
    this.#options = options;
    this.#onDamage = onDamage;
    this.#walk = new RecordWalk(files, segment, endLsn - baseLsn);
    this.#start = Math.max(options.from - baseLsn, headerBytes);
    this.#stop = Math.min((options.to ?? endLsn) - baseLsn, endLsn - baseLsn);
    this.#check = new BatchCheck(segment, this.#start);
    // Who begins in the middle of a batch cannot hold its COMMIT against it; a batch's start is not told from that.
    this.#check.excused = this.#start > headerBytes;
  }

  async *records(): AsyncGenerator<ScannedRecord> {
    const walk = this.#walk;
    for (let at = this.#start; at < this.#stop; ) {
      const now = walk.headNow(at);
      const head = now === unread ? await walk.head(at) : now;
      if (head === undefined) {
        // Refused before the search: a search may be long.
        if (this.#options.onDamage === undefined) this.#report('recordHead', at, 0);
        const next = await walk.findHead(at + 8);
        this.#report('recordHead', at, next - at);
        at = next;
        continue;
      }
      const fields = walk.fields(at, head);
      const closed = this.#count(at, head, fields);
      const payload = await this.#payload(at, head);
      if (closed?.agrees === false) this.#report('batch', at, head.recordBytes);
      else if (payload === undefined) this.#report('payload', at, head.recordBytes, { type: head.type, fields });
      else yield this.#record(at, head, fields, payload, closed?.commit);
      at += head.recordBytes;
    }
  }

  #count(at: number, head: RecordHead, fields: Buffer): { commit: Commit; agrees: boolean } | undefined {
    if (head.type === commitType) {
      const closed = this.#check.close(at, fields);
      this.#check.restart(at + head.recordBytes);
      return closed;
    }
    const { octets, at: inOctets } = this.#walk.header(at);
    this.#check.add(at, octets, inOctets);
    return undefined;
  }

  /** The payload decoded; empty when it is not wanted, undefined when it is bad. */
  async #payload(at: number, head: RecordHead): Promise<Buffer | undefined> {
    if (head.payloadBytes === 0 && head.codec === 0) return noOctets;
    if (this.#options.wantPayload?.(head.type) === false) return noOctets;
    const stored = await this.#walk.payload(at, head);
    const isAsWanted = head.codec === 0 || this.#options.asStored === true;
    return stored === undefined || isAsWanted ? stored : unpack(stored, head.decodedBytes);
  }

  #record(at: number, head: RecordHead, fields: Buffer, payload: Buffer, commit: Commit | undefined): ScannedRecord {
    const record = {
      type: head.type,
      format: this.#segment.format,
      segment: this.#segment.number,
      location: { lsn: lsnAt(this.#segment.baseLsn, at), bytes: head.recordBytes },
      fields,
      payload,
      codec: head.codec,
      storedBytes: head.payloadBytes,
      decodedBytes: head.decodedBytes,
    };
    return commit === undefined ? record : { ...record, commit };
  }

  #report(kind: DamageKind, offset: number, bytes: number, record?: Damage['record']): void {
    const { number: segment, baseLsn } = this.#segment;
    if (kind === 'recordHead') this.#check.excused = true;
    const damage = { kind, segment, offset, lsn: lsnAt(baseLsn, offset), bytes };
    this.#onDamage(record === undefined ? damage : { ...damage, record });
  }
}
