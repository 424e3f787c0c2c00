/** The writer's process as a supervisor starts it: inherited sockets, questions, signals, kills. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { DirectoryAdministration } from '@mstore/directory';
import { writerProgram } from '@mstore/lda';
import { firstInheritedFd, HeldSocket, parseListenAddress, socketArgument } from '@mstore/net';
import { createStore, Store } from '@mstore/store';
import { until } from '../serve/service.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';
import { LmtpClient } from './daemon.ts';

const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
});

const config = `
[server]
name = "mx.test"
drain = 2
[heap]
segmentBytes = "2M"
[quota]
overQuota = "permanent"
`;

/** A store with a directory and a bound address, and children that serve it. */
class Place implements AsyncDisposable {
  readonly directory: string;
  readonly held: HeldSocket;
  readonly #remove: () => Promise<void>;

  private constructor(directory: string, held: HeldSocket, remove: () => Promise<void>) {
    this.directory = directory;
    this.held = held;
    this.#remove = remove;
  }

  static async make(): Promise<Place> {
    const temp = await tempDirectory();
    await createStore(temp.path);
    await writeFile(`${temp.path}/mstore.toml`, config);
    const users = await DirectoryAdministration.create(`${temp.path}/directory.sqlite`);
    await users.addUser('anna@example.net');
    await users.addUser('full@example.net', { quotaBytes: 10 });
    await users.close();
    const held = await HeldSocket.bind(parseListenAddress('127.0.0.1:0'));
    return new Place(temp.path, held, async () => temp[Symbol.asyncDispose]());
  }

  /** Starts the program; resolves with the child when it is ready. */
  async start(): Promise<ChildProcess> {
    const socket = socketArgument({ name: 'lmtp', fd: firstInheritedFd, address: this.held.address });
    const args = [writerProgram, '--data', this.directory, socket];
    const stdio = ['ignore', 'ignore', 'pipe', 'ipc', this.held.handle];
    // Node passes any handle of its own on; its types know only streams.
    const child: ChildProcess = Reflect.apply(spawn, undefined, [process.execPath, args, { stdio }]);
    children.add(child);
    child.once('exit', () => children.delete(child));
    const [notice] = await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
    assert.deepEqual(notice, { type: 'ready', pid: child.pid, listening: { lmtp: [this.held.address], lda: [] } });
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.held.close();
    const store = await Store.open(this.directory);
    try {
      await assertClean(store);
    } finally {
      await store.close();
      await this.#remove();
    }
  }
}

async function greeted(address: string): Promise<LmtpClient> {
  const client = await LmtpClient.dial(address);
  assert.match(await client.reply(), /^220 mx\.test /);
  await client.say('LHLO client.test');
  return client;
}

async function ask(child: ChildProcess, about: string, ...args: readonly string[]): Promise<unknown> {
  const answered = once(child, 'message', { signal: AbortSignal.timeout(10_000) });
  child.send({ type: 'ask', id: 1, about, args });
  const [answer] = await answered;
  assert.equal(answer.problem, undefined);
  return answer.value;
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(20_000) });
  return code;
}

test('the process delivers, answers its supervisor, and drains on SIGTERM', async () => {
  await using place = await Place.make();
  const child = await place.start();
  let log = '';
  child.stderr?.on('data', (octets: Buffer) => {
    log += octets.toString();
  });
  const client = await greeted(place.held.address);
  const [reply = ''] = await client.deliver(['anna@example.net'], 'Subject: one\r\n\r\nbody\r\n');
  assert.match(reply, /^250 /);
  assert.match(await client.say('MAIL FROM:<> SIZE=400'), /^250 /);
  assert.match(await client.say('RCPT TO:<full@example.net>'), /^552 5\.2\.2 /);
  const rows = await ask(child, 'who');
  assert.ok(Array.isArray(rows) && rows.length === 1 && rows[0].protocol === 'lmtp');
  assert.ok(JSON.stringify(await ask(child, 'metrics')).includes('mstore_deliveries_total'));
  assert.equal(await ask(child, 'kick', 'id', rows[0].id), 1);
  assert.match(await client.reply(), /^421 4\.3\.2 /);
  const other = await greeted(place.held.address);
  child.kill('SIGTERM');
  assert.match(await other.reply(), /^421 4\.3\.2 /);
  assert.equal(await exitOf(child), 0);
  const events = log.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).event]));
  assert.ok(events.includes('delivered') && events.includes('refused'), log);
  assert.equal(events.at(-1), 'stopped', log);
});

test('a reload changes what full accounts are told, and nothing that the directory must agree with', async () => {
  await using place = await Place.make();
  const child = await place.start();
  let log = '';
  child.stderr?.on('data', (octets: Buffer) => {
    log += octets.toString();
  });
  const changed = config.replace('permanent', 'temporary').replace('[server]', '[server]\nroute = "elsewhere"');
  await writeFile(`${place.directory}/mstore.toml`, changed);
  child.kill('SIGHUP');
  await until('the reload', () => log.includes('"reloaded"'));
  const client = await greeted(place.held.address);
  const [reply = ''] = await client.deliver(['anna@example.net'], 'Subject: one\r\n\r\nbody\r\n');
  assert.match(reply, /^250 /);
  assert.match(await client.say('MAIL FROM:<> SIZE=400'), /^250 /);
  assert.match(await client.say('RCPT TO:<full@example.net>'), /^452 4\.2\.2 /);
  client.destroy();
  child.kill('SIGTERM');
  assert.equal(await exitOf(child), 0);
});

test('what was acknowledged is there after a kill, and the next process serves on at the same address', async () => {
  await using place = await Place.make();
  const first = await place.start();
  const client = await greeted(place.held.address);
  for (let n = 1; n <= 20; n++) {
    const [reply = ''] = await client.deliver(['anna@example.net'], `Subject: ${n}\r\n\r\nbody\r\n`);
    assert.match(reply, /^250 /);
  }
  first.kill('SIGKILL');
  await exitOf(first);
  const second = await place.start();
  const again = await greeted(place.held.address);
  const [reply = ''] = await again.deliver(['anna@example.net'], 'Subject: 21\r\n\r\nbody\r\n');
  assert.match(reply, /^250 /);
  again.destroy();
  second.kill('SIGTERM');
  assert.equal(await exitOf(second), 0);
  const store = await Store.open(place.directory);
  try {
    assert.equal(store.catalog().state()?.totals.entries, 21);
  } finally {
    await store.close();
  }
});

test('the process ends when its supervisor does', async () => {
  await using place = await Place.make();
  const child = await place.start();
  child.disconnect();
  assert.equal(await exitOf(child), 0);
});
