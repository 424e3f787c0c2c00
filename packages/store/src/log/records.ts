/**
 * What the log says: the records that mean something to mail, and their octets (docs/format/log.md).
 *
 * PART and MESSAGE carry content; ENTRY and EVENT carry decisions already made. Nothing here decides or reads a clock.
 */
import { DecodeError, Reader, Writer } from '../codec/bytes.ts';
import type { HeapRecord, NewRecord } from '../heap/location.ts';
import {
  type AccountId,
  brandNumber,
  type EmailId,
  type Location,
  type Lsn,
  type MailboxId,
  type MessageId,
  type ModSeq,
  type Sha256,
  type ThreadId,
  type Uid,
} from '../types.ts';
import type { Derived } from './derive.ts';
import { type EventBody, eventNumbers, readEventBody, readWords, writeEventBody, writeWords } from './events.ts';
import { decodeManifest, encodeManifest, type Manifest } from './manifest.ts';
import { type RestateBody, readRestate, writeRestate } from './restate.ts';

/** The first format whose log may hold RESTATE, and events from this number on. */
const format2 = 2;
const format2Events = 18;

export const recordType = { part: 1, message: 2, entry: 3, event: 4, restate: 5, commit: 6 } as const;

/** A part's whole content in one record. */
export interface PartRecord {
  readonly type: 'part';
  readonly sha: Sha256;
  /** Decoded octets. */
  readonly size: number;
  /** Octets of the payload as stored. */
  readonly storedBytes: number;
}

/** A piece of a large part, written before its hash is known. It means nothing until a closing record names it. */
export interface ChunkRecord {
  readonly type: 'chunk';
  /** Where in the content this piece begins. */
  readonly offset: number;
}

/** The end of a large part: names its chunks. */
export interface ClosingRecord {
  readonly type: 'closing';
  readonly sha: Sha256;
  readonly size: number;
  readonly chunks: readonly ChunkPlace[];
}

export interface ChunkPlace extends Location {
  readonly contentBytes: number;
  readonly storedBytes: number;
}

/** A message's content, once however many entries name it. */
export interface MessageRecord {
  readonly type: 'message';
  readonly id: MessageId;
  /** Over all its octets as they come out, trace lines apart. */
  readonly sha: Sha256;
  readonly size: number;
  readonly headerBytes: number;
  readonly manifest: Manifest;
  /** The octets of all literal pieces, one after the other. */
  readonly literals: Buffer;
  /** Octets of the payload before compression and as stored. */
  readonly plainBytes: number;
  readonly storedBytes: number;
  /** What ingest already derived from the same octets; equal to what `derive` makes of this record. */
  readonly derived?: Derived;
}

/** A message's place in a mailbox. */
export interface EntryRecord {
  readonly type: 'entry';
  readonly sequence: number;
  readonly account: AccountId;
  readonly mailbox: MailboxId;
  readonly uid: Uid;
  readonly modSeq: ModSeq;
  /** Seconds since 1970. */
  readonly internalDate: number;
  readonly saveDate: number;
  readonly flags: number;
  readonly keywords: readonly string[];
  /** Imported UIDL, or empty. */
  readonly uidl: string;
  readonly thread: ThreadId;
  /** 0 on disk: the record's own LSN. */
  readonly email: EmailId;
  /** Octets with trace lines. */
  readonly size: number;
  readonly message: MessageId;
  /** Header lines this delivery puts on top, CRLF included. */
  readonly trace: Buffer;
}

export interface EventRecord {
  readonly type: 'event';
  /** The MODSEQ of all it changes. */
  readonly sequence: number;
  /** Seconds since 1970. */
  readonly time: number;
  readonly body: EventBody;
}

/** Written by compaction: what stands, said again. */
export interface RestateRecord {
  readonly type: 'restate';
  readonly body: RestateBody;
}

export type LogRecord =
  | PartRecord
  | ChunkRecord
  | ClosingRecord
  | MessageRecord
  | EntryRecord
  | EventRecord
  | RestateRecord;

const partKind = { whole: 0, chunk: 1, closing: 2 } as const;
const noSha = Buffer.alloc(32);
const empty = Buffer.alloc(0);

/** Compressed or plain octets for a record's payload. */
export interface Payload {
  readonly octets: Buffer;
  readonly codec: 0 | 1;
  /** Octets before compression. */
  readonly plainBytes: number;
}

function newRecord(type: number, fields: Buffer, payload: Payload): NewRecord {
  return { type, fields, payload: payload.octets, codec: payload.codec, decodedBytes: payload.plainBytes };
}

function plain(octets: Buffer): Payload {
  return { octets, codec: 0, plainBytes: octets.length };
}

function partFields(kind: number, number: number, sha: Buffer): Buffer {
  return new Writer(41).u8(kind).u64(number).bytes(sha).finish();
}

export function encodePart(sha: Sha256, size: number, content: Payload): NewRecord {
  return newRecord(recordType.part, partFields(partKind.whole, size, sha), content);
}

export function encodeChunk(offset: number, content: Payload): NewRecord {
  return newRecord(recordType.part, partFields(partKind.chunk, offset, noSha), content);
}

/** The chunks stand in the fields: what a log means can be read without its payloads. */
export function encodeClosing(sha: Sha256, size: number, chunks: readonly ChunkPlace[]): NewRecord {
  const writer = new Writer().bytes(partFields(partKind.closing, size, sha)).varint(chunks.length);
  for (const chunk of chunks) {
    writer.varint(chunk.lsn).varint(chunk.bytes).varint(chunk.contentBytes).varint(chunk.storedBytes);
  }
  return newRecord(recordType.part, writer.finish(), plain(empty));
}

/** The payload of a MESSAGE before compression. */
export function messagePayload(manifest: Manifest, literals: readonly Buffer[]): Buffer {
  const writer = new Writer(128 + literals.reduce((sum, l) => sum + l.length, 0));
  encodeManifest(writer, manifest);
  for (const literal of literals) writer.bytes(literal);
  return writer.finish();
}

export interface MessageHead {
  readonly sha: Sha256;
  readonly size: number;
  readonly headerBytes: number;
}

export function encodeMessage(id: MessageId, head: MessageHead, payload: Payload): NewRecord {
  const fields = new Writer(52).u64(id).u64(head.size).u32(head.headerBytes).bytes(head.sha).finish();
  return newRecord(recordType.message, fields, payload);
}

/** `own`: the entry's email id is its LSN. */
export function encodeEntry(entry: Omit<EntryRecord, 'type' | 'email'> & { readonly email: EmailId | 0 }): NewRecord {
  const w = new Writer(192 + entry.trace.length);
  w.varint(entry.sequence).varint(entry.account).varint(entry.mailbox).varint(entry.uid).varint(entry.modSeq);
  w.signed(entry.internalDate).signed(entry.saveDate).u8(entry.flags);
  writeWords(w, entry.keywords);
  w.text(entry.uidl).varint(entry.thread).varint(entry.email).varint(entry.size).varint(entry.message);
  w.block(entry.trace);
  return newRecord(recordType.entry, empty, plain(w.finish()));
}

export function encodeEvent(sequence: number, time: number, body: EventBody): NewRecord {
  const w = new Writer(128).u8(eventNumbers[body.kind]).varint(sequence).signed(time);
  writeEventBody(w, body);
  return newRecord(recordType.event, empty, plain(w.finish()));
}

export function encodeRestate(body: RestateBody): NewRecord {
  const w = new Writer(body.kind === 'entry' ? 192 + body.trace.length : 256);
  writeRestate(w, body);
  return newRecord(recordType.restate, empty, plain(w.finish()));
}

/** Reads a record of any type but COMMIT. @throws DecodeError when its octets are not what the format says */
export function decodeRecord(record: HeapRecord): LogRecord {
  if (record.type === recordType.restate && record.format < format2) {
    throw new DecodeError(`RESTATE in a segment of format ${record.format}`);
  }
  switch (record.type) {
    case recordType.part:
      return decodePart(record);
    case recordType.message:
      return decodeMessage(record);
    case recordType.entry:
      return decodeEntry(record);
    case recordType.event:
      return decodeEvent(record);
    case recordType.restate:
      return decodeRestate(record);
    default:
      throw new DecodeError(`record type ${record.type}`);
  }
}

function decodePart(record: HeapRecord): PartRecord | ChunkRecord | ClosingRecord {
  const r = new Reader(record.fields);
  const kind = r.u8();
  const number = r.u64();
  const sha = Buffer.from(r.bytes(32));
  if (kind !== partKind.closing) r.end();
  if (kind === partKind.whole) return { type: 'part', sha, size: number, storedBytes: record.storedBytes };
  if (kind === partKind.chunk) return { type: 'chunk', offset: number };
  if (kind !== partKind.closing) throw new DecodeError(`PART of kind ${kind}`);
  const chunks: ChunkPlace[] = [];
  for (let left = r.varint(); left > 0; left--) {
    chunks.push({
      lsn: brandNumber<Lsn>(r.varint()),
      bytes: r.varint(),
      contentBytes: r.varint(),
      storedBytes: r.varint(),
    });
  }
  r.end();
  return { type: 'closing', sha, size: number, chunks };
}

/** What the fields of a MESSAGE say. */
export function decodeMessageHead(fields: Buffer): MessageHead & { readonly id: MessageId } {
  const f = new Reader(fields);
  const id = brandNumber<MessageId>(f.u64());
  const size = f.u64();
  const headerBytes = f.u32();
  const sha = Buffer.from(f.bytes(32));
  f.end();
  return { id, size, headerBytes, sha };
}

export function decodeMessage(record: HeapRecord): MessageRecord {
  const { id, size, headerBytes, sha } = decodeMessageHead(record.fields);
  const p = new Reader(record.payload);
  const manifest = decodeManifest(p);
  const literals = p.bytes(p.remaining);
  const literalBytes = manifest.reduce((sum, piece) => sum + (piece.kind === 'literal' ? piece.bytes : 0), 0);
  if (literalBytes !== literals.length)
    throw new DecodeError(`${literals.length} literal octets, ${literalBytes} named`);
  const plainBytes = record.payload.length;
  return {
    type: 'message',
    id,
    sha,
    size,
    headerBytes,
    manifest,
    literals,
    plainBytes,
    storedBytes: record.storedBytes,
  };
}

export function decodeEntry(record: HeapRecord): EntryRecord {
  const r = new Reader(record.payload);
  const entry: EntryRecord = {
    type: 'entry',
    sequence: r.varint(),
    account: brandNumber<AccountId>(r.varint()),
    mailbox: brandNumber<MailboxId>(r.varint()),
    uid: brandNumber<Uid>(r.varint()),
    modSeq: brandNumber<ModSeq>(r.varint()),
    internalDate: r.signed(),
    saveDate: r.signed(),
    flags: r.u8(),
    keywords: readWords(r),
    uidl: r.text(),
    thread: brandNumber<ThreadId>(r.varint()),
    email: brandNumber<EmailId>(r.varint() || record.location.lsn),
    size: r.varint(),
    message: brandNumber<MessageId>(r.varint()),
    trace: Buffer.from(r.block()),
  };
  r.end();
  return entry;
}

function decodeEvent(record: HeapRecord): EventRecord {
  const r = new Reader(record.payload);
  const number = r.u8();
  if (number >= format2Events && record.format < format2) {
    throw new DecodeError(`event ${number} in a segment of format ${record.format}`);
  }
  const sequence = r.varint();
  const time = r.signed();
  const body = readEventBody(number, r);
  r.end();
  return { type: 'event', sequence, time, body };
}

function decodeRestate(record: HeapRecord): RestateRecord {
  const r = new Reader(record.payload);
  const body = readRestate(r);
  r.end();
  return { type: 'restate', body };
}
