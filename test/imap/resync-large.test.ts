/** Quick resynchronisation of a large mailbox (RFC 7162) holds up nobody, and says no more than it must. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@mstore/imapd/internal/limits';
import { type MailboxId, UidSet } from '@mstore/store';
import { fillWithCopies } from '../support/copies.ts';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { counts } from '../support/long.ts';
import { LongestTurn } from '../support/longest-turn.ts';

const user = 'ann@example.org';

/** ms of one turn: what the daemon allows itself, and twice as much for the client, which runs in this thread too. */
const turnMs = 60;

async function timed(client: ImapClient, command: string): Promise<readonly string[]> {
  const turns = new LongestTurn();
  const lines = await client.ok(command);
  const longest = turns.stop();
  assert.ok(longest < turnMs, `${command.slice(0, 60)}: a turn of ${longest} ms`);
  return lines;
}

/** A mailbox of so many messages, which are all the same. */
async function fill(daemons: Daemons, messages: number): Promise<MailboxId> {
  await daemons.addUser(user);
  return fillWithCopies(daemons, user, messages);
}

test('a large mailbox is resynchronised in slices, and what is absent is told in few ranges', async (t) => {
  const messages = counts(10_000, 200_000);
  await using daemons = await Daemons.start();
  const { store } = daemons;
  const mailbox = await fill(daemons, messages);
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('ENABLE QRESYNC');
  const selected = (await timed(client, 'SELECT INBOX')).join('\n');
  const uidValidity = /UIDVALIDITY (\d+)/.exec(selected)?.[1] ?? '';
  const modSeq = /HIGHESTMODSEQ (\d+)/.exec(selected)?.[1] ?? '';
  assert.ok(selected.includes(`* ${messages} EXISTS`));
  const three = UidSet.of([70, Math.floor(messages / 2), messages - 1]);
  await store.setFlags({ mailbox, uids: three, mode: 'add', flags: 1, keywords: [] });
  await store.settle();
  const changed = await timed(client, `FETCH 1:* (UID) (CHANGEDSINCE ${modSeq})`);
  assert.equal(
    changed.filter((line) => line.includes('MODSEQ')).length,
    2 * three.size,
    'asked, and unasked with flags',
  );
  assert.equal((await timed(client, `SELECT INBOX (QRESYNC (${uidValidity} 1))`)).filter(isFetch).length, messages);
  const all = `1:${messages} 1:${messages}`;
  const none = await timed(client, `SELECT INBOX (QRESYNC (${uidValidity} ${modSeq} 1:${messages} (${all})))`);
  assert.equal(none.filter(isFetch).length, three.size);
  // Every second message goes, while a session looks; who was away hears it once more.
  const odd = Array.from({ length: Math.ceil(messages / 2) }, (_, at) => 2 * at + 1);
  for (let from = 0; from < odd.length; from += 5_000) {
    await store.expunge(mailbox, UidSet.of(odd.slice(from, from + 5_000)), false);
  }
  await store.settle();
  assert.equal(vanished(await timed(client, 'NOOP'), '* VANISHED '), UidSet.of(odd).toString());
  const again = await timed(client, `SELECT INBOX (QRESYNC (${uidValidity} ${modSeq}))`);
  assert.equal(vanished(again, '* VANISHED (EARLIER) '), UidSet.of(odd).toString());
  for (let from = 1; from <= messages; from += 5_000) {
    await store.expunge(mailbox, UidSet.range(from, from + 4_999), false);
  }
  await store.settle();
  assert.ok((await timed(client, 'NOOP')).some((line) => line.startsWith('* VANISHED 2,4,')));
  // The memory of all that ends: everything is absent, in one range.
  await store.forgetExpunges(mailbox, Date.now() / 1_000 + 60);
  await store.settle();
  const absent = await timed(client, `SELECT INBOX (QRESYNC (${uidValidity} ${modSeq}))`);
  assert.deepEqual(
    absent.filter((line) => line.includes('VANISHED')),
    [`* VANISHED (EARLIER) 1:${messages}`],
  );
  client.close();
  t.diagnostic(`${messages} messages`);
});

test('expunges one by one are remembered one by one, more of them than are looked at in one turn', async () => {
  const messages = 2 * limits.sliceExpunges + 500;
  await using daemons = await Daemons.start();
  const { store } = daemons;
  const mailbox = await fill(daemons, messages);
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('ENABLE QRESYNC');
  const selected = (await client.ok('SELECT INBOX')).join('\n');
  const uidValidity = /UIDVALIDITY (\d+)/.exec(selected)?.[1] ?? '';
  const modSeq = /HIGHESTMODSEQ (\d+)/.exec(selected)?.[1] ?? '';
  const gone = Array.from({ length: messages }, (_, at) => at + 1).filter((uid) => uid % 7 !== 0);
  await Promise.all(gone.map((uid) => store.expunge(mailbox, UidSet.of([uid]), false)));
  await store.settle();
  assert.equal([...store.catalog().expunges(mailbox, 0)].length, gone.length);
  assert.equal(vanished(await timed(client, 'NOOP'), '* VANISHED '), UidSet.of(gone).toString());
  const again = await timed(client, `SELECT INBOX (QRESYNC (${uidValidity} ${modSeq}))`);
  assert.equal(vanished(again, '* VANISHED (EARLIER) '), UidSet.of(gone).toString());
  client.close();
});

function isFetch(line: string): boolean {
  return line.includes(' FETCH ');
}

/** The UIDs of some lines, none of which is too long. */
function vanished(lines: readonly string[], start: string): string {
  const own = lines.filter((line) => line.startsWith(start));
  assert.ok(own.every((line) => line.length < 9_000));
  return own.map((line) => line.slice(start.length)).join();
}
