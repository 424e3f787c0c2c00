/**
 * Where a repair takes content from that it cannot read in its place: by what it is, never by where it lay. What comes out was
 * checked against its SHA-256.
 */
import { createHash } from 'node:crypto';
import { DecodeError } from '../../codec/bytes.ts';
import type { HeapRecord, ScannedRecord } from '../../heap/heap.ts';
import type { SegmentSurvey, SurveyedSegment } from '../../heap/survey.ts';
import { type ChunkPlace, decodeMessage, decodeRecord, recordType } from '../../log/records.ts';
import type { Lsn } from '../../types.ts';

export interface RecordSource {
  /** The content of a part, in pieces of up to a chunk; undefined where there is none that is whole. */
  part(sha: Buffer): Promise<(() => AsyncIterable<Buffer>) | undefined>;
  /** The MESSAGE record of a message with this SHA-256. What its parts hold is not looked at. */
  message(sha: Buffer): Promise<HeapRecord | undefined>;
}

/** Where a record lies in a survey. */
interface Spot {
  readonly segment: SurveyedSegment;
  readonly offset: number;
  readonly bytes: number;
}

interface FoundPart {
  /** Whole, or chunks in order. */
  readonly spots: readonly Spot[];
  readonly chunks: readonly ChunkPlace[];
}

/** The segments of a heap, or of a copy of one, as a source: all records that check, listed or not. One pass finds what is wanted. */
export class SurveySource implements RecordSource {
  readonly #survey: SegmentSurvey;
  readonly #wanted: ReadonlySet<string>;
  readonly #parts = new Map<string, FoundPart[]>();
  readonly #messages = new Map<string, Spot[]>();
  #scanned: Promise<void> | undefined;

  /** @param wanted SHA-256 in hexadecimal, of parts and messages */
  constructor(survey: SegmentSurvey, wanted: ReadonlySet<string>) {
    this.#survey = survey;
    this.#wanted = wanted;
  }

  async part(sha: Buffer): Promise<(() => AsyncIterable<Buffer>) | undefined> {
    await this.#scan();
    for (const found of this.#parts.get(sha.toString('hex')) ?? []) {
      const content = (): AsyncIterable<Buffer> => this.#content(found);
      if (await isContent(content(), sha)) return content;
    }
    return undefined;
  }

  async message(sha: Buffer): Promise<HeapRecord | undefined> {
    await this.#scan();
    for (const spot of this.#messages.get(sha.toString('hex')) ?? []) {
      const record = await this.#read(spot);
      if (record !== undefined) return record;
    }
    return undefined;
  }

  #scan(): Promise<void> {
    this.#scanned ??= this.#scanAll();
    return this.#scanned;
  }

  async #scanAll(): Promise<void> {
    for (const segment of this.#survey.segments) {
      for await (const record of this.#survey.records(segment)) this.#note(segment, record);
    }
  }

  #note(segment: SurveyedSegment, record: ScannedRecord): void {
    if (record.type !== recordType.part && record.type !== recordType.message) return;
    const spot = {
      segment,
      offset: record.location.lsn - (segment.header?.baseLsn ?? 0),
      bytes: record.location.bytes,
    };
    try {
      const decoded = decodeRecord(record);
      if (decoded.type === 'part') this.#keep(this.#parts, decoded.sha, { spots: [spot], chunks: [] });
      else if (decoded.type === 'closing') this.#keep(this.#parts, decoded.sha, { spots: [], chunks: decoded.chunks });
      else if (decoded.type === 'message') this.#keep(this.#messages, decoded.sha, spot);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  #keep<T>(map: Map<string, T[]>, sha: Buffer, found: T): void {
    const hex = sha.toString('hex');
    if (!this.#wanted.has(hex)) return;
    const known = map.get(hex);
    if (known === undefined) map.set(hex, [found]);
    else known.push(found);
  }

  async *#content({ spots, chunks }: FoundPart): AsyncGenerator<Buffer> {
    for (const spot of [...spots, ...chunks.map((chunk) => this.#spotOf(chunk.lsn, chunk.bytes))]) {
      const record = spot === undefined ? undefined : await this.#read(spot);
      if (record === undefined) return;
      yield record.payload;
    }
  }

  #spotOf(lsn: Lsn, bytes: number): Spot | undefined {
    const segment = this.#survey.segments.find(
      ({ header, fileBytes }) => header !== undefined && lsn >= header.baseLsn && lsn < header.baseLsn + fileBytes,
    );
    if (segment?.header === undefined) return undefined;
    return { segment, offset: lsn - segment.header.baseLsn, bytes };
  }

  async #read({ segment, offset, bytes }: Spot): Promise<ScannedRecord | undefined> {
    for await (const record of this.#survey.records(segment, offset, offset + bytes)) return record;
    return undefined;
  }
}

async function isContent(content: AsyncIterable<Buffer>, sha: Buffer): Promise<boolean> {
  const hash = createHash('sha256');
  for await (const octets of content) hash.update(octets);
  return hash.digest().equals(sha);
}

/** Asks one source after the other. */
export class FirstSource implements RecordSource {
  readonly #sources: readonly RecordSource[];

  constructor(sources: readonly RecordSource[]) {
    this.#sources = sources;
  }

  async part(sha: Buffer): Promise<(() => AsyncIterable<Buffer>) | undefined> {
    for (const source of this.#sources) {
      const found = await source.part(sha);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async message(sha: Buffer): Promise<HeapRecord | undefined> {
    for (const source of this.#sources) {
      const found = await source.message(sha);
      // Its crc was good; so it is what was written, if it is of that message.
      if (found !== undefined && decodeMessage(found).sha.equals(sha)) return found;
    }
    return undefined;
  }
}
