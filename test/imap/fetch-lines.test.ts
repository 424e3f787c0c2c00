/**
 * FETCH lines that are too large to be held, one or all of an answer: they are sent in part, neither memory nor other sessions feel how
 * many items or keywords one has, and what turns out damaged behind the beginning of a line breaks the connection off.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Daemons } from '../support/daemons.ts';
import { damageInHeap } from '../support/heap-octet.ts';
import { ImapClient } from '../support/imap-client.ts';
import { LongestTurn, median } from '../support/longest-turn.ts';
import { multipart, wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { WireClient } from '../support/wire-client.ts';

const user = 'ann@example.org';

/** Logs in, and selects INBOX, on a connection whose octets are the caller's. */
async function selected(daemons: Daemons): Promise<WireClient> {
  const client = await WireClient.connect(daemons.address('imap'));
  await client.send(`a LOGIN ${user} secret\r\nb SELECT INBOX\r\n`);
  for (;;) if ((await client.line())?.startsWith('b OK') !== false) return client;
}

/** Counts what comes until the last of it ends with `end`, or the connection does; nothing is kept. */
function counted(client: WireClient, end: string): Promise<number> {
  let bytes = 0;
  let last = '';
  client.socket.removeAllListeners('data');
  return new Promise((resolve) => {
    client.socket.on('data', (octets: Buffer) => {
      bytes += octets.length;
      last = (last + octets.subarray(-end.length).toString('latin1')).slice(-end.length);
      if (last === end) resolve(bytes);
    });
    client.socket.on('close', () => resolve(bytes));
  });
}

/** Watches what buffers hold, until it is stopped. */
class HeldBytes {
  readonly #before = process.memoryUsage().arrayBuffers;
  readonly #watch: NodeJS.Timeout = setInterval(() => this.#look(), 5);
  #most = 0;

  /** The most that there was beyond what there had been before. */
  stop(): number {
    clearInterval(this.#watch);
    this.#look();
    return this.#most;
  }

  #look(): void {
    this.#most = Math.max(this.#most, process.memoryUsage().arrayBuffers - this.#before);
  }
}

test('one message asked for thousands of times takes little memory, and holds nobody up', async (t) => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const message = `Subject: many\r\n\r\n${wrapped(seededRandom(testSeed()).bytes(90_000), 76)}`;
  await daemons.deliver(user, Buffer.from(message));
  const client = await selected(daemons);
  const held = new HeldBytes();
  const turns = new LongestTurn();
  const items = 3_000;
  const answer = counted(client, 'c OK that is all\r\n');
  await client.send(`c FETCH 1 (${'BODY.PEEK[] '.repeat(items)}UID)\r\n`);
  const bytes = await answer;
  const most = held.stop();
  const longest = turns.stop();
  client.close();
  assert.ok(bytes > items * message.length, `${bytes} octets came`);
  t.diagnostic(`${most} octets were held, and the event loop ${longest.toFixed(1)} ms`);
  assert.ok(most < 100_000_000, `${most} octets were held`);
  assert.ok(longest < 300, `the event loop was held for ${longest} ms`);
});

test('what the catalog does not keep of a message is made again in slices', async (t) => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const ids = Array.from({ length: 90_000 }, (_, at) => `<${at}@x>`);
  const part =
    '--b\r\nContent-Type: text/plain; charset=utf-8; name="a part"\r\nContent-Description: one of many\r\n\r\nx\r\n';
  const refers = `Subject: refers\r\nReferences: ${ids.join('\r\n ')}\r\n\r\n`;
  const holds = `Subject: holds\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${part.repeat(9_000)}--b--\r\n`;
  for (const message of [refers, holds]) await daemons.deliver(user, Buffer.from(message));
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  for (const command of ['FETCH 1:2 ENVELOPE', 'SORT (SUBJECT) UTF-8 ALL', 'FETCH 2 BODY.PEEK[9000]']) {
    const longest: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const turns = new LongestTurn();
      await client.ok(command);
      longest.push(turns.stop());
    }
    t.diagnostic(`${command}: ${longest.map((ms) => ms.toFixed(1)).join(', ')} ms`);
    assert.ok(median(longest) < 20, `${command}: the event loop was held for ${median(longest)} ms`);
  }
  client.close();
});

test('what others did to messages full of keywords is told piece by piece', async (t) => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  await daemons.deliver(user, Buffer.from('Subject: keywords\r\n\r\n'));
  const other = await ImapClient.logIn(daemons.address('imap'), user);
  await other.ok('SELECT INBOX');
  const keywordsMax = 252;
  for (let from = 0; from < keywordsMax; from += 63) {
    const words = Array.from({ length: 63 }, (_, at) => `${from + at}-`.padEnd(254, 'x'));
    await other.ok(`STORE 1 +FLAGS.SILENT (${words.join(' ')})`);
  }
  const doublings = 9;
  for (let times = 0; times < doublings; times += 1) await other.ok('COPY 1:* INBOX');
  const client = await selected(daemons);
  await other.ok('STORE 1:* +FLAGS.SILENT (\\Seen)');
  const held = new HeldBytes();
  const answer = counted(client, 'c OK nothing done\r\n');
  await client.send('c NOOP\r\n');
  const bytes = await answer;
  const most = held.stop();
  client.close();
  other.close();
  assert.ok(bytes > 2 ** doublings * keywordsMax * 250, `${bytes} octets came`);
  t.diagnostic(`${most} octets were held`);
  assert.ok(most < 40_000_000, `${most} octets were held`);
});

test('thousands of names of header fields are looked for in no time', async (t) => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  await daemons.deliver(user, Buffer.from(`Subject: many\r\n${'Zb:\r\n'.repeat(5_000)}\r\n`));
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('SELECT INBOX');
  const start = process.cpuUsage();
  const [line = ''] = await client.ok(`FETCH 1 BODY.PEEK[HEADER.FIELDS (${'Za '.repeat(20_000)}Subject)]`);
  const { user: took } = process.cpuUsage(start);
  assert.ok(line.endsWith('{17}\r\nSubject: many\r\n\r\n)'));
  t.diagnostic(`${took} µs`);
  assert.ok(took < 400_000, `${took} µs`);
  client.close();
});

test('a damaged message that became seen all the same is told to be', async () => {
  await using daemons = await Daemons.start({ mayLog: /message damaged/ });
  await daemons.addUser(user);
  const content = seededRandom(testSeed()).bytes(90_000);
  const part = { encoding: 'base64', body: wrapped(content, 76) };
  await daemons.deliver(user, multipart(['Subject: damaged'], 'text', [part]));
  await daemons.deliver(user, Buffer.from('Subject: whole\r\n\r\nbody\r\n'));
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('ENABLE CONDSTORE');
  await client.ok('SELECT INBOX');
  const mend = await damageInHeap(daemons.directory, content.subarray(50_000, 50_040));
  const { untagged, status } = await client.ask('FETCH 1:2 (BODY[])');
  assert.match(status, /^NO \[CORRUPTION\]/);
  assert.ok(
    untagged.some((line) => /^\* 1 FETCH \(UID 1 FLAGS \(\\Seen[^)]*\) MODSEQ /.test(line)),
    untagged.join('\n'),
  );
  await mend();
  client.close();
});

test('damage behind what was sent of a line breaks the connection off, and is refused the next time', async () => {
  await using daemons = await Daemons.start({ mayLog: /a message broke off|message damaged/ });
  await daemons.addUser(user);
  const random = seededRandom(testSeed());
  const [large, damaged] = [random.bytes(300_000), random.bytes(90_000)];
  const parts = [large, damaged].map((content) => ({ encoding: 'base64', body: wrapped(content, 76) }));
  await daemons.deliver(user, multipart(['Subject: parts'], 'text', parts));
  const mend = await damageInHeap(daemons.directory, damaged.subarray(50_000, 50_040));
  const client = await selected(daemons);
  const answer = counted(client, 'd OK nothing done\r\n');
  await client.send('c FETCH 1 (BODY.PEEK[2] BODY.PEEK[3])\r\nd NOOP\r\n');
  assert.ok((await answer) > large.length, 'the large part came');
  assert.ok(client.socket.closed, 'the connection ended, and nothing was answered in the middle of the line');
  const again = await ImapClient.logIn(daemons.address('imap'), user);
  await again.ok('SELECT INBOX');
  assert.match((await again.ask('FETCH 1 (BODY.PEEK[2] BODY.PEEK[3])')).status, /^NO \[CORRUPTION\]/);
  again.close();
  await mend();
});

test('a line that was sent in part is whole before a command that fails behind it says so', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const other = await ImapClient.logIn(daemons.address('imap'), user);
  await other.ok('CREATE Lists');
  const append = (message: string): Promise<unknown> => other.ok(`APPEND Lists {${message.length}+}\r\n${message}`);
  await append('Subject: small\r\n\r\n');
  await other.ok('SELECT Lists');
  // As many as are marked as seen together, the last of them larger than what lies between two sockets; and one more.
  for (let count = 1; count < 999; count += Math.min(count, 999 - count)) {
    await other.ok(`COPY 1:${Math.min(count, 999 - count)} Lists`);
  }
  await append(`Subject: large\r\n\r\n${'x'.repeat(30_000_000)}`);
  await other.ok('COPY 1 Lists');
  const client = await WireClient.connect(daemons.address('imap'));
  await client.send(`a LOGIN ${user} secret\r\nb SELECT Lists\r\n`);
  for (;;) if ((await client.line())?.startsWith('b OK') !== false) break;
  client.socket.pause();
  await client.send('c FETCH 1:* BODY[]\r\n');
  while (!/\\Seen/.test((await other.ok('FETCH 1000 FLAGS'))[0] ?? ''));
  await other.ok('DELETE Lists');
  let end = '';
  client.socket.removeAllListeners('data');
  client.socket.on('data', (octets: Buffer) => {
    end = (end + octets.toString('latin1')).slice(-500);
  });
  const ended = once(client.socket, 'close');
  client.socket.resume();
  await ended;
  assert.match(end, /x FLAGS \(\\Seen\)\)\r\nc NO \[NONEXISTENT\] .*\r\n\* BYE .*\r\n$/);
  client.close();
  other.close();
});
