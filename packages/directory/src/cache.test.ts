import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DirectoryAdministration } from './administration.ts';
import { CachedDirectory } from './cache.ts';
import type { ChangeListener, Directory, DirectoryChange, Resolution } from './directory.ts';
import { DirectoryError, isDirectoryError } from './errors.ts';
import { limits } from './limits.ts';
import { SqliteDirectory } from './sqlite.ts';
import { type User, userId } from './types.ts';

const attempt = { remote: '192.0.2.1' };
const unavailable = (error: unknown): boolean => isDirectoryError(error, 'unavailable');

/** A directory of users in memory whose password is "secret", which goes down when told. */
class MemoryDirectory implements Directory {
  readonly users = new Map<string, User>();
  readonly listeners = new Set<ChangeListener>();
  isDown = false;
  asked = 0;

  add(address: string, id: number): void {
    this.users.set(address, {
      id: userId(id),
      address,
      quotaBytes: 0,
      quotaMessages: 0,
      disabled: false,
      createdMs: 0,
    });
  }

  tell(changes: readonly DirectoryChange[], complete = true): void {
    for (const listener of this.listeners) listener({ sequence: 1, complete, changes });
  }

  async resolve(address: string): Promise<Resolution> {
    const user = await this.userNamed(address);
    if (user === undefined) return { kind: 'noSuchUser' };
    return { kind: 'found', targets: [{ userId: user.id, address: user.address }] };
  }

  async authenticate(login: string, password: string): ReturnType<Directory['authenticate']> {
    const user = await this.userNamed(login);
    return user === undefined || password !== 'secret' ? { kind: 'wrong' } : { kind: 'user', user };
  }

  async userNamed(login: string): Promise<User | undefined> {
    this.asked += 1;
    if (this.isDown) throw new DirectoryError('unavailable', 'down');
    return this.users.get(login);
  }

  async user(id: number): Promise<User | undefined> {
    await this.userNamed('');
    return [...this.users.values()].find((user) => user.id === id);
  }

  async route(id: number): Promise<string | undefined> {
    return (await this.user(id)) === undefined ? undefined : 'north';
  }

  async scramVerifier(): Promise<undefined> {
    await this.userNamed('');
  }

  async changes(): ReturnType<Directory['changes']> {
    return { sequence: 1, complete: true, changes: [] };
  }

  subscribe(listener: ChangeListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  async close(): Promise<void> {}
}

class Site {
  readonly memory = new MemoryDirectory();
  now = 0;
  readonly directory: CachedDirectory;

  constructor(entries = 100) {
    const clock = { now: () => this.now, monotonic: () => this.now };
    this.directory = new CachedDirectory(this.memory, { clock, entries });
    this.memory.add('ann@d', 1);
    this.memory.add('bob@d', 2);
  }

  /** Asks for everything that can be kept of a user. */
  async ask(name: string, password = 'secret'): Promise<string[]> {
    const id = userId(name === 'ann@d' ? 1 : 2);
    const questions: Promise<unknown>[] = [
      this.directory.resolve(`${name}`).then(({ kind }) => kind),
      this.directory.authenticate(name, password, attempt).then(({ kind }) => kind),
      this.directory.userNamed(name).then((user) => user?.id),
      this.directory.user(id).then((user) => user?.address),
      this.directory.route(id),
    ];
    const answers = await Promise.allSettled(questions);
    return answers.map((answer) => (answer.status === 'fulfilled' ? String(answer.value) : answer.reason.code));
  }
}

const allOfAnn = ['found', 'user', '1', 'ann@d', 'north'];
const nothing = Array.from({ length: 5 }, () => 'unavailable');

test('known users go on while the directory is down; nobody is called unknown, no password wrong', async () => {
  const site = new Site();
  assert.deepEqual(await site.ask('ann@d'), ['found', 'user', '1', 'ann@d', 'north']);
  site.memory.isDown = true;
  site.now = limits.cacheStaleMs - 1;
  assert.deepEqual(await site.ask('ann@d'), allOfAnn);
  assert.deepEqual(await site.ask('bob@d'), nothing);
  await assert.rejects(site.directory.authenticate('ann@d', 'wrong', attempt), unavailable);
  await assert.rejects(site.directory.resolve('nobody@d'), unavailable);
  await assert.rejects(site.directory.scramVerifier('ann@d'), unavailable);
  site.now = limits.cacheStaleMs;
  assert.deepEqual(await site.ask('ann@d'), nothing);
  site.memory.isDown = false;
  assert.deepEqual(await site.ask('ann@d'), allOfAnn);
  assert.equal((await site.directory.authenticate('ann@d', 'wrong', attempt)).kind, 'wrong');
  await site.directory.close();
  assert.equal(site.memory.listeners.size, 0);
});

test('fresh answers are not asked for again, passwords always are', async () => {
  const site = new Site();
  await site.ask('ann@d');
  site.memory.asked = 0;
  site.now = limits.cacheFreshMs - 1;
  await site.ask('ann@d');
  assert.equal(site.memory.asked, 1);
  site.now = limits.cacheFreshMs;
  await site.ask('ann@d');
  // The answer to the login of the round before keeps the user fresh.
  assert.equal(site.memory.asked, 1 + 3);
});

test('what changed is forgotten at once, and the rest is kept', async () => {
  const user = { sequence: 1, userId: userId(1), address: 'ann@d' };
  const cases: readonly (readonly [DirectoryChange, readonly string[]])[] = [
    [{ ...user, kind: 'userRemoved' }, nothing],
    [{ ...user, kind: 'userAdded' }, nothing],
    [{ ...user, kind: 'userChanged' }, ['found', ...nothing.slice(1)]],
    [{ sequence: 1, kind: 'alias', address: 'x@d' }, ['unavailable', ...allOfAnn.slice(1)]],
    [{ sequence: 1, kind: 'domain', domain: 'd' }, ['unavailable', ...allOfAnn.slice(1)]],
  ];
  for (const [change, left] of cases) {
    const site = new Site();
    await site.ask('ann@d');
    await site.ask('bob@d');
    site.memory.isDown = true;
    site.memory.tell([change]);
    assert.deepEqual(await site.ask('ann@d'), left, change.kind);
    assert.equal((await site.ask('bob@d'))[1], 'user');
  }
});

test('a new user takes over addresses that others had by detail or catch-all', async () => {
  const site = new Site();
  site.memory.add('zoe+x@d', 2);
  assert.equal((await site.directory.resolve('zoe+x@d')).kind, 'found');
  assert.equal((await site.directory.resolve('bob@d')).kind, 'found');
  site.memory.isDown = true;
  site.memory.tell([{ sequence: 1, kind: 'userAdded', userId: userId(3), address: 'zoe@d' }]);
  await assert.rejects(site.directory.resolve('zoe+x@d'), unavailable);
  assert.equal((await site.directory.resolve('bob@d')).kind, 'found');
});

test('everything is forgotten when changes were missed or are many', async () => {
  const change: DirectoryChange = { sequence: 1, kind: 'userChanged', userId: userId(9), address: 'z@d' };
  const many = (count: number): DirectoryChange[] => Array.from({ length: count }, () => change);
  for (const [changes, complete, isKept] of [
    [[], false, false],
    [many(limits.cacheChanges), true, true],
    [many(limits.cacheChanges + 1), true, false],
  ] as const) {
    const site = new Site();
    await site.ask('ann@d');
    site.memory.isDown = true;
    site.memory.tell(changes, complete);
    assert.deepEqual(await site.ask('ann@d'), isKept ? allOfAnn : nothing);
  }
});

test('an answer that a change overtook is given but not kept', async () => {
  const site = new Site();
  const answer = site.directory.resolve('ann@d');
  site.memory.tell([], false);
  assert.equal((await answer).kind, 'found');
  site.memory.isDown = true;
  await assert.rejects(site.directory.resolve('ann@d'), unavailable);
});

test('the oldest answers make room', async () => {
  const site = new Site(1);
  await site.ask('ann@d');
  await site.ask('bob@d');
  site.memory.isDown = true;
  assert.deepEqual(await site.ask('ann@d'), nothing);
  assert.equal((await site.ask('bob@d'))[0], 'found');
});

test('over SQLite: a file that goes away and comes back', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mstore-directory-'));
  const path = join(folder, 'd.sqlite');
  const passwords = { threads: 1, cost: { scryptLog2N: 4, scramIterations: 10 } };
  const administration = await DirectoryAdministration.create(path, { passwords });
  await administration.addUser('ann@d.example', { password: 'secret' });
  const behind = new SqliteDirectory(path, { passwords, changePollMs: 5 });
  const directory = new CachedDirectory(behind, { freshMs: 0 });
  t.after(async () => {
    await Promise.all([administration.close(), directory.close()]);
    rmSync(folder, { recursive: true, force: true });
  });
  const login = async (name: string, password: string): Promise<string> =>
    directory.authenticate(name, password, attempt).then(
      ({ kind }) => kind,
      (error) => error.code,
    );
  const until = async (address: string, expected: string): Promise<void> => {
    const kind = (): Promise<string> =>
      directory.resolve(address).then(
        (resolution) => resolution.kind,
        (error) => error.code,
      );
    for (const deadline = performance.now() + 10_000; (await kind()) !== expected; await delay(2)) {
      assert(performance.now() < deadline, 'waited too long');
    }
  };
  await until('ann@d.example', 'found');
  assert.equal(await login('ann@d.example', 'secret'), 'user');
  assert.equal(await login('bob@d.example', 'secret'), 'wrong');
  renameSync(path, `${path}.away`);
  await until('bob@d.example', 'unavailable');
  await until('ann@d.example', 'found');
  assert.equal(await login('ann@d.example', 'secret'), 'user');
  assert.equal(await login('ann@d.example', 'wrong'), 'unavailable');
  assert.equal(await login('bob@d.example', 'secret'), 'unavailable');
  renameSync(`${path}.away`, path);
  await until('bob@d.example', 'noSuchUser');
  assert.equal(await login('ann@d.example', 'wrong'), 'wrong');
  await administration.removeUser('ann@d.example');
  await until('ann@d.example', 'noSuchUser');
  assert.equal(await login('ann@d.example', 'secret'), 'wrong');
});
