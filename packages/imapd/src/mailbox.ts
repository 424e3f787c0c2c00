/** A mailbox by its name, and its id as clients see it. */
import {
  type AccountId,
  type Catalog,
  isStoreError,
  type MailboxId,
  mailboxName,
  type NamedMailbox,
} from '@mstore/store';
import { RefusedError, refusals } from './errors.ts';
import type { Session } from './session.ts';

/** The session's mailbox of that name, as the catalog has it now. @throws {RefusedError} noMailbox */
export function namedMailbox({ services, account }: Session, name: string): NamedMailbox {
  return mailboxIn(services.reading.catalog(), account, name);
}

/** The account's mailbox of that name, as this catalog has it. @throws {RefusedError} noMailbox */
export function mailboxIn(catalog: Catalog, account: AccountId, name: string): NamedMailbox {
  const found = isPossible(name) ? catalog.mailboxNamed(account, name) : undefined;
  if (found === undefined || found.row.deleted) throw new RefusedError(refusals.noMailbox);
  return found;
}

/** Whether a mailbox can be called so; the catalog is not asked for what would be no key of it. */
function isPossible(name: string): boolean {
  try {
    return mailboxName(name) === name;
  } catch (error) {
    if (isStoreError(error, 'badName')) return false;
    throw error;
  }
}

/** MAILBOXID (RFC 8474 §4): never given to another mailbox. */
export function mailboxIdText(mailbox: MailboxId): string {
  return `M${mailbox}`;
}
