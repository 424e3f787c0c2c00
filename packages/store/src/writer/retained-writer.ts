/**
 * What the writer does with what left sight: ends its retention, or brings it back; and deletes accounts, which leave sight at
 * once and whose mailboxes follow in slices. Each slice is durable by itself. A crash between two leaves an account's deletion
 * to be finished by who runs retention, and its return to be asked for again: that too deletes first what had come back.
 */
import { Catalog } from '../catalog/catalog.ts';
import { UidSet } from '../codec/uid-set.ts';
import { isStoreError } from '../errors.ts';
import type { Heap } from '../heap/heap.ts';
import { limits } from '../limits.ts';
import { readTrace } from '../mail/assemble.ts';
import type { AccountId, Lsn, MailboxId, Uid } from '../types.ts';
import type { Committer } from './batch.ts';
import type { HeadState } from './head-state.ts';
import type { Intent } from './intent.ts';
import type { CopyAnswer } from './intents/copy.ts';
import { decideExpunge, decideExpungeAged } from './intents/expunge.ts';
import {
  addPurged,
  type DueUids,
  decidePurge,
  decidePurgeAccount,
  decidePurgeDue,
  forgetExpunges,
  nothingPurged,
  type PurgeAnswer,
  type Purged,
} from './intents/purge.ts';
import {
  decideDeleteAccount,
  decideDeleteMailboxes,
  decideRestoreAccount,
  decideRestoreMailbox,
  decideRestoreMailboxes,
  decideUndelete,
  type RestoredMailbox,
  type RestoredSlice,
} from './intents/undelete.ts';
import type { CopiedMessages, RestoredAccount } from './mail-writer.ts';
import { uidSlices } from './slices.ts';
import type { Turn } from './turn.ts';

const everyUid: UidSet = UidSet.range(1, 0xffff_ffff);

export abstract class RetainedWriter {
  readonly #heap: Heap;
  readonly #head: HeadState;
  readonly #committer: Committer;
  /** Accounts whose mailboxes are coming back: they are not to be deleted again meanwhile. */
  readonly #returning = new Set<AccountId>();

  protected constructor(heap: Heap, head: HeadState, committer: Committer) {
    this.#heap = heap;
    this.#head = head;
    this.#committer = committer;
  }

  #catalog(): Catalog {
    return new Catalog(this.#head.view());
  }

  #submit<Answer>(
    decide: (turn: Turn) => Answer,
    answerAfter: Intent<Answer>['answerAfter'] = 'catalog',
  ): Promise<Answer> {
    return this.#committer.submit({ answerAfter, decide });
  }

  /** For what gives space back, now or at the next compaction: decided also where the disk has no room for other changes. */
  #giveBack<Answer>(decide: (turn: Turn) => Answer): Promise<Answer> {
    return this.#committer.submit({ answerAfter: 'catalog', givesSpace: true, decide });
  }

  /** Takes copies out of a mailbox again, for good: a COPY that fails leaves the target as it was (RFC 9051 §6.4.7). */
  protected async takeBack(mailbox: MailboxId, copies: UidSet): Promise<void> {
    const request = { mailbox, onlyDeleted: false, retained: false };
    for (const uids of uidSlices(this.#catalog(), mailbox, copies, limits.expungeEntries)) {
      await this.#giveBack((turn) => decideExpunge(turn, { ...request, uids }));
    }
  }

  /** True when nobody asks anything of the writer. */
  get isIdle(): boolean {
    return this.#committer.isIdle;
  }

  async purge(mailbox: MailboxId, uids: UidSet): Promise<number> {
    return (await this.#purgeAll(mailbox, uids)).entries;
  }

  purgeRetained(mailbox: MailboxId): Promise<Purged> {
    return this.#purgeAll(mailbox, everyUid);
  }

  async #purgeAll(mailbox: MailboxId, uids: UidSet): Promise<Purged> {
    let sum = nothingPurged;
    for (;;) {
      const answer = await this.purgeSlice(mailbox, uids);
      sum = addPurged(sum, answer);
      if (!answer.more) return sum;
    }
  }

  /** Ends the retention of the first entries of a mailbox, as many as a turn takes; a deleted one goes with its last. */
  purgeSlice(mailbox: MailboxId, uids: UidSet = everyUid): Promise<PurgeAnswer> {
    return this.#giveBack((turn) => decidePurge(turn, mailbox, uids));
  }

  /** Ends the retention of those of some entries that were expunged before a time, seconds since 1970, as many as a turn takes. */
  purgeDue(due: readonly DueUids[], before: number): Promise<PurgeAnswer> {
    return this.#giveBack((turn) => decidePurgeDue(turn, due, before));
  }

  /** Forgets a mailbox's expunges before a time, some at a time. True: there are more. */
  forgetExpunges(mailbox: MailboxId, before: number): Promise<boolean> {
    return this.#giveBack((turn) => forgetExpunges(turn, mailbox, before));
  }

  /** Expunges those of the UIDs that were saved before a time; answers how many. */
  expungeAged(mailbox: MailboxId, uids: UidSet, before: number): Promise<number> {
    return this.#submit((turn) => decideExpungeAged(turn, mailbox, uids, before));
  }

  async purgeAccount(account: AccountId): Promise<void> {
    while (await this.#giveBack((turn) => decidePurgeAccount(turn, account)));
  }

  async deleteAccount(account: AccountId): Promise<void> {
    const more = await this.#submit((turn) => decideDeleteAccount(turn, account));
    if (more) await this.finishDeletion(account);
  }

  /** Deletes what mailboxes a deleted account still has. */
  async finishDeletion(account: AccountId): Promise<void> {
    while (!this.#returning.has(account) && (await this.#submit((turn) => decideDeleteMailboxes(turn, account))));
  }

  async undelete(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopiedMessages> {
    const pairs: (readonly [Uid, Uid])[] = [];
    for (let from = 1; ; ) {
      const slice = this.#firstRetained(source, uids, from);
      const { pairs: some, uidValidity, sequence } = await this.#undeleteSlice(source, slice, target);
      pairs.push(...some);
      const last = slice.ranges.at(-1)?.last;
      if (last === undefined || slice.size < limits.undeleteEntries) {
        return { uidValidity, pairs, sequence };
      }
      from = last + 1;
    }
  }

  /** Those of the UIDs that are retained, from one on, as many as a slice takes. */
  #firstRetained(source: MailboxId, uids: UidSet, from: number): UidSet {
    const rest = uids.ranges.filter(({ last }) => last >= from);
    const wanted = UidSet.ofRanges(rest.map(({ first, last }) => ({ first: Math.max(first, from), last })));
    const some = this.#catalog().retained(source, wanted, limits.undeleteEntries);
    return UidSet.of([...some].map(({ entry }) => entry.uid));
  }

  async #undeleteSlice(source: MailboxId, uids: UidSet, target: MailboxId): Promise<CopyAnswer> {
    const traces = new Map<Lsn, Buffer>();
    const readable: number[] = [];
    for (const { entry } of [...this.#catalog().retained(source, uids)]) {
      try {
        traces.set(entry.lsn, await readTrace(this.#heap, entry));
      } catch (error) {
        if (!isStoreError(error, 'corrupt')) throw error;
        // One that was moved is looked for again; one that is damaged stays where it is, and keeps no other from coming back.
        if (this.#catalog().retainedEntry(source, entry.uid)?.entry.lsn === entry.lsn) continue;
      }
      readable.push(entry.uid);
    }
    const request = { source, uids: UidSet.of(readable), target, traces };
    const answer = await this.#submit((turn) => decideUndelete(turn, request));
    if (answer.again.size === 0) return answer;
    const rest = await this.#undeleteSlice(source, answer.again, target);
    return { ...rest, pairs: [...answer.pairs, ...rest.pairs] };
  }

  restoreMailbox(mailbox: MailboxId): Promise<RestoredMailbox> {
    return this.#submit((turn) => decideRestoreMailbox(turn, mailbox));
  }

  async restoreAccount(account: AccountId): Promise<RestoredAccount> {
    await this.finishDeletion(account);
    this.#returning.add(account);
    try {
      let mailboxes = 0;
      let messages = 0;
      for (let slice: RestoredSlice | undefined; slice?.mailboxes !== 0; ) {
        slice = await this.#submit((turn) => decideRestoreMailboxes(turn, account));
        mailboxes += slice.mailboxes;
        messages += slice.messages;
      }
      const sequence = await this.#submit((turn) => decideRestoreAccount(turn, account));
      return { mailboxes, messages, sequence };
    } finally {
      this.#returning.delete(account);
    }
  }
}
