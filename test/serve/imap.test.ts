/** IMAP behind `mstore serve`: several processes that are one service, and what an administrator sees of them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImapClient, sectionOf } from '../support/imap-client.ts';
import { commonPassword, Service } from '../support/service.ts';
import { oneInEach, readyNow, type WhoRow, who } from './processes.ts';
import { isAlive, Lines, readReady, until } from './service.ts';

const ann = 'ann@example.org';
const bob = 'bob@example.org';

function message(n: number): Buffer {
  return Buffer.from(`From: a@example.net\r\nSubject: ${n}\r\n\r\nmessage ${n}\r\n`);
}

function logIn(service: Service, login: string = ann): Promise<ImapClient> {
  return ImapClient.logIn(service.tcp('imap'), login, commonPassword);
}

const greeting = /^\* OK .*\r\n/;

async function allLoggedIn(sessions: ReadonlyMap<number, Lines>): Promise<void> {
  for (const lines of sessions.values()) {
    lines.say(`a LOGIN ${ann} ${commonPassword}\r\nb SELECT INBOX\r\n`);
    await lines.hears(/^b OK .*\r\n/m);
  }
}

test('mail that goes in by LMTP is told to who idles, and comes out by IMAP after each process was killed', async () => {
  await using service = await Service.start({ users: [ann], config: '[imap]\nworkers = 1\n' });
  const idling = await logIn(service);
  await idling.ok('SELECT INBOX');
  await idling.idle();
  await service.deliver({ recipients: [ann], message: message(1) });
  assert.equal(await idling.next(), '* 1 EXISTS');
  const first = readyNow(service);
  process.kill(first.pids.writer, 'SIGKILL');
  await until('the next writer', () => readReady(service.directory)?.pids.writer !== first.pids.writer);
  await service.deliver({ recipients: [ann], message: message(2) });
  process.kill(first.pids.imap[0] ?? 0, 'SIGKILL');
  await until('the next process', () => readReady(service.directory)?.pids.imap[0] !== first.pids.imap[0]);
  idling.close();
  const client = await logIn(service);
  await client.ok('SELECT INBOX');
  const fetched = (await client.ok('FETCH 1:* BODY[TEXT]')).filter((line) => line.includes(' FETCH '));
  assert.deepEqual(
    fetched.map((line) => sectionOf(line, 'BODY[TEXT]')),
    ['message 1\r\n', 'message 2\r\n'],
  );
  client.close();
});

test('it listens on Unix sockets below the directory as well, and only there where it is told so', async () => {
  await using service = await Service.start({
    users: [ann],
    config: '[imap]\nworkers = 2\n',
    listen: ['lmtp=127.0.0.1:0', 'imap=unix:run/imap.sock', 'imap=127.0.0.1:0'],
  });
  const { imap, pop3, pids } = readyNow(service);
  assert.equal(imap[0], `unix:${service.directory}/run/imap.sock`);
  assert.match(imap[1] ?? '', /^127\.0\.0\.1:\d+$/);
  assert.deepEqual([pop3, pids.pop3, pids.imap.length], [[], [], 2]);
  for (const address of imap) (await ImapClient.logIn(address, ann, commonPassword)).close();
});

test('several processes share the address: who shows mailboxes, metrics add up, and who is kicked hears BYE', async () => {
  await using service = await Service.start({
    users: [ann, bob],
    config: '[imap]\nworkers = 3\n',
    listen: ['lmtp=127.0.0.1:0', 'imap=127.0.0.1:0', 'metrics=127.0.0.1:0'],
  });
  const { pids, metrics } = readyNow(service);
  assert.equal(new Set(pids.imap).size, 3);
  assert.ok(pids.imap.every(isAlive));
  const sessions = await oneInEach(service, 'imap', greeting);
  await allLoggedIn(sessions);
  const other = await logIn(service, bob);
  await other.ok('EXAMINE Sent');
  const rows = await who(service);
  const of = (login: string): WhoRow[] => rows.filter((row) => row.login === login);
  assert.deepEqual(
    of(ann)
      .map(({ pid }) => pid)
      .sort(),
    [...pids.imap].sort(),
  );
  assert.deepEqual(
    [...of(ann), ...of(bob)].map(({ protocol, mailbox }) => `${protocol} ${mailbox}`),
    ['imap INBOX', 'imap INBOX', 'imap INBOX', 'imap Sent'],
  );
  const shown = (await service.mstore(['who'])).stdout;
  assert.match(shown, /^imap +bob@example\.org +127\.0\.0\.1:\d+ .* [0-9a-f]{16} +imap \d+ +Sent$/m);
  await other.ok('UNSELECT');
  assert.deepEqual((await who(service)).find(({ login }) => login === bob)?.mailbox, '');
  const page = await (await fetch(`http://${metrics[0]}/metrics`)).text();
  assert.match(page, /^mstore_imap_logins_total\{outcome="in"\} 4$/m);
  assert.match(page, /^mstore_imap_connections \d+$/m);
  for (const name of ['imap-1', 'imap-2', 'imap-3']) {
    assert.match(page, new RegExp(`^mstore_child_up\\{child="${name}"\\} 1$`, 'm'));
  }
  const [idling] = sessions.values();
  idling?.say('c IDLE\r\n');
  await idling?.hears(/^\+ .*\r\n/m);
  assert.equal((await service.mstore(['kick', ann])).stdout, '3 sessions ended\n');
  for (const lines of sessions.values()) {
    await lines.hears(/^\* BYE /m);
    await lines.ends();
  }
  await other.ok('NOOP');
  other.close();
});

test('the end of one process is felt by its own sessions only, and it alone is started again', async () => {
  await using service = await Service.start({ users: [ann], config: '[imap]\nworkers = 2\n' });
  const before = readyNow(service);
  const sessions = await oneInEach(service, 'imap', greeting);
  await allLoggedIn(sessions);
  const [killed = 0, kept = 0] = before.pids.imap;
  process.kill(killed, 'SIGKILL');
  await sessions.get(killed)?.ends();
  const after = await until('another process', () => {
    const ready = readReady(service.directory);
    return ready !== undefined && ready.pids.imap[0] !== killed ? ready : undefined;
  });
  assert.deepEqual(
    [after.pids.imap[1], after.pids.writer, after.pids.pop3, after.imap],
    [kept, before.pids.writer, before.pids.pop3, before.imap],
  );
  await service.deliver({ recipients: [ann], message: message(1) });
  // A delivery is answered before the catalog shows it: NOOP could come too early, IDLE waits.
  sessions.get(kept)?.say('c IDLE\r\n');
  await sessions.get(kept)?.hears(/^\* 1 EXISTS\r\n/m);
  sessions.get(kept)?.say('DONE\r\n');
  await sessions.get(kept)?.hears(/^c OK/m);
  assert.equal((await oneInEach(service, 'imap', greeting)).size, 2);
});

test('the limit of connections is for all processes together, and who comes too many hears BYE', async () => {
  await using service = await Service.start({ users: [ann], config: '[imap]\nworkers = 2\nconnections = 12\n' });
  const open: Lines[] = [];
  // Each knows what the other has a moment later.
  await until('a refusal', async () => {
    const lines = Lines.open(service.tcp('imap'));
    const [, answer] = await lines.hears(/^\* (OK|BYE .*too many connections)/);
    if (answer === 'OK') open.push(lines);
    if (open.length < 12) await until('both know', async () => (await who(service)).length === open.length);
    return answer !== 'OK';
  });
  assert.ok(open.length >= 12 && open.length <= 14, `${open.length} connections`);
});

test('the limit of a user is for all processes together, and for nobody else', async () => {
  const config = '[imap]\nworkers = 2\nuserConnections = 4\n';
  await using service = await Service.start({ users: [ann, bob], config });
  const open: Lines[] = [];
  const tryOne = async (): Promise<string> => {
    const lines = Lines.open(service.tcp('imap'));
    lines.say(`a LOGIN ${ann} ${commonPassword}\r\n`);
    const [, answer = ''] = await lines.hears(/^a (OK|NO .*)/m);
    if (answer === 'OK') open.push(lines);
    else lines.socket.destroy();
    return answer;
  };
  // Each process knows what the other has a moment later.
  const refused = await until('a refusal', async () => {
    const answer = await tryOne();
    await until('all are there', async () => (await who(service)).length === open.length);
    return answer === 'OK' ? undefined : answer;
  });
  assert.match(refused, /^NO \[LIMIT\] too many connections of this user/);
  assert.ok(open.length >= 4 && open.length <= 6, `${open.length} connections`);
  (await logIn(service, bob)).close();
  for (const lines of open) lines.socket.destroy();
  await until('room again', async () => (await tryOne()) === 'OK');
});

test('a reload and a stop reach every process, and a stop says BYE', async () => {
  await using service = await Service.start({ users: [ann], config: '[imap]\nworkers = 3\n' });
  const { pids } = readyNow(service);
  const sessions = await oneInEach(service, 'imap', greeting);
  await allLoggedIn(sessions);
  const [idling] = sessions.values();
  idling?.say('c IDLE\r\n');
  await idling?.hears(/^\+ .*\r\n/m);
  await writeFile(join(service.directory, 'mstore.toml'), '[imap]\nworkers = 4\n');
  process.kill(pids.supervisor, 'SIGHUP');
  await until('the warning', () =>
    service.log.split('\n').some((line) => /wait for a restart/.test(line) && line.includes('imap.workers')),
  );
  assert.deepEqual(readyNow(service).pids.imap, pids.imap);
  const stopped = service.stop();
  for (const lines of sessions.values()) await lines.hears(/^\* BYE /m);
  assert.equal(await stopped, 0);
  assert.ok(!pids.imap.some(isAlive));
});

test('the processes end when the supervisor is killed', async () => {
  await using service = await Service.start({ users: [ann], config: '[imap]\nworkers = 2\n' });
  const { pids } = readyNow(service);
  const client = await logIn(service);
  process.kill(pids.supervisor, 'SIGKILL');
  await until('the end of the children', () => ![pids.writer, ...pids.imap].some(isAlive));
  client.close();
  await service.kill();
  await service.start();
  (await logIn(service)).close();
});
