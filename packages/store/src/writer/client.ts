/**
 * The other end of the writer's socket: a `MailWriter` in another process. When the connection ends, whatever was not answered
 * fails with `noWriter` and is not repeated: whether it was done is unknown.
 */
import { connect, type Socket } from 'node:net';
import type { UidSet } from '../codec/uid-set.ts';
import { errnoOf, StoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { AccountId, Lsn, MailboxId, MailboxRole } from '../types.ts';
import type { Change, Listener } from './feed.ts';
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
import type { Refusal } from './server.ts';
import { checkSocketPath } from './socket-path.ts';
import type { CompactProgress, CompactReport, CompactRequest, StoreWriter } from './store-writer.ts';
import {
  bodyBytes,
  decodeValue,
  encodeValue,
  type Frame,
  FrameReader,
  FrameSender,
  frameType,
  windowBytes,
} from './wire.ts';

/** Octets kept free in a frame for its head. */
const frameSlackBytes = 64;

/** How much more of a body may be sent. */
interface Credit {
  left: number;
  wake: (() => void) | undefined;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: StoreError): void;
}

/** A message that was sent to the writer under an id of this connection. */
class RemoteMessage implements TakenMessage {
  readonly id: number;
  readonly size: number;
  /** Its size with CRLF, when the writer has taken it. */
  readonly taken: Promise<number>;

  constructor(id: number, size: number, taken: Promise<number>) {
    this.id = id;
    this.size = size;
    this.taken = taken;
  }
}

function remote(message: TakenMessage): RemoteMessage {
  if (!(message instanceof RemoteMessage)) throw new StoreError('badIntent', 'a message taken by another writer');
  return message;
}

export class WriterClient implements StoreWriter {
  readonly #socket: Socket;
  readonly #out: FrameSender;
  readonly #frames = new FrameReader(limits.answerBytes);
  readonly #waiting = new Map<number, Waiting>();
  readonly #credit = new Map<number, Credit>();
  readonly #listeners = new Set<Listener>();
  /** Settles when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;
  #nextId = 1;
  #gone: StoreError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#out = new FrameSender(socket);
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
    socket.on('data', (octets) => this.#receive(octets));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#end());
  }

  /** @throws {StoreError} noWriter when nobody listens, limitExceeded where nobody can */
  static async connect(path: string): Promise<WriterClient> {
    checkSocketPath(path);
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', (error) => {
        reject(new StoreError('noWriter', `no writer answers on ${path} (${errnoOf(error) ?? error.message})`));
      });
      socket.once('connect', () => resolve(new WriterClient(socket)));
    });
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.end(resolve);
    });
    this.#socket.destroy();
  }

  async take(octets: Buffer | AsyncIterable<Buffer>, options: TakeOptions = {}): Promise<TakenMessage> {
    const id = this.#nextId++;
    const size = this.#request<number>('take', id, options.finalLineEnd ?? false);
    const credit: Credit = { left: windowBytes, wake: undefined };
    this.#credit.set(id, credit);
    let refused: unknown;
    size.catch((error: unknown) => {
      refused = error;
      credit.wake?.();
    });
    let bytes = 0;
    try {
      for await (const some of Buffer.isBuffer(octets) ? [octets] : octets) {
        for (let at = 0; at < some.length && refused === undefined; at += bodyBytes) {
          await this.#sendBody(id, some.subarray(at, at + bodyBytes), credit, () => refused !== undefined);
        }
        if (refused !== undefined) break;
        bytes += some.length;
      }
      this.#send(frameType.bodyEnd, id, Buffer.alloc(0));
    } catch (error) {
      this.#send(frameType.discard, id, Buffer.alloc(0));
      throw error;
    } finally {
      this.#credit.delete(id);
    }
    // Who was refused in the middle has octets left that nobody wants, and must hear of it.
    const isEarly = options.early === true && refused === undefined;
    return new RemoteMessage(id, isEarly ? bytes : await size, size);
  }

  async #sendBody(id: number, octets: Buffer, credit: Credit, isRefused: () => boolean): Promise<void> {
    while (credit.left < octets.length && !isRefused() && this.#gone === undefined) {
      await new Promise<void>((resolve) => {
        credit.wake = resolve;
      });
    }
    credit.left -= octets.length;
    this.#send(frameType.body, id, octets);
  }

  discard(message: TakenMessage): void {
    this.#send(frameType.discard, remote(message).id, Buffer.alloc(0));
  }

  deliver(
    message: TakenMessage,
    targets: readonly DeliveryTarget[],
    options: DeliverOptions = {},
  ): Promise<DeliveryResult[]> {
    return this.#request('deliver', remote(message).id, targets, options);
  }

  async append(mailbox: MailboxId, messages: readonly AppendMessage[]): Promise<Placed[]> {
    const items = messages.map((one) => ({ ...one, message: remote(one.message).id }));
    try {
      return await this.#request('append', mailbox, items);
    } catch (error) {
      // Of a message that was taken early and refused, the refusal says why.
      for (const { message } of messages) await remote(message).taken;
      throw error;
    }
  }

  setFlags(request: FlagsRequest): Promise<FlagsAnswer> {
    return this.#request('setFlags', request);
  }

  expunge(mailbox: MailboxId, uids: UidSet, onlyDeleted: boolean): Promise<ExpungeAnswer> {
    return this.#request('expunge', mailbox, uids, onlyDeleted);
  }

  copy(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    return this.#request('copy', source, uids, target);
  }

  move(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    return this.#request('move', source, uids, target);
  }

  purge(mailbox: MailboxId, uids: UidSet): Promise<number> {
    return this.#request('purge', mailbox, uids);
  }

  purgeRetained(mailbox: MailboxId): Promise<Purged> {
    return this.#request('purgeRetained', mailbox);
  }

  purgeAccount(account: AccountId): Promise<void> {
    return this.#request('purgeAccount', account);
  }

  undelete(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    return this.#request('undelete', source, uids, target);
  }

  restoreMailbox(mailbox: MailboxId): Promise<RestoredMailbox> {
    return this.#request('restoreMailbox', mailbox);
  }

  restoreAccount(account: AccountId): Promise<RestoredAccount> {
    return this.#request('restoreAccount', account);
  }

  createMailbox(account: AccountId, name: string, role: MailboxRole = ''): Promise<CreatedMailbox> {
    return this.#request('createMailbox', account, name, role);
  }

  renameMailbox(mailbox: MailboxId, name: string): Promise<void> {
    return this.#request('renameMailbox', mailbox, name);
  }

  deleteMailbox(mailbox: MailboxId): Promise<void> {
    return this.#request('deleteMailbox', mailbox);
  }

  subscribe(account: AccountId, name: string, on: boolean): Promise<void> {
    return this.#request('subscribe', account, name, on);
  }

  setRole(mailbox: MailboxId, role: MailboxRole): Promise<void> {
    return this.#request('setRole', mailbox, role);
  }

  setMetadata(account: AccountId, mailbox: MailboxId | 0, name: string, value: Buffer | undefined): Promise<void> {
    return this.#request('setMetadata', account, mailbox, name, value ?? null);
  }

  createAccount(name: string, id?: number): Promise<CreatedAccount> {
    return this.#request('createAccount', name, id ?? null);
  }

  ensureAccount(wanted: WantedAccount): Promise<CreatedAccount> {
    return this.#request('ensureAccount', wanted);
  }

  renameAccount(account: AccountId, name: string): Promise<void> {
    return this.#request('renameAccount', account, name);
  }

  deleteAccount(account: AccountId): Promise<void> {
    return this.#request('deleteAccount', account);
  }

  setQuota(account: AccountId, bytes: number, messages: number): Promise<void> {
    return this.#request('setQuota', account, bytes, messages);
  }

  async pinLog(): Promise<PinnedLog> {
    const { pin, durableLsn } = await this.#request<{ readonly pin: number; readonly durableLsn: Lsn }>('pin');
    let isHeld = true;
    const release = async (): Promise<void> => {
      if (!isHeld) return;
      isHeld = false;
      await this.#request('unpin', pin);
    };
    return { durableLsn, release };
  }

  subscribeFeed(listener: Listener): () => void {
    if (this.#listeners.size === 0) this.#request('feed').catch(() => undefined);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  compact(request: CompactRequest): Promise<CompactReport> {
    return this.#request('compact', request);
  }

  async compactProgress(): Promise<CompactProgress | undefined> {
    return (await this.#request<CompactProgress | null>('compactProgress')) ?? undefined;
  }

  #request<Answer>(name: string, ...args: readonly unknown[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) {
        reject(this.#gone);
        return;
      }
      const payload = encodeValue([name, ...args]);
      if (payload.length > limits.frameBytes - frameSlackBytes) {
        reject(
          new StoreError('limitExceeded', `a request of ${payload.length} octets, ${limits.frameBytes} are allowed`),
        );
        return;
      }
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve: (answer) => resolve(answer as Answer), reject });
      this.#send(frameType.request, id, payload);
    });
  }

  #send(type: number, id: number, payload: Buffer): void {
    if (this.#gone === undefined) this.#out.send(type, id, payload);
  }

  #receive(octets: Buffer): void {
    try {
      for (const frame of this.#frames.push(octets)) this.#frame(frame);
    } catch (error) {
      // Not a writer's frames: whatever was asked is answered with `noWriter`.
      this.#socket.destroy(error instanceof Error ? error : undefined);
    }
  }

  #frame({ type, id, payload }: Frame): void {
    if (type === frameType.feed) this.#tell(decodeValue(payload) as readonly Change[]);
    else if (type === frameType.credit) this.#confirm(id, payload.readUInt32BE(0));
    else this.#answer(type, id, decodeValue(payload));
  }

  #tell(changes: readonly Change[]): void {
    for (const listener of this.#listeners) listener(changes);
  }

  #confirm(id: number, bytes: number): void {
    const credit = this.#credit.get(id);
    if (credit === undefined) return;
    credit.left += bytes;
    credit.wake?.();
  }

  #answer(type: number, id: number, value: unknown): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (type === frameType.answer) waiting?.resolve(value);
    else {
      const refusal = value as Refusal;
      waiting?.reject(new StoreError(refusal.code, refusal.message, refusal.details));
    }
  }

  #end(): void {
    this.#gone = new StoreError('noWriter', 'the writer went away');
    for (const credit of this.#credit.values()) credit.wake?.();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#gone);
    this.#waiting.clear();
  }
}
