/** Drives a store and its model with the same random requests, and compares what they answer and what they hold. */
import assert from 'node:assert/strict';
import {
  type AccountId,
  type AppendMessage,
  brandNumber,
  limits,
  type MailboxId,
  type MailWriter,
  retentionEntry,
  type Store,
  UidSet,
} from '@mstore/store';
import type { MessageSource } from '../support/messages.ts';
import type { Random } from '../support/random.ts';
import type { ModelMailbox, StoreModel } from '../support/store-model.ts';
import { code, delivered, type Memory, newMemory, outcome, placed } from './answers.ts';
import { retainedStep } from './retained-run.ts';

const words: readonly [string, ...string[]] = ['$Forwarded', '$Junk', 'red', 'Red', 'todo'];
// biome-ignore format: a list
const names: readonly [string, ...string[]] = ['a', 'a/b', 'a/b/c', 'd', 'd/a', 'Ünïcode', 'inbox/sub', 'INBOX', 'x//y', 'a/'];

const accountId = (id: number): AccountId => brandNumber<AccountId>(id);
const mailboxId = (id: number): MailboxId => brandNumber<MailboxId>(id);

export class ModelRun {
  readonly store: Store;
  readonly model: StoreModel;
  readonly #writer: MailWriter;
  readonly #random: Random;
  readonly #source: MessageSource;
  readonly #memory: Memory;
  /** Requests made. */
  requests = 0;

  constructor(
    store: Store,
    model: StoreModel,
    random: Random,
    source: MessageSource,
    memory: Memory = newMemory(),
    writer: MailWriter = store,
  ) {
    this.store = store;
    this.model = model;
    this.#writer = writer;
    this.#random = random;
    this.#source = source;
    this.#memory = memory;
  }

  /** The same with requests that go another way. */
  through(writer: MailWriter): ModelRun {
    return new ModelRun(this.store, this.model, this.#random, this.#source, this.#memory, writer);
  }

  /** The same for a store opened again. */
  goOnWith(store: Store): ModelRun {
    const next = new ModelRun(store, this.model, this.#random, this.#source, this.#memory);
    next.requests = this.requests;
    return next;
  }

  /** One random request, answered and compared. */
  async step(): Promise<void> {
    const luck = this.#random.int(100);
    if (luck < 10) await this.#copyOrMove();
    else if (luck < 13) await this.#rename();
    else if (luck < 15) await this.#accountChange();
    else if (luck < 17) await this.#remove();
    else if (luck < 22) await retainedStep(this, this.#writer, this.#random);
    else await (await this.#ordered())();
  }

  /** Several requests that are decided in the order in which they are made, all under way at once. */
  async burst(count: number): Promise<void> {
    const requests = [];
    for (let n = 0; n < count; n++) requests.push(await this.#ordered());
    await Promise.all(requests.map((request) => request()));
  }

  /** Prepares a request that the store queues at once when it is called, and so decides in order. */
  async #ordered(): Promise<() => Promise<void>> {
    const luck = this.#random.int(100);
    if (this.model.liveAccounts().length < 3 || luck < 2) return this.#createAccount();
    if (luck < 35) return this.#deliver();
    if (luck < 55) return this.#append();
    if (luck < 75) return this.#setFlags();
    if (luck < 83) return this.#expunge();
    if (luck < 88) return this.#purge();
    return luck < 92 ? this.#createMailbox() : this.#small();
  }

  /** Asks the store, then the model, and compares what they say. */
  async ask<Actual, Wanted>(
    what: string,
    actual: () => Promise<Actual>,
    wanted: () => Wanted,
    compare: (actual: Actual, wanted: Wanted) => void = () => undefined,
  ): Promise<void> {
    this.requests++;
    const asked = outcome(actual);
    const expected = await outcome(async () => wanted(), true);
    const got = await asked;
    if ('answer' in got && 'answer' in expected) compare(got.answer, expected.answer);
    else assert.deepEqual(code(got), code(expected), what);
  }

  #createAccount(): () => Promise<void> {
    const name = `User${this.#random.int(9)}@example.org`;
    return () =>
      this.ask(
        `createAccount ${name}`,
        () => this.#writer.createAccount(name),
        () => this.model.createAccount(name),
        (got, wanted) => {
          assert.deepEqual({ account: got.account, sequence: got.sequence }, wanted);
          for (const mailbox of this.model.liveMailboxes(wanted.account)) this.#adoptValidity(mailbox);
        },
      );
  }

  #createMailbox(): () => Promise<void> {
    const account = this.#anAccount();
    const name = this.#random.pick(names);
    return () =>
      this.ask(
        `createMailbox ${name} of ${account}`,
        () => this.#writer.createMailbox(accountId(account), name),
        () => this.model.createMailbox(account, name),
        (got, wanted) => {
          assert.deepEqual({ mailbox: got.mailbox, sequence: got.sequence }, wanted);
          const mailbox = this.model.mailboxes.get(wanted.mailbox);
          if (mailbox !== undefined) this.#adopt(mailbox, got.uidValidity);
        },
      );
  }

  async #deliver(): Promise<() => Promise<void>> {
    const octets = this.#source.next();
    const trace = Buffer.from(`Delivered-To: d${this.#random.int(99)}\r\n`);
    const targets = Array.from({ length: 1 + this.#random.int(4) }, () => ({
      account: this.#anAccount(),
      trace,
      ...(this.#random.chance(0.4) ? { mailbox: this.#random.pick(['a', 'Archive', 'none']) } : {}),
    }));
    const message = await this.#writer.take(octets);
    const branded = targets.map((target) => ({ ...target, account: accountId(target.account) }));
    return () =>
      this.ask(
        `deliver to ${JSON.stringify(targets)}`,
        () => this.#writer.deliver(message, branded),
        () => this.model.deliver(octets, targets),
        (got, wanted) => assert.deepEqual(got.map(delivered), wanted),
      );
  }

  async #append(): Promise<() => Promise<void>> {
    const { id } = this.#aMailbox();
    const items = Array.from({ length: 1 + this.#random.int(3) }, () => ({
      octets: this.#source.next(),
      flags: this.#random.int(32),
      keywords: this.#words(),
      internalDate: this.#random.int(2_000_000_000) - 100_000_000,
      uidl: this.#random.pick(['', 'one', 'ONE', 'two', '0123456789abcdef', 'with space']),
    }));
    const taken: AppendMessage[] = [];
    for (const { octets, ...rest } of items) taken.push({ message: await this.#writer.take(octets), ...rest });
    return () =>
      this.ask(
        `append ${items.length} to ${id}`,
        () => this.#writer.append(mailboxId(id), taken),
        () => this.model.append(id, items),
        (got, wanted) => assert.deepEqual(got.map(placed), wanted),
      );
  }

  #setFlags(): () => Promise<void> {
    const mailbox = this.#aMailbox();
    const some = this.#uids(mailbox);
    const change = {
      mode: this.#random.pick(['add', 'remove', 'replace'] as const),
      flags: this.#random.int(32),
      keywords: this.#words(),
      ...(this.#random.chance(0.3) ? { unchangedSince: this.#random.int(this.model.sequence + 2) } : {}),
    };
    const request: Parameters<Store['setFlags']>[0] = { mailbox: mailboxId(mailbox.id), uids: some, ...change };
    const present = this.#present(mailbox, some);
    return () =>
      this.ask(
        `setFlags ${JSON.stringify(change)}`,
        () => this.#writer.setFlags(request),
        () => this.model.setFlags(mailbox.id, present, change),
        (got, wanted) => {
          const { changed, modified, sequence } = got;
          assert.deepEqual({ changed: [...changed], modified: [...modified], sequence }, wanted);
        },
      );
  }

  #expunge(): () => Promise<void> {
    const mailbox = this.#aMailbox();
    const some = this.#uids(mailbox);
    const present = this.#present(mailbox, some);
    const onlyDeleted = this.#random.chance(0.7);
    return () =>
      this.ask(
        'expunge',
        () => this.#writer.expunge(mailboxId(mailbox.id), some, onlyDeleted),
        () => this.model.expunge(mailbox.id, present, onlyDeleted),
        (got, wanted) => assert.deepEqual({ expunged: [...got.expunged], sequence: got.sequence }, wanted),
      );
  }

  #purge(): () => Promise<void> {
    const id = this.#random.pick([...this.model.mailboxes.keys()]);
    // What one turn does: between two, other requests of a burst come.
    const { retained, entries } = this.model.mailboxes.get(id) ?? { retained: new Map(), entries: new Map() };
    const first = [...retained.keys(), ...entries.keys()].slice(0, limits.purgeEntries);
    const some = this.#random.chance(0.5) ? UidSet.of(first) : UidSet.of([1, 3, 4, 7]);
    return () =>
      this.ask(
        `purge ${id}`,
        () => this.#writer.purge(mailboxId(id), some),
        () => this.model.purge(id, some),
        (got, wanted) => assert.equal(got, wanted),
      );
  }

  /** Requests without an answer but success. */
  #small(): () => Promise<void> {
    const account = this.#anAccount();
    const { id } = this.#aMailbox();
    const name = this.#random.pick(names);
    const [store, model] = [this.#writer, this.model];
    const on = this.#random.chance(0.5);
    const where = on ? id : 0;
    const key = this.#random.pick(['/private/comment', '/shared/comment', retentionEntry]);
    const value = this.#random.chance(0.7) ? this.#random.bytes(8) : undefined;
    const [bytes, messages] = [on ? 100_000 + this.#random.int(900_000) : 0, this.#random.pick([0, 0, 30])];
    const role = this.#random.pick(['', 'archive', 'flagged'] as const);
    switch (this.#random.int(4)) {
      case 0:
        return () =>
          this.ask(
            `subscribe ${name}`,
            () => store.subscribe(accountId(account), name, on),
            () => model.subscribe(account, name, on),
          );
      case 1:
        return () =>
          this.ask(
            'setMetadata',
            () => store.setMetadata(accountId(account), where === 0 ? 0 : mailboxId(where), key, value),
            () => model.setMetadata(account, where, key, value),
          );
      case 2:
        return () =>
          this.ask(
            'setQuota',
            () => store.setQuota(accountId(account), bytes, messages),
            () => model.setQuota(account, bytes, messages),
          );
      default:
        return () =>
          this.ask(
            'setRole',
            () => store.setRole(mailboxId(id), role),
            () => model.setRole(id, role),
          );
    }
  }

  async #copyOrMove(): Promise<void> {
    const [from, to] = [this.#aMailbox(), this.#aMailbox()];
    const some = this.#uids(from);
    const move = this.#random.chance(0.5);
    const [source, target] = [mailboxId(from.id), mailboxId(to.id)];
    await this.ask(
      `${move ? 'move' : 'copy'} ${some.toString()} from ${from.id} to ${to.id}`,
      () => (move ? this.#writer.move(source, some, target) : this.#writer.copy(source, some, target)),
      () => this.model.copy(from, this.#present(from, some), to, move),
      (got, wanted) => {
        assert.deepEqual({ pairs: got.pairs, sequence: got.sequence }, wanted);
        assert.equal(got.uidValidity, to.uidValidity);
      },
    );
  }

  async #rename(): Promise<void> {
    const { id } = this.#aMailbox();
    const name = this.#random.pick(names);
    const before = new Map(this.model.liveMailboxes().map((mailbox) => [mailbox.id, this.#bearers(mailbox)]));
    await this.ask(
      `rename ${id} to ${name}`,
      () => this.#writer.renameMailbox(mailboxId(id), name),
      () => this.model.renameMailbox(id, name),
      (_got, renamed) => {
        for (const mailbox of this.model.liveMailboxes()) {
          if (mailbox.uidValidity === 0) this.#adoptValidity(mailbox);
          else if (renamed.includes(mailbox)) this.checkRenamed(mailbox);
          else assert.ok(before.has(mailbox.id));
        }
      },
    );
  }

  async #accountChange(): Promise<void> {
    const account = this.#anAccount();
    const name = `user${this.#random.int(9)}@example.org`;
    await this.ask(
      `renameAccount ${account} ${name}`,
      () => this.#writer.renameAccount(accountId(account), name),
      () => this.model.renameAccount(account, name),
    );
  }

  async #remove(): Promise<void> {
    const [{ id }, account] = [this.#aMailbox(), this.#anAccount()];
    if (this.#random.chance(0.7)) {
      await this.ask(
        `deleteMailbox ${id}`,
        () => this.#writer.deleteMailbox(mailboxId(id)),
        () => this.model.deleteMailbox(id),
      );
    } else if (this.model.liveAccounts().length > 3) {
      await this.ask(
        `deleteAccount ${account}`,
        () => this.#writer.deleteAccount(accountId(account)),
        () => this.model.deleteAccount(account),
      );
    }
  }

  #bearers(mailbox: ModelMailbox): number {
    const key = `${mailbox.account} ${mailbox.name}`;
    this.#memory.seen.set(key, Math.max(this.#memory.seen.get(key) ?? 0, mailbox.uidValidity));
    return mailbox.uidValidity;
  }

  #adoptValidity(mailbox: ModelMailbox): void {
    const row = this.store.catalog().mailbox(mailboxId(mailbox.id));
    assert.ok(row !== undefined, `mailbox ${mailbox.id}`);
    this.#adopt(mailbox, row.uidValidity);
  }

  /** A new mailbox has a UIDVALIDITY that no other one of the store ever had. Its account, made beside it, may look at it again. */
  #adopt(mailbox: ModelMailbox, uidValidity: number): void {
    if (mailbox.uidValidity === uidValidity) return;
    assert.ok(!this.#memory.validities.has(uidValidity), `UIDVALIDITY ${uidValidity} is given once`);
    this.#memory.validities.add(uidValidity);
    mailbox.uidValidity = uidValidity;
    this.#bearers(mailbox);
  }

  /** A mailbox keeps its UIDVALIDITY under its new name, unless that name stood for a higher or the same one. */
  checkRenamed(mailbox: ModelMailbox): void {
    const row = this.store.catalog().mailbox(mailboxId(mailbox.id));
    const seen = this.#memory.seen.get(`${mailbox.account} ${mailbox.name}`) ?? 0;
    assert.ok(row !== undefined);
    if (seen <= mailbox.uidValidity) assert.equal(row.uidValidity, mailbox.uidValidity);
    else assert.ok(row.uidValidity > seen, `UIDVALIDITY ${row.uidValidity} of a name that stood for ${seen}`);
    mailbox.uidValidity = row.uidValidity;
    this.#memory.validities.add(row.uidValidity);
    this.#bearers(mailbox);
  }

  #anAccount(): number {
    const live = this.model.liveAccounts().map((account) => account.id);
    return live.length > 0 && this.#random.chance(0.97) ? this.#random.pick(live) : 1 + this.#random.int(9);
  }

  #aMailbox(): ModelMailbox {
    const all = [...this.model.mailboxes.values()];
    const live = all.filter((mailbox) => !mailbox.deleted);
    const full = live.filter((mailbox) => mailbox.entries.size > 0);
    if (this.#random.chance(0.05)) return this.#random.pick(all);
    return this.#random.pick(full.length > 0 && this.#random.chance(0.8) ? full : live);
  }

  #uids(mailbox: ModelMailbox): UidSet {
    if (this.#random.chance(0.2)) return UidSet.range(1, 0xffff_ffff);
    const some = [...mailbox.entries.keys()].filter(() => this.#random.chance(0.3));
    return UidSet.of([...some, 1 + this.#random.int(mailbox.uidNext)]);
  }

  #present(mailbox: ModelMailbox, some: UidSet): number[] {
    return [...mailbox.entries.keys()].filter((uid) => some.has(uid));
  }

  #words(): string[] {
    return words.filter(() => this.#random.chance(0.25));
  }
}
