/** COMPRESS=DEFLATE (RFC 4978) through a whole session: every way in which octets come and go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { Daemons } from '../support/daemons.ts';
import { ImapClient, sectionOf } from '../support/imap-client.ts';

const user = 'ann@example.org';

/** A client that is logged in and compresses. */
async function compressing(daemons: Daemons): Promise<ImapClient> {
  await daemons.addUser(user);
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.compress();
  return client;
}

test('commands, literals both ways and messages of some MiB go through compressed', async () => {
  await using daemons = await Daemons.start();
  const client = await compressing(daemons);
  const small = 'Subject: one\r\n\r\nA body.\r\n';
  const large = `Subject: two\r\n\r\n${'The same line again and again.\r\n'.repeat(150_000)}`;
  await client.ok(`APPEND INBOX {${small.length}+}\r\n${small}`);
  await client.ok(`APPEND {5+}\r\nINBOX {${large.length}+}\r\n${large}`);
  await client.ok('SELECT INBOX');
  const [first = '', second = ''] = await client.ok('FETCH 1:2 (BODY.PEEK[])');
  assert.equal(sectionOf(first, 'BODY[]'), small);
  assert.equal(sectionOf(second, 'BODY[]'), large);
  const { status } = await client.ask('COMPRESS DEFLATE');
  assert.match(status, /^NO \[COMPRESSIONACTIVE\]/);
  await client.ok('NOOP');
  const [bye = ''] = await client.ok('LOGOUT');
  assert.match(bye, /^\* BYE/);
  assert.equal(await client.isOver(), true);
});

test('who idles compressed hears what comes', async () => {
  await using daemons = await Daemons.start();
  const client = await compressing(daemons);
  await client.ok('SELECT INBOX');
  await client.idle();
  await daemons.deliver(user, Buffer.from('Subject: one\r\n\r\n'));
  assert.equal(await client.next(), '* 1 EXISTS');
  assert.equal(await client.next(), '* 1 RECENT');
  assert.deepEqual(await client.done(), []);
  client.close();
});

test('a few octets that are a line without an end, or a literal that is too large, are bounded as ever', async () => {
  await using daemons = await Daemons.start();
  const client = await compressing(daemons);
  assert.match((await client.ask(`SUBSCRIBE {${1_000_000}+}\r\n${'x'.repeat(1_000_000)}`)).status, /^BAD \[TOOBIG\]/);
  await client.ok('NOOP');
  client.sendBelow(deflateRawSync(Buffer.alloc(100_000_000, 'x')));
  assert.match(await client.next(), /^\* BYE \[TOOBIG\]/);
  assert.equal(await client.isOver(), true);
});

test('octets that are no DEFLATE end the session, and only it', async () => {
  await using daemons = await Daemons.start();
  const client = await compressing(daemons);
  client.sendBelow(Buffer.from('a NOOP\r\n'));
  assert.equal(await client.isOver(), true);
  const other = await ImapClient.logIn(daemons.address('imap'), user);
  await other.ok('NOOP');
  other.close();
});

test('a stop says goodbye compressed', async () => {
  await using daemons = await Daemons.start();
  const client = await compressing(daemons);
  const drained = daemons.drain();
  assert.match(await client.next(), /^\* BYE \[UNAVAILABLE\]/);
  assert.equal(await client.isOver(), true);
  await drained;
});
