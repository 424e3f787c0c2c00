/**
 * One message of a FETCH: its row in the catalog, and behind it, opened only when something asks for it, its octets and its
 * parts. What can be answered from the row reads nothing else.
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  bodyStructure,
  type Catalog,
  type Entity,
  type Entry,
  envelope,
  isStoreError,
  listedFields,
  type MailboxId,
  type MessageRow,
  openListed,
  type StoredMessage,
  StoreError,
  section as sectionOf,
} from '@mstore/store';
import { gathered } from './gathered-octets.ts';
import { areListed, FieldNames, pickFields } from './header-fields.ts';
import { limits } from './limits.ts';
import { treeWithRests } from './part-tree.ts';
import type { Services } from './services.ts';
import type { Section } from './wire/section.ts';

/** Octets that answer a section: here already, or a range of the message. Undefined: there is no such part. */
export type Content = Buffer | { readonly from: number; readonly to: number } | undefined;

/** A part's body in the message. */
export interface EncodedBody {
  readonly from: number;
  readonly to: number;
  /** In lower case. */
  readonly encoding: string;
}

const noOctets = Buffer.alloc(0);

/** Where small messages are put together: one at a time, made when the first one comes. */
let shared: Buffer | undefined;

/** The message that lies there. */
let lying: MessageSource | undefined;

function sharedRoom(bytes: number): Buffer {
  if (bytes > limits.atHandBytes) return Buffer.allocUnsafe(bytes);
  shared ??= Buffer.allocUnsafeSlow(limits.atHandBytes);
  return shared.subarray(0, bytes);
}

const margins = { before: 0, behind: 0, bytesMax: limits.atHandBytes, room: sharedRoom };

export function damagedOrMissing({ message }: Entry): StoreError {
  return new StoreError('corrupt', `message ${message} is damaged or missing`, { message });
}

/** Whether a message that could not be read is damaged; false where it was purged meanwhile. @throws every other error */
export function isDamage(error: unknown, { reading }: Services, mailbox: MailboxId, uid: number): boolean {
  if (!isStoreError(error, 'corrupt') && !isStoreError(error, 'noMessage')) throw error;
  return reading.catalog().entryOrRetained(mailbox, uid) !== undefined;
}

export class MessageSource {
  readonly entry: Entry;
  /** Octets of large bodies without their transfer encoding, by where they begin: nobody has them counted twice in one command. */
  readonly decodedBytes: Map<number, number> = new Map();
  readonly #services: Services;
  readonly #mailbox: MailboxId;
  readonly #row: MessageRow;
  #message: Promise<StoredMessage> | undefined;
  #whole: Buffer | undefined;
  #tree: Promise<Entity> | undefined;
  #envelope: Buffer | undefined;
  #bodyStructure: Buffer | undefined;

  /** @throws {StoreError} corrupt: the entry names no message, or one that was found damaged */
  constructor(services: Services, catalog: Catalog, mailbox: MailboxId, entry: Entry) {
    const row = catalog.message(entry.message);
    if (row === undefined || services.damaged.has(entry.message)) {
      throw damagedOrMissing(entry);
    }
    this.entry = entry;
    this.#services = services;
    this.#mailbox = mailbox;
    this.#row = row;
  }

  /** ENVELOPE in wire form, where the catalog has it. */
  get envelopeHere(): Buffer | undefined {
    return this.#row.derived ? this.#row.envelope : undefined;
  }

  /** BODYSTRUCTURE in wire form, where the catalog has it. */
  get bodyStructureHere(): Buffer | undefined {
    return this.#row.derived ? this.#row.bodyStructure : undefined;
  }

  /** The octets of a section that can be had at once: header fields that clients list, and what lies in a small message. They are to
   *  be copied before anybody else asks for octets. */
  contentHere(section: Section): Buffer | undefined {
    const { part, text, fields } = section;
    if (part.length > 0) return undefined;
    if (text === 'headerFields' && this.#row.derived && areListed(fields)) {
      return pickFields(this.#row.listedFields, new FieldNames(fields), false);
    }
    if (text !== 'all' && text !== 'header' && text !== 'text') return undefined;
    const { size } = this.entry;
    if (size > limits.atHandBytes) return undefined;
    // Another session's message may have taken its place since.
    if (lying !== this) {
      lying = this;
      this.#whole = undefined;
      this.#whole = this.#services.reading.atHand(this.entry, margins, this.#row);
    }
    if (text === 'all') return this.#whole;
    const headerBytes = size - this.#row.size + this.#row.headerBytes;
    return text === 'header' ? this.#whole?.subarray(0, headerBytes) : this.#whole?.subarray(headerBytes);
  }

  /** ENVELOPE in wire form, made again: for a message of which the catalog would have had to keep too much. What nobody asks for is
   *  not made: of such a message each takes some ms. @throws {StoreError} corrupt */
  async envelope(): Promise<Buffer> {
    this.#envelope ??= envelope((await this.#parts()).headerOctets);
    return this.#envelope;
  }

  /** BODYSTRUCTURE in wire form, as `envelope`. @throws {StoreError} corrupt */
  async bodyStructure(): Promise<Buffer> {
    this.#bodyStructure ??= bodyStructure(await this.#parts());
    return this.#bodyStructure;
  }

  /** The header fields that clients list, as `envelope`. @throws {StoreError} corrupt */
  async listedFields(): Promise<Buffer> {
    return listedFields((await this.#parts()).headerOctets);
  }

  /** The octets of a section. @throws {StoreError} corrupt */
  async content(section: Section): Promise<Content> {
    return section.part.length === 0 ? this.#ofMessage(section) : this.#ofPart(section);
  }

  /** Where a part's body lies and how it is encoded; the message as a whole is not. @throws {StoreError} corrupt */
  async body(part: readonly number[]): Promise<EncodedBody | undefined> {
    if (part.length === 0) return { from: 0, to: this.entry.size, encoding: 'binary' };
    const found = sectionOf(await this.#parts(), part);
    if (found === undefined) return undefined;
    const { trace } = await this.open();
    const { start, end } = found.body;
    // RFC 2045 §6.4: what holds other parts has no encoding of its own.
    const encoding = found.kind === 'leaf' ? found.encoding : 'binary';
    return { from: trace.length + start, to: trace.length + end, encoding };
  }

  /** The message, opened. @throws {StoreError} corrupt; noMessage: it was purged */
  async open(): Promise<StoredMessage> {
    this.#message ??= openListed(this.#services.reading, this.#mailbox, this.entry.uid, this.entry);
    return await this.#message;
  }

  /** The range's octets, in order. @throws {StoreError} corrupt */
  async *octets(from: number, to: number): AsyncGenerator<Buffer> {
    yield* (await this.open()).octets(from, to);
  }

  /** Nobody is to be sent the beginning of this message again. */
  markDamaged(): void {
    this.#services.damaged.add(this.entry.message);
  }

  /** The part tree, which counts from behind the lines that a delivery put on top. */
  async #parts(): Promise<Entity> {
    this.#tree ??= treeWithRests(await this.open(), limits.turnTreeBytes, turn);
    return await this.#tree;
  }

  async #ofMessage({ text, fields }: Section): Promise<Content> {
    const { entry } = this;
    if (text === 'all') return { from: 0, to: entry.size };
    const { headerBytes } = await this.open();
    if (text === 'text') return { from: headerBytes, to: entry.size };
    if (text === 'header') return { from: 0, to: headerBytes };
    return pickFields(await gathered(this.octets(0, headerBytes)), new FieldNames(fields), text === 'headerFieldsNot');
  }

  async #ofPart({ part, text, fields }: Section): Promise<Content> {
    const found = sectionOf(await this.#parts(), part);
    if (found === undefined) return undefined;
    const { trace } = await this.open();
    const range = ({ start, end }: { readonly start: number; readonly end: number }): Content => ({
      from: trace.length + start,
      to: trace.length + end,
    });
    if (text === 'all') return range(found.body);
    if (text === 'mime') return range(found.header);
    // HEADER and TEXT belong to a message, here to the one inside the part.
    const inner = found.kind === 'message' ? found.children[0] : undefined;
    if (inner === undefined) return noOctets;
    if (text === 'text') return range(inner.body);
    if (text === 'header') return range(inner.header);
    return pickFields(inner.headerOctets, new FieldNames(fields), text === 'headerFieldsNot');
  }
}
