/**
 * The writer, whichever process it is now: a `MailWriter` that connects to the socket when it is first asked, and again after the
 * connection ended. A daemon so outlives its writer. What was under way when the writer went away fails with `noWriter` and is not
 * repeated: whether it was done is unknown. Nothing waits for a writer to come: what is asked while there is none fails at once.
 *
 * The change feed is held across writers. Changes between may be missed, so that after each new connection the listeners
 * are told an empty list: look again.
 */
import type { UidSet } from '../codec/uid-set.ts';
import { StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { AccountId, MailboxId, MailboxRole } from '../types.ts';
import { WriterClient } from './client.ts';
import type { Listener } from './feed.ts';
import type { CreatedAccount, WantedAccount } from './intents/account.ts';
import type { ExpungeAnswer } from './intents/expunge.ts';
import type { FlagsAnswer, FlagsRequest } from './intents/flags.ts';
import type { CreatedMailbox } from './intents/mailbox.ts';
import type { DeliveryResult, DeliveryTarget, Placed } from './intents/place.ts';
import type { Purged } from './intents/purge.ts';
import type { RestoredMailbox } from './intents/undelete.ts';
import type {
  AppendMessage,
  CopiedMessages,
  DeliverOptions,
  RestoredAccount,
  TakenMessage,
  TakeOptions,
} from './mail-writer.ts';
import type { PinnedLog } from './pins.ts';
import type { CompactProgress, CompactReport, CompactRequest, StoreWriter } from './store-writer.ts';

export class WriterLink implements StoreWriter {
  readonly #path: string;
  /** The connection that is there or being made; undefined when none is. */
  #client: Promise<WriterClient> | undefined;
  /** Who took a message: only that connection can place it. */
  readonly #takers = new WeakMap<TakenMessage, WriterClient>();
  readonly #listeners = new Set<Listener>();
  /** The connection whose feed is heard. */
  #followed: WriterClient | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param path the writer's socket; nothing is connected yet */
  constructor(path: string) {
    this.#path = path;
  }

  /** Ends the connection; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#listeners.clear();
    const client = await this.#client?.catch(() => undefined);
    await client?.close();
  }

  async take(octets: Buffer | AsyncIterable<Buffer>, options?: TakeOptions): Promise<TakenMessage> {
    const client = await this.#connected();
    const message = await client.take(octets, options);
    this.#takers.set(message, client);
    return message;
  }

  discard(message: TakenMessage): void {
    this.#takers.get(message)?.discard(message);
  }

  async deliver(
    message: TakenMessage,
    targets: readonly DeliveryTarget[],
    options?: DeliverOptions,
  ): Promise<DeliveryResult[]> {
    return this.#taker(message).deliver(message, targets, options);
  }

  async append(mailbox: MailboxId, messages: readonly AppendMessage[]): Promise<Placed[]> {
    const takers = new Set(messages.map(({ message }) => this.#taker(message)));
    const [client, ...others] = takers;
    if (others.length > 0) throw writerWent();
    return (client ?? (await this.#connected())).append(mailbox, messages);
  }

  async setFlags(request: FlagsRequest): Promise<FlagsAnswer> {
    return (await this.#connected()).setFlags(request);
  }

  async expunge(mailbox: MailboxId, uids: UidSet, onlyDeleted: boolean): Promise<ExpungeAnswer> {
    return (await this.#connected()).expunge(mailbox, uids, onlyDeleted);
  }

  async copy(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    return (await this.#connected()).copy(source, uids, target);
  }

  async move(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    return (await this.#connected()).move(source, uids, target);
  }

  async purge(mailbox: MailboxId, uids: UidSet): Promise<number> {
    return (await this.#connected()).purge(mailbox, uids);
  }

  async purgeRetained(mailbox: MailboxId): Promise<Purged> {
    return (await this.#connected()).purgeRetained(mailbox);
  }

  async purgeAccount(account: AccountId): Promise<void> {
    return (await this.#connected()).purgeAccount(account);
  }

  async undelete(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    return (await this.#connected()).undelete(source, uids, target);
  }

  async restoreMailbox(mailbox: MailboxId): Promise<RestoredMailbox> {
    return (await this.#connected()).restoreMailbox(mailbox);
  }

  async restoreAccount(account: AccountId): Promise<RestoredAccount> {
    return (await this.#connected()).restoreAccount(account);
  }

  async createMailbox(account: AccountId, name: string, role?: MailboxRole): Promise<CreatedMailbox> {
    return (await this.#connected()).createMailbox(account, name, role);
  }

  async renameMailbox(mailbox: MailboxId, name: string): Promise<void> {
    return (await this.#connected()).renameMailbox(mailbox, name);
  }

  async deleteMailbox(mailbox: MailboxId): Promise<void> {
    return (await this.#connected()).deleteMailbox(mailbox);
  }

  async subscribe(account: AccountId, name: string, on: boolean): Promise<void> {
    return (await this.#connected()).subscribe(account, name, on);
  }

  async setRole(mailbox: MailboxId, role: MailboxRole): Promise<void> {
    return (await this.#connected()).setRole(mailbox, role);
  }

  async setMetadata(
    account: AccountId,
    mailbox: MailboxId | 0,
    name: string,
    value: Buffer | undefined,
  ): Promise<void> {
    return (await this.#connected()).setMetadata(account, mailbox, name, value);
  }

  async createAccount(name: string, id?: number): Promise<CreatedAccount> {
    return (await this.#connected()).createAccount(name, id);
  }

  async ensureAccount(wanted: WantedAccount): Promise<CreatedAccount> {
    return (await this.#connected()).ensureAccount(wanted);
  }

  async renameAccount(account: AccountId, name: string): Promise<void> {
    return (await this.#connected()).renameAccount(account, name);
  }

  async deleteAccount(account: AccountId): Promise<void> {
    return (await this.#connected()).deleteAccount(account);
  }

  async setQuota(account: AccountId, bytes: number, messages: number): Promise<void> {
    return (await this.#connected()).setQuota(account, bytes, messages);
  }

  async compact(request: CompactRequest): Promise<CompactReport> {
    return (await this.#connected()).compact(request);
  }

  async compactProgress(): Promise<CompactProgress | undefined> {
    return (await this.#connected()).compactProgress();
  }

  async pinLog(): Promise<PinnedLog> {
    return (await this.#connected()).pinLog();
  }

  /** As everywhere; and an empty list means that changes may have been missed. */
  subscribeFeed(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.#client === undefined) this.#stayConnected();
    else void this.#client.then((client) => this.#follow(client)).catch(() => undefined);
    return () => this.#listeners.delete(listener);
  }

  #connected(): Promise<WriterClient> {
    if (this.#closed) return Promise.reject(new StoreError('closed', 'the link to the writer was closed'));
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<WriterClient> {
    try {
      const client = await WriterClient.connect(this.#path);
      void client.closed.then(() => this.#lost());
      if (this.#listeners.size > 0) this.#follow(client);
      return client;
    } catch (error) {
      this.#lost();
      throw error;
    }
  }

  #lost(): void {
    this.#client = undefined;
    if (this.#listeners.size === 0 || this.#closed) return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#stayConnected(), limits.reconnectMs).unref();
  }

  /** Connects for the sake of the feed; when that fails, `#lost` sees to the next attempt. */
  #stayConnected(): void {
    if (this.#listeners.size > 0) this.#connected().catch(() => undefined);
  }

  /** Hears the feed of this connection, once. */
  #follow(client: WriterClient): void {
    if (this.#followed === client) return;
    this.#followed = client;
    client.subscribeFeed((changes) => this.#tell(changes));
    this.#tell([]);
  }

  #tell(changes: Parameters<Listener>[0]): void {
    for (const listener of this.#listeners) listener(changes);
  }

  #taker(message: TakenMessage): WriterClient {
    const client = this.#takers.get(message);
    if (client === undefined) throw new StoreError('badIntent', 'a message taken by another writer');
    return client;
  }
}

function writerWent(): StoreError {
  return new StoreError('noWriter', 'a message was taken by a writer that went away');
}
