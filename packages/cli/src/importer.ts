/**
 * Puts messages into an account's mailboxes, many at a time: a batch is taken in, appended as one, and the next one is taken in
 * while the first is being made durable. Messages keep their order.
 */
import {
  type AccountId,
  type AppendMessage,
  isStoreError,
  limits,
  type MailboxId,
  mailboxName,
  type TakenMessage,
  type WorkingStore,
} from '@mstore/store';
import { headBytes, headerDate } from './mail-date.ts';
import type { Incoming } from './source.ts';
import { safeText } from './text.ts';

const batchMessages = 200;
/** Well below what the writer takes in one go: of more than `partSpillBytes` it writes the parts first, one message at a time. */
const batchBytes = 3_145_728;
const appendsInFlight = 4;
/** An IMAP atom (RFC 9051 §9). */
const keyword = /^(?:(?![(){%*"\\\]])[\x21-\x7e])+$/;
/** Refusals that a report lists. */
const refusedMax = 1_000;

export interface ImportReport {
  readonly imported: number;
  readonly bytes: number;
  readonly refused: number;
  /** Some of the refused, by name. */
  readonly refusals: readonly { readonly name: string; readonly reason: string }[];
  /** Messages by mailbox. */
  readonly mailboxes: Readonly<Record<string, number>>;
  /** Keywords left out because IMAP could not name them. */
  readonly keywordsDropped: number;
}

interface Waiting {
  readonly incoming: Incoming;
  readonly taken: Promise<TakenMessage>;
  readonly internalDate: number | undefined;
}

export class Importer {
  readonly #store: WorkingStore;
  readonly #account: AccountId;
  readonly #mailboxIds = new Map<string, MailboxId>();
  readonly #counts = new Map<string, number>();
  readonly #refusals: { name: string; reason: string }[] = [];
  #batch: Waiting[] = [];
  #batchBytes = 0;
  #batchMailbox: string | undefined;
  readonly #inFlight: Promise<void>[] = [];
  #imported = 0;
  #bytes = 0;
  #refused = 0;
  #keywordsDropped = 0;

  constructor(store: WorkingStore, account: AccountId) {
    this.#store = store;
    this.#account = account;
  }

  /** What is durable so far. */
  get report(): ImportReport {
    return {
      imported: this.#imported,
      bytes: this.#bytes,
      refused: this.#refused,
      refusals: this.#refusals,
      mailboxes: Object.fromEntries(this.#counts),
      keywordsDropped: this.#keywordsDropped,
    };
  }

  /** Takes a message. One that the store refuses is remembered; what stops an import is thrown, here or later. */
  async add(incoming: Incoming): Promise<void> {
    if (incoming.mailbox !== this.#batchMailbox) await this.#flush();
    this.#batchMailbox = incoming.mailbox;
    if (Buffer.isBuffer(incoming.octets) && this.#batchBytes + incoming.octets.length > batchBytes) await this.#flush();
    const { octets, internalDate } = Buffer.isBuffer(incoming.octets)
      ? {
          octets: incoming.octets,
          internalDate: incoming.internalDate ?? headerDate(incoming.octets) ?? incoming.fileDate,
        }
      : await begun(incoming.octets, incoming);
    const taken = this.#store.writer.take(octets, { finalLineEnd: true });
    // Looked at when the batch is full.
    taken.catch(() => undefined);
    this.#batch.push({ incoming, taken, internalDate });
    if (!Buffer.isBuffer(octets)) {
      await taken.catch(() => undefined);
      await this.#flush();
      return;
    }
    this.#batchBytes += octets.length;
    if (this.#batch.length >= batchMessages || this.#batchBytes >= batchBytes) await this.#flush();
  }

  /** Resolves when all that was added is durable. */
  async finish(): Promise<ImportReport> {
    await this.#flush();
    while (this.#inFlight.length > 0) await this.#inFlight.shift();
    return this.report;
  }

  /** After a failure: waits for what is on its way, whatever becomes of it. */
  async abandon(): Promise<ImportReport> {
    await Promise.allSettled(this.#inFlight);
    return this.report;
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    const mailbox = this.#batchMailbox;
    this.#batch = [];
    this.#batchBytes = 0;
    if (mailbox === undefined || batch.length === 0) return;
    const id = this.#mailboxIds.get(mailbox) ?? (await this.#openMailbox(mailbox));
    if (id === undefined) {
      await this.#refuseAll(mailbox, batch);
      return;
    }
    const messages: AppendMessage[] = [];
    for (const { incoming, taken, internalDate } of batch) {
      try {
        const message = await taken;
        const base = { message, flags: incoming.flags, keywords: this.#keywords(incoming) };
        const dated = internalDate === undefined ? base : { ...base, internalDate };
        messages.push(incoming.uidl === undefined ? dated : { ...dated, uidl: incoming.uidl });
      } catch (error) {
        if (!isStoreError(error, 'messageTooLarge')) throw error;
        this.#refuse(incoming.name, error.message);
      }
    }
    if (messages.length > 0) await this.#append(mailbox, id, messages);
  }

  async #append(mailbox: string, id: MailboxId, messages: readonly AppendMessage[]): Promise<void> {
    // Such an append could be overtaken by the next one.
    const isSlow = messages.reduce((sum, { message }) => sum + message.size, 0) > limits.partSpillBytes;
    const appended = this.#store.writer.append(id, messages).then((placed) => {
      this.#imported += placed.length;
      this.#bytes += placed.reduce((sum, one) => sum + one.size, 0);
      this.#counts.set(mailbox, (this.#counts.get(mailbox) ?? 0) + placed.length);
    });
    // Awaited in its turn, or at the end.
    appended.catch(() => undefined);
    this.#inFlight.push(appended);
    while (this.#inFlight.length >= (isSlow ? 1 : appendsInFlight)) await this.#inFlight.shift();
  }

  /** The mailbox, made and subscribed to when it is not there; undefined where none can have that name.
   *  @throws {StoreError} limitExceeded */
  async #openMailbox(given: string): Promise<MailboxId | undefined> {
    const name = nameOrNone(given);
    if (name === undefined) return undefined;
    const known = this.#store.reading.catalog().mailboxNamed(this.#account, name)?.id;
    const id = known ?? (await this.#store.writer.createMailbox(this.#account, name)).mailbox;
    if (known === undefined) await this.#store.writer.subscribe(this.#account, name, true);
    this.#mailboxIds.set(given, id);
    return id;
  }

  /** What others laid beside the mail may be in a folder of any name: the rest is wanted all the same. */
  async #refuseAll(mailbox: string, batch: readonly Waiting[]): Promise<void> {
    for (const { incoming, taken } of batch) {
      try {
        this.#store.writer.discard(await taken);
      } catch (error) {
        if (!isStoreError(error, 'messageTooLarge')) throw error;
      }
      this.#refuse(incoming.name, `no mailbox can be called ${safeText(mailbox)}`);
    }
  }

  #refuse(name: string, reason: string): void {
    this.#refused++;
    if (this.#refusals.length < refusedMax) this.#refusals.push({ name, reason });
  }

  #keywords({ keywords }: Incoming): readonly string[] {
    if (keywords.length === 0) return keywords;
    const fit = [...new Set(keywords)].filter((word) => keyword.test(word) && word.length <= limits.keywordBytes);
    this.#keywordsDropped += keywords.length - fit.length;
    return fit;
  }
}

function nameOrNone(given: string): string | undefined {
  try {
    return mailboxName(given);
  } catch (error) {
    if (isStoreError(error, 'badName')) return undefined;
    throw error;
  }
}

/** Reads the head of a flow for its date, and gives the flow back whole. */
async function begun(
  flow: AsyncIterable<Buffer>,
  incoming: Incoming,
): Promise<{ octets: AsyncIterable<Buffer>; internalDate: number | undefined }> {
  if (incoming.internalDate !== undefined) return { octets: flow, internalDate: incoming.internalDate };
  const iterator = flow[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  for (let bytes = 0; bytes < headBytes; ) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    first.push(value);
    bytes += value.length;
  }
  async function* whole(): AsyncGenerator<Buffer> {
    yield* first;
    for (;;) {
      const { value, done } = await iterator.next();
      if (done === true) return;
      yield value;
    }
  }
  return { octets: whole(), internalDate: headerDate(Buffer.concat(first)) ?? incoming.fileDate };
}
