/** Who gets a message: recipients, aliases, details, quotas and routes, from the directory to the mailbox. */
import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Recipient } from '@mstore/lda';
import { type AccountId, brandNumber } from '@mstore/store';
import { counts } from '../support/long.ts';
import { Daemon, type LmtpClient } from './daemon.ts';

const anna = 'anna@example.net';
const bert = 'bert@example.net';
const trace = { id: 'x', sender: '', protocol: 'local', peerName: '', peerAddress: '' };

/** The replies of RCPT, without the texts. */
async function codes(client: LmtpClient, mail: string, recipients: readonly string[]): Promise<string[]> {
  assert.match(await client.say(mail), /^250 /);
  const replies: string[] = [];
  for (const recipient of recipients) replies.push((await client.say(`RCPT TO:<${recipient}>`)).slice(0, 9));
  await client.say('RSET');
  return replies;
}

/** Asks again until the directory's changes have come through. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, what);
    await sleep(10);
  }
}

/** Waits until deliveries go by a new quota. */
async function quotaKnown(daemon: Daemon, address: string, messages: number): Promise<void> {
  await until('the quota is known', async () => (await accepted(daemon, address)).users[0]?.quotaMessages === messages);
}

async function accepted(daemon: Daemon, address: string): Promise<Recipient> {
  const recipient = await daemon.delivery.accept(address);
  assert.ok(recipient.ok, address);
  return recipient;
}

const manyUsers = counts(2_000, 10_000);

test(`a transaction has 10,000 recipients and not one more; ${manyUsers} accounts are made on the way`, async (t) => {
  await using daemon = await Daemon.start([anna]);
  const hash = `{SSHA512}${Buffer.alloc(72, 'x').toString('base64')}`;
  const users = Array.from({ length: manyUsers }, (_, n) => `user${n}@example.net`);
  const report = await daemon.users.importUsers(users.map((user) => `${user} ${hash}`));
  assert.equal(report.added, manyUsers, JSON.stringify(report.problems[0]));
  const client = await daemon.greeted();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  for (const round of ['making accounts', 'again']) {
    const start = performance.now();
    delay.reset();
    delay.enable();
    const recipients = Array.from({ length: 10_000 }, (_, n) => `RCPT TO:<user${n % manyUsers}@example.net>\r\n`);
    client.send(`MAIL FROM:<>\r\n${recipients.join('')}RCPT TO:<${anna}>\r\nDATA\r\n`);
    const replies = await client.replies(10_003);
    assert.ok(replies.slice(0, 10_001).every((reply) => reply.startsWith('250 ')));
    assert.match(replies.slice(10_001).join(), /^452 4\.5\.3 [^,]*,354 /);
    client.send('Subject: to all\r\n\r\n.\r\n');
    const outcomes = await client.replies(10_000);
    assert.deepEqual([...new Set(outcomes)].length, 1);
    assert.match(outcomes[0] ?? '', /^250 2\.1\.5 /);
    delay.disable();
    const ms = Math.round(performance.now() - start);
    t.diagnostic(`${round}: ${ms} ms, longest turn ${Math.round(delay.max / 1e6)} ms`);
  }
  await daemon.temp.store.settle();
  const totals = daemon.temp.store.catalog().state()?.totals;
  assert.deepEqual([totals?.entries, totals?.messages], [2 * manyUsers, 1]);
});

test('an alias leads to several mailboxes, and each account and mailbox gets one copy whatever led there', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  await daemon.users.setAlias('both@example.net', [anna, bert]);
  await daemon.users.setAlias('all@example.net', ['both@example.net', anna]);
  const client = await daemon.greeted();
  for (const reply of await client.deliver(['both@example.net', anna, 'all@example.net'], 'x\r\n')) {
    assert.match(reply, /^250 2\.1\.5 /);
  }
  for (const user of [anna, bert]) {
    const messages = await daemon.messages(user);
    assert.equal(messages.length, 1);
    assert.match(messages[0] ?? '', /\r\nDelivered-To: both@example\.net\r\n/);
  }
});

test('an alias that leads in circles, or outside, is refused for good', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  await daemon.users.setAlias('b@example.net', [anna]);
  await daemon.users.setAlias('a@example.net', ['b@example.net']);
  assert.deepEqual(await codes(client, 'MAIL FROM:<>', ['a@example.net']), ['250 2.1.5']);
  const outside = await daemon.delivery.accept('anna@example.org');
  assert.ok(!outside.ok && outside.kind === 'foreign');
  await assert.rejects(daemon.users.setAlias('b@example.net', ['a@example.net']), { code: 'badTarget' });
});

test('a detail leads into the mailbox of that name in any letter case, else to INBOX', async () => {
  await using daemon = await Daemon.start([anna]);
  const client = await daemon.greeted();
  await client.deliver([anna], 'x\r\n');
  const account = daemon.temp.store.catalog().accountNamed(anna)?.id ?? brandNumber<AccountId>(0);
  await daemon.temp.store.createMailbox(account, 'Lists/Node');
  await client.deliver(['anna+lists/node@example.net', 'Anna+Junk@example.net', 'anna+none@example.net'], 'x\r\n');
  assert.equal(daemon.entries(anna, 'Lists/Node').length, 1);
  assert.equal(daemon.entries(anna, 'Junk').length, 1);
  assert.equal(daemon.entries(anna).length, 2);
  const texts = await daemon.messages(anna, 'Junk');
  assert.match(texts[0] ?? '', /\r\nDelivered-To: Anna\+Junk@example\.net\r\n/);
});

test('details that name no mailbox let the event loop have its turns, whoever they are of', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  const details = Array.from({ length: 100 }, (_, n) =>
    n % 2 === 0 ? `anna+${n}@example.net` : `bert+${n}@example.net`,
  );
  const recipients: Recipient[] = [];
  for (const address of [anna, bert, ...details]) recipients.push(await accepted(daemon, address));
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  count();
  const message = await daemon.temp.store.take(Buffer.from('x\r\n'));
  const outcomes = await daemon.delivery.deliver({ message, recipients, trace });
  isDone = true;
  assert.ok(outcomes.every(({ ok }) => ok));
  assert.ok(turns >= details.length - 1, String(turns));
  assert.deepEqual([daemon.entries(anna).length, daemon.entries(bert).length], [1, 1]);
});

test('a mailbox for a detail is made when configured, unless no mailbox can bear the name', async () => {
  await using daemon = await Daemon.start([anna], { settings: { detail: 'create' } });
  const client = await daemon.greeted();
  await client.deliver(['anna+lists@example.net', 'anna+//@example.net'], 'x\r\n');
  assert.equal(daemon.entries(anna, 'lists').length, 1);
  assert.equal(daemon.entries(anna).length, 1);
});

test('a full account is refused at RCPT when it can be known, and after the content when not', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  await daemon.users.setQuota(anna, { quotaBytes: 1_000 });
  const client = await daemon.greeted();
  assert.deepEqual(await codes(client, 'MAIL FROM:<> SIZE=1001', [anna, bert]), ['452 4.2.2', '250 2.1.5']);
  assert.deepEqual(await codes(client, 'MAIL FROM:<> SIZE=1000', [anna]), ['250 2.1.5']);
  const big = `${'x'.repeat(998)}\r\n`;
  const replies = await client.deliver([anna, bert], big);
  assert.match(replies.join(), /^452 4\.2\.2 [^,]*,250 2\.1\.5 /);
  assert.match((await client.deliver([anna], 'small\r\n')).join(), /^250 /);
  daemon.delivery.settings = { ...daemon.delivery.settings, overQuota: 'permanent' };
  assert.deepEqual(await codes(client, 'MAIL FROM:<> SIZE=900', [anna]), ['552 5.2.2']);
  assert.match((await client.deliver([anna], big)).join(), /^552 5\.2\.2 /);
  await daemon.users.setQuota(anna, { quotaBytes: 0, quotaMessages: 2 });
  await quotaKnown(daemon, anna, 2);
  assert.match((await client.deliver([anna], big)).join(), /^250 /);
  assert.deepEqual(await codes(client, 'MAIL FROM:<>', [anna]), ['552 5.2.2']);
  assert.equal(daemon.entries(anna).length, 2);
});

test('of an alias one of whose users is full, nobody gets the message that will be tried again, and the others the one that bounces', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  await daemon.users.setAlias('both@example.net', [anna, bert]);
  await daemon.users.setQuota(anna, { quotaBytes: 10 });
  const client = await daemon.greeted();
  assert.deepEqual(await codes(client, 'MAIL FROM:<> SIZE=100', ['both@example.net']), ['452 4.2.2']);
  daemon.delivery.settings = { ...daemon.delivery.settings, overQuota: 'permanent' };
  assert.match((await client.deliver(['both@example.net'], 'x\r\n')).join(), /^552 5\.2\.2 /);
  assert.equal(daemon.entries(anna).length, 0);
  assert.equal(daemon.entries(bert).length, 1);
  await daemon.users.setQuota(bert, { quotaBytes: 10 });
  const answer = (): Promise<string[]> => codes(client, 'MAIL FROM:<> SIZE=100', ['both@example.net']);
  await until('all are full', async () => (await answer()).join() === '552 5.2.2');
});

test('a user whose mail lies elsewhere is not refused for good, and gets no account here', async () => {
  await using daemon = await Daemon.start([anna], { settings: { route: 'store2' } });
  const client = await daemon.greeted();
  assert.deepEqual(await codes(client, 'MAIL FROM:<>', [anna]), ['451 4.4.4']);
  assert.equal(daemon.temp.store.catalog().accountNamed(anna), undefined);
});

test('while the directory cannot be asked, those it knew get mail, and nobody is said not to exist', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  const client = await daemon.greeted();
  await client.deliver([anna], 'x\r\n');
  await rename(daemon.directoryFile, `${daemon.directoryFile}.away`);
  const asked = (address: string): Promise<string[]> => codes(client, 'MAIL FROM:<>', [address]);
  await until('the outage shows', async () => (await asked('nobody@example.net')).join() === '451 4.4.3');
  assert.deepEqual(await asked(bert), ['451 4.4.3']);
  assert.match((await client.deliver([anna], 'x\r\n')).join(), /^250 /);
  await rename(`${daemon.directoryFile}.away`, daemon.directoryFile);
  await until('it is over', async () => (await asked('nobody@example.net')).join() === '550 5.1.1');
  assert.deepEqual(await asked(bert), ['250 2.1.5']);
});

test('an account that is somebody else’s is not delivered to', async () => {
  await using daemon = await Daemon.start([anna]);
  const user = await daemon.directory.userNamed(anna);
  await daemon.temp.store.createAccount('somebody@example.net', user?.id);
  const client = await daemon.greeted();
  assert.match((await client.deliver([anna], 'x\r\n')).join(), /^451 4\.3\.0 /);
  assert.equal(daemon.logged.of('refused')[0]?.reason, 'storage');
});

test('sessions that bring a user’s first messages at once make one account', async () => {
  await using daemon = await Daemon.start([anna]);
  const clients = await Promise.all(Array.from({ length: 8 }, () => daemon.greeted()));
  const replies = await Promise.all(clients.map((client, n) => client.deliver([anna], `Subject: ${n}\r\n\r\n`)));
  for (const [reply = ''] of replies) assert.match(reply, /^250 /);
  assert.equal(daemon.entries(anna).length, 8);
});

test('all or none: nobody gets what one has no room for', async () => {
  await using daemon = await Daemon.start([anna, bert]);
  await daemon.users.setQuota(anna, { quotaBytes: 500 });
  const { store } = daemon.temp;
  const recipients = [await accepted(daemon, bert), await accepted(daemon, anna)];
  const message = await store.take(Buffer.alloc(400, 'x'));
  const outcomes = await daemon.delivery.deliver({ message, recipients, trace, allOrNone: true });
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.ok ? 'placed' : outcome.kind)),
    ['overQuota', 'overQuota'],
  );
  assert.equal(daemon.entries(bert).length, 0);
  const small = await store.take(Buffer.from('small'));
  const placed = await daemon.delivery.deliver({ message: small, recipients, trace, allOrNone: true });
  assert.ok(placed.every((outcome) => outcome.ok && outcome.placed.length === 1));
  assert.deepEqual([daemon.entries(anna).length, daemon.entries(bert).length], [1, 1]);
});

test('a temporary refusal weighs more than a permanent one, and both more than success', async () => {
  await using daemon = await Daemon.start([anna, bert, 'carl@example.net'], { settings: { overQuota: 'permanent' } });
  await daemon.users.setAlias('three@example.net', [anna, bert, 'carl@example.net']);
  await daemon.users.setQuota(anna, { quotaBytes: 100 });
  const carl = await daemon.directory.userNamed('carl@example.net');
  await daemon.temp.store.createAccount('somebody@example.net', carl?.id);
  const message = await daemon.temp.store.take(Buffer.alloc(200, 'x'));
  const recipients = [await accepted(daemon, 'three@example.net'), await accepted(daemon, bert)];
  const outcomes = await daemon.delivery.deliver({ message, recipients, trace });
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.ok ? 'placed' : outcome.kind)),
    ['storage', 'placed'],
  );
  assert.equal(daemon.entries(bert).length, 1);
});
