/**
 * The writer of a store: takes messages in, and turns each request into intents of a bounded size. Larger requests go in
 * slices, each decided and durable by itself, so that nobody waits behind a mailbox of a million.
 */
import { Catalog } from '../catalog/catalog.ts';
import { UidSet } from '../codec/uid-set.ts';
import { StoreError } from '../errors.ts';
import type { Heap } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import { Ingest, type IngestPorts, sendAhead } from '../mail/ingest.ts';
import { inbox } from '../mail/mailbox-name.ts';
import type { PreparedMessage } from '../mail/prepared.ts';
import { readTraces } from '../mail/traces.ts';
import { CrlfConverter } from '../mime/line-ends.ts';
import type { AccountId, Lsn, MailboxId, MailboxRole, Uid } from '../types.ts';
import type { Committer } from './batch.ts';
import { checkCopy } from './copy-room.ts';
import type { Feed, Listener } from './feed.ts';
import type { HeadState } from './head-state.ts';
import { ingestPorts } from './ingest-ports.ts';
import type { Intent } from './intent.ts';
import {
  type CreatedAccount,
  decideCreateAccount,
  decideEnsureAccount,
  decideRenameAccount,
  decideSetQuota,
  type WantedAccount,
} from './intents/account.ts';
import { type CopyAnswer, type CopyRequest, decideCopy } from './intents/copy.ts';
import { decideExpunge, type ExpungeAnswer } from './intents/expunge.ts';
import { decideFlags, type FlagsAnswer, type FlagsRequest } from './intents/flags.ts';
import {
  type CreatedMailbox,
  decideCreateMailbox,
  decideDeleteMailbox,
  decideMetadata,
  decideRenameMailbox,
  decideSetRole,
  decideSubscribe,
} from './intents/mailbox.ts';
import {
  type DeliveryResult,
  type DeliveryTarget,
  decideAppend,
  decideDeliver,
  decideDeliverTogether,
  type Placed,
  refusedResult,
} from './intents/place.ts';
import type {
  AppendMessage,
  CopiedMessages,
  DeliverOptions,
  MailWriter,
  TakenMessage,
  TakeOptions,
} from './mail-writer.ts';
import { RetainedWriter } from './retained-writer.ts';
import type { Room } from './room.ts';
import type { SegmentUse } from './segment-use.ts';
import { type AskSlice, byAccount, inSlices, octetSlices, uidSlices } from './slices.ts';
import { LocalMessage, preparedOf } from './taken.ts';
import type { Turn } from './turn.ts';

/** Octets of an append whose parts go ahead of it: with them it might not fit one intent. */
const aheadBytes: number = limits.intentBytes / 2;

export interface WriterOptions {
  readonly messageBytes: number;
  /** Asked before mail is taken in. */
  readonly room?: Room;
}

/** What a writer works with. */
export interface WriterParts {
  readonly heap: Heap;
  readonly head: HeadState;
  readonly committer: Committer;
  readonly feed: Feed;
  readonly use: SegmentUse;
}

export class Writer extends RetainedWriter implements MailWriter {
  readonly #heap: Heap;
  readonly #head: HeadState;
  readonly #committer: Committer;
  readonly #feed: Feed;
  readonly #messageBytes: number;
  readonly #room: Room | undefined;
  readonly #use: SegmentUse;
  readonly #ports: IngestPorts;

  constructor(parts: WriterParts, options: WriterOptions) {
    const { heap, head, committer, feed, use } = parts;
    super(heap, head, committer);
    this.#heap = heap;
    this.#head = head;
    this.#committer = committer;
    this.#feed = feed;
    this.#messageBytes = options.messageBytes;
    this.#room = options.room;
    this.#use = use;
    this.#ports = ingestPorts(committer, use, () => this.#catalog());
  }

  #catalog(): Catalog {
    return new Catalog(this.#head.view());
  }

  async take(octets: Buffer | AsyncIterable<Buffer>, options: TakeOptions = {}): Promise<TakenMessage> {
    const isKnown = this.#room?.check();
    if (isKnown !== undefined) await isKnown;
    const converter = new CrlfConverter({ finalLineEnd: options.finalLineEnd ?? false });
    if (Buffer.isBuffer(octets) && octets.length <= limits.ingestSliceBytes) {
      return new LocalMessage(this.#takeWhole(octets, converter));
    }
    const isBuffer = Buffer.isBuffer(octets);
    const keeps = isBuffer || options.givesBuffers === true;
    return new LocalMessage(await this.#takeFlow(isBuffer ? octetSlices(octets) : octets, converter, keeps));
  }

  /** Holds the first slice: a message that ends within it is taken whole. */
  async #takeFlow(octets: AsyncIterable<Buffer>, converter: CrlfConverter, keeps: boolean): Promise<PreparedMessage> {
    const held: Buffer[] = [];
    let heldBytes = 0;
    let ingest: Ingest | undefined;
    for await (const some of octets) {
      if (ingest !== undefined) {
        await ingest.push(converter.push(some));
        continue;
      }
      held.push(keeps ? some : Buffer.from(some));
      heldBytes += some.length;
      if (heldBytes <= limits.ingestSliceBytes) continue;
      ingest = new Ingest(this.#ports, this.#messageBytes);
      for (const first of held.splice(0)) await ingest.push(converter.push(first));
    }
    const [only] = held;
    if (ingest === undefined) {
      return this.#takeWhole(held.length === 1 && only !== undefined ? only : Buffer.concat(held), converter);
    }
    await ingest.push(converter.end());
    return ingest.end();
  }

  #takeWhole(octets: Buffer, converter: CrlfConverter): PreparedMessage {
    const converted = converter.push(octets);
    const last = converter.end();
    const whole = last.length === 0 ? converted : Buffer.concat([converted, last]);
    if (whole.length > this.#messageBytes) {
      throw new StoreError('messageTooLarge', `message of ${whole.length} octets, ${this.#messageBytes} are allowed`);
    }
    return Ingest.whole(this.#ports, whole);
  }

  discard(message: TakenMessage): void {
    this.#use.arrived(preparedOf(message).ahead());
  }

  async deliver(
    message: TakenMessage,
    targets: readonly DeliveryTarget[],
    options: DeliverOptions = {},
  ): Promise<DeliveryResult[]> {
    return this.#deliver(message, targets, options).finally(() => this.discard(message));
  }

  async #deliver(
    message: TakenMessage,
    targets: readonly DeliveryTarget[],
    options: DeliverOptions,
  ): Promise<DeliveryResult[]> {
    const most = options.allOrNone === true ? limits.recipientsTogether : limits.recipients;
    if (targets.length > most) {
      throw new StoreError('limitExceeded', `${targets.length} recipients, ${most} are allowed`);
    }
    const prepared = preparedOf(message);
    if (options.allOrNone === true) {
      return this.#submit('heap', (turn) => decideDeliverTogether(turn, prepared, targets));
    }
    const groups = byAccount(targets);
    const decide = (some = targets) => this.#submit('heap', (turn) => decideDeliver(turn, prepared, some));
    if (groups.length === 1) return decide();
    const answers: DeliveryResult[] = [];
    await Promise.all(
      groups.map(async (indexes) => {
        const some = indexes.flatMap((index) => targets[index] ?? []);
        // The others have their copies.
        const results = await decide(some).catch((error: unknown) => some.map(() => refusedResult(error)));
        for (const [at, result] of results.entries()) answers[indexes[at] ?? 0] = result;
      }),
    );
    return answers;
  }

  async append(mailbox: MailboxId, messages: readonly AppendMessage[]): Promise<Placed[]> {
    const items = messages.map(({ message, ...rest }) => ({ prepared: preparedOf(message), ...rest }));
    const bytes = items.reduce((sum, { prepared }) => sum + prepared.size, 0);
    if (bytes > aheadBytes) {
      for (const { prepared } of items) await this.#sendPartsAhead(prepared);
    }
    return this.#submit('catalog', (turn) => decideAppend(turn, mailbox, items)).finally(() => {
      for (const { message } of messages) this.discard(message);
    });
  }

  async #sendPartsAhead(prepared: PreparedMessage): Promise<void> {
    if (this.#ports.hasMessage(prepared.sha)) return;
    await Promise.all(prepared.content().parts.map((part) => sendAhead(this.#ports, part)));
  }

  async setFlags(request: FlagsRequest): Promise<FlagsAnswer> {
    const answers = await this.#sliced(request.mailbox, request.uids, limits.sliceEntries, (uids, decided) =>
      this.#submit('catalog', (turn) => decideFlags(turn, { ...request, uids }), decided),
    );
    return {
      changed: union(answers.map((answer) => answer.changed)),
      modified: union(answers.map((answer) => answer.modified)),
      surprising: union(answers.map((answer) => answer.surprising)),
      sequence: Math.max(...answers.map((answer) => answer.sequence)),
    };
  }

  async expunge(mailbox: MailboxId, uids: UidSet, onlyDeleted: boolean): Promise<ExpungeAnswer> {
    const answers = await this.#sliced(mailbox, uids, limits.expungeEntries, (some, decided) =>
      this.#submit('catalog', (turn) => decideExpunge(turn, { mailbox, uids: some, onlyDeleted }), decided),
    );
    return {
      expunged: union(answers.map((answer) => answer.expunged)),
      sequence: Math.max(...answers.map((answer) => answer.sequence)),
    };
  }

  copy(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    return this.#copy(source, uids, target, false);
  }

  move(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    return this.#copy(source, uids, target, true);
  }

  async #copy(source: MailboxId, uids: UidSet, target: MailboxId, move: boolean): Promise<CopiedMessages> {
    await checkCopy(() => this.#catalog(), { source, uids, target, move });
    const pairs: (readonly [Uid, Uid])[] = [];
    const answers = await this.#sliced(source, uids, limits.copyEntries, async (some, decided) => {
      const answer = await this.#copySlice({ source, target, uids: some, move }, decided);
      pairs.push(...answer.pairs);
      return answer;
    }).catch(async (error: unknown) => {
      const copies = UidSet.of(pairs.map(([, uid]) => uid));
      if (!move) await this.takeBack(target, copies).catch(() => undefined);
      throw error;
    });
    return {
      uidValidity: answers[0].uidValidity,
      pairs,
      sequence: Math.max(...answers.map((answer) => answer.sequence)),
    };
  }

  async #copySlice(request: Omit<CopyRequest, 'traces'>, decided: () => void): Promise<CopyAnswer> {
    for (;;) {
      const traces = await this.#traces(request.source, request.uids);
      const answer = await this.#submit('catalog', (turn) => {
        const copied = decideCopy(turn, { ...request, traces });
        if (copied.again.size === 0) decided();
        return copied;
      });
      if (answer.again.size === 0) return answer;
    }
  }

  #traces(mailbox: MailboxId, uids: UidSet): Promise<Map<Lsn, Buffer>> {
    return readTraces(this.#heap, this.#catalog(), mailbox, uids);
  }

  createMailbox(account: AccountId, name: string, role: MailboxRole = ''): Promise<CreatedMailbox> {
    return this.#submit('catalog', (turn) => decideCreateMailbox(turn, account, name, role));
  }

  async renameMailbox(mailbox: MailboxId, name: string): Promise<void> {
    const row = this.#catalog().mailbox(mailbox);
    if (row?.name !== inbox || row.deleted) {
      await this.#submit('catalog', (turn) => decideRenameMailbox(turn, mailbox, name));
      return;
    }
    const [first = UidSet.empty, ...rest] = uidSlices(
      this.#catalog(),
      mailbox,
      UidSet.range(1, row.uidNext - 1),
      limits.copyEntries,
    );
    const traces = await this.#traces(mailbox, first);
    const { target, again } = await this.#submit('catalog', (turn) => {
      const created = decideCreateMailbox(turn, row.account, name, '').mailbox;
      const moved = decideCopy(turn, { source: mailbox, target: created, uids: first, move: true, traces });
      return { target: created, again: moved.again };
    });
    for (const uids of [again, ...rest]) await this.move(mailbox, uids, target);
  }

  async deleteMailbox(mailbox: MailboxId): Promise<void> {
    await this.#submit('catalog', (turn) => decideDeleteMailbox(turn, mailbox));
  }

  async subscribe(account: AccountId, name: string, on: boolean): Promise<void> {
    await this.#submit('catalog', (turn) => decideSubscribe(turn, account, name, on));
  }

  async setRole(mailbox: MailboxId, role: MailboxRole): Promise<void> {
    await this.#submit('catalog', (turn) => decideSetRole(turn, mailbox, role));
  }

  async setMetadata(
    account: AccountId,
    mailbox: MailboxId | 0,
    name: string,
    value: Buffer | undefined,
  ): Promise<void> {
    await this.#submit('catalog', (turn) => decideMetadata(turn, account, mailbox, name, value));
  }

  createAccount(name: string, id?: number): Promise<CreatedAccount> {
    return this.#submit('catalog', (turn) => decideCreateAccount(turn, name, id));
  }

  ensureAccount(wanted: WantedAccount): Promise<CreatedAccount> {
    return this.#submit('catalog', (turn) => decideEnsureAccount(turn, wanted));
  }

  async renameAccount(account: AccountId, name: string): Promise<void> {
    await this.#submit('catalog', (turn) => decideRenameAccount(turn, account, name));
  }

  async setQuota(account: AccountId, bytes: number, messages: number): Promise<void> {
    await this.#submit('catalog', (turn) => decideSetQuota(turn, account, bytes, messages));
  }

  subscribeFeed(listener: Listener): () => void {
    return this.#feed.subscribe(listener);
  }

  #submit<Answer>(
    answerAfter: Intent<Answer>['answerAfter'],
    decide: (turn: Turn) => Answer,
    decided: () => void = () => undefined,
  ): Promise<Answer> {
    return this.#committer.submit({
      answerAfter,
      decide: (turn) => {
        const answer = decide(turn);
        decided();
        return answer;
      },
    });
  }

  /** Asks for UIDs that exist, `most` at a time; once for none when none does. */
  #sliced<Answer>(
    mailbox: MailboxId,
    uids: UidSet,
    most: number,
    ask: AskSlice<Answer>,
  ): Promise<[Answer, ...Answer[]]> {
    return inSlices(uidSlices(this.#catalog(), mailbox, uids, most), ask);
  }
}

function union(sets: readonly UidSet[]): UidSet {
  return UidSet.ofRanges(sets.flatMap((set) => set.ranges));
}
