/**
 * A running service whose disk fails under it: EIO and ENOSPC from the calls that write and sync heap and catalog, as strace
 * injects them, while mail servers deliver and clients read. Nothing answered is lost or doubled, the administrator is told, and the
 * service comes back by itself.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Books, type LoadOptions, purgeAll, readMail, readOnce, repeat, sendMail } from '../crash/service-load.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { Pop3Client } from '../support/pop3-client.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { commonPassword, Service } from '../support/service.ts';
import { pidsOf, until } from '../support/service-life.ts';
import { type Injection, requireStrace, Tracing } from '../support/strace.ts';

const users = ['ann@example.org', 'bob@example.org', 'eve@example.org'] as const;
/** Every call that could bring octets to a file; which of them the heap and LMDB use is theirs. */
const writing = ['pwrite64', 'pwritev', 'pwritev2', 'write', 'writev', 'msync'] as const;
const syncing = ['fdatasync', 'fsync', 'sync_file_range'] as const;

/** A fault, and what comes of it. */
interface Fault {
  readonly target: 'newest segment' | 'heap' | 'catalog';
  readonly calls: readonly string[];
  readonly effect: Injection['effect'];
  /** The call of a thread from which on it fails. */
  readonly from?: number;
  /** survives: made again in another segment; readOnly: until the disk works; full: answered 452; code: the writer ends with it. */
  readonly outcome: 'survives' | 'readOnly' | 'full' | 71 | 74 | 75;
}

const faults: readonly Fault[] = [
  { target: 'newest segment', calls: writing, effect: 'EIO', outcome: 'survives' },
  { target: 'newest segment', calls: syncing, effect: 'EIO', outcome: 'survives' },
  { target: 'newest segment', calls: syncing, effect: 'ENOSPC', outcome: 'survives' },
  { target: 'heap', calls: writing, effect: 'EIO', outcome: 'readOnly' },
  { target: 'heap', calls: syncing, effect: 'EIO', outcome: 'readOnly' },
  { target: 'heap', calls: syncing, effect: 'ENOSPC', outcome: 'readOnly' },
  { target: 'heap', calls: writing, effect: 'ENOSPC', outcome: 'full' },
  ...Array.from({ length: counts(1, 12) }, (_, n): readonly Fault[] => [
    { target: 'catalog', calls: writing, effect: 'EIO', from: 1 + 3 * n, outcome: 71 },
    { target: 'catalog', calls: writing, effect: 'ENOSPC', from: 1 + 3 * n, outcome: 75 },
    { target: 'catalog', calls: syncing, effect: 'EIO', from: 1 + n, outcome: 71 },
    { target: 'catalog', calls: syncing, effect: 'ENOSPC', from: 1 + n, outcome: 75 },
  ]).flat(),
  // Longer than any transaction may take.
  ...Array.from(
    { length: counts(0, 1) },
    (): Fault => ({ target: 'catalog', calls: syncing, effect: 40_000, outcome: 74 }),
  ),
];

/** The service, and the load on it. */
interface Scene {
  readonly strace: string;
  readonly service: Service;
  readonly books: Books;
}

function currentCatalog({ directory }: Service): string {
  return readFileSync(join(directory, 'catalog/CURRENT'), 'latin1').trim();
}

function pathsOf({ directory }: Service, target: Fault['target']): string[] {
  if (target === 'catalog') {
    const generation = readFileSync(join(directory, 'catalog/CURRENT'), 'latin1').trim();
    return [join(directory, 'catalog', generation, 'data.mdb')];
  }
  const newest = Math.max(...readdirSync(join(directory, 'heap')).map((name) => Number.parseInt(name, 10)));
  const numbers = Array.from({ length: target === 'heap' ? 60 : 1 }, (_, n) => newest + n);
  return numbers.map((number) => join(directory, 'heap', `${String(number).padStart(16, '0')}.seg`));
}

/** What the log said since, one object a line; lmdb-js prints lines of its own. */
function linesSince(service: Service, from: number): Record<string, unknown>[] {
  return service.log
    .slice(from)
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}

const saying = (event: string) => (line: Record<string, unknown>) => line.event === event;

async function deliveriesGoOn(books: Books, count: number): Promise<void> {
  const target = books.told.size + count;
  await until('deliveries go on', () => books.told.size >= target);
}

/** While changes are refused: a mail server is told to try again, who logs in reads, and a QUIT that cannot delete says so. */
async function assertRefused(service: Service, books: Books, reply: RegExp): Promise<void> {
  const message = Buffer.from('Subject: refused\r\n\r\n');
  const [said] = await service.deliver({ message, recipients: [users[0]] });
  assert.match(`${said?.code} ${said?.lines.join()}`, reply);
  for (const user of users) {
    const deletedBefore = books.deletedCount;
    const client = await Pop3Client.login(service.tcp('pop3'), user, commonPassword);
    const listing = [...(await client.listing('UIDL'))];
    const [first] = listing;
    if (first !== undefined) {
      const [number, uidl] = first;
      books.see(user, uidl, await client.blockOf(`RETR ${number}`), deletedBefore);
      await client.command(`DELE ${number}`);
      await assert.rejects(client.quit(), /SYS\/TEMP/);
    } else await client.quit();
    client.wire.close();
  }
}

async function play({ strace, service, books }: Scene, fault: Fault): Promise<void> {
  const from = service.log.length;
  const pid = pidsOf(service).get('writer');
  assert.ok(pid !== undefined);
  const before = currentCatalog(service);
  const log = join(service.directory, '..', `strace-${from}`);
  const paths = pathsOf(service, fault.target);
  const { calls, effect } = fault;
  const heard = (event: string): boolean => linesSince(service, from).some(saying(event));
  const tracing = await Tracing.begin(strace, {
    pid,
    calls,
    paths,
    effect,
    log,
    ...(fault.from && { from: fault.from }),
  });
  try {
    await until('a call that fails', () => tracing.injected > 0);
    if (fault.outcome === 'survives') {
      await until('the error in the log', () => heard('the device failed: a write or sync of the heap'));
      await deliveriesGoOn(books, 3);
    } else if (fault.outcome === 'readOnly') {
      await until('read-only in the log', () =>
        heard('the device keeps failing: changes are refused, reading goes on'),
      );
      await assertRefused(service, books, /^451 .*4\.3\.0/);
    } else if (fault.outcome === 'full') {
      await until(
        'some refusals',
        () => linesSince(service, from).filter(({ reason }) => reason === 'diskFull').length > 3,
      );
      await assertRefused(service, books, /^452 .*4\.3\.1/);
    }
  } finally {
    await tracing.end();
  }
  if (fault.outcome === 'readOnly') {
    await until('the device works again', () => heard('the device works again: changes are taken'));
  }
  if (typeof fault.outcome === 'number') {
    await until('the end of the writer', () => {
      const ends = linesSince(service, from).filter(saying('ended; starting it again'));
      assert.ok(
        ends.every(({ code }) => code === fault.outcome),
        JSON.stringify(ends),
      );
      return ends.length === 1;
    });
    assert.ok(heard('the store failed: ending, so that it is opened again and recovers'));
    await until('the next writer', () => ![undefined, pid].includes(pidsOf(service).get('writer')));
    // A device that failed is not written again; a full one is.
    assert.equal(currentCatalog(service) === before, fault.outcome !== 71);
  } else assert.equal(pidsOf(service).get('writer'), pid);
  await deliveriesGoOn(books, 3);
}

function loadOf(service: Service, books: Books, random: Random, isOver: () => boolean): () => LoadOptions {
  const addresses = () => ({ lmtp: service.tcp('lmtp'), pop3: service.tcp('pop3') });
  return () => ({ addresses, books, users, random: random.fork(), isOver });
}

test('a service whose disk fails under it loses nothing, tells the administrator, and comes back', async (t) => {
  const strace = requireStrace(t);
  if (strace === undefined) return;
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using service = await Service.start({ users: [...users] });
  const books = new Books();
  let isOver = false;
  const load = loadOf(service, books, random, () => isOver);
  const working = [
    ...Array.from({ length: 3 }, (_, at) => sendMail(`mx${at}`, new MessageSource(random.fork()), load())),
    readMail(load()),
    repeat(purgeAll, service.directory, () => isOver),
  ];
  const failed = Promise.race(working);
  failed.catch(() => undefined);
  try {
    await deliveriesGoOn(books, 5);
    for (const fault of faults) {
      const name = `${fault.target}: ${fault.effect} of ${fault.calls[0]} … from call ${fault.from ?? 1} of a thread`;
      await Promise.race([
        play({ strace, service, books }, fault).catch((error: unknown) => {
          throw new Error(`${name}: ${String(error)}`, { cause: error });
        }),
        failed,
      ]);
    }
  } finally {
    isOver = true;
    await Promise.all(working);
  }
  for (const user of users) await readOnce(user, load(), 0);
  books.check();
  const doubted = [...books.unanswered.values()].reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${faults.length} faults; ${books.told.size} deliveries answered, ${doubted} not`);
});
