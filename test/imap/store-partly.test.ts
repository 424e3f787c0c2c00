/** A STORE that is done in part is answered with NO, and what it did is told as what others change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillWithCopies } from '../support/copies.ts';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';

const user = 'ann@example.org';

/** Ten requests to the writer. */
const messages = 40_000;

test('a STORE that the disk ended in the middle tells the flags that it set', async (t) => {
  await using daemons = await Daemons.start({ mayLog: /command failed/ });
  const { store, disk } = daemons;
  await daemons.addUser(user);
  await fillWithCopies(daemons, user, messages);
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  const unsubscribe = store.subscribeFeed((changes) => {
    if (changes.some(({ kind }) => kind === 'flags')) disk.trouble = 'ENOSPC';
  });
  const { untagged, status } = await client.ask('STORE 1:* +FLAGS (\\Flagged)');
  assert.match(status, /^NO \[UNAVAILABLE\]/);
  unsubscribe();
  disk.trouble = undefined;
  const told = untagged.concat(await client.ok('NOOP')).filter((line) => line.includes('\\Flagged'));
  const [found = ''] = await client.ok('SEARCH RETURN (COUNT) FLAGGED');
  assert.ok(told.length > 0 && told.length < messages, `${told.length} are told`);
  assert.equal(Number(/COUNT (\d+)/.exec(found)?.[1]), told.length);
  client.close();
  t.diagnostic(`${told.length} of ${messages} were changed`);
});
