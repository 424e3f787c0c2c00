/**
 * The same octets again. Two things know what stood at a damaged place, octet for octet: the place itself, when all that is wrong
 * is one flipped bit; and a backup of this very heap, which holds each segment as it was written. What they know is put back
 * where it was: no number changes, nothing is lost, clients notice nothing. It is the one repair that writes into a
 * segment, and it writes nothing but what stood there: the checksums, salted by the segment, prove it.
 *
 * The bad octets are kept in `lost+found/` first. A crash in between leaves a place that is bad as before, or good.
 */
import { type SegmentSurvey, type SurveyedSegment, sameSegment } from '../../heap/survey.ts';
import type { FileHandle, FileSystem } from '../../sys/fs.ts';
import type { BadPlace } from '../read-through.ts';
import { keepOctets } from './lost-and-found.ts';

/** Octets copied at a time. */
const pieceBytes = 1_048_576;

/** How a bad place becomes what it was. */
export interface Mending {
  /** What will be done, for people. */
  readonly action: string;
  /** Durable on return. @throws {StoreError} ioError */
  apply(): Promise<void>;
}

export class SameOctets {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #own: SegmentSurvey;
  readonly #backup: SegmentSurvey | undefined;

  /** @param own the heap's files; @param backup those of a copy, where there is one */
  constructor(fs: FileSystem, directory: string, own: SegmentSurvey, backup: SegmentSurvey | undefined) {
    this.#fs = fs;
    this.#directory = directory;
    this.#own = own;
    this.#backup = backup;
  }

  /** For a place in the log, or a segment without file or header. */
  async find(bad: BadPlace, storeId: Buffer): Promise<Mending | undefined> {
    const { place, state } = bad;
    const here = this.#own.segments.find(({ number }) => number === place.segment);
    const at = here === undefined || state !== 'lostTail' ? place.offset : await this.#firstBad(here, place.offset);
    const flipped = here === undefined ? undefined : await this.#flipped(here, state === 'missingSegment', at);
    if (flipped !== undefined) return flipped;
    const there = this.#backup?.segments.find(({ number }) => number === place.segment);
    if (this.#backup === undefined || there?.header?.number !== place.segment) return undefined;
    if (!there.header.storeId.equals(storeId)) return undefined;
    if (here === undefined) return this.#wholeFile(this.#backup, there);
    if (state === 'missingSegment') return this.#header(this.#backup, here, there);
    if (state === 'lostTail')
      return this.#records(this.#backup, here, there, { ...place, bytes: there.fileBytes - place.offset });
    return this.#records(this.#backup, here, there, place);
  }

  /** The end of the records that follow one another without a gap. */
  async #firstBad(here: SurveyedSegment, offset: number): Promise<number> {
    let at = offset;
    for await (const { location } of this.#own.records(here, offset)) {
      if (location.lsn - (here.header?.baseLsn ?? 0) !== at) break;
      at += location.bytes;
    }
    return at;
  }

  async #flipped(here: SurveyedSegment, isHeader: boolean, offset: number): Promise<Mending | undefined> {
    const right = isHeader ? await this.#own.headerWithoutFlip(here) : await this.#own.withoutFlip(here, offset);
    if (right === undefined) return undefined;
    const action = 'one bit is flipped: it is turned back';
    return { action, apply: () => this.#put(here.number, isHeader ? 0 : offset, right) };
  }

  #wholeFile(backup: SegmentSurvey, there: SurveyedSegment): Mending {
    const action = `the backup has the segment: ${there.fileBytes} octets are copied`;
    return { action, apply: () => this.#copyFile(backup, there) };
  }

  /** A header from the backup, when the records here check with it. */
  async #header(backup: SegmentSurvey, here: SurveyedSegment, there: SurveyedSegment): Promise<Mending | undefined> {
    if (there.header === undefined) return undefined;
    const octets = await backup.octets(there.number, 0, there.header.headerBytes);
    for await (const _record of this.#own.records({ ...here, header: there.header })) {
      return { action: 'the backup has its header: it is put back', apply: () => this.#put(here.number, 0, octets) };
    }
    return undefined;
  }

  async #records(
    backup: SegmentSurvey,
    here: SurveyedSegment,
    there: SurveyedSegment,
    { offset, bytes }: BadPlace['place'],
  ): Promise<Mending | undefined> {
    if (!sameSegment(here, there) || bytes === 0) return undefined;
    const base = there.header?.baseLsn ?? 0;
    const end = offset + bytes;
    let at = offset;
    for await (const { location } of backup.records(there, offset, Math.min(end, there.fileBytes))) {
      if (location.lsn - base !== at) break;
      at += location.bytes;
    }
    if (at !== end) return undefined;
    return {
      action: `the backup has these ${bytes} octets: they are put back`,
      apply: async () => {
        await this.#keepBad(here.number, offset, bytes);
        await this.#copy(await this.#fs.open(this.#own.path(here.number), 'write'), backup, here.number, offset, end);
      },
    };
  }

  async #put(number: number, offset: number, octets: Buffer): Promise<void> {
    await this.#keepBad(number, offset, octets.length);
    const file = await this.#fs.open(this.#own.path(number), 'write');
    try {
      await file.write([octets], offset);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async #keepBad(number: number, offset: number, bytes: number): Promise<void> {
    const bad = await this.#own.octets(number, offset, bytes);
    await keepOctets(this.#fs, this.#directory, `segment-${number}-at-${offset}`, bad);
  }

  async #copyFile(backup: SegmentSurvey, { number, fileBytes }: SurveyedSegment): Promise<void> {
    const path = this.#own.path(number);
    const temporary = `${path}.copied`;
    await this.#fs.unlink(temporary).catch(() => undefined);
    await this.#copy(await this.#fs.open(temporary, 'create'), backup, number, 0, fileBytes);
    await this.#fs.rename(temporary, path);
    await this.#fs.syncDirectory(`${this.#directory}/heap`);
  }

  async #copy(file: FileHandle, backup: SegmentSurvey, number: number, from: number, to: number): Promise<void> {
    try {
      for (let at = from; at < to; at += pieceBytes) {
        await file.write([await backup.octets(number, at, Math.min(pieceBytes, to - at))], at);
      }
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}
