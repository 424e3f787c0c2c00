/**
 * Goes through one victim of compaction in the order of its log and has everything that still counts said again. What is looked
 * up here is a hint from the head state of the moment: each decision looks again.
 */
import { createHash } from 'node:crypto';
import type { Catalog } from '../catalog/catalog.ts';
import { StoreError } from '../errors.ts';
import { type Heap, unpackPayload } from '../heap/heap.ts';
import type { ScannedRecord } from '../heap/location.ts';
import { limits } from '../limits.ts';
import { type ChunkPlace, decodeMessageHead, decodeRecord, recordType } from '../log/records.ts';
import type { Clock } from '../sys/clock.ts';
import type { Location, Lsn, Sha256 } from '../types.ts';
import type { Committer } from '../writer/batch.ts';
import { decideChunkCopy, decideClosing, decideDrop, decideMoves, type Move } from '../writer/intents/restate.ts';
import type { SegmentUse } from '../writer/segment-use.ts';
import type { Turn } from '../writer/turn.ts';
import { Sayings } from './sayings.ts';
import type { Throttle } from './throttle.ts';

export interface CompactorParts {
  readonly heap: Heap;
  readonly catalog: () => Catalog;
  readonly committer: Committer;
  readonly use: SegmentUse;
  readonly clock: Clock;
  readonly segmentBytes: number;
  /** A segment was retired. */
  readonly onRetired: (segment: number) => void;
}

/** A segment stays for now; nothing is wrong. */
export class Kept extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'Kept';
  }
}

export interface VictimRun {
  readonly throttle: Throttle;
  readonly onBytes: (some: number) => void;
  readonly signal: AbortSignal | undefined;
}

export class VictimReader {
  readonly #parts: CompactorParts;
  readonly #segment: number;
  readonly #run: VictimRun;
  readonly #sayings: Sayings;
  #moves: Move[] = [];
  #moveBytes = 0;
  /** Hashes of large parts with a piece in the victim, in hexadecimal. */
  readonly #large = new Map<string, Sha256>();
  readonly #unnamed = new Map<string, Sha256>();
  #hasChunks = false;
  #written = 0;
  #read = 0;

  constructor(parts: CompactorParts, segment: number, run: VictimRun) {
    this.#parts = parts;
    this.#segment = segment;
    this.#run = run;
    this.#sayings = new Sayings({
      catalog: parts.catalog,
      inVictim: this.#inVictim,
      oldestOther: () => this.#oldestOther(),
      submit: (decide) => this.#submit(decide),
      breathe: () => this.#breathe(),
      work: (piece) => this.#run.throttle.work(piece),
    });
  }

  readonly #inVictim = (lsn: Lsn): boolean => this.#parts.heap.segmentOf(lsn) === this.#segment;

  /** Base LSN of the oldest other segment that stays listed. */
  #oldestOther(): number {
    const { heap } = this.#parts;
    const others = heap.segments().filter(({ number, baseLsn, headerBytes, endLsn }) => {
      return number !== this.#segment && endLsn > baseLsn + headerBytes && heap.keepsSegment(number);
    });
    return others[0]?.baseLsn ?? Number.MAX_SAFE_INTEGER;
  }

  /** Returns octets written again. @throws {StoreError} corrupt; Kept when told to end */
  async read(): Promise<number> {
    for await (const record of this.#parts.heap.scanSegment(this.#segment)) {
      this.#run.throttle.work(() => this.#look(record));
      if (this.#moves.length >= limits.compactRecords || this.#moveBytes >= limits.compactBytes) await this.#flush();
      if (this.#sayings.isDue) await this.#sayings.flush();
      this.#read += record.location.bytes;
      await this.#breathe(record.location.bytes);
    }
    await this.#flush();
    for (const sha of this.#large.values()) await this.#copyLarge(sha);
    if (this.#hasChunks) await this.#copyRest();
    await this.#drop();
    await this.#sayings.end();
    return this.#written;
  }

  async #breathe(bytes = 0): Promise<void> {
    const rest = this.#run.throttle.spend(bytes);
    if (rest === undefined) return;
    await rest;
    this.#run.onBytes(this.#read);
    if (this.#run.signal?.aborted === true) throw new Kept('compaction was told to end');
  }

  #look(record: ScannedRecord): void {
    switch (record.type) {
      case recordType.part:
        this.#lookAtPart(record);
        break;
      case recordType.message:
        this.#lookAtMessage(record);
        break;
      case recordType.entry:
      case recordType.event:
      case recordType.restate: {
        const move = this.#sayings.look(decodeRecord(record), record.location);
        if (move !== undefined) this.#add(move);
        break;
      }
    }
  }

  #add(move: Move): void {
    this.#moves.push(move);
    this.#moveBytes += move.bytes;
  }

  #lookAtPart(record: ScannedRecord): void {
    const { lsn, bytes } = record.location;
    const part = decodeRecord(record);
    if (part.type === 'chunk') this.#hasChunks = true;
    if (part.type !== 'part' && part.type !== 'closing') return;
    const row = this.#parts.catalog().part(part.sha);
    if (row === undefined || !row.pieces.some((piece) => this.#inVictim(piece.lsn))) return;
    const { sha } = part;
    if (row.refs === 0) this.#unnamed.set(sha.toString('hex'), sha);
    else if (row.pieces.length > 1) this.#large.set(sha.toString('hex'), sha);
    else if (part.type === 'part' && row.pieces[0]?.lsn === lsn) {
      checkHash(unpackPayload(record), sha, lsn);
      const applied = { type: 'part', sha, size: part.size, storedBytes: record.payload.length } as const;
      this.#add({ kind: 'part', lsn, bytes, sha, record: newRecord(record), applied });
    }
  }

  #lookAtMessage(record: ScannedRecord): void {
    const { lsn, bytes } = record.location;
    const head = decodeMessageHead(record.fields);
    const { id } = head;
    if (this.#parts.catalog().message(id)?.record.lsn !== lsn) return;
    const none = Buffer.alloc(0);
    const sizes = { plainBytes: record.decodedBytes, storedBytes: record.payload.length };
    // The message is known: of the record only its place counts.
    const applied = { type: 'message', ...head, ...sizes, manifest: [], literals: none } as const;
    this.#add({ kind: 'message', lsn, bytes, id, record: newRecord(record), applied });
  }

  async #flush(): Promise<void> {
    const moves = this.#moves.splice(0);
    this.#moveBytes = 0;
    if (moves.length > 0) this.#written += await this.#submit((turn) => decideMoves(turn, moves));
  }

  #submit<Answer>(decide: (turn: Turn) => Answer): Promise<Answer> {
    const { throttle } = this.#run;
    return this.#parts.committer.submit({
      answerAfter: 'heap',
      background: true,
      decide: (turn) => throttle.work(() => decide(turn)),
    });
  }

  /** Chunks that lie in the victim are written again, then a closing PART names them and the others. */
  async #copyLarge(sha: Sha256): Promise<void> {
    const row = this.#parts.catalog().part(sha);
    if (row === undefined || !row.pieces.some((piece) => this.#inVictim(piece.lsn))) return;
    if (row.refs === 0) {
      this.#unnamed.set(sha.toString('hex'), sha);
      return;
    }
    const chunks: ChunkPlace[] = [];
    for (const { contentBytes, storedBytes, ...piece } of row.pieces) {
      if (contentBytes === 0) continue;
      const place = this.#inVictim(piece.lsn) ? await this.#copyChunk(piece) : piece;
      chunks.push({ ...place, contentBytes, storedBytes });
    }
    await this.#submit((turn) => decideClosing(turn, sha, row.pieces, chunks));
  }

  async #copyChunk({ lsn, bytes }: Location): Promise<Location> {
    const { location: _location, ...record } = await this.#parts.heap.readStored(lsn, bytes);
    const place = await this.#submit((turn) => decideChunkCopy(turn, record));
    this.#written += place.bytes;
    await this.#breathe(bytes);
    return place;
  }

  /** Parts whose closing record lies elsewhere are found in the catalog alone. */
  async #copyRest(): Promise<void> {
    const row = this.#parts.catalog().segment(this.#segment);
    if ((row?.live ?? 0) + (row?.idle ?? 0) === 0) return;
    for (let after: Buffer | undefined = Buffer.alloc(0); after !== undefined; ) {
      const found: Sha256[] = [];
      const from: Buffer = after;
      after = this.#run.throttle.work(() =>
        this.#parts.catalog().partsAfter(from, rowsPerLook, (sha, { pieces }) => {
          if (pieces.length > 1 && pieces.some(({ lsn }) => this.#inVictim(lsn))) found.push(sha);
        }),
      );
      for (const sha of found) await this.#copyLarge(sha);
      await this.#breathe();
    }
  }

  async #drop(): Promise<void> {
    const hashes = [...this.#unnamed.values()];
    for (let at = 0; at < hashes.length; at += dropsPerIntent) {
      const some = hashes.slice(at, at + dropsPerIntent);
      await this.#submit((turn) => {
        // What went ahead of a message on its way in is named by nothing else.
        if (!this.#parts.use.isAwaited(this.#segment)) decideDrop(turn, some, this.#inVictim);
      });
    }
  }
}

/** Rows of the catalog looked at in one turn of the event loop. */
const rowsPerLook = 1_000;
/** Parts forgotten in one decision. */
const dropsPerIntent = 1_000;

/** The octets as they are stored; the scan that gave them uses them no more. */
function newRecord(record: ScannedRecord): {
  type: number;
  fields: Buffer;
  payload: Buffer;
  codec: 0 | 1;
  decodedBytes: number;
} {
  const { type, fields, payload, codec, decodedBytes } = record;
  return { type, fields, payload, codec, decodedBytes };
}

/** Refuses content that is not what its hash says. @throws {StoreError} corrupt */
function checkHash(content: Buffer, sha: Buffer, lsn: number): void {
  if (createHash('sha256').update(content).digest().equals(sha)) return;
  throw new StoreError('corrupt', `the part at ${lsn} has another SHA-256 than it was stored with`, { lsn });
}
