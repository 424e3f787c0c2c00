/**
 * Mail whose octets are damaged: its parts and messages are written once more where a source has them; what remains is
 * replaced, entry by entry (`writer/intents/mend.ts`). Without a writer it only says what would be done.
 */
import type { Catalog } from '../../catalog/catalog.ts';
import { isStoreError } from '../../errors.ts';
import type { Heap } from '../../heap/heap.ts';
import { limits } from '../../limits.ts';
import { partsOf } from '../../log/references.ts';
import { openContent, readTrace } from '../../mail/assemble.ts';
import { compress } from '../../mail/compress.ts';
import { type PreparedChunk, PreparedPart } from '../../mail/prepared.ts';
import type { Clock } from '../../sys/clock.ts';
import type { MessageId, Sha256 } from '../../types.ts';
import {
  decideDropParts,
  decideMessageAgain,
  decidePartAgain,
  decideReplace,
  type Replaced,
  type Replacement,
} from '../../writer/intents/mend.ts';
import { decideAccount, decideMailbox } from '../../writer/intents/restate.ts';
import type { TakenMessage } from '../../writer/mail-writer.ts';
import { preparedOf } from '../../writer/taken.ts';
import type { Turn } from '../../writer/turn.ts';
import { type ConcernedEntry, type LsnRange, type Needing, needing } from '../concerned.ts';
import { markField, onlyHeader, withoutParts } from './explanation.ts';
import type { RecordSource } from './record-source.ts';

/** The store under repair. */
export interface MendedStore {
  catalog(): Catalog;
  readonly heap: Heap;
  /** Absent: nothing is changed. */
  readonly writer?: {
    decide<Answer>(decide: (turn: Turn) => Answer): Promise<Answer>;
    take(octets: Buffer | AsyncIterable<Buffer>): Promise<TakenMessage>;
  };
}

/** Told what is done about what. */
export type TellMending = (what: string, action: string) => void;

export class MailMending {
  readonly #store: MendedStore;
  readonly #clock: Clock;
  readonly #tell: TellMending;
  readonly #lostParts = new Set<string>();
  readonly #lostMessages = new Set<MessageId>();
  readonly #replacements = new Map<MessageId, TakenMessage>();
  #ranges: readonly LsnRange[] = [];

  constructor(store: MendedStore, clock: Clock, tell: TellMending) {
    this.#store = store;
    this.#clock = clock;
    this.#tell = tell;
  }

  /** @param source opens what has copies, once it is known what is wanted */
  async run(
    ranges: readonly LsnRange[],
    source: (wanted: ReadonlySet<string>) => Promise<RecordSource>,
  ): Promise<void> {
    this.#ranges = ranges;
    const found = await needing(() => this.#store.catalog(), ranges, this.#clock);
    const parts = this.#partsToFind(found);
    const messages = this.#messagesToFind(found);
    if (parts.size + messages.size > 0) {
      const copies = await source(
        new Set([...parts.keys(), ...[...messages.values()].map((sha) => sha.toString('hex'))]),
      );
      for (const [hex, size] of parts) await this.#part(hex, size, copies);
      for (const [id, sha] of messages) await this.#message(id, sha, copies);
    }
    await this.#owners();
    for (const entry of found.entries) await this.#entry(entry);
    const bad = [...found.parts.keys()].map((hex) => Buffer.from(hex, 'hex'));
    if (bad.length > 0) await this.#store.writer?.decide((turn) => decideDropParts(turn, bad));
  }

  /** Accounts and mailboxes that were made, or last said again, where it cannot be read: they are said again as they stand. */
  async #owners(): Promise<void> {
    const { writer } = this.#store;
    const catalog = this.#store.catalog();
    const accounts = [...catalog.accounts()].filter(({ row }) => this.#isBad(row.record.lsn));
    const mailboxes = [...catalog.allMailboxes()].filter(({ row }) => this.#isBad(row.record.lsn));
    for (const { id, row } of accounts) {
      this.#tell(`account ${row.name}`, 'the record that made it is lost: it is said again as it stands');
      await writer?.decide((turn) => decideAccount(turn, id, row.record.lsn));
    }
    for (const { id, row } of mailboxes) {
      this.#tell(`mailbox ${row.name} of account ${row.account}`, 'the record that made it is lost: it is said again');
      await writer?.decide((turn) => decideMailbox(turn, id, row.record.lsn));
    }
  }

  /** Parts that messages name and that cannot be read, with their octets. */
  #partsToFind(found: Needing): Map<string, number> {
    const catalog = this.#store.catalog();
    const wanted = new Map<string, number>();
    for (const hex of found.parts.keys()) {
      const row = catalog.part(Buffer.from(hex, 'hex'));
      if (row !== undefined && row.refs > 0) wanted.set(hex, row.size);
    }
    for (const id of found.messages.keys()) {
      const row = catalog.message(id);
      for (const sha of row === undefined ? [] : partsOf(row)) {
        const part = catalog.part(sha);
        if (part === undefined || part.pieces.length === 0) wanted.set(sha.toString('hex'), part?.size ?? 0);
      }
    }
    return wanted;
  }

  /** Messages whose own record cannot be read. */
  #messagesToFind(found: Needing): Map<MessageId, Sha256> {
    const catalog = this.#store.catalog();
    const wanted = new Map<MessageId, Sha256>();
    for (const id of found.messages.keys()) {
      const row = catalog.message(id);
      if (row !== undefined && this.#isBad(row.record.lsn)) wanted.set(id, row.sha);
    }
    return wanted;
  }

  #isBad(lsn: number): boolean {
    return this.#ranges.some(({ from, to }) => from <= lsn && lsn < to);
  }

  async #part(hex: string, size: number, source: RecordSource): Promise<void> {
    const sha = Buffer.from(hex, 'hex');
    const isNamed = this.#store.catalog().part(sha) !== undefined;
    const content = isNamed ? await source.part(sha) : undefined;
    if (content === undefined) {
      this.#lostParts.add(hex);
      return;
    }
    this.#tell(`part ${hex}, ${size} octets`, 'there is a copy: it is written once more');
    const { writer } = this.#store;
    if (writer !== undefined) await writePart(writer, sha, content());
  }

  async #message(id: MessageId, sha: Sha256, source: RecordSource): Promise<void> {
    const found = await source.message(sha);
    if (found === undefined) {
      this.#lostMessages.add(id);
      return;
    }
    this.#tell(`message ${id}`, 'there is a copy of its record: it is written once more');
    await this.#store.writer?.decide((turn) => decideMessageAgain(turn, id, found, compress(found.payload)));
  }

  async #entry({ mailbox, entry, retained }: ConcernedEntry): Promise<void> {
    const catalog = this.#store.catalog();
    const row = catalog.message(entry.message);
    const isLost = row === undefined || this.#lostMessages.has(entry.message);
    const lacks = row !== undefined && [...partsOf(row)].some((sha) => this.#lostParts.has(sha.toString('hex')));
    const isUntraced = this.#isBad(entry.lsn);
    // A copy was found for all that it lacked.
    if (!isLost && !lacks && !isUntraced) return;
    const box = catalog.mailbox(mailbox);
    const owner = box === undefined ? undefined : catalog.account(box.account);
    const what = `${owner?.name ?? 'nobody'}, ${box?.name ?? mailbox}: UID ${entry.uid}${retained ? ' (expunged)' : ''}`;
    const how = isLost
      ? 'nothing of it can be read: a message of what is known of it takes its place'
      : lacks
        ? 'a part of it cannot be read: the same message with a text in its place takes its place'
        : 'the lines that its delivery added cannot be read: the message without them takes its place';
    const { writer } = this.#store;
    if (writer === undefined) {
      this.#tell(what, box?.deleted === true ? 'it lies in a deleted mailbox and cannot be read: it is purged' : how);
      return;
    }
    const message = isLost || lacks ? await this.#replacement(entry.message, isLost, entry.internalDate) : undefined;
    const prepared = message === undefined ? undefined : preparedOf(message);
    const trace = isUntraced
      ? markField(this.#about, 'the lines that its delivery added were lost')
      : await this.#trace(entry);
    const replacement: Replacement = { mailbox, entry, retained, prepared, trace };
    const replaced = await writer.decide((turn) => decideReplace(turn, replacement));
    this.#tell(what, outcome(replaced, how));
  }

  get #about(): { readonly time: number } {
    return { time: Math.floor(this.#clock.now() / 1_000) };
  }

  async #trace(entry: ConcernedEntry['entry']): Promise<Buffer> {
    try {
      return await readTrace(this.#store.heap, entry);
    } catch (error) {
      if (!isStoreError(error, 'corrupt')) throw error;
      return markField(this.#about, 'the lines that its delivery added were lost');
    }
  }

  /** One for all entries of a message. */
  async #replacement(id: MessageId, isLost: boolean, internalDate: number): Promise<TakenMessage | undefined> {
    const { writer } = this.#store;
    const known = this.#replacements.get(id);
    if (known !== undefined || writer === undefined) return known;
    const catalog = this.#store.catalog();
    const octets = isLost
      ? onlyHeader(catalog.message(id), internalDate, this.#about)
      : withoutParts(
          await openContent(this.#store.heap, () => this.#store.catalog(), id),
          this.#lostParts,
          this.#about,
        );
    const taken = await writer.take(octets);
    this.#replacements.set(id, taken);
    return taken;
  }
}

function outcome(replaced: Replaced, how: string): string {
  if (replaced === 'removed') return 'it lies in a deleted mailbox and cannot be read: it is purged';
  return replaced === 'gone' ? 'it is gone meanwhile' : `${how}, as UID ${replaced.uid}`;
}

/** Writes a part's content once more, a large one in chunks. */
async function writePart(
  writer: NonNullable<MendedStore['writer']>,
  sha: Buffer,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const chunks: PreparedChunk[] = [];
  let offset = 0;
  let first: Buffer | undefined;
  for await (const octets of content) {
    for (let at = 0; at < octets.length; at += limits.partChunkBytes) {
      const piece = octets.subarray(at, at + limits.partChunkBytes);
      first ??= piece;
      const payload = compress(piece);
      const chunk: PreparedChunk = {
        offset,
        contentBytes: piece.length,
        payload,
        place: undefined,
        storedBytes: payload.octets.length,
      };
      offset += piece.length;
      chunks.push(chunk);
      if (chunks.length < 2) continue;
      // More than one: it goes in chunks, each in a batch of its own.
      for (const one of chunks) if (one.place === undefined) await placeChunk(writer, one);
    }
  }
  const isWhole = chunks.length < 2;
  const part = new PreparedPart(sha, offset, isWhole ? (first ?? Buffer.alloc(0)) : undefined, isWhole ? [] : chunks);
  await writer.decide((turn) => decidePartAgain(turn, part));
}

async function placeChunk(writer: NonNullable<MendedStore['writer']>, chunk: PreparedChunk): Promise<void> {
  chunk.place = await writer.decide((turn) => turn.chunk(chunk));
  chunk.payload = undefined;
}
