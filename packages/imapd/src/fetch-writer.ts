/**
 * FETCH lines (RFC 9051 §7.5.2): one message after the other, each line whole before it is sent unless it is too large to be held. What
 * lies in the catalog is written without a look at the heap.
 *
 * Damage is answered with an error as long as nothing of the message was sent; behind that the connection is broken off
 * (streamed-section.ts).
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  type Catalog,
  type Entry,
  type EntryFlags,
  modSeqOf,
  type StoredContent,
  type StoredMessageRow,
} from '@mstore/store';
import { AskedSection, type SectionItem } from './asked-section.ts';
import { decodedContent } from './decoded-content.ts';
import { gathered } from './gathered-octets.ts';
import { areListed, pickFields } from './header-fields.ts';
import { toldKeywords } from './keywords.ts';
import { limits } from './limits.ts';
import { type Content, damagedOrMissing, MessageSource } from './message-source.ts';
import { withoutExtensions } from './responses/body-structure.ts';
import { writeFlags } from './responses/flags.ts';
import type { Selected } from './selected.ts';
import type { Session } from './session.ts';
import { brokenOff, streamed, type Unread } from './streamed-section.ts';
import { formatDateTime } from './wire/date-time.ts';
import type { Encoder } from './wire/encoder.ts';
import type { FetchItem, PlainItem } from './wire/fetch-items.ts';
import type { Partial } from './wire/section.ts';

type BinaryItem = Extract<FetchItem, { kind: 'binary' | 'binarySize' }>;

/** A line that is being written. */
interface Line {
  readonly source: MessageSource;
  readonly keywords: readonly string[];
  readonly items: readonly FetchItem[];
  /** Where it begins among what is written. */
  readonly mark: number;
  /** The item that comes next. */
  next: number;
  /** Some of it is with the client. */
  isSent: boolean;
}

const wholePart: Partial = { offset: 0, bytes: Number.POSITIVE_INFINITY };

/** Also stands for an item that comes from the entry. */
const noOctets = Buffer.alloc(0);

/** Items that need nothing but the entry. */
const ofEntry: readonly PlainItem[] = ['FLAGS', 'UID', 'INTERNALDATE', 'RFC822.SIZE', 'MODSEQ', 'EMAILID', 'THREADID'];

/** Where an item's answer is found at the latest. */
function sourceOf(item: FetchItem): 'entry' | 'row' | 'heap' {
  if (item.kind === 'plain') return ofEntry.includes(item.name) ? 'entry' : 'row';
  if (item.kind !== 'section') return 'heap';
  const { part, text, fields } = item.section;
  return part.length === 0 && text === 'headerFields' && areListed(fields) ? 'row' : 'heap';
}

export class FetchWriter {
  /** A part was asked for whose transfer encoding is not known. */
  hasUnknownEncoding = false;
  /** Octets of rows that were looked at, until somebody else counts anew. */
  rowBytes = 0;
  readonly #session: Session;
  readonly #selected: Selected;
  readonly #items: readonly FetchItem[];
  readonly #source: ReturnType<typeof sourceOf>;
  readonly #asked = new Map<SectionItem, AskedSection>();
  readonly #isRev2: boolean;
  readonly #to: Encoder;

  constructor(session: Session, selected: Selected, items: readonly FetchItem[]) {
    this.#session = session;
    this.#selected = selected;
    this.#items = items;
    const sources = items.map(sourceOf);
    const isLong = items.length > limits.itemsAtOnce;
    this.#source = isLong || sources.includes('heap') ? 'heap' : sources.includes('row') ? 'row' : 'entry';
    this.#isRev2 = session.isRev2;
    this.#to = session.encoder();
  }

  /** The mailbox's keywords, for the lines that follow; what the client does not know of them is told in front of those. */
  keywords(catalog: Catalog): readonly string[] {
    return toldKeywords(catalog, this.#selected, (lines) => this.#to.raw(lines));
  }

  /** Writes a message's line; `more` items stand behind those that were asked for. What it returns, if anything, must be awaited.
   *  @throws {StoreError} corrupt, while nothing of the line was sent */
  message(
    catalog: Catalog,
    number: number,
    entry: Entry,
    keywords: readonly string[],
    more: readonly FetchItem[] = [],
  ): Promise<void> | undefined {
    if (this.#source === 'entry' && more.length === 0) {
      this.ofEntry(number, entry, keywords);
      return undefined;
    }
    if (this.#source === 'row' && more.length === 0 && this.#ofRow(catalog, number, entry, keywords)) return undefined;
    const items = more.length === 0 ? this.#items : [...this.#items, ...more];
    const source = new MessageSource(this.#session.services, catalog, this.#selected.mailbox, entry);
    const line: Line = { source, keywords, items, mark: this.#to.bytes, next: 0, isSent: false };
    this.#begin(number);
    const atOnce = Math.min(items.length, limits.itemsAtOnce);
    while (line.next < atOnce && this.#writeHere(line)) line.next += 1;
    if (line.next < items.length) return this.#rest(line);
    this.#to.raw(')\r\n');
    return undefined;
  }

  /** Writes a message's line whose items are all of the entry; other items than the writer's when given. */
  ofEntry(number: number, entry: Entry, keywords: readonly string[], items: readonly FetchItem[] = this.#items): void {
    this.#begin(number);
    let isFirst = true;
    for (const item of items) {
      if (!isFirst) this.#to.raw(' ');
      isFirst = false;
      if (item.kind === 'plain') this.#entryItem(item.name, entry, keywords);
    }
    this.#to.raw(')\r\n');
  }

  /** Nothing but flags and UIDs is asked for. */
  get isOfFlags(): boolean {
    const isOfFlags = (item: FetchItem): boolean =>
      item.kind === 'plain' && (item.name === 'FLAGS' || item.name === 'UID');
    return this.#source === 'entry' && this.#items.every(isOfFlags);
  }

  /** Writes a message's line, where nothing but flags and UIDs is asked for; other items than the writer's when given. */
  ofFlags(
    number: number,
    entry: EntryFlags,
    keywords: readonly string[],
    items: readonly FetchItem[] = this.#items,
  ): void {
    this.#begin(number);
    let isFirst = true;
    for (const item of items) {
      if (!isFirst) this.#to.raw(' ');
      isFirst = false;
      if (item.kind === 'plain' && item.name === 'UID') this.#to.raw('UID ').number(entry.uid);
      else writeFlags(this.#to.raw('FLAGS '), entry, keywords, this.#isRecent(entry));
    }
    this.#to.raw(')\r\n');
  }

  /** Answers reading no message, as long as nothing but entries and what the catalog lists is asked for. */
  get isListing(): boolean {
    return this.#source !== 'heap';
  }

  /** Writes a line from a look at the message's row. False, and nothing is written, where the row does not have it all.
   *  @throws {StoreError} corrupt */
  #ofRow(catalog: Catalog, number: number, entry: Entry, keywords: readonly string[]): boolean {
    const glance = catalog.glance(entry.message);
    if (glance === undefined || this.#session.services.damaged.has(entry.message)) throw damagedOrMissing(entry);
    this.rowBytes += glance.bytes;
    if (!glance.derived) return false;
    this.#begin(number);
    let isFirst = true;
    for (const item of this.#items) {
      if (!isFirst) this.#to.raw(' ');
      isFirst = false;
      if (item.kind === 'plain') this.#rowItem(item.name, glance, entry, keywords);
      else if (item.kind === 'section') {
        this.#label(item);
        this.#held(pickFields(glance.listedFields, this.#askedBy(item).names, false), item);
      }
    }
    this.#to.raw(')\r\n');
    return true;
  }

  #rowItem(name: PlainItem, glance: StoredMessageRow, entry: Entry, keywords: readonly string[]): void {
    if (name === 'ENVELOPE') this.#derivedItem(name, glance.envelope);
    else if (name === 'BODYSTRUCTURE' || name === 'BODY') this.#derivedItem(name, glance.bodyStructure);
    else this.#entryItem(name, entry, keywords);
  }

  /** True when it is time to send what is written. */
  get isFull(): boolean {
    return this.#to.bytes >= limits.answerBytes;
  }

  /** Sends what is written. */
  async flush(): Promise<void> {
    await this.#session.say(this.#to.take());
  }

  #begin(number: number): void {
    this.#to.raw('* ').number(number).raw(' FETCH (');
  }

  /** Writes the line's next item, if nothing but the catalog is needed for it. */
  #writeHere({ source, keywords, items, next }: Line): boolean {
    const item = items[next];
    if (item?.kind === 'plain') {
      const isStructure = item.name === 'BODYSTRUCTURE' || item.name === 'BODY';
      const octets = item.name === 'ENVELOPE' ? source.envelopeHere : isStructure ? source.bodyStructureHere : noOctets;
      if (octets === undefined) return false;
      this.#blank(next);
      if (octets === noOctets) this.#entryItem(item.name, source.entry, keywords);
      else this.#derivedItem(item.name, octets);
      return true;
    }
    const content = item?.kind === 'section' ? source.contentHere(item.section) : undefined;
    if (item?.kind !== 'section' || content === undefined) return false;
    this.#blank(next);
    this.#label(item);
    this.#held(content, item);
    return true;
  }

  /** Writes the rest of a line from the message itself. */
  async #rest(line: Line): Promise<void> {
    try {
      for (; line.next < line.items.length; line.next += 1) {
        if (this.#to.bytes >= limits.heldLineBytes) await this.#send(line);
        if (line.next > 0 && line.next % limits.itemsAtOnce === 0) await turn();
        if (!this.#writeHere(line)) await this.#writeRead(line);
      }
    } catch (error) {
      // What was sent in part is all there is.
      this.#to.cutTo(line.isSent ? 0 : line.mark);
      throw line.isSent ? brokenOff(line.source, error) : error;
    }
    this.#to.raw(')\r\n');
  }

  async #writeRead(line: Line): Promise<void> {
    const { source, items, next } = line;
    const item = items[next];
    if (item?.kind === 'section') {
      const content = await source.content(item.section);
      this.#blank(next);
      await this.#section(line, item, content);
    } else if (item?.kind === 'binary' || item?.kind === 'binarySize') {
      const content = await decodedContent(source, item.part);
      this.#blank(next);
      await this.#binary(line, item, content);
    } else if (item?.kind === 'plain') {
      const octets = await (item.name === 'ENVELOPE' ? source.envelope() : source.bodyStructure());
      this.#blank(next);
      this.#derivedItem(item.name, octets);
    }
  }

  #blank(index: number): void {
    if (index > 0) this.#to.raw(' ');
  }

  #derivedItem(name: PlainItem, octets: Buffer): void {
    this.#to
      .raw(name)
      .raw(' ')
      .octets(name === 'BODY' ? withoutExtensions(octets) : octets);
  }

  #entryItem(name: PlainItem, entry: Entry, keywords: readonly string[]): void {
    const to = this.#to;
    switch (name) {
      case 'FLAGS':
        writeFlags(to.raw('FLAGS '), entry, keywords, this.#isRecent(entry));
        break;
      case 'UID':
        to.raw('UID ').number(entry.uid);
        break;
      case 'INTERNALDATE':
        to.raw('INTERNALDATE "').raw(formatDateTime(entry.internalDate)).raw('"');
        break;
      case 'RFC822.SIZE':
        to.raw('RFC822.SIZE ').number(entry.size);
        break;
      case 'MODSEQ':
        to.raw('MODSEQ (').number(modSeqOf(this.#selected, entry)).raw(')');
        break;
      case 'EMAILID':
        to.raw('EMAILID (E').number(entry.email).raw(')');
        break;
      case 'THREADID':
        to.raw('THREADID (T').number(entry.thread).raw(')');
        break;
      default:
        throw new Error(`${name} is no item of an entry`);
    }
  }

  /** Never to clients of IMAP4rev2. */
  #isRecent({ uid }: EntryFlags): boolean {
    return !this.#isRev2 && this.#selected.recent.has(uid);
  }

  #label(item: SectionItem): void {
    this.#to.raw(this.#askedBy(item).label);
  }

  #askedBy(item: SectionItem): AskedSection {
    let asked = this.#asked.get(item);
    if (asked === undefined) {
      asked = new AskedSection(item);
      this.#asked.set(item, asked);
    }
    return asked;
  }

  /** Octets that are all here, as much of them as was asked for. */
  #held(octets: Buffer, { partial }: SectionItem): void {
    const { offset, bytes } = partial ?? wholePart;
    this.#to.literal(partial === undefined ? octets : octets.subarray(offset, offset + bytes));
  }

  async #section(line: Line, item: SectionItem, content: Content): Promise<void> {
    if (content === undefined || Buffer.isBuffer(content)) {
      this.#label(item);
      if (content === undefined) this.#to.raw('NIL');
      else this.#held(content, item);
      return;
    }
    const { offset, bytes } = item.partial ?? wholePart;
    const from = Math.min(content.from + offset, content.to);
    const to = Math.min(from + bytes, content.to);
    const octets: Unread['octets'] = (...range) => line.source.octets(...range);
    await this.#unread(line, () => this.#label(item), { from, to, octets, isBinary: false });
  }

  async #binary(line: Line, item: BinaryItem, content: StoredContent | 'unknown' | undefined): Promise<void> {
    if (content === 'unknown') this.hasUnknownEncoding = true;
    const known = content === 'unknown' ? undefined : content;
    const part = `[${item.part.join('.')}]`;
    if (item.kind === 'binarySize') {
      this.#to.raw(`BINARY.SIZE${part} ${known?.bytes ?? 0}`);
      return;
    }
    const { offset, bytes } = item.partial ?? wholePart;
    const label = (): void => {
      this.#to.raw(item.partial === undefined ? `BINARY${part} ` : `BINARY${part}<${offset}> `);
    };
    if (known === undefined) {
      label();
      this.#to.raw('NIL');
      return;
    }
    const from = Math.min(offset, known.bytes);
    const to = Math.min(from + bytes, known.bytes);
    await this.#unread(line, label, { from, to, octets: (...range) => known.octets(...range), isBinary: true });
  }

  async #unread(line: Line, label: () => void, unread: Unread): Promise<void> {
    const { from, to, isBinary } = unread;
    if (to - from > limits.gatherBytes) {
      // Damage at the beginning is still answered.
      await line.source.open();
      label();
      this.#to.literalHead(to - from, isBinary);
      await this.#send(line);
      await streamed(this.#session, unread);
      return;
    }
    const whole = await gathered(unread.octets(from, to));
    label();
    if (isBinary) this.#to.binary(whole);
    else this.#to.literal(whole);
  }

  /** Sends what is there of a line. */
  async #send(line: Line): Promise<void> {
    line.isSent = true;
    await this.flush();
  }
}
