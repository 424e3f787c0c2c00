/**
 * What a store should be, as plain Maps: each request changes the model at once and says what the store must answer. It knows
 * nothing of logs, batches or tables. Sequences are exact: one per event and per entry.
 */
import { flag, inbox, isStoreError, mailboxName, StoreError, type StoreErrorCode, type UidSet } from '@mstore/store';

/** Entries that the writer copies or moves in one turn, each with an event of its own for the source. */
const copySlice = 200;
/** The same of what it purges. */
const purgeSlice = 100;

export interface ModelEntry {
  readonly uid: number;
  flags: number;
  /** Sorted, as the mailbox spells them. */
  keywords: readonly string[];
  modSeq: number;
  readonly internalDate: number | undefined;
  readonly uidl: string;
  /** With trace lines. */
  readonly octets: Buffer;
  /** The same for all copies within an account. */
  readonly origin: object;
}

export interface ModelMailbox {
  readonly id: number;
  readonly account: number;
  name: string;
  role: string;
  deleted: boolean;
  /** 0 until the store has told it. */
  uidValidity: number;
  uidNext: number;
  highestModSeq: number;
  readonly entries: Map<number, ModelEntry>;
  readonly retained: Map<number, ModelEntry>;
  readonly expunged: Map<number, string>;
  readonly words: string[];
}

export interface ModelAccount {
  readonly id: number;
  name: string;
  deleted: boolean;
  quotaBytes: number;
  quotaMessages: number;
  readonly subscriptions: Set<string>;
  /** By `mailbox name`. */
  readonly metadata: Map<string, Buffer>;
}

export interface ModelPlaced {
  readonly mailbox: number;
  readonly uid: number;
  readonly size: number;
  readonly sequence: number;
}

export interface ModelAppend {
  readonly octets: Buffer;
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly internalDate: number;
  readonly uidl: string;
}

const firstMailboxes = ['INBOX', 'Drafts', 'Sent', 'Junk', 'Trash', 'Archive'];

function refuse(code: StoreErrorCode): never {
  throw new StoreError(code, 'as the model has it');
}

export class StoreModel {
  readonly accounts: Map<number, ModelAccount> = new Map();
  readonly mailboxes: Map<number, ModelMailbox> = new Map();
  sequence = 0;
  #lastMailbox = 0;
  #lastAccount = 0;

  liveAccounts(): ModelAccount[] {
    return [...this.accounts.values()].filter((account) => !account.deleted);
  }

  liveMailboxes(account?: number): ModelMailbox[] {
    const live = [...this.mailboxes.values()].filter((mailbox) => !mailbox.deleted);
    return account === undefined ? live : live.filter((mailbox) => mailbox.account === account);
  }

  named(account: number, name: string): ModelMailbox | undefined {
    return this.liveMailboxes(account).find((mailbox) => mailbox.name === name);
  }

  createAccount(name: string): { account: number; sequence: number } {
    if (this.#accountNamed(name) !== undefined) refuse('accountExists');
    const id = ++this.#lastAccount;
    const subscriptions = new Set(firstMailboxes);
    const account = { id, name, deleted: false, quotaBytes: 0, quotaMessages: 0, subscriptions, metadata: new Map() };
    this.accounts.set(id, account);
    this.sequence++;
    for (const mailbox of firstMailboxes) {
      this.#addMailbox(id, mailbox, mailbox === inbox ? '' : mailbox.toLowerCase());
      this.sequence++;
    }
    return { account: id, sequence: this.sequence };
  }

  renameAccount(id: number, name: string): void {
    const account = this.#account(id);
    const taken = this.#accountNamed(name);
    if (taken !== undefined && taken !== account) refuse('accountExists');
    account.name = name;
    this.sequence++;
  }

  deleteAccount(id: number): void {
    const account = this.#account(id);
    // The store deletes them by name; only the order of sequences depends on that.
    const byName = this.liveMailboxes(id).sort((a, b) => Buffer.from(a.name).compare(Buffer.from(b.name)));
    account.deleted = true;
    this.sequence++;
    for (const mailbox of byName) this.#delete(mailbox);
  }

  setQuota(id: number, bytes: number, messages: number): void {
    Object.assign(this.#account(id), { quotaBytes: bytes, quotaMessages: messages });
    this.sequence++;
  }

  createMailbox(account: number, given: string): { mailbox: number; sequence: number } {
    const name = mailboxName(given);
    this.#account(account);
    if (this.named(account, name) !== undefined) refuse('mailboxExists');
    const mailbox = this.#addMailbox(account, name, '').id;
    return { mailbox, sequence: this.sequence };
  }

  /** Returns the mailboxes whose names changed. */
  renameMailbox(id: number, given: string): ModelMailbox[] {
    const mailbox = this.mailboxes.get(id);
    if (mailbox?.name === inbox && !mailbox.deleted) {
      const { mailbox: target } = this.createMailbox(mailbox.account, given);
      this.copy(mailbox, [...mailbox.entries.keys()], this.#mailbox(target), true);
      return [];
    }
    const name = mailboxName(given);
    const { account, name: old } = this.#mailbox(id);
    if (name === old) refuse('mailboxExists');
    if (name.startsWith(`${old}/`)) refuse('badName');
    const moving = this.liveMailboxes(account).filter((one) => one.id === id || one.name.startsWith(`${old}/`));
    for (const one of moving) {
      const taken = this.named(account, name + one.name.slice(old.length));
      if (taken !== undefined && !moving.includes(taken)) refuse('mailboxExists');
    }
    for (const one of moving) one.name = name + one.name.slice(old.length);
    this.sequence++;
    return moving;
  }

  deleteMailbox(id: number): void {
    const mailbox = this.#mailbox(id);
    if (mailbox.name === inbox) refuse('badName');
    this.#delete(mailbox);
  }

  subscribe(id: number, given: string, on: boolean): void {
    const name = mailboxName(given);
    const { subscriptions } = this.#account(id);
    if (subscriptions.has(name) === on) return;
    if (on) subscriptions.add(name);
    else subscriptions.delete(name);
    this.sequence++;
  }

  setRole(id: number, role: string): void {
    const mailbox = this.#mailbox(id);
    if (mailbox.role === role) return;
    mailbox.role = role;
    this.sequence++;
  }

  setMetadata(id: number, mailbox: number, name: string, value: Buffer | undefined): void {
    const { metadata } = this.#account(id);
    if (mailbox !== 0 && this.#mailbox(mailbox).account !== id) refuse('noMailbox');
    if (value === undefined) metadata.delete(`${mailbox} ${name}`);
    else metadata.set(`${mailbox} ${name}`, value);
    this.sequence++;
  }

  /** Each target is placed or refused by itself. */
  deliver(
    octets: Buffer,
    targets: readonly { account: number; mailbox?: string; trace: Buffer }[],
  ): (ModelPlaced | StoreErrorCode)[] {
    const done = new Map<number, ModelPlaced>();
    return targets.map(({ account, mailbox: name, trace }) => {
      try {
        this.#account(account);
        const mailbox = this.named(account, name ?? inbox) ?? this.named(account, inbox) ?? refuse('noMailbox');
        const known = done.get(mailbox.id);
        if (known !== undefined) return known;
        const whole = Buffer.concat([trace, octets]);
        this.#checkQuota(account, whole.length, 1);
        const given = { flags: 0, keywords: [], internalDate: undefined, uidl: '', octets: whole, origin: {} };
        const placed = this.place(mailbox, given);
        done.set(mailbox.id, placed);
        return placed;
      } catch (error) {
        if (isStoreError(error)) return error.code;
        throw error;
      }
    });
  }

  append(id: number, items: readonly ModelAppend[]): ModelPlaced[] {
    const mailbox = this.#mailbox(id);
    this.#checkQuota(mailbox.account, sum(items.map((item) => item.octets.length)), items.length);
    return items.map((item) => {
      const uidl = this.#importedUidl(mailbox, item.uidl);
      return this.place(mailbox, { ...item, uidl, origin: {} });
    });
  }

  setFlags(
    id: number,
    uids: Iterable<number>,
    change: { mode: 'add' | 'remove' | 'replace'; flags: number; keywords: readonly string[]; unchangedSince?: number },
  ): { changed: number[]; modified: number[]; sequence: number } {
    const mailbox = this.#mailbox(id);
    const changed: number[] = [];
    const modified: number[] = [];
    const since = change.unchangedSince ?? Number.POSITIVE_INFINITY;
    const next = new Map<ModelEntry, { flags: number; keywords: readonly string[] }>();
    for (const entry of this.#entries(mailbox, uids)) {
      if (entry.modSeq > since) modified.push(entry.uid);
      else {
        const asked = this.#flagsAfter(mailbox, entry, change);
        if (asked.flags === entry.flags && asked.keywords.join(' ') === entry.keywords.join(' ')) continue;
        changed.push(entry.uid);
        next.set(entry, asked);
      }
    }
    if (next.size > 0) mailbox.highestModSeq = ++this.sequence;
    for (const [entry, { flags, keywords }] of next) {
      entry.flags = flags;
      entry.keywords = this.#spelled(mailbox, keywords);
      entry.modSeq = this.sequence;
    }
    return { changed, modified, sequence: this.sequence };
  }

  expunge(id: number, uids: Iterable<number>, onlyDeleted: boolean): { expunged: number[]; sequence: number } {
    const mailbox = this.#mailbox(id);
    const entries = this.#entries(mailbox, uids);
    const gone = entries.filter((entry) => !onlyDeleted || (entry.flags & flag.deleted) !== 0);
    this.#expunge(mailbox, gone, true);
    return { expunged: gone.map((entry) => entry.uid), sequence: this.sequence };
  }

  copy(
    from: ModelMailbox,
    uids: Iterable<number>,
    to: ModelMailbox,
    move: boolean,
  ): { pairs: (readonly [number, number])[]; sequence: number } {
    const source = this.#mailbox(from.id);
    const target = this.#mailbox(to.id);
    const entries = this.#entries(source, uids);
    const sameAccount = source.account === target.account;
    const bytes = sum(entries.map((entry) => entry.octets.length));
    if (entries.length > 0 && !(move && sameAccount)) this.#checkQuota(target.account, bytes, entries.length);
    const pairs: (readonly [number, number])[] = [];
    for (let at = 0; at < entries.length; at += copySlice) {
      const slice = entries.slice(at, at + copySlice);
      for (const entry of slice) {
        const copy = { ...entry, uidl: '', origin: sameAccount ? entry.origin : {} };
        pairs.push([entry.uid, this.place(target, copy).uid]);
      }
      if (move) this.#expunge(source, slice, false);
    }
    return { pairs, sequence: this.sequence };
  }

  purge(id: number, uids: UidSet): number {
    const mailbox = this.mailboxes.get(id);
    if (mailbox === undefined) return 0;
    const places = mailbox.deleted ? [mailbox.retained, mailbox.entries] : [mailbox.retained];
    let found = 0;
    for (const place of places) for (const uid of [...place.keys()]) if (uids.has(uid) && place.delete(uid)) found++;
    this.sequence += Math.ceil(found / purgeSlice);
    if (mailbox.deleted && mailbox.entries.size + mailbox.retained.size === 0) {
      this.sequence++;
      this.mailboxes.delete(id);
      const { metadata } = this.accounts.get(mailbox.account) ?? { metadata: new Map<string, Buffer>() };
      for (const key of [...metadata.keys()]) if (key.startsWith(`${id} `)) metadata.delete(key);
    }
    return found;
  }

  usage(account: number): { bytes: number; messages: number } {
    const entries = this.liveMailboxes(account).flatMap((mailbox) => [...mailbox.entries.values()]);
    return { bytes: sum(entries.map((entry) => entry.octets.length)), messages: entries.length };
  }

  #account(id: number): ModelAccount {
    const account = this.accounts.get(id);
    return account === undefined || account.deleted ? refuse('noAccount') : account;
  }

  #accountNamed(name: string): ModelAccount | undefined {
    return this.liveAccounts().find((account) => account.name.toLowerCase() === name.toLowerCase());
  }

  #mailbox(id: number): ModelMailbox {
    const mailbox = this.mailboxes.get(id);
    return mailbox === undefined || mailbox.deleted ? refuse('noMailbox') : mailbox;
  }

  #addMailbox(account: number, name: string, role: string): ModelMailbox {
    const id = ++this.#lastMailbox;
    const highestModSeq = ++this.sequence;
    const empty = { entries: new Map(), retained: new Map(), expunged: new Map(), words: [] };
    const fresh = { id, account, name, role, deleted: false, uidValidity: 0, uidNext: 1, highestModSeq, ...empty };
    this.mailboxes.set(id, fresh);
    return fresh;
  }

  #delete(mailbox: ModelMailbox): void {
    mailbox.deleted = true;
    mailbox.highestModSeq = ++this.sequence;
  }

  #entries(mailbox: ModelMailbox, uids: Iterable<number>): ModelEntry[] {
    const wanted = new Set(uids);
    return [...mailbox.entries.values()].filter((entry) => wanted.has(entry.uid)).sort((a, b) => a.uid - b.uid);
  }

  place(mailbox: ModelMailbox, given: Omit<ModelEntry, 'uid' | 'modSeq'>): ModelPlaced {
    const uid = mailbox.uidNext++;
    const modSeq = ++this.sequence;
    const { flags, internalDate, uidl, octets, origin } = given;
    const keywords = this.#spelled(mailbox, given.keywords);
    mailbox.entries.set(uid, { uid, flags, keywords, modSeq, internalDate, uidl, octets, origin });
    mailbox.highestModSeq = modSeq;
    return { mailbox: mailbox.id, uid, size: octets.length, sequence: modSeq };
  }

  #expunge(mailbox: ModelMailbox, entries: readonly ModelEntry[], retained: boolean): void {
    if (entries.length === 0) return;
    mailbox.highestModSeq = ++this.sequence;
    mailbox.expunged.set(this.sequence, entries.map((entry) => entry.uid).join(' '));
    for (const entry of entries) {
      mailbox.entries.delete(entry.uid);
      if (retained) mailbox.retained.set(entry.uid, entry);
    }
  }

  #flagsAfter(
    mailbox: ModelMailbox,
    entry: ModelEntry,
    change: { mode: 'add' | 'remove' | 'replace'; flags: number; keywords: readonly string[] },
  ): { flags: number; keywords: readonly string[] } {
    const named = new Set(change.keywords.map((word) => word.toLowerCase()));
    const kept = entry.keywords.filter((word) => !named.has(word.toLowerCase()));
    if (change.mode === 'remove') return { flags: entry.flags & ~change.flags, keywords: kept };
    const before = change.mode === 'replace' ? [] : entry.keywords;
    const keywords = this.#spelled(mailbox, [...before, ...change.keywords], false);
    return { flags: change.mode === 'replace' ? change.flags : entry.flags | change.flags, keywords };
  }

  /** Each word once, sorted, as the mailbox knew it first. */
  #spelled(mailbox: ModelMailbox, words: readonly string[], remember = true): string[] {
    const found = new Map<string, string>();
    for (const word of words) {
      const lower = word.toLowerCase();
      const known = mailbox.words.find((other) => other.toLowerCase() === lower);
      if (known === undefined && remember) mailbox.words.push(word);
      if (!found.has(lower)) found.set(lower, known ?? word);
    }
    return [...found.values()].sort();
  }

  #checkQuota(account: number, bytes: number, messages: number): void {
    const { quotaBytes, quotaMessages } = this.#account(account);
    const used = this.usage(account);
    if (quotaBytes > 0 && used.bytes + bytes > quotaBytes) refuse('overQuota');
    if (quotaMessages > 0 && used.messages + messages > quotaMessages) refuse('overQuota');
  }

  #importedUidl(mailbox: ModelMailbox, given: string): string {
    if (!/^[!-~]{1,70}$/.test(given)) return '';
    const uidl = /^[0-9a-f]{16}$/i.test(given) ? `x${given}` : given;
    const taken = [...mailbox.entries.values(), ...mailbox.retained.values()];
    return taken.some((entry) => entry.uidl.toLowerCase() === uidl.toLowerCase()) ? '' : uidl;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
