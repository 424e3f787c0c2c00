/**
 * Messages that go by age: from Trash, Junk and INBOX, so many days after they came there, where that is asked for. No order of
 * time leads to them, since that would cost each delivery a row; every account is looked at once a day instead, some a run.
 */
import { UidSet } from '../codec/uid-set.ts';
import { limits } from '../limits.ts';
import { inbox } from '../mail/mailbox-name.ts';
import { daySeconds, type Retention, retentionOf } from '../mail/retention.ts';
import type { AccountId, MailboxId } from '../types.ts';
import type { Walks } from './walks.ts';

const uidMax = 0xffff_ffff;
/** Accounts, and entries of one mailbox, looked at in one turn. */
const accountsPerTurn = 50;
const entriesPerTurn = 1_000;

export class Aging {
  readonly #walks: Walks;
  /** The last account that was looked at. */
  #upTo: AccountId | undefined;

  constructor(walks: Walks) {
    this.#walks = walks;
  }

  /** Expunges by age, in the accounts whose turn it is; `now` in seconds since 1970. Answers how many messages. */
  async run(own: ReadonlySet<AccountId>, settings: Retention, now: number): Promise<number> {
    const { trash, junk, pop3 } = settings;
    const byAll = trash + junk + pop3 > 0;
    if (!byAll && own.size === 0) return 0;
    let aged = 0;
    const highest = this.#walks.store.catalog().state()?.account ?? 0;
    const share = Math.ceil((highest * limits.retentionMs) / (limits.agingSeconds * 1_000));
    let left = Math.max(limits.agingAccountsMin, share);
    while (left > 0) {
      const some: AccountId[] = [];
      let rows = 0;
      for (const { id, row } of this.#walks.store.catalog().accounts(this.#upTo)) {
        this.#upTo = id;
        if (!row.deleted && (byAll || own.has(id))) some.push(id);
        if (++rows === accountsPerTurn) break;
      }
      for (const id of some) aged += await this.#account(id, settings, now);
      await this.#walks.pause();
      left -= rows;
      if (rows < accountsPerTurn) {
        this.#upTo = undefined;
        break;
      }
    }
    return aged;
  }

  async #account(account: AccountId, settings: Retention, now: number): Promise<number> {
    const retention = retentionOf(this.#walks.store.catalog(), account, settings);
    const due: { readonly id: MailboxId; readonly before: number }[] = [];
    for await (const { id, row } of this.#walks.mailboxesOf(account)) {
      const role = row.role === 'trash' || row.role === 'junk' ? row.role : row.name === inbox ? 'pop3' : undefined;
      const days = role === undefined ? 0 : retention[role];
      if (days > 0 && row.messages > 0) due.push({ id, before: now - days * daySeconds });
    }
    let aged = 0;
    for (const { id, before } of due) aged += await this.#mailbox(id, before);
    return aged;
  }

  async #mailbox(id: MailboxId, before: number): Promise<number> {
    let count = 0;
    for (let next: number | undefined = 1; next !== undefined; ) {
      const aged: number[] = [];
      let rows = 0;
      let last: number | undefined;
      for (const { uid, saveDate } of this.#walks.store.catalog().entries(id, UidSet.range(next, uidMax))) {
        if (saveDate < before) aged.push(uid);
        if (++rows < entriesPerTurn && aged.length < limits.expungeEntries) continue;
        last = uid + 1;
        break;
      }
      if (aged.length > 0) count += await this.#walks.store.expungeAged(id, UidSet.of(aged), before);
      if (last !== undefined || aged.length > 0) await this.#walks.pause();
      next = last;
    }
    return count;
  }
}
