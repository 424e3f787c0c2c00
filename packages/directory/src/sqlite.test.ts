import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { DirectoryAdministration } from './administration.ts';
import type { DirectoryChange, DirectoryChanges } from './directory.ts';
import { isDirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import { schemaVersion } from './schema/migrations.ts';
import { SqliteDirectory, type SqliteDirectoryOptions } from './sqlite.ts';
import { userId } from './types.ts';

const attempt = { remote: '192.0.2.1' };
const passwords = { threads: 1, cost: { scryptLog2N: 12, scramIterations: 10 } };

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'mstore-directory-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function create(t: TestContext, path: string): Promise<DirectoryAdministration> {
  const administration = await DirectoryAdministration.create(path, { passwords });
  t.after(() => administration.close());
  return administration;
}

function open(t: TestContext, path: string, options: SqliteDirectoryOptions = {}): SqliteDirectory {
  const directory = new SqliteDirectory(path, { passwords, changePollMs: 5, ...options });
  t.after(() => directory.close());
  return directory;
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 10_000; !condition(); await delay(2)) {
    assert(performance.now() < deadline, 'waited too long');
  }
}

const unavailable = (error: unknown): boolean => isDirectoryError(error, 'unavailable');

test('users are found by address, login and id', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  const ann = await administration.addUser('Ann@Bücher.example', {
    password: 'secret',
    quotaBytes: 5,
    quotaMessages: 6,
  });
  await administration.setAlias('sales@bücher.example', ['ann+s@bücher.example']);
  const directory = open(t, path, { defaultDomain: 'Bücher.Example', storeServer: 'north' });
  assert.deepEqual(await directory.resolve('SALES@xn--bcher-kva.example'), {
    kind: 'found',
    targets: [{ userId: ann.id, address: ann.address, detail: 's' }],
  });
  assert.equal((await directory.resolve('Sales')).kind, 'found', 'without a domain: the default one');
  assert.deepEqual(await directory.resolve('bob@bücher.example'), { kind: 'noSuchUser' });
  assert.deepEqual(await directory.resolve('no address'), { kind: 'noSuchUser' });
  assert.equal((await directory.resolve('ann@elsewhere.example')).kind, 'foreign');
  assert.deepEqual(await directory.user(ann.id), ann);
  assert.deepEqual(await directory.userNamed('ANN'), ann);
  assert.deepEqual(await directory.userNamed('ann@bücher.example'), ann);
  assert.equal(await directory.userNamed('ann+s@bücher.example'), undefined);
  assert.equal(await directory.userNamed('sales@bücher.example'), undefined);
  assert.equal(await directory.route(ann.id), 'north');
  assert.equal(await directory.user(userId(999)), undefined);
  assert.equal(await directory.route(userId(999)), undefined);
  assert.deepEqual([ann.quotaBytes, ann.quotaMessages, ann.disabled], [5, 6, false]);
  assert.throws(
    () => new SqliteDirectory(path, { defaultDomain: 'a b' }),
    (error) => isDirectoryError(error, 'badAddress'),
  );
});

test('another separator and none may part the detail', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  await (await create(t, path)).addUser('ann@d.example');
  const kinds = async (options: SqliteDirectoryOptions): Promise<unknown[]> => {
    const directory = open(t, path, options);
    return [(await directory.resolve('ann+x@d.example')).kind, (await directory.resolve('ann-x@d.example')).kind];
  };
  assert.deepEqual(await kinds({}), ['found', 'noSuchUser']);
  assert.deepEqual(await kinds({ detailSeparator: '-' }), ['noSuchUser', 'found']);
  assert.deepEqual(await kinds({ detailSeparator: '' }), ['noSuchUser', 'noSuchUser']);
});

test('passwords are right, wrong or right for one who may not log in', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  const ann = await administration.addUser('ann@d.example', { password: 'secret' });
  await administration.addUser('bob@d.example');
  const directory = open(t, path);
  const kind = async (login: string, password: string): Promise<string> =>
    (await directory.authenticate(login, password, attempt)).kind;
  assert.deepEqual(await directory.authenticate('Ann@D.example', 'secret', attempt), { kind: 'user', user: ann });
  for (const password of ['Secret', '', 'secret\0', 'x'.repeat(limits.passwordBytes + 1)]) {
    assert.equal(await kind('ann@d.example', password), 'wrong');
  }
  // Without a password nobody logs in, not even with the one they are checked against for show.
  for (const login of ['bob@d.example', 'zoe@d.example', 'zoe@elsewhere', 'zoe', '', '\0']) {
    assert.equal(await kind(login, 'secret'), 'wrong', login);
  }
  await administration.setDisabled('ann@d.example', true);
  assert.equal(await kind('ann@d.example', 'secret'), 'disabled');
  assert.equal(await kind('ann@d.example', 'Secret'), 'wrong');
  assert.equal((await directory.resolve('ann@d.example')).kind, 'found');
  assert.equal(await directory.scramVerifier('ann@d.example'), undefined);
  await administration.setDisabled('ann@d.example', false);
  assert.equal((await directory.scramVerifier('ann@d.example'))?.userId, ann.id);
  assert.equal(await directory.scramVerifier('bob@d.example'), undefined);
});

test('a verified password is remembered until it changes', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  await administration.addUser('ann@d.example', { password: 'old' });
  // Longer than the waits of this test when hashed each time.
  const directory = open(t, path);
  const login = async (password: string): Promise<string> =>
    (await directory.authenticate('ann@d.example', password, attempt)).kind;
  assert.equal(await login('old'), 'user');
  const startMs = performance.now();
  for (let round = 0; round < 1_000; round += 1) assert.equal(await login('old'), 'user');
  const eachMs = (performance.now() - startMs) / 1_000;
  t.diagnostic(`a remembered login takes ${(eachMs * 1_000).toFixed()} µs`);
  assert(eachMs < 5);
  await administration.setPassword('ann@d.example', 'new');
  assert.equal(await login('old'), 'wrong');
  assert.equal(await login('new'), 'user');
  await administration.removeUser('ann@d.example');
  assert.equal(await login('new'), 'wrong');
});

test('an unknown login takes as long as a known one, whatever scheme the users have', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  // bcrypt at 9: some 30 ms, where our own cheap scrypt takes a tenth of that.
  const stored = `$2b$09$${'C'.repeat(21)}.${'E'.repeat(31)}`;
  const report = await administration.importUsers([`ann@d.example ${stored}`, `bob@d.example ${stored}`]);
  assert.equal(report.added, 2);
  const directory = open(t, path);
  const took = async (login: string): Promise<number> => {
    const startMs = performance.now();
    assert.equal((await directory.authenticate(login, 'x', attempt)).kind, 'wrong');
    return performance.now() - startMs;
  };
  await took('ann@d.example');
  // The least of several, taken in turn: other work on the machine can only add.
  let knownMs = Number.POSITIVE_INFINITY;
  let unknownMs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 15; round += 1) {
    knownMs = Math.min(knownMs, await took('ann@d.example'));
    unknownMs = Math.min(unknownMs, await took(`nobody${round}@d.example`));
  }
  t.diagnostic(`known ${knownMs.toFixed(1)} ms, unknown ${unknownMs.toFixed(1)} ms`);
  assert(unknownMs > knownMs / 3 && unknownMs < knownMs * 3, `${knownMs} and ${unknownMs} ms`);
});

test('a directory that is missing, damaged, of another release or locked is unavailable until it is back', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const away = `${path}.away`;
  const administration = await create(t, path);
  const ann = await administration.addUser('ann@d.example', { password: 'secret' });
  await administration.close();
  const directory = open(t, path);
  const isUnavailable = async (from: SqliteDirectory): Promise<void> => {
    await assert.rejects(from.resolve('ann@d.example'), unavailable);
    await assert.rejects(from.resolve('nobody@d.example'), unavailable);
    await assert.rejects(from.authenticate('ann@d.example', 'secret', attempt), unavailable);
    await assert.rejects(from.authenticate('nobody@d.example', 'secret', attempt), unavailable);
    await assert.rejects(from.user(ann.id), unavailable);
    await assert.rejects(from.route(ann.id), unavailable);
    await assert.rejects(from.changes(0), unavailable);
  };
  renameSync(path, away);
  await isUnavailable(directory);
  writeFileSync(path, 'no directory, but something longer than a header of SQLite'.repeat(100));
  await isUnavailable(directory);
  writeFileSync(path, '');
  await isUnavailable(directory);
  // Who administers makes no directory of it either: one with nobody in it would refuse mail for good.
  await assert.rejects(DirectoryAdministration.open(path), /is empty: bring it back/);
  assert.equal(statSync(path).size, 0);
  copyFileSync(away, path);
  const newer = new Database(path);
  newer.pragma(`user_version = ${schemaVersion + 1}`);
  newer.close();
  await isUnavailable(directory);
  await assert.rejects(DirectoryAdministration.open(path), unavailable);
  rmSync(path);
  renameSync(away, path);
  const locker = new Database(path);
  locker.pragma('locking_mode = EXCLUSIVE');
  locker.exec('BEGIN IMMEDIATE; UPDATE users SET quota_bytes = 7; COMMIT');
  await isUnavailable(directory);
  locker.close();
  assert.equal((await directory.user(ann.id))?.quotaBytes, 7);
});

test('a page of octets that went bad is unavailable, and so is what was opened before', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  await administration.importUsers(
    Array.from({ length: 2_000 }, (_, at) => `u${at}@d.example {SSHA}${'A'.repeat(40)}`),
  );
  await administration.close();
  const bytes = statSync(path).size;
  const octets = Buffer.alloc(bytes - 8_192, 0xff);
  const database = new Database(path);
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  const { openSync, writeSync, closeSync } = await import('node:fs');
  const file = openSync(path, 'r+');
  writeSync(file, octets, 0, octets.length, 8_192);
  closeSync(file);
  await assert.rejects(open(t, path).resolve('u1@d.example'), unavailable);
});

test('a closed directory says so', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  const directory = open(t, path);
  await Promise.all([administration.close(), directory.close()]);
  await assert.rejects(directory.resolve('ann@d.example'), (error) => isDirectoryError(error, 'closed'));
  await assert.rejects(administration.domains(), (error) => isDirectoryError(error, 'closed'));
});

test('changes are told in order, to those who ask since when and to those who subscribed', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  const directory = open(t, path);
  const { sequence: start } = await directory.changes();
  const heard: DirectoryChange[] = [];
  const unsubscribe = directory.subscribe(({ changes }) => heard.push(...changes));
  const { id } = await administration.addUser('ann@d.example');
  await administration.setQuota('ann@d.example', { quotaBytes: 1 });
  await administration.setAlias('@d.example', ['ann@d.example']);
  await administration.removeUser('ann@d.example');
  await administration.removeDomain('d.example');
  const user = { userId: id, address: 'ann@d.example' };
  const expected = [
    { kind: 'domain', domain: 'd.example' },
    { kind: 'userAdded', ...user },
    { kind: 'userChanged', ...user },
    { kind: 'alias', address: '@d.example' },
    { kind: 'alias', address: '@d.example' },
    { kind: 'userRemoved', ...user },
    { kind: 'domain', domain: 'd.example' },
  ].map((change, at) => ({ sequence: start + 1 + at, ...change }));
  assert.deepEqual(await directory.changes(start), { sequence: start + 7, complete: true, changes: expected });
  assert.deepEqual((await directory.changes(start + 6)).changes, expected.slice(6));
  assert.deepEqual(await directory.changes(start + 7), { sequence: start + 7, complete: true, changes: [] });
  assert.deepEqual(await directory.changes(start + 8), { sequence: start + 7, complete: false, changes: [] });
  await until(() => heard.length === expected.length);
  assert.deepEqual(heard, expected);
  unsubscribe();
});

test('changes beyond those kept read as "everything", and long histories come in pieces', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  const directory = open(t, path);
  const { sequence: start } = await directory.changes();
  await administration.importUsers(
    Array.from({ length: limits.changesTold }, (_, at) => `u${at}@d.example {SSHA}${'A'.repeat(40)}`),
  );
  const first = await directory.changes(start);
  assert.equal(first.changes.length, limits.changesTold);
  assert.equal((await directory.changes(first.sequence)).changes.length, 1);
  const database = new Database(path);
  database.exec('DELETE FROM changes WHERE sequence <= 10');
  database.close();
  assert.equal((await directory.changes(9)).complete, false);
  assert.equal((await directory.changes(10)).complete, true);
});

test('a file put in place of another is read, and everything counts as changed', async (t) => {
  const dir = folder(t);
  const [path, other] = [join(dir, 'd.sqlite'), join(dir, 'other.sqlite')];
  for (const [name, user] of [
    [path, 'ann@d.example'],
    [other, 'bob@d.example'],
  ] as const) {
    const administration = await create(t, name);
    await administration.addUser(user);
    await administration.close();
  }
  const directory = open(t, path);
  const heard: DirectoryChanges[] = [];
  directory.subscribe((changes) => heard.push(changes));
  assert.equal((await directory.resolve('ann@d.example')).kind, 'found');
  for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true });
  renameSync(other, path);
  await until(() => heard.length > 0);
  assert.equal(heard[0]?.complete, false);
  assert.equal((await directory.resolve('ann@d.example')).kind, 'noSuchUser');
  assert.equal((await directory.resolve('bob@d.example')).kind, 'found');
});

test('two processes change the same file, and a third thread of reading sees it all', async (t) => {
  const path = join(folder(t), 'd.sqlite');
  const administration = await create(t, path);
  await administration.addDomain('d.example');
  const program = `
    import { DirectoryAdministration } from ${JSON.stringify(new URL('./administration.js', import.meta.url).href)};
    const administration = await DirectoryAdministration.open(process.argv[1]);
    for (let at = 0; at < 100; at += 1) await administration.addUser(process.argv[2] + at + '@d.example');
    await administration.close();`;
  const run = (name: string): Promise<unknown> =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, path, name]);
  const directory = open(t, path);
  let heard = 0;
  directory.subscribe(({ changes }) => {
    heard += changes.length;
  });
  assert.equal((await directory.resolve('a0@d.example')).kind, 'noSuchUser');
  let asked = 0;
  const reading = async (isOver: () => boolean): Promise<void> => {
    for (; !isOver(); asked += 1) await directory.resolve(`a${asked % 100}@d.example`).then(() => delay(0));
  };
  let isOver = false;
  const reader = reading(() => isOver);
  await Promise.all([run('a'), run('b')]);
  isOver = true;
  await reader;
  const users = await administration.users();
  assert.equal(users.length, 200);
  assert.equal(new Set(users.map((user) => user.id)).size, 200);
  await until(() => heard === 200);
  assert(asked > 0);
});
