/**
 * Compaction beside deliveries: messages of which half are gone for good, 16 callers that deliver, readers. Measured in one run: the rate
 * without and with compaction, reads that failed, what the heap and the catalog take before and after. By hand:
 * `npm run build && node test/dist/bench/compact.js [messages] [folder] [turns]`. With `turns` the longest turn of the event loop is
 * measured, which takes processor time of its own: the rates are not to be read then.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AccountId, check, createStore, inbox, type MailboxId, Store, StoreReader, UidSet } from '@mstore/store';
import { LongestTurn } from '../support/longest-turn.ts';

const total = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'mstore-bench-'));
const directory = join(folder, 'store');
const trace = Buffer.from('Return-Path: <sender@example.org>\r\nDelivered-To: somebody@example.net\r\n');
const accountsCount = 200;
const callers = 16;
const words = 'the quick brown fox jumps over a lazy dog while seven wizards box with five dozen liquor jugs'.split(
  ' ',
);

/** About 5 KB, no two alike. */
function message(n: number): Buffer {
  const lines = [`From: s${n}@example.org`, `Subject: number ${n}`, `Message-ID: <${n}@example.org>`, ''];
  let size = 200;
  while (size < 5_000) {
    const line = `${randomBytes(12).toString('hex')} ${words.slice(n % 7).join(' ')}`;
    lines.push(line);
    size += line.length + 2;
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n`);
}

function bytesBelow(path: string): number {
  return readdirSync(path, { withFileTypes: true }).reduce((sum, entry) => {
    const below = join(path, entry.name);
    return sum + (entry.isDirectory() ? bytesBelow(below) : statSync(below).blocks * 512);
  }, 0);
}

async function deliverMany(
  store: Store,
  accounts: readonly AccountId[],
  isDone: (n: number) => boolean,
  from: number,
): Promise<{ count: number; rate: number }> {
  let next = 0;
  const start = performance.now();
  const caller = async (): Promise<void> => {
    for (let n = next++; !isDone(n); n = next++) {
      const account = accounts[n % accounts.length];
      if (account === undefined) return;
      const octets = message(from + n);
      const [result] = await store.deliver(await store.take(octets), [{ account, trace }]);
      if (result?.ok !== true) throw new Error('refused');
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const count = next - callers;
  return { count, rate: (1000 * count) / (performance.now() - start) };
}

/** Reads old messages, one after the other, until told to end. */
async function readOn(reader: StoreReader, mailboxes: readonly MailboxId[], goesOn: () => boolean): Promise<number> {
  let reads = 0;
  while (goesOn()) {
    const mailbox = mailboxes[reads % mailboxes.length];
    if (mailbox === undefined) return reads;
    const entries = [...reader.catalog().entries(mailbox, UidSet.range(1, 200))];
    const entry = entries[reads % Math.max(1, entries.length)];
    if (entry !== undefined) await (await reader.open(entry)).whole();
    reads++;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return reads;
}

const log = (text: string): void => void process.stdout.write(`${text}\n`);

try {
  await createStore(directory);
  const store = await Store.open(directory, { segmentBytes: 16 * 1024 * 1024 });
  const accounts: AccountId[] = [];
  for (let n = 0; n < accountsCount; n++) accounts.push((await store.createAccount(`u${n}@bench.test`)).account);
  await deliverMany(store, accounts, (n) => n >= total, 0);
  await store.settle();
  const mailboxes = accounts.flatMap((account) => store.catalog().mailboxNamed(account, inbox)?.id ?? []);
  for (const mailbox of mailboxes) {
    const uids = UidSet.of([...store.catalog().entries(mailbox)].map(({ uid }) => uid).filter((uid) => uid % 2 === 0));
    await store.expunge(mailbox, uids, false);
    await store.purge(mailbox, uids);
  }
  await store.settle();
  const sizes = (): string =>
    `heap ${(bytesBelow(join(directory, 'heap')) / 2 ** 20).toFixed(0)} MiB, catalog ${(bytesBelow(join(directory, 'catalog')) / 2 ** 20).toFixed(1)} MiB`;
  log(`${total} messages, half of them purged: ${sizes()}`);
  const reader = await StoreReader.open(directory);
  const watch = (): (() => string) => {
    const turns = process.argv[4] === 'turns' ? new LongestTurn() : undefined;
    return () => (turns === undefined ? '' : `; the longest turn ran ${turns.stop().toFixed(1)} ms`);
  };
  const watchingQuiet = watch();
  const quiet = performance.now() + 10_000;
  const isQuietOver = (): boolean => performance.now() > quiet;
  const quietly = readOn(reader, mailboxes, () => !isQuietOver());
  const undisturbed = await deliverMany(store, accounts, isQuietOver, 2 * total);
  await quietly;
  log(`undisturbed: ${undisturbed.rate.toFixed(0)} deliveries/s of ${callers} callers${watchingQuiet()}`);
  const watching = watch();
  let isOver = false;
  const began = performance.now();
  const compacting = store.compact({ minGarbage: 0.3, maxRate: 0 }).finally(() => {
    isOver = true;
  });
  const reading = readOn(reader, mailboxes, () => !isOver);
  const disturbed = await deliverMany(store, accounts, () => isOver, 3 * total);
  const report = await compacting;
  const seconds = (performance.now() - began) / 1000;
  log(
    `compacted ${report.segments.length} segments in ${seconds.toFixed(1)} s: ${JSON.stringify({ ...report, segments: report.segments.length })}`,
  );
  log(
    `meanwhile: ${disturbed.rate.toFixed(0)} deliveries/s, ${(disturbed.rate / undisturbed.rate).toFixed(2)} of undisturbed`,
  );
  log(`${await reading} reads, none failed${watching()}`);
  await store.compact({ minGarbage: 0.05, maxRate: 0 });
  await store.dropRetired(true);
  await store.settle();
  let live = 0;
  for (const [, row] of store.catalog().segments()) live += row.live;
  const heap = bytesBelow(join(directory, 'heap'));
  log(`${sizes()}; live ${(live / 2 ** 20).toFixed(0)} MiB, the heap is ${(heap / live).toFixed(3)} of that`);
  const { findings } = await check(store.catalog().view, store.heap, { content: false });
  log(`${findings.length} findings`);
  await reader.close();
  await store.close();
} finally {
  rmSync(folder, { recursive: true });
}
