/**
 * Mail out of a backup into the store that works: an account, a mailbox, some messages. What is still there stays as it is; what is
 * missing is appended, with a new UID, UIDL and MODSEQ, and with the dates, flags, keywords and lines on top that it had. In the same
 * store it keeps its email id too, by which it is found again: doing it twice does nothing the second time.
 *
 * Everything goes through the writer as any append does: quotas hold, readers see it, and a crash leaves the messages that were
 * answered and no half one.
 */
import type { Catalog, NamedAccount, NamedMailbox } from '../../catalog/catalog.ts';
import type { Entry } from '../../catalog/index-chunk.ts';
import type { MailboxRow } from '../../catalog/rows.ts';
import { UidSet } from '../../codec/uid-set.ts';
import { errorText, isStoreError, StoreError, type StoreErrorCode } from '../../errors.ts';
import { openContent, readTrace } from '../../mail/assemble.ts';
import type { AccountId, MailboxId, MessageId } from '../../types.ts';
import type { AppendMessage, MailWriter } from '../../writer/mail-writer.ts';
import type { BackupReading } from './reading.ts';

/** The store that mail comes back to. */
export interface RestoreTarget {
  readonly writer: MailWriter;
  readonly reading: { catalog(): Catalog };
}

export interface MailWanted {
  /** Whose mail, in the backup. */
  readonly from: NamedAccount;
  /** Who gets it. */
  readonly account: AccountId;
  /** One mailbox of the backup; all when absent. */
  readonly mailbox?: NamedMailbox;
  /** Which messages; all when absent. */
  readonly only?: (entry: Entry, catalog: Catalog) => boolean;
  /** The name of the mailbox that gets everything; when absent, each goes where it was. */
  readonly into?: string;
  /** Also what is still in the account. */
  readonly all?: boolean;
  /** Told of messages that are done, of so many. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface MailRestored {
  readonly restored: number;
  /** Messages that are still there. */
  readonly skipped: number;
  /** By mailbox of the store. */
  readonly mailboxes: Readonly<Record<string, number>>;
  readonly made: readonly string[];
  readonly failed: readonly { readonly mailbox: string; readonly uid: number; readonly reason: string }[];
  /** Why it ended before all was done. */
  readonly stopped: string | undefined;
}

/** Failures after which no other message fares better. */
const ending: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>([
  'noWriter',
  'closed',
  'readOnly',
  'diskFull',
  'ioError',
  'noAccount',
]);

/** Entries looked at in one turn of the event loop. */
const sliceEntries = 500;
/** Messages, and octets, of one append. */
const appendMessages = 20;
const appendBytes = 4_194_304;

/** The entries of a mailbox, some at a time. */
export async function* entrySlices(catalog: () => Catalog, mailbox: MailboxId): AsyncGenerator<Entry[]> {
  const uidMax = 0xffff_ffff;
  for (let next = 1; next <= uidMax; ) {
    const slice: Entry[] = [];
    for (const entry of catalog().entries(mailbox, UidSet.range(next, uidMax))) {
      slice.push(entry);
      if (slice.length === sliceEntries) break;
    }
    if (slice.length > 0) yield slice;
    const last = slice.at(-1);
    if (last === undefined || slice.length < sliceEntries) return;
    next = last.uid + 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What an account holds now, to tell whether a message of the backup is still there. */
export class Holdings {
  readonly #catalog: () => Catalog;
  readonly #emails: Set<number> = new Set();
  /** Internal date → messages. */
  readonly #messages: Map<number, Set<MessageId>> = new Map();
  /** Internal date → SHA-256 of its messages, in hexadecimal; of dates that were asked for. */
  readonly #contents: Map<number, Set<string>> = new Map();

  private constructor(catalog: () => Catalog) {
    this.#catalog = catalog;
  }

  /** `sameStore`: email ids of the backup mean the same in this store. */
  static async of(catalog: () => Catalog, account: AccountId, sameStore: boolean): Promise<Holdings> {
    const holdings = new Holdings(catalog);
    for (const { id } of [...catalog().mailboxes(account)]) {
      for await (const entries of entrySlices(catalog, id)) {
        for (const { email, internalDate, message } of entries) {
          if (sameStore) holdings.#emails.add(email);
          const dated = holdings.#messages.get(internalDate);
          if (dated === undefined) holdings.#messages.set(internalDate, new Set([message]));
          else dated.add(message);
        }
      }
    }
    return holdings;
  }

  /** True when the account has the message, by its email id or by its content and date. */
  has(entry: Entry, sha: Buffer | undefined): boolean {
    if (this.#emails.has(entry.email)) return true;
    return sha !== undefined && this.#contentsOf(entry.internalDate).has(sha.toString('hex'));
  }

  /** Looked up once a date: an import may have given the same to all messages of an account. */
  #contentsOf(internalDate: number): Set<string> {
    const known = this.#contents.get(internalDate);
    if (known !== undefined) return known;
    const catalog = this.#catalog();
    const contents = new Set<string>();
    for (const id of this.#messages.get(internalDate) ?? []) {
      const message = catalog.message(id);
      if (message !== undefined) contents.add(message.sha.toString('hex'));
    }
    this.#contents.set(internalDate, contents);
    return contents;
  }
}

/** True when the backup is of this store. */
export function isSameStore(backup: BackupReading, catalog: Catalog): boolean {
  return catalog.state()?.storeId.toString('hex') === backup.manifest.store;
}

/**
 * Brings mail back. What cannot be read in the backup is told and passed over; a full quota or disk ends it.
 * @throws {StoreError} noAccount, badName, and what the writer throws
 */
export async function restoreMail(
  backup: BackupReading,
  target: RestoreTarget,
  wanted: MailWanted,
): Promise<MailRestored> {
  const row = target.reading.catalog().account(wanted.account);
  if (row === undefined || row.deleted) throw new StoreError('noAccount', `no account ${wanted.account}`);
  const sameStore = isSameStore(backup, target.reading.catalog());
  const holdings =
    wanted.all === true ? undefined : await Holdings.of(() => target.reading.catalog(), wanted.account, sameStore);
  return new MailRestore(backup, target, wanted, sameStore, holdings).run();
}

class MailRestore {
  readonly #backup: BackupReading;
  readonly #target: RestoreTarget;
  readonly #wanted: MailWanted;
  readonly #sameStore: boolean;
  readonly #holdings: Holdings | undefined;
  readonly #mailboxes: Record<string, number> = {};
  readonly #made: string[] = [];
  readonly #failed: { mailbox: string; uid: number; reason: string }[] = [];
  #restored = 0;
  #skipped = 0;
  #stopped: string | undefined;

  constructor(
    backup: BackupReading,
    target: RestoreTarget,
    wanted: MailWanted,
    sameStore: boolean,
    holdings: Holdings | undefined,
  ) {
    this.#backup = backup;
    this.#target = target;
    this.#wanted = wanted;
    this.#sameStore = sameStore;
    this.#holdings = holdings;
  }

  async run(): Promise<MailRestored> {
    const { from, mailbox, onProgress } = this.#wanted;
    const sources = mailbox === undefined ? [...this.#backup.catalog().mailboxes(from.id)] : [mailbox];
    const total = sources.reduce((sum, { row }) => sum + row.messages, 0);
    let done = 0;
    for (const source of sources) {
      for await (const entries of entrySlices(() => this.#backup.catalog(), source.id)) {
        await this.#entries(source, this.#missing(entries));
        done += entries.length;
        onProgress?.(done, total);
        if (this.#stopped !== undefined) break;
      }
      if (this.#stopped !== undefined) break;
    }
    return {
      restored: this.#restored,
      skipped: this.#skipped,
      mailboxes: this.#mailboxes,
      made: this.#made,
      failed: this.#failed,
      stopped: this.#stopped,
    };
  }

  /** Those that are wanted and not there. */
  #missing(entries: readonly Entry[]): Entry[] {
    const catalog = this.#backup.catalog();
    const { only } = this.#wanted;
    const chosen = entries.filter((entry) => only?.(entry, catalog) ?? true);
    const missing = chosen.filter((entry) => this.#holdings?.has(entry, catalog.message(entry.message)?.sha) !== true);
    this.#skipped += chosen.length - missing.length;
    return missing;
  }

  async #entries(source: NamedMailbox, entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const { id, name } = await this.#mailboxFor(source.row, source.id);
    for (let at = 0; at < entries.length && this.#stopped === undefined; ) {
      const some: Entry[] = [];
      for (let bytes = 0; at < entries.length && some.length < appendMessages && bytes < appendBytes; at++) {
        const entry = entries[at];
        if (entry === undefined) break;
        some.push(entry);
        bytes += entry.size;
      }
      await this.#append(source, id, name, some);
    }
  }

  async #append(source: NamedMailbox, id: MailboxId, name: string, entries: readonly Entry[]): Promise<void> {
    const words = this.#backup.catalog().keywords(source.id);
    const items: AppendMessage[] = [];
    const taken: Entry[] = [];
    for (const entry of entries) {
      const item = this.#stopped === undefined ? await this.#take(source, entry, words) : undefined;
      if (item === undefined) continue;
      items.push(item);
      taken.push(entry);
    }
    if (items.length === 0) return;
    try {
      await this.#target.writer.append(id, items);
      this.#restored += items.length;
      this.#mailboxes[name] = (this.#mailboxes[name] ?? 0) + items.length;
    } catch (error) {
      if (!isStoreError(error)) throw error;
      // All or none of them: some may fit where all do not.
      if (taken.length > 1 && !ending.has(error.code)) {
        for (const one of taken) await this.#one(source, id, name, one);
      } else if (ending.has(error.code) || error.code === 'overQuota') this.#stopped = error.message;
      else for (const { uid } of taken) this.#failed.push({ mailbox: source.row.name, uid, reason: error.message });
    }
  }

  async #one(source: NamedMailbox, id: MailboxId, name: string, entry: Entry): Promise<void> {
    if (this.#stopped === undefined) await this.#append(source, id, name, [entry]);
  }

  /** The message as the writer takes it; undefined, and told, when the backup cannot give it. */
  async #take(source: NamedMailbox, entry: Entry, words: readonly string[]): Promise<AppendMessage | undefined> {
    const { heap } = this.#backup;
    try {
      const trace = await readTrace(heap, entry);
      const content = await openContent(heap, this.#backup.catalog, entry.message);
      const message = await this.#target.writer.take(content.octets());
      return {
        message,
        flags: entry.flags,
        keywords: entry.keywords.map((number) => words[number] ?? '').filter((word) => word !== ''),
        internalDate: entry.internalDate,
        trace,
        ...(this.#sameStore && { email: entry.email }),
      };
    } catch (error) {
      if (isStoreError(error, 'diskFull')) this.#stopped = error.message;
      else if (!isStoreError(error, 'corrupt') && !isStoreError(error, 'messageTooLarge')) throw error;
      else this.#failed.push({ mailbox: source.row.name, uid: entry.uid, reason: errorText(error) });
      return undefined;
    }
  }

  /** Where mail of a mailbox of the backup goes: the mailbox itself if it is still there, else one of its name, else a new one. */
  async #mailboxFor(row: MailboxRow, id: MailboxId): Promise<{ readonly id: MailboxId; readonly name: string }> {
    const { account, from, into } = this.#wanted;
    const catalog = this.#target.reading.catalog();
    const same = this.#sameStore && into === undefined ? catalog.mailbox(id) : undefined;
    if (same !== undefined && !same.deleted && same.account === account) return { id, name: same.name };
    const name = into ?? row.name;
    const named = catalog.mailboxNamed(account, name);
    if (named !== undefined) return { id: named.id, name };
    const hasRole = [...catalog.mailboxes(account)].some((one) => one.row.role === row.role);
    const role = into === undefined && !hasRole ? row.role : '';
    const { mailbox } = await this.#target.writer.createMailbox(account, name, role);
    const wasSubscribed = into !== undefined || this.#backup.catalog().isSubscribed(from.id, row.name);
    if (wasSubscribed) await this.#target.writer.subscribe(account, name, true);
    this.#made.push(name);
    return { id: mailbox, name };
  }
}
