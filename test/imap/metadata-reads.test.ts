/** What clients list reads no octet of the heap: a counter of the daemon's reader shows it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';

const user = 'ann@example.org';

test('SELECT, STATUS, LIST, STORE and FETCH of what is listed read nothing of the heap', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const source = new MessageSource(seededRandom(1));
  for (let at = 0; at < 30; at += 1) await daemons.deliver(user, source.next());
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  // A SELECT asks the heap how far it goes, and reads none of it.
  const counters = (): unknown => [
    daemons.imapReading.heapCounters.readBytes,
    daemons.imapReading.heapCounters.readCalls,
  ];
  const before = counters();
  await client.ok('SELECT INBOX');
  await client.ok('STATUS INBOX (MESSAGES RECENT UIDNEXT UNSEEN SIZE DELETED DELETED-STORAGE)');
  await client.ok('LIST "" * RETURN (SUBSCRIBED STATUS (MESSAGES SIZE))');
  const fields = 'DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES IN-REPLY-TO CONTENT-TYPE LIST-ID X-PRIORITY';
  const items = `FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE MODSEQ EMAILID THREADID BODY[HEADER.FIELDS (${fields})]`;
  const fetched = await client.ok(`FETCH 1:* (${items})`);
  assert.equal(fetched.filter((line) => line.includes(' FETCH ')).length, 30);
  await client.ok('STORE 1:* +FLAGS (\\Flagged $Label)');
  await client.ok('FETCH 1:* FULL');
  await client.ok('NOOP');
  assert.deepEqual(counters(), before);
  await client.ok('FETCH 1 BODY.PEEK[HEADER.FIELDS (RECEIVED)]');
  assert.notDeepEqual(counters(), before, 'the counter is alive');
  client.close();
});
