/**
 * Reads the log from a place to its end and verifies everything that can be verified of it: each record's head and crc, that its
 * octets are what its type says, the SHA-256 of each part, of large ones over their chunks, and that each message in use adds up
 * to the size and (up to `limits.scrubMessageBytes`) the SHA-256 it was stored with. Scrub and repair read the heap through it.
 *
 * Beside a busy writer, records move and segments go: what cannot be read is looked up once more, and is no finding when the
 * catalog does not lead there any more. Nothing is held across segments, and no snapshot across slices.
 */
import { createHash } from 'node:crypto';
import type { Catalog } from '../catalog/catalog.ts';
import { errnoOf, errorText, isStoreError } from '../errors.ts';
import type { Damage, Heap, ScannedRecord, SegmentState } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import { type ClosingRecord, decodeRecord, type LogRecord, type MessageRecord, recordType } from '../log/records.ts';
import { openContent } from '../mail/assemble.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { placeOfDamage, recordName, stateOfDamage, textOfDamage } from './damage-text.ts';
import type { FindingPlace, FindingState } from './findings.ts';
import { Pace, type PaceOptions } from './pace.ts';

/** What is read. */
export interface ThroughReading {
  /** As it is now; undefined where there is none to ask. */
  catalog(): Catalog | undefined;
  readonly heap: Heap;
}

/** A run of LSNs whose records cannot be used. */
export interface BadPlace {
  readonly state: FindingState;
  readonly text: string;
  readonly place: FindingPlace;
  readonly from: Lsn;
  /** Exclusive. */
  readonly to: Lsn;
  /** What the heap says of it; absent where the heap's own checks pass. */
  readonly damage?: Damage;
}

export interface ThroughOptions extends PaceOptions {
  /** LSN to begin at; the end of a record or batch, or 0. */
  readonly from: Lsn;
  readonly onBad: (bad: BadPlace) => void;
  /** Everything before this LSN was read; so many octets of log since the beginning. */
  readonly onAdvance?: (lsn: Lsn, readBytes: number) => Promise<void> | void;
}

const zero = brandNumber<Lsn>(0);

/** @returns false when `signal` ended it. @throws {StoreError} ioError */
export async function readThrough(reading: ThroughReading, options: ThroughOptions): Promise<boolean> {
  return new Through(reading, options).run();
}

class Through {
  readonly #reading: ThroughReading;
  readonly #options: ThroughOptions;
  readonly #pace: Pace;
  #readBytes = 0;

  constructor(reading: ThroughReading, options: ThroughOptions) {
    this.#reading = reading;
    this.#options = options;
    this.#pace = new Pace(options);
  }

  async run(): Promise<boolean> {
    const { heap } = this.#reading;
    const { from } = this.#options;
    if (from === 0) for (const bad of lostPlaces(heap)) this.#options.onBad(bad);
    for (const segment of heap.segments()) {
      if (segment.endLsn <= from) continue;
      if (!(await this.#segment(segment, brandNumber<Lsn>(Math.max(from, segment.baseLsn))))) return false;
      // Files that compaction took away meanwhile: held open, they would keep their octets for the rest of a pass of days.
      await heap.forgetUnlinked();
    }
    return true;
  }

  async #segment(segment: SegmentState, from: Lsn): Promise<boolean> {
    const { heap } = this.#reading;
    const { number, endLsn } = segment;
    // Lost segments were told of before.
    const onDamage = (damage: Damage): void => {
      if (damage.segment === number) this.#options.onBad(badOfDamage(damage));
    };
    try {
      for await (const record of heap.scan({ from, to: endLsn, onDamage })) {
        await this.#record(record);
        const { lsn, bytes } = record.location;
        this.#readBytes += bytes;
        const waiting = this.#pace.spend(bytes);
        if (waiting !== undefined) await waiting;
        if (this.#options.signal?.aborted === true) return false;
        const advancing = this.#options.onAdvance?.(brandNumber<Lsn>(lsn + bytes), this.#readBytes);
        if (advancing !== undefined) await advancing;
      }
      return true;
    } catch (error) {
      if (!isStoreError(error) || errnoOf(error.cause) !== 'ENOENT') throw error;
      // Its file went away under the scan: it was retired, or is missing from now on.
      await heap.refresh();
      for (const bad of lostPlaces(heap)) if (bad.place.segment === number) this.#options.onBad(bad);
      return true;
    }
  }

  async #record(scanned: ScannedRecord): Promise<void> {
    if (scanned.type === recordType.commit) return;
    let record: LogRecord;
    try {
      record = decodeRecord(scanned);
    } catch (error) {
      this.#bad(scanned, 'corruptLog', `is well framed and not what its type says: ${errorText(error)}`);
      return;
    }
    if (record.type === 'part') {
      const isRight = sha256(scanned.payload).equals(record.sha) && scanned.payload.length === record.size;
      if (!isRight) this.#bad(scanned, 'badChecksum', 'has content of another SHA-256');
    } else if (record.type === 'closing') await this.#closing(scanned, record);
    else if (record.type === 'message') await this.#message(scanned, record);
  }

  async #closing(scanned: ScannedRecord, record: ClosingRecord): Promise<void> {
    const isCurrent = (): boolean => {
      const row = this.#reading.catalog()?.part(record.sha);
      return row?.pieces.some(({ lsn }) => lsn === scanned.location.lsn) === true;
    };
    if (!isCurrent()) return;
    const hash = createHash('sha256');
    let size = 0;
    for (const chunk of record.chunks) {
      try {
        const { payload } = await this.#reading.heap.read(chunk.lsn, chunk.bytes);
        hash.update(payload);
        size += payload.length;
      } catch (error) {
        if (!isStoreError(error, 'corrupt')) throw error;
        // A bad chunk is named where it lies.
        return;
      }
      const waiting = this.#pace.spend(chunk.bytes);
      if (waiting !== undefined) await waiting;
      if (this.#options.signal?.aborted === true) return;
    }
    const isRight = size === record.size && hash.digest().equals(record.sha);
    if (!isRight && isCurrent()) this.#bad(scanned, 'badChecksum', 'closes a part of another SHA-256');
  }

  async #message(scanned: ScannedRecord, record: MessageRecord): Promise<void> {
    const size = record.manifest.reduce((sum, piece) => sum + piece.bytes, 0);
    if (size !== record.size) {
      this.#bad(scanned, 'badChecksum', `is of ${record.size} octets, and its pieces are ${size}`);
      return;
    }
    const catalog = this.#reading.catalog();
    if (catalog?.message(record.id)?.record.lsn !== scanned.location.lsn) return;
    if (record.size > limits.scrubMessageBytes && record.manifest.some(({ kind }) => kind === 'part')) return;
    const hash = createHash('sha256');
    try {
      const message = await openContent(this.#reading.heap, () => catalog, record.id);
      for await (const octets of message.octets()) {
        hash.update(octets);
        const waiting = this.#pace.spend(octets.length);
        if (waiting !== undefined) await waiting;
      }
    } catch (error) {
      // What it needs is bad or moved away, and is named where it lies.
      if (isStoreError(error, 'corrupt')) return;
      throw error;
    }
    if (!hash.digest().equals(record.sha)) this.#bad(scanned, 'badChecksum', 'gives octets of another SHA-256');
  }

  #bad({ segment, location, type }: ScannedRecord, state: FindingState, what: string): void {
    const base = this.#reading.heap.segments().find(({ number }) => number === segment)?.baseLsn ?? 0;
    const { lsn, bytes } = location;
    const offset = lsn - base;
    const text = `segment ${segment}, offset ${offset} (LSN ${lsn}): a ${recordName(type)} of ${bytes} octets ${what}`;
    const place = { segment, offset, lsn, bytes, record: recordName(type) };
    this.#options.onBad({ state, text, place, from: lsn, to: brandNumber<Lsn>(lsn + bytes) });
  }
}

/** Damage as a run of LSNs. */
export function badOfDamage(damage: Damage): BadPlace {
  const { lsn, bytes } = damage;
  const to = brandNumber<Lsn>(lsn + Math.max(bytes, 8));
  const place = placeOfDamage(damage);
  return { state: stateOfDamage(damage), text: textOfDamage(damage), place, from: lsn, to, damage };
}

/** Segments that cannot be read, as runs of LSNs: from where the log ended before them. */
function lostPlaces(heap: Heap): BadPlace[] {
  const segments = heap.segments();
  return heap.lostSegments().map(({ damage, endLsn }) => {
    const before = segments.filter(({ number }) => number < damage.segment).at(-1);
    return { ...badOfDamage(damage), from: before?.endLsn ?? zero, to: endLsn };
  });
}

function sha256(octets: Buffer): Buffer {
  return createHash('sha256').update(octets).digest();
}
