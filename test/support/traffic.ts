/**
 * Callers of a store: random requests of every kind, and a journal of what they were told. What they ask for is picked from
 * what they can read, so they need no model; whether the store kept its word is for the test to compare with the journal.
 */
import { createHash } from 'node:crypto';
import {
  type AccountId,
  type Change,
  isStoreError,
  type MailboxId,
  type MailWriter,
  type NamedMailbox,
  type Placed,
  type StoreErrorCode,
  type TakenMessage,
  UidSet,
} from '@mstore/store';
import type { CatalogSource } from './dump-store.ts';
import type { MessageSource } from './messages.ts';
import type { Random } from './random.ts';

/** Something that was answered: it may never be taken back. */
export class Journal {
  /** The highest sequence that an answer or the feed carried. */
  sequence = 0;
  /** `mailbox:uid` → SHA-256 (hex) of the octets that were placed there, without trace lines. */
  readonly placed: Map<string, string> = new Map();
  /** `mailbox:uid:uidvalidity` of every placement, in order of answers. */
  readonly given: string[] = [];
  /** Requests answered, by name. */
  readonly answered: Map<string, number> = new Map();

  heard(sequence: number): void {
    this.sequence = Math.max(this.sequence, sequence);
  }

  place(placed: Placed, sha: string): void {
    this.heard(placed.sequence);
    this.placed.set(`${placed.mailbox}:${placed.uid}`, sha);
    this.given.push(`${placed.mailbox}:${placed.uid}:${placed.uidValidity}`);
  }

  feed(changes: readonly Change[]): void {
    for (const { sequence } of changes) this.heard(sequence);
  }

  /** A copy as of now. */
  snapshot(): { readonly sequence: number; readonly placed: ReadonlyMap<string, string> } {
    return { sequence: this.sequence, placed: new Map(this.placed) };
  }
}

/** Refusals that random requests earn. */
const earned: readonly StoreErrorCode[] = [
  'noAccount',
  'accountExists',
  'noMailbox',
  'mailboxExists',
  'badName',
  'overQuota',
  'limitExceeded',
];

const words: readonly [string, ...string[]] = ['$Forwarded', '$Junk', 'red', 'Red', 'todo', 'NonJunk'];
const names: readonly [string, ...string[]] = ['a', 'a/b', 'a/b/c', 'd', 'Ünïcode', 'x y', 'INBOX/sub', 'd/e'];
const secondsBase = 1_700_000_000;

type Step = (traffic: Traffic) => Promise<void>;

export class Traffic {
  readonly #writer: MailWriter;
  readonly #reading: CatalogSource;
  readonly #random: Random;
  readonly #source: MessageSource;
  readonly journal: Journal;

  constructor(
    writer: MailWriter,
    reading: CatalogSource,
    random: Random,
    source: MessageSource,
    journal: Journal = new Journal(),
  ) {
    this.#writer = writer;
    this.#reading = reading;
    this.#random = random;
    this.#source = source;
    this.journal = journal;
  }

  /** Makes a random request. @throws {StoreError} what no request earns by itself */
  async step(): Promise<void> {
    const total = steps.reduce((sum, [, weight]) => sum + weight, 0);
    let at = this.#random.int(total);
    const found = steps.find(([, weight]) => {
      at -= weight;
      return at < 0;
    });
    if (found !== undefined) await this.request(found[0]);
  }

  /** Makes a request of the kind. */
  async request(name: StepName): Promise<void> {
    try {
      await stepNamed(name)(this);
      this.journal.answered.set(name, (this.journal.answered.get(name) ?? 0) + 1);
    } catch (error) {
      if (!isStoreError(error) || !earned.includes(error.code)) throw error;
    }
  }

  /** One request of every kind, in an order in which each finds something to do. */
  async everything(): Promise<void> {
    for (const [name] of steps) await this.request(name);
  }

  async deliver(): Promise<void> {
    const octets = this.#source.next();
    const trace = Buffer.from(`Return-Path: <s${this.#random.int(9)}@example.org>\r\n`);
    const accounts = this.#accounts().filter(() => this.#random.chance(0.6));
    if (accounts.length === 0) return;
    const targets = accounts.map((account) => ({
      account,
      trace,
      ...(this.#random.chance(0.3) ? { mailbox: this.#random.pick(names) } : {}),
    }));
    const results = await this.#writer.deliver(await this.take(octets), targets);
    for (const result of results) if (result.ok) this.journal.place(result.placed, shaOf(octets));
  }

  /** Takes a message in, whole or in pieces. */
  take(octets: Buffer): Promise<TakenMessage> {
    const size = 1 + this.#random.int(20_000);
    return this.#writer.take(this.#random.chance(0.5) ? octets : pieces(octets, size));
  }

  async append(octets: readonly Buffer[] = this.#messages()): Promise<void> {
    const mailbox = this.#mailbox();
    if (mailbox === undefined) return;
    const items = [];
    for (const one of octets) {
      items.push({
        message: await this.take(one),
        flags: this.#random.int(32),
        keywords: this.#keywords(),
        internalDate: secondsBase + this.#random.int(1e7),
        ...(this.#random.chance(0.3) ? { uidl: `uidl-${this.#random.int(50)}` } : {}),
      });
    }
    const placed = await this.#writer.append(mailbox.id, items);
    for (const [at, one] of placed.entries()) this.journal.place(one, shaOf(octets[at] ?? Buffer.alloc(0)));
  }

  async setFlags(): Promise<void> {
    const mailbox = this.#mailbox();
    if (mailbox === undefined) return;
    const { sequence } = await this.#writer.setFlags({
      mailbox: mailbox.id,
      uids: this.#uids(mailbox),
      mode: this.#random.pick(['add', 'remove', 'replace']),
      flags: this.#random.int(32),
      keywords: this.#keywords(),
      ...(this.#random.chance(0.3) ? { unchangedSince: this.#random.int(mailbox.row.highestModSeq + 1) } : {}),
    });
    this.journal.heard(sequence);
  }

  async expunge(): Promise<void> {
    const mailbox = this.#mailbox();
    if (mailbox === undefined) return;
    const { sequence } = await this.#writer.expunge(mailbox.id, this.#uids(mailbox), this.#random.chance(0.7));
    this.journal.heard(sequence);
  }

  async copy(how: 'copy' | 'move'): Promise<void> {
    const source = this.#mailbox();
    const target = this.#mailbox();
    if (source === undefined || target === undefined) return;
    const { pairs, sequence } = await this.#writer[how](source.id, this.#uids(source), target.id);
    this.journal.heard(sequence);
    for (const [from, to] of pairs) {
      const sha = this.journal.placed.get(`${source.id}:${from}`);
      if (sha !== undefined) this.journal.placed.set(`${target.id}:${to}`, sha);
    }
  }

  async purge(): Promise<void> {
    const mailboxes = [...this.#reading.catalog().allMailboxes()];
    const mailbox = mailboxes.length === 0 ? undefined : this.#random.pick(mailboxes);
    if (mailbox !== undefined) await this.#writer.purge(mailbox.id, UidSet.range(1, mailbox.row.uidNext));
  }

  async undelete(): Promise<void> {
    const mailbox = this.#kept(({ row }) => row.retainedMessages > 0 && !row.deleted);
    if (mailbox === undefined) return;
    const { pairs, sequence } = await this.#writer.undelete(mailbox.id, this.#uids(mailbox), mailbox.id);
    this.journal.heard(sequence);
    for (const [from, to] of pairs) {
      const sha = this.journal.placed.get(`${mailbox.id}:${from}`);
      if (sha !== undefined) this.journal.placed.set(`${mailbox.id}:${to}`, sha);
    }
  }

  async restoreMailbox(): Promise<void> {
    const mailbox = this.#kept(({ row }) => row.deleted);
    if (mailbox !== undefined) this.journal.heard((await this.#writer.restoreMailbox(mailbox.id)).sequence);
  }

  async restoreAccount(): Promise<void> {
    const deleted = [...this.#reading.catalog().accounts()].filter(({ row }) => row.deleted);
    if (deleted.length === 0) return;
    this.journal.heard((await this.#writer.restoreAccount(this.#random.pick(deleted).id)).sequence);
  }

  async purgeRetained(): Promise<void> {
    const mailbox = this.#kept(({ row }) => row.retainedMessages > 0 || row.deleted);
    if (mailbox !== undefined) await this.#writer.purgeRetained(mailbox.id);
  }

  #kept(wanted: (mailbox: NamedMailbox) => boolean): NamedMailbox | undefined {
    const found = [...this.#reading.catalog().allMailboxes()].filter(wanted);
    return found.length === 0 ? undefined : this.#random.pick(found);
  }

  async createMailbox(): Promise<void> {
    const account = this.#account();
    if (account === undefined) return;
    const { sequence } = await this.#writer.createMailbox(account, this.#random.pick(names));
    this.journal.heard(sequence);
  }

  async renameMailbox(): Promise<void> {
    const mailbox = this.#mailbox();
    if (mailbox !== undefined) await this.#writer.renameMailbox(mailbox.id, this.#random.pick(names));
  }

  async deleteMailbox(): Promise<void> {
    const mailbox = this.#mailbox();
    if (mailbox !== undefined) await this.#writer.deleteMailbox(mailbox.id);
  }

  async subscribe(): Promise<void> {
    const account = this.#account();
    if (account === undefined) return;
    await this.#writer.subscribe(account, this.#random.pick(names), this.#random.chance(0.6));
  }

  async setRole(): Promise<void> {
    const mailbox = this.#mailbox();
    if (mailbox !== undefined) await this.#writer.setRole(mailbox.id, this.#random.pick(['', 'archive', 'all']));
  }

  async setMetadata(): Promise<void> {
    const mailbox = this.#mailbox();
    if (mailbox === undefined) return;
    const value = this.#random.chance(0.8) ? this.#random.bytes(this.#random.int(40)) : undefined;
    const where = this.#random.chance(0.5) ? mailbox.id : 0;
    await this.#writer.setMetadata(mailbox.row.account, where, `/private/${this.#random.int(3)}`, value);
  }

  async createAccount(): Promise<void> {
    if (this.#accounts().length > 5) return;
    const { sequence } = await this.#writer.createAccount(`user${this.#random.int(20)}@example.org`);
    this.journal.heard(sequence);
  }

  async renameAccount(): Promise<void> {
    const account = this.#account();
    if (account !== undefined) await this.#writer.renameAccount(account, `user${this.#random.int(20)}@example.org`);
  }

  async deleteAccount(): Promise<void> {
    const account = this.#account();
    if (account !== undefined && this.#accounts().length > 3) await this.#writer.deleteAccount(account);
  }

  async setQuota(): Promise<void> {
    const account = this.#account();
    if (account === undefined) return;
    const bytes = this.#random.chance(0.3) ? 50_000 + this.#random.int(1_000_000) : 0;
    await this.#writer.setQuota(account, bytes, this.#random.chance(0.2) ? 20 : 0);
  }

  #messages(): Buffer[] {
    return Array.from({ length: 1 + this.#random.int(3) }, () => this.#source.next());
  }

  #accounts(): AccountId[] {
    return [...this.#reading.catalog().accounts()].filter(({ row }) => !row.deleted).map(({ id }) => id);
  }

  #account(): AccountId | undefined {
    const accounts = this.#accounts();
    return accounts.length === 0 ? undefined : this.#random.pick(accounts);
  }

  /** A live mailbox; more likely one that holds messages. */
  #mailbox(): NamedMailbox | undefined {
    const live = [...this.#reading.catalog().allMailboxes()].filter(({ row }) => !row.deleted);
    const full = live.filter(({ row }) => row.messages > 0);
    const some = full.length > 0 && this.#random.chance(0.8) ? full : live;
    return some.length === 0 ? undefined : this.#random.pick(some);
  }

  #uids({ row, id }: { readonly id: MailboxId; readonly row: { readonly uidNext: number } }): UidSet {
    if (this.#random.chance(0.2)) return UidSet.range(1, 0xffff_ffff);
    const uids = [...this.#reading.catalog().entries(id)].map((entry) => entry.uid);
    const some = uids.filter(() => this.#random.chance(0.3));
    return UidSet.of([...some, 1 + this.#random.int(row.uidNext)]);
  }

  #keywords(): string[] {
    return words.filter(() => this.#random.chance(0.2));
  }
}

/** Kinds of request and how often each is made. */
const steps = [
  ['createAccount', 3],
  ['deliver', 30],
  ['append', 15],
  ['createMailbox', 5],
  ['setFlags', 25],
  ['copy', 8],
  ['move', 8],
  ['expunge', 10],
  ['purge', 5],
  ['undelete', 6],
  ['restoreMailbox', 2],
  ['restoreAccount', 1],
  ['purgeRetained', 1],
  ['subscribe', 3],
  ['setRole', 2],
  ['setMetadata', 4],
  ['renameMailbox', 6],
  ['deleteMailbox', 3],
  ['setQuota', 3],
  ['renameAccount', 2],
  ['deleteAccount', 1],
] as const;

type StepName = (typeof steps)[number][0];

function stepNamed(name: StepName): Step {
  if (name === 'copy' || name === 'move') return (traffic) => traffic.copy(name);
  return (traffic) => traffic[name]();
}

export function shaOf(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex');
}

async function* pieces(octets: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size);
}
