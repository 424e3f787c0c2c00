/**
 * A batch while it is put together: gives each record its LSN, encodes its head, and keeps the octets in the order in
 * which one write will append them. Nothing here touches a disk.
 *
 * Small payloads are copied next to their heads, because each further buffer of a vectored write costs more than the
 * copy; large ones are kept by reference.
 */
import { crc32 } from 'node:zlib';
import { invariant } from '../errors.ts';
import { limits } from '../limits.ts';
import { brandNumber, type Lsn } from '../types.ts';
import { addToBatchCrc, commitType, encodeCommit, encodeRecordHead, recordBytes, recordHeaderBytes } from './format.ts';
import type { Commit, Location, NewRecord } from './location.ts';

/** Octets of a payload up to which it is copied (3 µs) instead of referenced. */
const copiedBytesMax = 16 * 1024;
/** Octets of the buffer that each batch encodes heads and small payloads into first; fresh memory would cost as much as
 *  the encoding. A larger batch takes more. */
const firstArenaBytes = 256 * 1024;
const furtherArenaBytes = 1024 * 1024;

/** The buffer that the batches of a writer begin in, one after the other. */
export function newArena(): Buffer {
  return Buffer.allocUnsafeSlow(firstArenaBytes);
}

/** Where a batch goes. */
export interface BatchPlace {
  readonly firstLsn: Lsn;
  readonly salt: number;
  readonly epoch: number;
  /** The batch's number. */
  readonly number: number;
  /** This batch's alone until it was written or abandoned. */
  readonly arena: Buffer;
  /** The segment it goes to. */
  readonly segment: number;
}

/** One batch in the making; made by `Heap.begin`, ended by `Heap.commit` or `Heap.abandon`. */
export class BatchBuilder {
  readonly firstLsn: Lsn;
  readonly epoch: number;
  readonly number: number;
  /** The segment it goes to; not there yet when the batch begins one. */
  readonly segment: number;
  readonly #place: BatchPlace;
  readonly #pieces: Buffer[] = [];
  #arena: Buffer;
  #pieceStart = 0;
  #arenaUsed = 0;
  #octets = 0;
  #records = 0;
  #lastLsn: Lsn;
  #crc: number;

  constructor(place: BatchPlace) {
    this.#place = place;
    this.#arena = place.arena;
    this.firstLsn = place.firstLsn;
    this.epoch = place.epoch;
    this.number = place.number;
    this.segment = place.segment;
    this.#lastLsn = place.firstLsn;
    this.#crc = place.salt;
  }

  /** Octets of the records so far. */
  get octets(): number {
    return this.#octets;
  }

  get records(): number {
    return this.#records;
  }

  /** The LSN that the next `add` gives. */
  nextLsn(): Lsn {
    return brandNumber<Lsn>(this.firstLsn + this.#octets);
  }

  /** Appends a record. Its payload may be kept by reference: it must not change before the commit is over. */
  add(record: NewRecord): Location {
    const { type, fields, payload } = record;
    invariant(type >= 1 && type < commitType, `record type ${type}`);
    invariant(fields.length <= 0xffff, 'record fields beyond 65,535 octets');
    invariant(payload.length <= limits.recordBytes && record.decodedBytes <= limits.recordBytes, 'record too large');
    invariant(record.codec === 1 || record.decodedBytes === payload.length, 'a plain payload has one length');
    return this.#append(record);
  }

  #append(record: NewRecord): Location {
    const { fields, payload } = record;
    const { salt } = this.#place;
    const lsn = this.nextLsn();
    const bytes = recordBytes(fields.length, payload.length);
    const headBytes = recordHeaderBytes + fields.length;
    const copied = payload.length <= copiedBytesMax;
    const at = this.#room(copied ? bytes : headBytes);
    const head = {
      type: record.type,
      codec: record.codec,
      decodedBytes: record.decodedBytes,
      payloadBytes: payload.length,
      payloadCrc: payload.length === 0 ? salt : crc32(payload, salt),
      lsn,
    };
    encodeRecordHead(this.#arena, at, head, fields, salt);
    this.#crc = addToBatchCrc(this.#crc, this.#arena, at);
    const padding = bytes - headBytes - payload.length;
    if (copied) {
      payload.copy(this.#arena, at + headBytes);
      this.#arena.fill(0, at + bytes - padding, at + bytes);
    } else {
      this.#endPiece();
      this.#pieces.push(payload);
      if (padding > 0) {
        const pad = this.#room(padding);
        this.#arena.fill(0, pad, pad + padding);
      }
    }
    this.#lastLsn = lsn;
    this.#octets += bytes;
    this.#records++;
    return { lsn, bytes };
  }

  /** Adds the COMMIT; returns it and all octets of the batch. For the writer only, once. */
  seal(time: number, cleanStop: boolean, idle: boolean): { readonly commit: Commit; readonly octets: Buffer[] } {
    const { number, epoch } = this.#place;
    const commit: Commit = {
      number,
      epoch,
      records: this.#records,
      firstLsn: this.firstLsn,
      lastLsn: this.#lastLsn,
      durableLsn: this.firstLsn,
      time,
      cleanStop,
      idle,
    };
    const fields = encodeCommit(commit, this.#crc);
    this.#append({ type: commitType, fields, payload: Buffer.alloc(0), codec: 0, decodedBytes: 0 });
    this.#endPiece();
    return { commit, octets: this.#pieces };
  }

  /** Takes `length` octets of the arena in one piece. */
  #room(length: number): number {
    if (this.#arenaUsed + length > this.#arena.length) {
      this.#endPiece();
      this.#arena = Buffer.allocUnsafeSlow(Math.max(furtherArenaBytes, length));
      this.#pieceStart = 0;
      this.#arenaUsed = 0;
    }
    const at = this.#arenaUsed;
    this.#arenaUsed += length;
    return at;
  }

  #endPiece(): void {
    if (this.#arenaUsed > this.#pieceStart) this.#pieces.push(this.#arena.subarray(this.#pieceStart, this.#arenaUsed));
    this.#pieceStart = this.#arenaUsed;
  }
}
