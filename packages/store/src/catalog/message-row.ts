/**
 * Rows of the `messages` table. Most of a row's one or two kilobytes are the fields that clients list, and who counts one more
 * reference needs none of them: a row that was read keeps its octets, is taken apart where somebody looks, and is written back
 * by putting its number of references and its record's place in front of the rest as it stands.
 */
import { Reader, Writer } from '../codec/bytes.ts';
import { brandNumber, type Location, type Lsn } from '../types.ts';
import type { RowCodec } from './row-codecs.ts';
import type { MessageRow } from './rows.ts';

/** Octets of each hash in a row's `parts`. */
export const shaBytes = 32;
/** Octets of three varints at most. */
const frontBytesMax = 24;

/** A row as it was read. Where its fields lie is known, and checked, from the beginning. */
export class StoredMessageRow implements MessageRow {
  refs: number;
  record: Location;
  readonly size: number;
  readonly headerBytes: number;
  readonly plainBytes: number;
  readonly storedBytes: number;
  readonly namedBytes: number;
  readonly derived: boolean;
  readonly #octets: Buffer;
  /** Where each field of octets begins, and where the last one ends. */
  readonly #sha: number;
  readonly #parts: number;
  readonly #partsEnd: number;
  readonly #threadKeys: number;
  readonly #threadKeysEnd: number;
  readonly #envelope: number;
  readonly #envelopeEnd: number;
  readonly #bodyStructure: number;
  readonly #bodyStructureEnd: number;
  readonly #listedFields: number;

  /** The octets are the row's for as long as it is used. @throws {DecodeError} */
  constructor(octets: Buffer) {
    const r = new Reader(octets);
    this.refs = r.varint();
    this.record = { lsn: brandNumber<Lsn>(r.varint()), bytes: r.varint() };
    this.#octets = octets;
    this.#sha = r.skip(shaBytes);
    this.size = r.varint();
    this.headerBytes = r.varint();
    this.plainBytes = r.varint();
    this.storedBytes = r.varint();
    this.namedBytes = r.varint();
    this.#parts = skipBlock(r);
    this.#partsEnd = r.position;
    this.#threadKeys = skipBlock(r);
    this.#threadKeysEnd = r.position;
    this.derived = r.u8() === 1;
    this.#envelope = skipBlock(r);
    this.#envelopeEnd = r.position;
    this.#bodyStructure = skipBlock(r);
    this.#bodyStructureEnd = r.position;
    this.#listedFields = skipBlock(r);
    r.end();
  }

  /** Octets of the row. */
  get bytes(): number {
    return this.#octets.length;
  }

  get sha(): Buffer {
    return this.#octets.subarray(this.#sha, this.#sha + shaBytes);
  }

  get parts(): Buffer {
    return this.#octets.subarray(this.#parts, this.#partsEnd);
  }

  get threadKeys(): Buffer {
    return this.#octets.subarray(this.#threadKeys, this.#threadKeysEnd);
  }

  get envelope(): Buffer {
    return this.#octets.subarray(this.#envelope, this.#envelopeEnd);
  }

  get bodyStructure(): Buffer {
    return this.#octets.subarray(this.#bodyStructure, this.#bodyStructureEnd);
  }

  get listedFields(): Buffer {
    return this.#octets.subarray(this.#listedFields);
  }

  copy(): StoredMessageRow {
    const copy = new StoredMessageRow(this.#octets);
    copy.refs = this.refs;
    copy.record = this.record;
    return copy;
  }

  encode(): Buffer {
    const rest = this.#octets.subarray(this.#sha);
    const w = new Writer(frontBytesMax + rest.length);
    return w.varint(this.refs).varint(this.record.lsn).varint(this.record.bytes).bytes(rest).finish();
  }
}

/** Passes over a block; returns where its octets begin. */
function skipBlock(r: Reader): number {
  return r.skip(r.varint());
}

export const messageCodec: RowCodec<MessageRow> = {
  encode(row) {
    if (row instanceof StoredMessageRow) return row.encode();
    const { sha, parts, threadKeys, envelope, bodyStructure, listedFields } = row;
    const blockBytes = parts.length + threadKeys.length + envelope.length + bodyStructure.length + listedFields.length;
    const w = new Writer(128 + blockBytes);
    w.varint(row.refs).varint(row.record.lsn).varint(row.record.bytes).bytes(sha).varint(row.size);
    w.varint(row.headerBytes).varint(row.plainBytes).varint(row.storedBytes).varint(row.namedBytes);
    w.block(parts)
      .block(threadKeys)
      .u8(row.derived ? 1 : 0);
    w.block(envelope).block(bodyStructure).block(listedFields);
    return w.finish();
  },
  decode: (octets) => new StoredMessageRow(octets),
  copy: (row) => (row instanceof StoredMessageRow ? row.copy() : { ...row }),
};
