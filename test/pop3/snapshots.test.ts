/** A session is a snapshot (RFC 1939 §5): what others do meanwhile does not reach it, and what it does reaches others at QUIT. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inbox, UidSet } from '@mstore/store';
import { compactAll } from '../support/compacted.ts';
import { counts } from '../support/long.ts';
import { type PopClient, PopSite } from '../support/pop3.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';

const trace = 'Delivered-To: a\r\n';
const text = (n: number): string => `Subject: ${n}\r\n\r\nmessage ${n}\r\n`;
const texts = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => text(from + n));

async function assertSees(client: PopClient, numbers: readonly number[]): Promise<void> {
  assert.equal((await client.ask('STAT')).split(' ')[1], `${numbers.length}`);
  assert.equal((await client.list('LIST')).length, numbers.length);
  assert.equal((await client.list('UIDL')).length, numbers.length);
  for (const [index, n] of numbers.entries()) {
    assert.equal(String(await client.message(`RETR ${index + 1}`)), trace + text(n));
  }
}

test('a session sees what there was at its login; what is acknowledged before a login is there', async () => {
  await using site = await PopSite.start();
  await site.deliver(texts(0, 3), trace);
  const early = await site.logIn();
  await site.deliver(texts(3, 5), trace);
  const late = await site.logIn();
  await assertSees(early, [0, 1, 2]);
  await assertSees(late, [0, 1, 2, 3, 4]);
});

test('what is expunged elsewhere stays readable in a running session, and its numbers stay', async () => {
  await using site = await PopSite.start();
  await site.deliver(texts(0, 4), trace);
  const client = await site.logIn();
  const other = await site.logIn();
  await other.ask('DELE 1');
  await other.ask('DELE 3');
  assert.match(await other.quit(), /^\+OK/);
  await assertSees(client, [0, 1, 2, 3]);
  await client.ask('DELE 1');
  await client.ask('DELE 2');
  assert.match(await client.quit(), /^\+OK/);
  await assertSees(await site.logIn(), [3]);
});

test('what is moved away stays readable in a running session', async () => {
  await using site = await PopSite.start();
  await site.deliver(texts(0, 2), trace);
  const client = await site.logIn();
  const { store } = site.temp;
  const trash = store.catalog().mailboxNamed(await site.account(), 'Trash');
  assert.ok(trash !== undefined);
  await store.move(await site.inbox(), UidSet.range(1, 1), trash.id);
  await store.settle();
  await assertSees(client, [0, 1]);
  await client.ask('DELE 1');
  assert.match(await client.quit(), /^\+OK/);
  assert.equal(store.catalog().mailbox(trash.id)?.messages, 1);
});

test('flags set elsewhere change nothing, and POP3 sets none', async () => {
  await using site = await PopSite.start();
  await site.deliver(texts(0, 2), trace);
  const client = await site.logIn();
  const mailbox = await site.inbox();
  const { store } = site.temp;
  await store.setFlags({ mailbox, uids: UidSet.range(1, 1), mode: 'add', flags: 8, keywords: [] });
  await assertSees(client, [0, 1]);
  assert.match(await client.quit(), /^\+OK/);
  assert.equal(store.catalog().entry(mailbox, 1)?.flags, 8);
  assert.equal(store.catalog().entry(mailbox, 2)?.flags, 0);
});

test('twenty sessions on one maildrop go on beside deliveries and expunges', async () => {
  await using site = await PopSite.start();
  const random = seededRandom(testSeed());
  const sessions = 20;
  let next = 30;
  await site.deliver(texts(0, next), trace);
  const mailbox = await site.inbox();
  const { store } = site.temp;
  // UID n + 1 is message n for ever.
  const present = (): number[] => [...store.catalog().entries(mailbox)].map(({ uid }) => uid - 1);
  const poll = async (): Promise<void> => {
    for (let round = 0; round < counts(2, 20); round += 1) {
      const before = present();
      const client = await site.logIn();
      const after = new Set(present());
      const uidls = (await client.list('UIDL')).map((line) => Number.parseInt(line.slice(-8), 16) - 1);
      const seen = new Set(uidls);
      // What was there before and after was there between.
      for (const n of before) assert.ok(seen.has(n) || !after.has(n), `message ${n} is missing`);
      for (const index of [0, random.int(uidls.length), uidls.length - 1]) {
        assert.equal(String(await client.message(`RETR ${index + 1}`)), trace + text(uidls[index] ?? -1));
      }
      await client.ask(`DELE ${random.int(uidls.length) + 1}`);
      assert.match(random.chance(0.5) ? await client.quit() : await client.ask('NOOP'), /^\+OK/);
    }
  };
  const deliver = async (): Promise<void> => {
    for (let round = 0; round < counts(10, 100); round += 1)
      await site.deliver(texts(next, next + 3), trace).then(() => {
        next += 3;
      });
  };
  await Promise.all([deliver(), ...Array.from({ length: sessions }, poll)]);
});

test('a writer that is gone lets sessions read, and tells them that nothing was expunged', async () => {
  await using site = await PopSite.start({ users: ['a@example.org', 'new@example.org'] });
  await site.deliver(texts(0, 2), trace);
  const client = await site.logIn();
  await site.stopWriter();
  await assertSees(client, [0, 1]);
  await client.ask('DELE 1');
  assert.match(await client.quit(), /^-ERR \[SYS\/TEMP\]/);
  // Whoever has an account can come in, whoever needs one cannot.
  await assertSees(await site.logIn(), [0, 1]);
  const stranger = await site.connect();
  await stranger.ask('USER new@example.org');
  assert.match(await stranger.ask('PASS open sesame'), /^-ERR \[SYS\/TEMP\]/);
  await site.startWriter();
  await stranger.ask('USER new@example.org');
  assert.match(await stranger.ask('PASS open sesame'), /^\+OK/);
  assert.equal(await stranger.ask('STAT'), '+OK 0 0');
  const again = await site.logIn();
  await again.ask('DELE 2');
  assert.match(await again.quit(), /^\+OK/);
  await assertSees(await site.logIn(), [0]);
  await site.stopWriter();
  await site.startWriter();
  const last = await site.logIn();
  await last.ask('DELE 1');
  assert.match(await last.quit(), /^\+OK/);
  assert.equal(site.temp.store.catalog().mailboxNamed(await site.account(), inbox)?.row.messages, 0);
});

test('an expunge that is not answered is a temporary failure and is not repeated', async () => {
  await using site = await PopSite.start();
  await site.deliver(texts(0, 2), trace);
  const client = await site.logIn();
  await client.ask('DELE 1');
  await using silent = await site.replaceWriterBySilence();
  client.say('QUIT\r\n');
  await silent.asked;
  silent.hangUp();
  assert.match(await client.line(), /^-ERR \[SYS\/TEMP\]/);
  client.socket.end();
  assert.equal(await client.ended(), '');
  assert.equal(silent.requests, 1);
});

test('ten thousand pipelined commands are answered in order', async () => {
  await using site = await PopSite.start();
  await site.deliver(texts(0, 3), trace);
  const client = await site.logIn();
  const commands = 10_000;
  const asked = Array.from(
    { length: commands },
    (_, n) => ['NOOP', 'LIST 2', 'STAT', `UIDL ${(n % 3) + 1}`][n % 4] ?? '',
  );
  client.say(`${asked.join('\r\n')}\r\n`);
  const sizes = texts(0, 3).map((one) => trace.length + one.length);
  const stat = `+OK 3 ${sizes.reduce((a, b) => a + b)}`;
  for (const [n, command] of asked.entries()) {
    const line = await client.line();
    if (command === 'STAT') assert.equal(line, stat);
    else if (command === 'LIST 2') assert.equal(line, `+OK 2 ${sizes[1]}`);
    else assert.match(line, command === 'NOOP' ? /^\+OK nothing/ : new RegExp(`^\\+OK ${(n % 3) + 1} [0-9a-f]{16}$`));
  }
  client.say(`${Array.from({ length: 500 }, (_, n) => `RETR ${(n % 3) + 1}`).join('\r\n')}\r\nQUIT\r\nSTAT\r\n`);
  for (let n = 0; n < 500; n += 1) {
    assert.match(await client.line(), /^\+OK \d+ octets$/);
    assert.equal(String(await client.undotted()), trace + text(n % 3));
  }
  assert.match(await client.line(), /^\+OK bye/);
  client.socket.end();
  assert.equal(await client.ended(), '', 'nothing is answered after QUIT');
});

test('a session goes on reading when its messages were compacted, also those that others expunged meanwhile', async () => {
  await using site = await PopSite.start();
  await site.deliver(texts(0, 6), trace);
  const client = await site.logIn();
  const { store } = site.temp;
  const mailbox = await site.inbox();
  await store.expunge(mailbox, UidSet.of([2, 4]), false);
  await store.expunge(mailbox, UidSet.of([6]), false);
  await store.purge(mailbox, UidSet.of([6]));
  const gone = await compactAll(store);
  assert.ok(gone.length > 0);
  for (const n of [0, 1, 2, 3, 4]) assert.equal(String(await client.message(`RETR ${n + 1}`)), trace + text(n));
  assert.match(await client.ask('RETR 6'), /^-ERR/);
  await client.ask('DELE 1');
  assert.match(await client.quit(), /^\+OK/);
  await assertSees(await site.logIn(), [2, 4]);
});
