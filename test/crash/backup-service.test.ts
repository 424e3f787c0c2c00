/**
 * Backups of a service that takes mail, some of them killed, and one whose writer is killed: each backup that says it is complete is
 * clean and holds every delivery that was answered before it began; the store and the one before are none the worse.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openBackup, restoreStore, Store, verifyBackup } from '@mstore/store';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { repositoryRoot } from '../support/repository.ts';
import { testSeed } from '../support/seed.ts';
import { Service } from '../support/service.ts';
import { pidsOf, until } from '../support/service-life.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';
import { type Addresses, Books, type LoadOptions, sendMail } from './service-load.ts';

const users = ['ann@example.org', 'bob@example.org', 'eve@example.org'] as const;
const program = join(repositoryRoot, 'packages/cli/dist/main.js');

function startBackup(service: Service, target: string) {
  const args = [program, 'backup', target, '--data', service.directory];
  return spawn(process.execPath, args, { stdio: 'ignore', env: { ...process.env, MSTORE_DATA: '' } });
}

/** The number of the backup that is complete now. */
function numberOf(target: string): number {
  const path = `${target}/backup.manifest`;
  if (!existsSync(path)) return 0;
  return Number(/"number": (\d+)/.exec(readFileSync(path, 'utf8'))?.[1] ?? 0);
}

/** Ids of all messages in a store or a backup, with their users. */
async function heldBy(reading: Pick<Store, 'catalog' | 'open'>): Promise<Set<string>> {
  const held = new Set<string>();
  for (const { id, row } of [...reading.catalog().allMailboxes()]) {
    const user = reading.catalog().account(row.account)?.name ?? '';
    for (const entry of [...reading.catalog().entries(id)]) {
      const octets = await (await reading.open(entry)).whole();
      held.add(`${user} ${/X-Id: (.*)\r\n/.exec(octets.toString('latin1'))?.[1]}`);
    }
  }
  return held;
}

test('backups of a service under load, killed and not, hold what was answered before they began', async (t) => {
  t.diagnostic(`MSTORE_TEST_SEED=${testSeed()}`);
  const random = seededRandom(testSeed());
  await using folder = await tempDirectory();
  await using service = await Service.start({ users: [...users] });
  const target = `${folder.path}/backup`;
  const books = new Books();
  let isOver = false;
  const addresses: Addresses = () => ({ lmtp: service.tcp('lmtp'), pop3: service.tcp('pop3') });
  const load = (): LoadOptions => ({ addresses, books, users, random: random.fork(), isOver: () => isOver });
  const working = Array.from({ length: 4 }, (_, at) => sendMail(`mx${at}`, new MessageSource(random.fork()), load()));
  const failed = Promise.race(working);
  failed.catch(() => undefined);
  const verify = async (told: ReadonlySet<string>): Promise<void> => {
    const scratch = await mkdtemp(join(folder.path, 'scratch-'));
    const { findings } = await verifyBackup(target, { scratch: `${scratch}/check` });
    assert.deepEqual(findings, []);
    const reading = await openBackup(target, { scratch: `${scratch}/read` });
    const held = await heldBy(reading).finally(() => reading.close());
    for (const key of told) assert.ok(held.has(key), `${key} was answered before the backup began, and is not in it`);
  };
  try {
    let told = new Set<string>();
    for (let round = 0; round < counts(6, 100); round++) {
      const wanted = books.told.size + 20;
      await Promise.race([until('deliveries go on', () => books.told.size >= wanted), failed]);
      const before = numberOf(target);
      const toldNow = new Set(books.told);
      const child = startBackup(service, target);
      const ended = once(child, 'exit');
      if (round % 3 === 1) {
        await until('the backup is at work', () => existsSync(`${target}/backup.lock`));
        await new Promise((resolve) => setImmediate(resolve));
        child.kill('SIGKILL');
      } else if (round % 3 === 2) process.kill(pidsOf(service).get('writer') ?? 0, 'SIGKILL');
      await ended;
      if (round % 3 === 0) assert.equal(child.exitCode, 0);
      if (numberOf(target) > before) told = toldNow;
      await verify(told);
    }
    const last = new Set(books.told);
    const child = startBackup(service, target);
    await once(child, 'exit');
    assert.equal(child.exitCode, 0);
    await verify(last);
    isOver = true;
    await Promise.all(working);
    await restoreStore(target, `${folder.path}/new`);
    const store = await Store.open(`${folder.path}/new`);
    const held = await heldBy(store);
    for (const key of last) assert.ok(held.has(key), key);
    await assertClean(store);
    await store.close();
    t.diagnostic(`${books.told.size} deliveries answered, ${numberOf(target)} backups`);
  } finally {
    isOver = true;
  }
});
