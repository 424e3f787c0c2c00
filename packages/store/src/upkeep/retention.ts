/**
 * Retention, run by the writer: what was expunged or deleted long enough ago is purged, what came into Trash, Junk and INBOX
 * long enough ago is expunged where that is asked for, and old expunges are forgotten. Owns no rule of what is logged: each
 * step asks the writer, which decides anew whether it is so.
 *
 * What is due is found in the order of time (table `due`), so that a run costs what there is to do and not what there is.
 * Accounts with a retention of their own are looked at one by one. Messages that go by age are looked for in every account
 * once a day, some accounts a run.
 *
 * All goes in slices, each an intent of its own with a pause behind it while others have work for the writer. Who was first
 * out of sight is first gone. Stopped or killed anywhere, the next run finds what is left.
 */
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.ts';
import {
  accountsDeletedBefore,
  accountsWithRetention,
  deletedMailboxesOf,
  expungesBefore,
  hasDeletedMailboxes,
  mailboxesDeletedBefore,
  retainedBefore,
  unfinishedAccounts,
} from '../catalog/due.ts';
import { UidSet } from '../codec/uid-set.ts';
import { limits } from '../limits.ts';
import { dueBefore, type Retention, retentionOf } from '../mail/retention.ts';
import type { Clock } from '../sys/clock.ts';
import type { AccountId, MailboxId } from '../types.ts';
import { addPurged, type DueUids, nothingPurged, type Purged } from '../writer/intents/purge.ts';
import { Aging } from './aging.ts';
import { type RetentionStore, rowsPerTurn, Walks } from './walks.ts';

/** What a run did. */
export interface RetentionReport {
  readonly purged: Purged;
  /** Deleted ones that are gone for good. */
  readonly mailboxes: number;
  readonly accounts: number;
  /** Messages expunged by their age. */
  readonly aged: number;
  /** Mailboxes whose old expunges were forgotten. */
  readonly forgotten: number;
  readonly ms: number;
}

/** Hears of each run. */
export interface RetentionObserver {
  done(report: RetentionReport): void;
  /** A run ended early; the next one goes on. */
  failed(error: unknown): void;
}

export interface RetentionOptions {
  readonly settings: Retention;
  readonly clock: Clock;
  readonly observer: RetentionObserver;
}

const uidMax = 0xffff_ffff;
/** Slices of one deleted mailbox before the next one has its turn. */
const slicesPerRound = 40;
/** Mailboxes of which the time of the oldest retained entry is known; 10 MB. */
const oldestMax = 100_000;
/** ms after which the walk by time begins at the start again, for accounts whose own retention ended. */
const walkAgainMs = 3_600_000;

/** ms of a pause at most. */
const pauseMsMax = 1_000;

class Stopped extends Error {}

type Counts = { -readonly [Key in keyof RetentionReport]: RetentionReport[Key] };

export class RetentionRunner {
  readonly #store: RetentionStore;
  readonly #clock: Clock;
  readonly #observer: RetentionObserver;
  #settings: Retention;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<RetentionReport> | undefined;
  #stopped = false;
  #workingSince = 0;
  /** Where the walk by time goes on. */
  #from: Buffer | undefined;
  #walkBeganAt = 0;
  /** Of mailboxes of accounts with a retention of their own: when the oldest retained entry was expunged, or before. */
  readonly #oldest = new Map<MailboxId, number>();
  readonly #walks: Walks;
  readonly #aging: Aging;

  constructor(store: RetentionStore, { settings, clock, observer }: RetentionOptions) {
    this.#store = store;
    this.#settings = settings;
    this.#clock = clock;
    this.#observer = observer;
    this.#walks = new Walks(store, () => this.#pause());
    this.#aging = new Aging(this.#walks);
  }

  /** Others from the next run on. */
  set settings(settings: Retention) {
    this.#settings = settings;
    this.#from = undefined;
  }

  /** Runs soon, and then every few minutes. */
  start(): void {
    this.#plan(1_000);
  }

  #plan(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.run()
        .then(
          (report) => this.#observer.done(report),
          (error: unknown) => {
            if (!(error instanceof Stopped)) this.#observer.failed(error);
          },
        )
        .finally(() => this.#plan(limits.retentionMs));
    }, ms).unref();
  }

  /** Ends a run under way behind its slice; none begins any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running?.catch(() => undefined);
  }

  /** One run, or the one under way. @throws {StoreError} what the writer refuses for: diskFull, readOnly, ioError, closed */
  run(): Promise<RetentionReport> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<RetentionReport> {
    const began = this.#clock.monotonic();
    this.#workingSince = began;
    const report: Counts = { purged: nothingPurged, mailboxes: 0, accounts: 0, aged: 0, forgotten: 0, ms: 0 };
    for await (const { account } of this.#walks.each(unfinishedAccounts)) await this.#store.finishDeletion(account);
    const own = await this.#ownRetentions();
    report.aged = await this.#aging.run(own, this.#settings, this.#now);
    await this.#purgeByTime(own, report);
    for (const account of own) await this.#purgeOwn(account, report);
    await this.#purgeDeleted(own, report);
    await this.#purgeAccounts(own, report);
    await this.#forgetExpunges(report);
    return { ...report, ms: this.#clock.monotonic() - began };
  }

  #catalog(): Catalog {
    return this.#store.catalog();
  }

  get #now(): number {
    return Math.floor(this.#clock.now() / 1_000);
  }

  /** What left sight before this is due, for accounts with so many days. */
  #dueBefore(days: number): number {
    return dueBefore(this.#now, days);
  }

  /** Behind each slice: others first. */
  async #pause(): Promise<void> {
    const workedMs = this.#clock.monotonic() - this.#workingSince;
    if (this.#store.isIdle) await nextTurn();
    else await delay(Math.max(limits.retentionPauseMs, Math.min(workedMs * limits.retentionPauses, pauseMsMax)));
    if (this.#stopped) throw new Stopped();
    this.#workingSince = this.#clock.monotonic();
  }

  async #ownRetentions(): Promise<ReadonlySet<AccountId>> {
    const own = new Set<AccountId>();
    for await (const { account } of this.#walks.each(accountsWithRetention)) own.add(account);
    return own;
  }

  /** Purges expunged entries of the accounts that have the store's retention, oldest first. */
  async #purgeByTime(own: ReadonlySet<AccountId>, report: Counts): Promise<void> {
    if (this.#clock.monotonic() - this.#walkBeganAt > walkAgainMs) {
      this.#from = undefined;
      this.#walkBeganAt = this.#clock.monotonic();
    }
    const before = this.#dueBefore(this.#settings.expunged);
    const walk = retainedBefore(before);
    for (let more = true; more; ) {
      const due: DueUids[] = [];
      let from = this.#from;
      let entries = 0;
      let rows = 0;
      more = false;
      const catalog = this.#catalog();
      for (const { mailbox, uids, next } of walk(catalog.view, from)) {
        more = ++rows > rowsPerTurn || entries + uids.length > limits.purgeEntries;
        if (more) break;
        from = next;
        const account = catalog.mailbox(mailbox)?.account;
        if (account === undefined || own.has(account)) continue;
        due.push({ mailbox, uids });
        entries += uids.length;
      }
      if (due.length > 0) await this.#purgeDue(due, before, report);
      this.#from = from;
      await this.#pause();
    }
  }

  async #purgeDue(due: readonly DueUids[], before: number, report: Counts): Promise<void> {
    for (let more = true; more; ) {
      const answer = await this.#store.purgeDue(due, before);
      report.purged = addPurged(report.purged, answer);
      ({ more } = answer);
      if (more) await this.#pause();
    }
  }

  /** Purges what is due of an account with a retention of its own, but the account. */
  async #purgeOwn(account: AccountId, report: Counts): Promise<void> {
    const catalog = this.#catalog();
    const row = catalog.account(account);
    if (row === undefined || (row.retainedMessages === 0 && !hasDeletedMailboxes(catalog.view, account))) return;
    const before = this.#dueBefore(retentionOf(catalog, account, this.#settings).expunged);
    const deleted: MailboxId[] = [];
    for (const id of deletedMailboxesOf(catalog.view, account)) {
      if ((catalog.mailbox(id)?.deletedAt ?? before) < before) deleted.push(id);
      if (deleted.length === rowsPerTurn) break;
    }
    await this.#purgeMailboxes(deleted, report);
    for await (const { id, row: mailbox } of this.#walks.mailboxesOf(account)) {
      if (mailbox.retainedMessages > 0) await this.#purgeMailboxBefore(id, before, report);
    }
    await this.#pause();
  }

  async #purgeMailboxBefore(id: MailboxId, before: number, report: Counts): Promise<void> {
    if ((this.#oldest.get(id) ?? 0) >= before) return;
    let oldest = this.#now;
    for (let next: number | undefined = 1; next !== undefined; ) {
      const uids: number[] = [];
      let rows = 0;
      let last: number | undefined;
      for (const { entry, expungedAt } of this.#catalog().retained(id, UidSet.range(next, uidMax), rowsPerTurn)) {
        if (++rows === rowsPerTurn) last = entry.uid + 1;
        if (expungedAt >= before) oldest = Math.min(oldest, expungedAt);
        else if (uids.push(entry.uid) === limits.purgeEntries) {
          last = entry.uid + 1;
          break;
        }
      }
      if (uids.length > 0) await this.#purgeDue([{ mailbox: id, uids }], before, report);
      await this.#pause();
      next = last;
    }
    if (this.#oldest.size >= oldestMax) this.#oldest.clear();
    this.#oldest.set(id, oldest);
  }

  /** Purges deleted mailboxes that are due, of the accounts that have the store's retention. */
  async #purgeDeleted(own: ReadonlySet<AccountId>, report: Counts): Promise<void> {
    const due: MailboxId[] = [];
    for await (const { id } of this.#walks.each(mailboxesDeletedBefore(this.#dueBefore(this.#settings.expunged)))) {
      const account = this.#catalog().mailbox(id)?.account;
      if (account !== undefined && !own.has(account)) due.push(id);
    }
    await this.#purgeMailboxes(due, report);
  }

  /** Purges deleted mailboxes: small ones together, of a large one so many slices before the next has its turn. */
  async #purgeMailboxes(ids: readonly MailboxId[], report: Counts): Promise<void> {
    for (let left = ids; left.length > 0; ) {
      const next: MailboxId[] = [];
      for (let at = 0; at < left.length; ) {
        const group = this.#smallOnes(left, at);
        at += group.length;
        const more = await Promise.all(group.map((id) => this.#purgeSlices(id, report)));
        next.push(...group.filter((_id, index) => more[index]));
        await this.#pause();
      }
      report.mailboxes += left.length - next.length;
      left = next;
    }
  }

  /** The mailbox at a place in a list, and those behind it, as far as they can be purged in one turn. */
  #smallOnes(ids: readonly MailboxId[], from: number): MailboxId[] {
    const group: MailboxId[] = [];
    let entries = 0;
    for (const id of ids.slice(from, from + limits.purgeMailboxes)) {
      const row = this.#catalog().mailbox(id);
      entries += (row?.messages ?? 0) + (row?.retainedMessages ?? 0);
      if (group.length > 0 && entries > limits.purgeEntries) break;
      group.push(id);
    }
    return group;
  }

  async #purgeSlices(id: MailboxId, report: Counts): Promise<boolean> {
    for (let slice = 0; slice < slicesPerRound; slice++) {
      // It may have come back meanwhile.
      if (this.#catalog().mailbox(id)?.deleted !== true) return false;
      const answer = await this.#store.purgeSlice(id);
      report.purged = addPurged(report.purged, answer);
      if (!answer.more) return false;
      await this.#pause();
    }
    return true;
  }

  async #purgeAccounts(own: ReadonlySet<AccountId>, report: Counts): Promise<void> {
    for await (const { id } of this.#walks.each(accountsDeletedBefore(this.#dueBefore(0)))) {
      const catalog = this.#catalog();
      const row = catalog.account(id);
      const { expunged } = own.has(id) ? retentionOf(catalog, id, this.#settings) : this.#settings;
      if (row?.deleted !== true || row.deletedAt >= this.#dueBefore(expunged)) continue;
      // Mailboxes deleted a moment after the account go in the next run, and the account with them.
      if (row.mailboxes > 0 || hasDeletedMailboxes(catalog.view, id)) continue;
      await this.#store.purgeAccount(id);
      report.accounts++;
      await this.#pause();
    }
  }

  /** Forgets expunges that are old, for mailboxes where some are a good deal older. */
  async #forgetExpunges(report: Counts): Promise<void> {
    const before = this.#now - limits.expungesSeconds;
    const mailboxes = new Set<MailboxId>();
    for await (const { mailbox } of this.#walks.each(expungesBefore(before - limits.expungesSlackSeconds))) {
      mailboxes.add(mailbox);
      if (mailboxes.size === rowsPerTurn) break;
    }
    for (const mailbox of mailboxes) {
      while (await this.#store.forgetExpunges(mailbox, before)) await this.#pause();
      report.forgotten++;
      await this.#pause();
    }
  }
}
