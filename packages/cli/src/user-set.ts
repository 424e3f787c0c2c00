/** `mstore user set` */
import {
  type AccountId,
  type Catalog,
  encodeRetention,
  ownRetentionOf,
  type Retention,
  type RetentionKey,
  retentionEntry,
  retentionKeys,
  retentionOf,
} from '@mstore/store';
import { withWriter } from './access.ts';
import type { Run } from './command.ts';
import { openAccount } from './directory.ts';
import { exit } from './errors.ts';
import { counted, safeText } from './text.ts';
import { changedRetention, type RetentionChange } from './time-option.ts';

export const setManual = `
--retention says in days how long mail of this user is kept, where that is not what "retention" in mstore.toml says:

  expunged   what was expunged or deleted can be brought back so long; 0 is ten minutes
  trash      messages go from mailboxes of the role Trash so long after they came there; "never" is 0
  junk       the same for Junk
  pop3       the same for INBOX, as POP3 announces it

as expunged=14d,trash=30d. "pop3=default" gives one back to mstore.toml, "default" all. It counts at once, also for what is kept
already.`;

export interface SetOptions {
  readonly retention: RetentionChange;
}

/** What holds for an account, or would for a new one, and which of it is its own. */
export interface RetentionShown extends Retention {
  readonly own: readonly RetentionKey[];
}

export function retentionShown(catalog: Catalog, account: AccountId | undefined, store: Retention): RetentionShown {
  if (account === undefined) return { ...store, own: [] };
  const own = ownRetentionOf(catalog, account);
  return { ...retentionOf(catalog, account, store), own: retentionKeys.filter((key) => own[key] !== undefined) };
}

/** `expunged 14 days (own), trash 30 days, junk never, pop3 never`. */
export function retentionText(shown: RetentionShown): string {
  const parts = retentionKeys.map((key) => {
    const days = shown[key] === 0 && key !== 'expunged' ? 'never' : counted(shown[key], 'day');
    return `${key} ${days}${shown.own.includes(key) ? ' (own)' : ''}`;
  });
  return parts.join(', ');
}

export function setUser(run: Run, { retention }: SetOptions): Promise<number> {
  return withWriter(run, async (store) => {
    const account = await openAccount(run, store, run.arg(0));
    const own = changedRetention(ownRetentionOf(store.reading.catalog(), account), retention);
    await store.writer.setMetadata(account, 0, retentionEntry, encodeRetention(own));
    const { config } = await run.config();
    const catalog = store.reading.catalog();
    const shown = retentionShown(catalog, account, config.retention);
    const address = catalog.account(account)?.name ?? run.arg(0);
    await run.answer({ id: account, address, retention: shown }, `${safeText(address)}: ${retentionText(shown)}\n`);
    return exit.done;
  });
}
