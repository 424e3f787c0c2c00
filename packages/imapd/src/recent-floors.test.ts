import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountId, brandNumber, type Change, type MailboxId, UidSet } from '@mstore/store';
import { RecentFloors } from './recent-floors.ts';

const inbox = brandNumber<MailboxId>(1);
const other = brandNumber<MailboxId>(2);

function appended(mailbox: MailboxId, ...uids: readonly number[]): Change {
  return { kind: 'appended', sequence: 1, account: brandNumber<AccountId>(1), mailbox, uids: UidSet.of(uids) };
}

test('what was there before the process began is not recent, what came since is', () => {
  const floors = new RecentFloors();
  assert.equal(floors.floor(inbox, 10), 9);
  floors.heard([appended(inbox, 10, 11), appended(inbox, 12)]);
  assert.equal(floors.floor(inbox, 13), 9);
});

test('a message is recent to one session', () => {
  const floors = new RecentFloors();
  floors.heard([appended(inbox, 5)]);
  assert.equal(floors.claim(inbox, 6), 4);
  assert.equal(floors.claim(inbox, 6), 5);
  floors.heard([appended(inbox, 6)]);
  assert.equal(floors.floor(inbox, 7), 5);
  assert.equal(floors.claim(inbox, 7), 5);
  // An older snapshot takes nothing back.
  assert.equal(floors.claim(inbox, 6), 5);
  assert.equal(floors.floor(inbox, 7), 6);
});

test('mailboxes beyond the bound are forgotten, those longest not touched first', () => {
  const floors = new RecentFloors(1);
  floors.heard([appended(inbox, 5), appended(other, 5)]);
  assert.equal(floors.floor(inbox, 6), 5);
  assert.equal(floors.floor(other, 6), 4);
});
