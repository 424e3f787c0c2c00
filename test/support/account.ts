/** An account made in a test's store, and its mailboxes by name. */
import assert from 'node:assert/strict';
import type { AccountId, MailboxId, Store } from '@mstore/store';

export async function newAccount(
  store: Store,
  name: string = 'ann@d.example',
): Promise<{ readonly id: AccountId; readonly inbox: MailboxId }> {
  const { account: id } = await store.createAccount(name);
  return { id, inbox: mailboxOf(store, id, 'INBOX') };
}

export function mailboxOf(store: Store, id: AccountId, name: string): MailboxId {
  const found = store.catalog().mailboxNamed(id, name);
  assert.ok(found !== undefined, `mailbox ${name}`);
  return found.id;
}
