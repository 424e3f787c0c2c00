/**
 * kill -9 of each process of a running service in turn, under load and while it purges and compacts: the writer, two POP3 daemons,
 * an IMAP daemon, the supervisor. Segments are small, and their files go a second after they were compacted. Every delivery that was answered is there once, one that was not answered at most as often as it was sent, what an answered QUIT or EXPUNGE deleted stays away,
 * and fsck finds nothing.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { StoreReader } from '@mstore/store';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { Service } from '../support/service.ts';
import { isAlive, pidsOf, until } from '../support/service-life.ts';
import { assertClean } from '../support/temp-store.ts';
import { readMailByImap, readOnceByImap } from './imap-load.ts';
import {
  type Addresses,
  Books,
  type Chore,
  type Compacted,
  compacting,
  type LoadOptions,
  purgeAll,
  readMail,
  readOnce,
  repeat,
  sendMail,
} from './service-load.ts';

const users = ['ann@example.org', 'bob@example.org', 'eve@example.org', 'joe@example.org'] as const;
/** A quarter of them each process's. */
const kills = counts(80, 2_000);

/** Killed in turn; the supervisor's end lets its back-off begin anew. */
const victims = ['writer', 'pop3', 'supervisor', 'imap', 'writer', 'pop3 2', 'supervisor', 'imap'] as const;

const config = `
[pop3]
workers = 2
[imap]
workers = 1
[heap]
segmentBytes = "1M"
[compaction]
keep = 1
`;

/** Kills a process and waits for its successor. */
async function kill(service: Service, victim: (typeof victims)[number]): Promise<void> {
  const before = pidsOf(service);
  const pid = before.get(victim);
  assert.ok(pid !== undefined, `no ${victim}`);
  process.kill(pid, 'SIGKILL');
  if (victim !== 'supervisor') {
    await until(`another ${victim}`, () => ![undefined, pid].includes(pidsOf(service).get(victim)));
    return;
  }
  await until('the children end with the supervisor', () => ![...before.values()].some(isAlive));
  await service.kill();
  await service.start();
}

async function assertCleanBeside(service: Service): Promise<void> {
  const reading = await StoreReader.open(service.directory);
  await assertClean(reading, { content: false }).finally(() => reading.close());
}

/** Reads everything that is left, and compares the books. */
async function settle(load: LoadOptions, books: Books, t: TestContext): Promise<void> {
  for (const user of users) await readOnce(user, load, 0);
  books.check();
  const doubted = [...books.unanswered.values()].reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${books.told.size} deliveries answered, ${doubted} not; ${books.deletedCount} messages deleted`);
}

test(`${kills} kills of a service's processes under load lose nothing that was answered and double nothing`, async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using service = await Service.start({ users: [...users], config });
  const books = new Books();
  const compacted: Compacted = { segments: 0, writtenBytes: 0 };
  const chores: readonly Chore[] = [purgeAll, compacting(compacted)];
  let isOver = false;
  let isUp = true;
  let isGivenUp = false;
  const addresses: Addresses = () => {
    assert.ok(!isGivenUp, 'the test has failed elsewhere');
    return isUp ? { lmtp: service.tcp('lmtp'), pop3: service.tcp('pop3') } : undefined;
  };
  const imap = (): string | undefined => (isUp ? service.tcp('imap') : undefined);
  const load = (): LoadOptions => ({ addresses, books, users, random: random.fork(), isOver: () => isOver });
  const working = [
    ...Array.from({ length: 5 }, (_, at) => sendMail(`mx${at}`, new MessageSource(random.fork()), load())),
    ...Array.from({ length: 2 }, () => readMail(load())),
    readMailByImap({ ...load(), imap }),
    ...chores.map((chore) => repeat(chore, service.directory, () => isOver)),
  ];
  const failed = Promise.race(working);
  failed.catch(() => undefined);
  try {
    for (let round = 0; round < kills; round += 1) {
      const target = books.told.size + 1 + random.int(30);
      await Promise.race([until('deliveries go on', () => books.told.size >= target), failed]);
      const victim = victims[round % victims.length] ?? 'writer';
      isUp = victim !== 'supervisor';
      await kill(service, victim);
      isUp = true;
      if (!/^(?:pop3|imap)/.test(victim)) await assertCleanBeside(service);
    }
  } catch (error) {
    isOver = true;
    isGivenUp = true;
    await Promise.allSettled(working);
    throw error;
  }
  isOver = true;
  await Promise.all(working);
  let left = 0;
  for (const user of users) left += await readOnceByImap(user, { ...load(), imap }, 0);
  t.diagnostic(`${left} messages left, as IMAP sees it`);
  await settle(load(), books, t);
  const files = (await readdir(join(service.directory, 'heap'))).length;
  t.diagnostic(
    `${compacted.segments} segments compacted (${compacted.writtenBytes} octets written again), ${files} left`,
  );
  assert.ok(compacted.segments > 0);
});
