/**
 * What every door to a store offers to those who change it: the writer itself in its own process, a client of its socket in
 * others. Answers come when they are durable; what is not a delivery, when readers can see it too.
 */
import type { UidSet } from '../codec/uid-set.ts';
import type { AccountId, EmailId, MailboxId, MailboxRole } from '../types.ts';
import type { Listener } from './feed.ts';
import type { CreatedAccount, WantedAccount } from './intents/account.ts';
import type { CopyAnswer } from './intents/copy.ts';
import type { ExpungeAnswer } from './intents/expunge.ts';
import type { FlagsAnswer, FlagsRequest } from './intents/flags.ts';
import type { CreatedMailbox } from './intents/mailbox.ts';
import type { DeliveryResult, DeliveryTarget, Placed } from './intents/place.ts';
import type { Purged } from './intents/purge.ts';
import type { RestoredMailbox } from './intents/undelete.ts';

/** A message taken in and ready to be placed, once, by the writer that took it. */
export interface TakenMessage {
  /** Octets, with line ends as CRLF; of one taken early, as they were sent. */
  readonly size: number;
}

export interface TakeOptions {
  /** Adds a missing last line end: the pipe and import do. Default false. */
  readonly finalLineEnd?: boolean;
  /** The buffers of an iterable are the store's from then on, as a buffer given whole is. Default false. */
  readonly givesBuffers?: boolean;
  /** Resolves when the last octet is on its way to the writer: what the message is refused for, `append` is told. For one message at
   *  a time: nothing holds back who sends many so. Default false. */
  readonly early?: boolean;
}

export interface DeliverOptions {
  /** Nobody gets the message unless everybody can; for up to `limits.recipientsTogether` targets. Default false. */
  readonly allOrNone?: boolean;
}

/** A message to append and what it is to bear. */
export interface AppendMessage {
  readonly message: TakenMessage;
  readonly flags: number;
  readonly keywords: readonly string[];
  /** Seconds since 1970; default now. */
  readonly internalDate?: number;
  readonly uidl?: string;
  /** Header lines to stand on top, as a delivery puts them; for a message that comes back from a backup. */
  readonly trace?: Buffer;
  /** The email id that the message had in this account of this store; a new one when absent. */
  readonly email?: EmailId;
}

/** What came back with an account. */
export interface RestoredAccount {
  readonly mailboxes: number;
  readonly messages: number;
  readonly sequence: number;
}

export type CopiedMessages = Omit<CopyAnswer, 'again'>;

export interface MailWriter {
  /** Takes a message in; bare LF becomes CRLF. Nothing is stored until it is delivered or appended. A buffer given whole is
   *  the store's from then on; those of an iterable are the caller's again when the next is asked for.
   *  @throws {StoreError} messageTooLarge, diskFull, ioError, readOnly */
  take(octets: Buffer | AsyncIterable<Buffer>, options?: TakeOptions): Promise<TakenMessage>;
  /** Gives up a taken message that will not be placed. */
  discard(message: TakenMessage): void;
  /** One copy per account and mailbox; each target is answered by itself. Durable on return.
   *  @throws {StoreError} limitExceeded for too many targets; diskFull, ioError, readOnly where they hit all, else the
   *  targets' answers say so; with `allOrNone` what any target was refused for */
  deliver(
    message: TakenMessage,
    targets: readonly DeliveryTarget[],
    options?: DeliverOptions,
  ): Promise<DeliveryResult[]>;
  /** Appends all or none (RFC 3502). @throws {StoreError} noMailbox, overQuota, badName, limitExceeded */
  append(mailbox: MailboxId, messages: readonly AppendMessage[]): Promise<Placed[]>;
  /** Flags and keywords of the UIDs that exist. @throws {StoreError} noMailbox, badName, limitExceeded */
  setFlags(request: FlagsRequest): Promise<FlagsAnswer>;
  /** @throws {StoreError} noMailbox */
  expunge(mailbox: MailboxId, uids: UidSet, onlyDeleted: boolean): Promise<ExpungeAnswer>;
  /** @throws {StoreError} noMailbox, overQuota, limitExceeded */
  copy(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages>;
  move(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages>;
  /** Ends retention; answers how many entries are gone for good. */
  purge(mailbox: MailboxId, uids: UidSet): Promise<number>;
  /** Ends the retention of all that was expunged in a mailbox, at once; a deleted mailbox goes whole. */
  purgeRetained(mailbox: MailboxId): Promise<Purged>;
  /** Ends a deleted account whose mailboxes were all purged. @throws {StoreError} noAccount, badIntent while some are left */
  purgeAccount(account: AccountId): Promise<void>;
  /** Brings retained messages back, in a mailbox of the same account, but those whose entries are damaged.
   *  @throws {StoreError} noMailbox, limitExceeded */
  undelete(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages>;
  /** Brings a deleted mailbox back, under another name where its own is taken. @throws {StoreError} noMailbox, noAccount,
   *  limitExceeded */
  restoreMailbox(mailbox: MailboxId): Promise<RestoredMailbox>;
  /** Brings a deleted account back, with the mailboxes that went with it. @throws {StoreError} noAccount, accountExists */
  restoreAccount(account: AccountId): Promise<RestoredAccount>;
  createMailbox(account: AccountId, name: string, role?: MailboxRole): Promise<CreatedMailbox>;
  /** With all below it; INBOX's messages move instead. @throws {StoreError} noMailbox, mailboxExists, badName */
  renameMailbox(mailbox: MailboxId, name: string): Promise<void>;
  deleteMailbox(mailbox: MailboxId): Promise<void>;
  subscribe(account: AccountId, name: string, on: boolean): Promise<void>;
  setRole(mailbox: MailboxId, role: MailboxRole): Promise<void>;
  setMetadata(account: AccountId, mailbox: MailboxId | 0, name: string, value: Buffer | undefined): Promise<void>;
  /** With INBOX and the role mailboxes, subscribed. @throws {StoreError} accountExists, badName */
  createAccount(name: string, id?: number): Promise<CreatedAccount>;
  /** The account as the directory has it: made unless it is there, its quota set.
   *  @throws {StoreError} accountExists when it is somebody else's; noAccount when it was deleted; badName */
  ensureAccount(wanted: WantedAccount): Promise<CreatedAccount>;
  renameAccount(account: AccountId, name: string): Promise<void>;
  /** Resolves when all its mailboxes are deleted too; it is out of sight before. */
  deleteAccount(account: AccountId): Promise<void>;
  /** 0: unlimited. */
  setQuota(account: AccountId, bytes: number, messages: number): Promise<void>;
  /** Changes as the catalog comes to show them. Returns what ends the subscription. */
  subscribeFeed(listener: Listener): () => void;
}
