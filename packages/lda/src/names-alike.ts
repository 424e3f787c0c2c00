/**
 * Mailboxes by a name in any letter case, as the details of addresses have none. Whoever sends mail may name a new detail with each
 * recipient, and an account may have thousands of mailboxes: several details of one account in a row cost one look at its
 * names, and the event loop has a turn before every further look.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AccountId, Catalog } from '@mstore/store';

export class NamesAlike {
  readonly #catalog: () => Catalog;
  /** The account that was looked at last, and its names by their lower case. */
  #account: AccountId | undefined;
  #names: ReadonlyMap<string, string> = new Map();

  /** @param catalog the catalog as it is now */
  constructor(catalog: () => Catalog) {
    this.#catalog = catalog;
  }

  /** The mailbox of just this name, else the first whose name differs in letter case only. */
  async find(account: AccountId, name: string): Promise<string | undefined> {
    if (this.#catalog().mailboxNamed(account, name) !== undefined) return name;
    if (account !== this.#account) {
      if (this.#account !== undefined) await nextTurn();
      this.#account = account;
      this.#names = namesOf(this.#catalog(), account);
    }
    return this.#names.get(name.normalize('NFC').toLowerCase());
  }
}

function namesOf(catalog: Catalog, account: AccountId): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const name of catalog.mailboxNames(account)) {
    const lower = name.toLowerCase();
    if (!names.has(lower)) names.set(lower, name);
  }
  return names;
}
