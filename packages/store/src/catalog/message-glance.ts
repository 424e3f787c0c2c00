/**
 * A glance at a message's row: what of it answers clients who list mail, without the rest being taken apart (row-codecs.ts has all of
 * it). The blocks lie where they were read, so that a glance is good until the next read of the catalog.
 */
import { Reader } from '../codec/bytes.ts';
import type { MessageRow } from './rows.ts';

const shaBytes = 32;

/** As in the row. */
export class MessageGlance implements Pick<MessageRow, 'derived' | 'envelope' | 'bodyStructure' | 'listedFields'> {
  readonly derived: boolean;
  readonly #octets: Buffer;
  readonly #envelopeAt: number;
  readonly #envelopeEnd: number;
  readonly #structureAt: number;
  readonly #structureEnd: number;
  readonly #listedAt: number;

  /** @throws {DecodeError} where decoding the row would throw it */
  constructor(row: Buffer) {
    const reader = new Reader(row);
    // References and the MESSAGE record's place.
    reader.varint();
    reader.varint();
    reader.varint();
    reader.skip(shaBytes);
    // The message's octets, those of its header and payload, plain and stored, and what stands in parts.
    reader.varint();
    reader.varint();
    reader.varint();
    reader.varint();
    reader.varint();
    reader.skip(reader.varint());
    reader.skip(reader.varint());
    this.derived = reader.u8() === 1;
    const envelopeBytes = reader.varint();
    this.#envelopeAt = reader.skip(envelopeBytes);
    this.#envelopeEnd = this.#envelopeAt + envelopeBytes;
    const structureBytes = reader.varint();
    this.#structureAt = reader.skip(structureBytes);
    this.#structureEnd = this.#structureAt + structureBytes;
    this.#listedAt = reader.skip(reader.varint());
    reader.end();
    this.#octets = row;
  }

  /** Octets of the row. */
  get bytes(): number {
    return this.#octets.length;
  }

  get envelope(): Buffer {
    return this.#octets.subarray(this.#envelopeAt, this.#envelopeEnd);
  }

  get bodyStructure(): Buffer {
    return this.#octets.subarray(this.#structureAt, this.#structureEnd);
  }

  /** They end the row. */
  get listedFields(): Buffer {
    return this.#octets.subarray(this.#listedAt);
  }
}
