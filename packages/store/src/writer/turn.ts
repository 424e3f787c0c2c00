/**
 * What an intent decides with: the head state (catalog, and all batches not yet in it, and what this batch did so far), the
 * time, and the log. A turn is synchronous: nothing changes between two lines of a decision.
 *
 * An intent either refuses before its first `append` or carries through: what it appended stays in the batch.
 */

import type { StateRow } from '../catalog/rows.ts';
import { messageHashTable, partTable } from '../catalog/schema.ts';
import type { View } from '../catalog/write-set.ts';
import { invariant, StoreError } from '../errors.ts';
import type { BatchBuilder } from '../heap/heap.ts';
import type { NewRecord } from '../heap/location.ts';
import type { Applier } from '../log/apply.ts';
import type { EventBody } from '../log/events.ts';
import {
  type ChunkPlace,
  type EntryRecord,
  encodeChunk,
  encodeClosing,
  encodeEntry,
  encodeEvent,
  encodeMessage,
  encodePart,
  encodeRestate,
  type LogRecord,
} from '../log/records.ts';
import type { RestateBody } from '../log/restate.ts';
import type { PreparedChunk, PreparedMessage, PreparedPart } from '../mail/prepared.ts';
import {
  brandNumber,
  type EmailId,
  type Location,
  type Lsn,
  type MessageId,
  type ModSeq,
  type Sha256,
  type ThreadId,
} from '../types.ts';
import type { Change } from './feed.ts';

/** An entry to be logged. Email id 0: its own. */
export type NewEntry = Omit<EntryRecord, 'type' | 'sequence' | 'modSeq' | 'saveDate' | 'email'> & {
  readonly email: EmailId | 0;
  readonly saveDate?: number;
};

/** What becomes of segments. */
export interface Places {
  /** False for a place whose segment goes, or is gone. */
  isKept(lsn: Lsn): boolean;
  /** False for a place whose segment is gone. */
  isThere(lsn: Lsn): boolean;
}

export class Turn {
  readonly view: View;
  readonly state: StateRow;
  /** Seconds since 1970; one value per batch. */
  readonly time: number;
  readonly changes: Change[] = [];
  readonly #applier: Applier;
  readonly #batch: BatchBuilder;
  readonly #places: Places;

  constructor(applier: Applier, batch: BatchBuilder, time: number, places: Places) {
    this.#places = places;
    this.view = applier.refs.view;
    this.state = applier.refs.state;
    this.time = time;
    this.#applier = applier;
    this.#batch = batch;
  }

  /** The sequence of the last record; what an answer carries. */
  get sequence(): number {
    return this.state.sequence;
  }

  /** Octets of records that nothing names any more since this batch began; compare two looks. */
  get deadBytes(): number {
    return this.#applier.refs.deadBytes;
  }

  /** Logs an event with the next sequence, which is the MODSEQ of what it changes. */
  event(body: EventBody, time: number = this.time): ModSeq {
    const sequence = this.state.sequence + 1;
    const location = this.#batch.add(encodeEvent(sequence, time, body));
    this.#applier.apply({ type: 'event', sequence, time, body }, location);
    return brandNumber<ModSeq>(sequence);
  }

  /** Logs an entry; its sequence and MODSEQ are the next, its save date is now unless it is given. */
  entry(entry: NewEntry): ModSeq {
    const modSeq = brandNumber<ModSeq>(this.state.sequence + 1);
    // Field by field: the engine takes 5 µs to spread so many.
    const record: EntryRecord & { email: EmailId } = {
      type: 'entry',
      sequence: modSeq,
      account: entry.account,
      mailbox: entry.mailbox,
      uid: entry.uid,
      modSeq,
      internalDate: entry.internalDate,
      saveDate: entry.saveDate ?? this.time,
      flags: entry.flags,
      keywords: entry.keywords,
      uidl: entry.uidl,
      thread: entry.thread,
      email: brandNumber<EmailId>(entry.email),
      size: entry.size,
      message: entry.message,
      trace: entry.trace,
    };
    const location = this.#batch.add(encodeEntry(record));
    if (entry.email === 0) record.email = brandNumber<EmailId>(location.lsn);
    this.#applier.apply(record, location);
    return modSeq;
  }

  /** Whether the store has this part to be named: one that no message names, in a segment that goes, is as good as gone. */
  hasPart(sha: Sha256): boolean {
    const row = this.view.read(partTable, sha);
    if (row === undefined || row.pieces.length === 0) return false;
    return row.refs > 0 || row.pieces.every(({ lsn }) => this.#places.isKept(lsn));
  }

  /** Whether the part lies where it stays, whoever names it. */
  keepsPart(sha: Sha256): boolean {
    const row = this.view.read(partTable, sha);
    return row !== undefined && row.pieces.length > 0 && row.pieces.every(({ lsn }) => this.#places.isKept(lsn));
  }

  /** Passes when `message` can store it. What went ahead of it is kept for it; this is for when it was not.
   *  @throws {StoreError} ioError */
  checkStorable(prepared: PreparedMessage): void {
    if (this.view.read(messageHashTable, prepared.sha) !== undefined) return;
    for (const part of prepared.content().parts) {
      if (this.hasPart(part.sha)) continue;
      const isAtHand =
        part.chunks.length === 0
          ? part.payload() !== undefined
          : part.chunks.every(({ payload, place }) => payload !== undefined || this.#isThere(place));
      if (!isAtHand) {
        throw new StoreError('ioError', 'a part that went ahead of its message is gone: send the message again');
      }
    }
  }

  #isThere(place: Location | undefined): boolean {
    return place !== undefined && this.#places.isThere(place.lsn);
  }

  /** The stored message with these octets; stores it, and the parts nobody has stored, when it is new. */
  message(prepared: PreparedMessage): MessageId {
    const known = this.view.read(messageHashTable, prepared.sha);
    if (known !== undefined) return brandNumber<MessageId>(known);
    const content = prepared.content();
    const missing = content.parts.filter((part) => !this.hasPart(part.sha));
    for (const part of missing) this.part(part);
    const id = brandNumber<MessageId>(this.state.message + 1);
    const { sha, size } = prepared;
    const { headerBytes, manifest, derived } = content;
    const payload = content.payload();
    const location = this.#batch.add(encodeMessage(id, { sha, size, headerBytes }, payload));
    const { plainBytes } = payload;
    const storedBytes = payload.octets.length;
    const literals = Buffer.alloc(0);
    this.#applier.apply(
      { type: 'message', id, sha, size, headerBytes, manifest, literals, plainBytes, storedBytes, derived },
      location,
    );
    return id;
  }

  /** Logs a MESSAGE or PART once more, for one that cannot be read where it lies. */
  again(record: NewRecord, applied: Parameters<Applier['apply']>[0]): void {
    this.#append(record, applied);
  }

  /** The epoch of the batch. */
  get epoch(): number {
    return this.#batch.epoch;
  }

  nextThread(): ThreadId {
    return brandNumber<ThreadId>(this.state.thread + 1);
  }

  /** Logs a chunk that nothing names yet. */
  chunk(chunk: PreparedChunk): Location {
    invariant(chunk.payload !== undefined, 'a chunk is written once');
    return this.#append(encodeChunk(chunk.offset, chunk.payload), { type: 'chunk', offset: chunk.offset });
  }

  /** Logs a part that the store does not have. */
  part(part: PreparedPart): void {
    if (part.chunks.length === 0) {
      const payload = part.payload();
      invariant(payload !== undefined, 'a part is written while its octets are held');
      const record = { type: 'part', sha: part.sha, size: part.size, storedBytes: payload.octets.length } as const;
      this.#append(encodePart(part.sha, part.size, payload), record);
      return;
    }
    const chunks: ChunkPlace[] = part.chunks.map((chunk) => {
      const { contentBytes, storedBytes } = chunk;
      return { ...(chunk.place ?? this.chunk(chunk)), contentBytes, storedBytes };
    });
    const record = { type: 'closing', sha: part.sha, size: part.size, chunks } as const;
    this.#append(encodeClosing(part.sha, part.size, chunks), record);
  }

  /** Logs what stands, said again: no sequence, nothing that clients see. */
  restate(body: RestateBody): Location {
    return this.copy(encodeRestate(body), { type: 'restate', body });
  }

  /** Logs a record that is in the log already. `applied` is what it says; of a message, what its fields say. */
  copy(record: NewRecord, applied: LogRecord): Location {
    return this.#append(record, applied);
  }

  /** Octets of the batch so far. */
  get bytes(): number {
    return this.#batch.octets;
  }

  #append(record: NewRecord, applied: LogRecord): Location {
    const location = this.#batch.add(record);
    this.#applier.apply(applied, location);
    return location;
  }
}
