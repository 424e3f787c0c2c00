/**
 * The names of an account as LIST goes through them: mailboxes, subscriptions, and the levels above that are no mailbox. Read
 * in one turn, names only; what else is told of a mailbox is looked up when its turn comes.
 */
import type { AccountId, Catalog } from '@mstore/store';

const separator = '/';

export class MailboxNames {
  readonly mailboxes: ReadonlySet<string>;
  readonly subscriptions: ReadonlySet<string>;
  /** Names above a mailbox. */
  readonly parents: ReadonlySet<string>;

  constructor(catalog: Catalog, account: AccountId) {
    this.mailboxes = new Set(catalog.mailboxNames(account));
    this.subscriptions = new Set(catalog.subscriptions(account));
    this.parents = parentsOf(this.mailboxes);
  }
}

/** Every name above one of these, whether it is one of them or not. */
export function parentsOf(names: Iterable<string>): Set<string> {
  const parents = new Set<string>();
  for (const name of names) {
    for (let at = name.lastIndexOf(separator); at > 0; at = name.lastIndexOf(separator, at - 1)) {
      const parent = name.slice(0, at);
      // What is above it was added with it.
      if (parents.has(parent)) break;
      parents.add(parent);
    }
  }
  return parents;
}

/** In the order of their octets, each once. */
export function sortedNames(...sets: readonly Iterable<string>[]): string[] {
  return [...new Set(sets.flatMap((names) => [...names]))].sort((a, b) => (a < b ? -1 : 1));
}
