/** What clients list reads no octet of the heap: a counter of the daemon's reader shows it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';

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

test('what the catalog answers by itself is what it answers beside octets of the message', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const source = new MessageSource(seededRandom(testSeed()));
  for (let at = 0; at < 40; at += 1) await daemons.deliver(user, source.next());
  const peculiar = ['x', '\r\n', 'To: a', 'From : b\r\n\tc\r\nTO:\r\nfrom: d\r\n\r\ne', 'Subject: \xfc\0\r\n\r\nf'];
  // More than is kept of a message.
  const large = `${'To: somebody <a@b.example>\r\n'.repeat(3_000)}\r\ng`;
  for (const text of [...peculiar, large]) await daemons.deliver(user, Buffer.from(text, 'latin1'));
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  const other = await ImapClient.logIn(daemons.address('imap'), user);
  await other.ok('SELECT INBOX');
  await client.ok('SELECT INBOX');
  await client.ok('STORE 2:20 +FLAGS.SILENT (\\Flagged $Label two)');
  await client.ok('STORE 10:30 +FLAGS.SILENT (\\Seen \\Draft)');
  const fields = '(from TO Subject X-Priority list-id date)';
  const asked = [
    'FLAGS UID',
    'UID',
    'UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE',
    'ENVELOPE',
    'UID BODYSTRUCTURE FLAGS BODY EMAILID',
    `BODY.PEEK[HEADER.FIELDS ${fields}] UID`,
    `BODY.PEEK[HEADER.FIELDS ${fields}]<3.40> ENVELOPE`,
  ];
  const same = async (set: string): Promise<void> => {
    for (const items of asked) {
      const alone = await client.ok(`FETCH ${set} (${items})`);
      const beside = await client.ok(`FETCH ${set} (${items} BODY.PEEK[TEXT]<0.1>)`);
      const lines = (all: readonly string[]): string[] => all.filter((line) => line.includes(' FETCH ('));
      const shortened = lines(beside).map((line) => line.replace(/ BODY\[TEXT\]<0> \{[01]\}\r\n.?\)/s, ')'));
      assert.deepEqual(lines(alone), shortened, items);
      assert.ok(shortened.length > 0);
    }
  };
  await same('1:*');
  await same('3,7:9,40:46');
  // Of what somebody expunged, and this session was not told.
  await other.ok('STORE 5,8 +FLAGS.SILENT (\\Deleted)');
  await other.ok('EXPUNGE');
  await same('1:*');
  client.close();
  other.close();
});
