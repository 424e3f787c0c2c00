/** The change feed: what the catalog came to show, told after it shows it, in order of sequence. */
import type { UidSet } from '../codec/uid-set.ts';
import type { AccountId, MailboxId } from '../types.ts';

export type ChangeKind = 'appended' | 'flags' | 'expunged' | 'mailbox' | 'account';

/** One change; `uids` are those concerned, empty for mailbox and account changes. */
export interface Change {
  readonly kind: ChangeKind;
  readonly sequence: number;
  readonly account: AccountId;
  /** 0 for an account's own change. */
  readonly mailbox: MailboxId | 0;
  readonly uids: UidSet;
}

export type Listener = (changes: readonly Change[]) => void;

/** Hands changes to whoever listens; a listener must not throw. */
export class Feed {
  readonly #listeners = new Set<Listener>();

  /** Returns what ends the subscription. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const listener of this.#listeners) listener(changes);
  }
}
