/**
 * Durable deliveries a second through the writer's interface, beside a bare loop of append + fdatasync of the same octets on
 * the same disk. By hand: `npm run build && node test/dist/bench/deliver.js [seconds] [folder]`.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AccountId, check, createStore, Store } from '@mstore/store';

const seconds = Number(process.argv[2] ?? 5);
const folder = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'mstore-bench-'));
const words = 'the quick brown fox jumps over a lazy dog while seven wizards box with five dozen liquor jugs'.split(
  ' ',
);

/** An ordinary message of about 7 KB: no two are alike. */
function message(n: number): Buffer {
  const lines = [
    `From: Sender ${n} <sender${n}@example.org>`,
    'To: Somebody <somebody@example.net>',
    `Subject: Message number ${n}`,
    `Message-ID: <${n}.${randomBytes(6).toString('hex')}@example.org>`,
    'Date: Sun, 22 Nov 2026 12:00:00 +0000',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
  ];
  let size = 400;
  while (size < 7_000) {
    const line = Array.from({ length: 11 }, () => words[Math.floor(Math.random() * words.length)]).join(' ');
    lines.push(line);
    size += line.length + 2;
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n`);
}

const messages = Array.from({ length: 20_000 }, (_, n) => message(n));
const trace = Buffer.from('Return-Path: <sender@example.org>\r\nDelivered-To: somebody@example.net\r\n');

function bareLoop(): number {
  const fd = openSync(join(folder, 'bare'), 'w');
  const end = performance.now() + 1000 * Math.min(seconds, 3);
  let count = 0;
  for (; performance.now() < end; count++) {
    writeSync(fd, messages[count % messages.length] ?? Buffer.alloc(0));
    fdatasyncSync(fd);
  }
  closeSync(fd);
  return count / Math.min(seconds, 3);
}

async function deliveries(callers: number): Promise<number> {
  const directory = join(folder, `store-${callers}`);
  await createStore(directory);
  const store = await Store.open(directory);
  const accounts: AccountId[] = [];
  for (let n = 0; n < 200; n++) accounts.push((await store.createAccount(`u${n}@bench.test`)).account);
  await store.settle();
  const start = performance.now();
  const end = start + 1000 * seconds;
  let next = 0;
  async function caller(): Promise<void> {
    while (performance.now() < end) {
      const n = next++;
      const octets = messages[n];
      const account = accounts[n % accounts.length];
      if (octets === undefined || account === undefined) return;
      const [result] = await store.deliver(await store.take(octets), [{ account, trace }]);
      if (result?.ok !== true) throw new Error('refused');
    }
  }
  await Promise.all(Array.from({ length: callers }, caller));
  const rate = Math.min(next, messages.length) / ((performance.now() - start) / 1000);
  await store.settle();
  const report = await check(store.catalog().view, store.heap, { content: false });
  if (report.findings.length > 0) throw new Error(JSON.stringify(report.findings.slice(0, 3)));
  await store.close();
  return rate;
}

try {
  const before = bareLoop();
  for (const callers of process.argv[4]?.split(',').map(Number) ?? [1, 4, 16]) {
    const rate = await deliveries(callers);
    console.log(`${callers} callers: ${rate.toFixed(0)} deliveries/s, ${(rate / before).toFixed(2)} of the bare loop`);
  }
  const after = bareLoop();
  console.log(`bare loop: ${before.toFixed(0)}/s before, ${after.toFixed(0)}/s after`);
} finally {
  rmSync(folder, { recursive: true });
}
