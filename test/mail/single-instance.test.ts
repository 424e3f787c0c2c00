/** One copy of everything: however an attachment was wrapped, whoever got it, whenever it came; and any range of it comes out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AccountId,
  brandNumber,
  inbox,
  type Lsn,
  limits,
  type MailboxId,
  type Store,
  UidSet,
} from '@mstore/store';
import { recordType } from '@mstore/store/internal/log/records';
import { counts } from '../support/long.ts';
import { LongestTurn, median } from '../support/longest-turn.ts';
import { base64Columns, manyParts, multipart, wrapped } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { type TempStore, tempStore } from '../support/temp-store.ts';

const everyUid = UidSet.range(1, 0xffff_ffff);
const noTrace = Buffer.alloc(0);

interface Owner {
  readonly account: AccountId;
  readonly mailbox: MailboxId;
}

async function owner(store: Store, name = 'a@example.org'): Promise<Owner> {
  const { account } = await store.createAccount(name);
  const mailbox = store.catalog().mailboxNamed(account, inbox);
  assert.ok(mailbox !== undefined);
  return { account, mailbox: mailbox.id };
}

async function append(store: Store, { mailbox }: Owner, octets: Buffer): Promise<void> {
  const message = await store.take(octets);
  await store.append(mailbox, [{ message, flags: 0, keywords: [] }]);
}

async function outOf(store: Store, { mailbox }: Owner): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for (const entry of store.catalog().entries(mailbox, everyUid)) found.push(await (await store.open(entry)).whole());
  return found;
}

/** Records in the heap by type. */
async function records(store: Store): Promise<Record<'part' | 'message' | 'entry', number>> {
  const found = { part: 0, message: 0, entry: 0 };
  for await (const { type } of store.heap.scan({ from: brandNumber<Lsn>(0) })) {
    if (type === recordType.part) found.part++;
    else if (type === recordType.message) found.message++;
    else if (type === recordType.entry) found.entry++;
  }
  return found;
}

function partSizes(store: Store): number[] {
  return [...store.catalog().parts()].map(([, row]) => row.size);
}

function attached(body: string, subject = 's', lineEnd = '\r\n'): Buffer {
  return multipart([`Subject: ${subject}`], 'text', [{ encoding: 'base64', body }], lineEnd);
}

test('an attachment is stored once at whatever width, line end and last line it comes', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const to = await owner(store);
  const content = seededRandom(7).bytes(10_001);
  const sent: Buffer[] = [];
  for (const columns of base64Columns) {
    for (const lineEnd of ['\r\n', '\n']) {
      for (const finalLineEnd of [true, false]) {
        const octets = attached(wrapped(content, columns, lineEnd, finalLineEnd), `${columns}${finalLineEnd}`, lineEnd);
        await append(store, to, octets);
        sent.push(Buffer.from(octets.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1'));
      }
    }
  }
  // Alone in a message, the last line may really lack its end.
  const alone = Buffer.from(`Content-Transfer-Encoding: base64\r\n\r\n${wrapped(content, 76, '\r\n', false)}`);
  await append(store, to, alone);
  assert.deepEqual(await outOf(store, to), [...sent, alone]);
  assert.deepEqual(partSizes(store), [content.length]);
  assert.equal((await records(store)).part, 1);
});

test('base64 with one wrong octet is stored as it came', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const to = await owner(store);
  const right = wrapped(seededRandom(8).bytes(9_000), 76);
  const sent: Buffer[] = [];
  for (const [at, octet] of [
    [0, '*'],
    [5_000, '='],
    [5_001, ' '],
    [right.length - 3, '-'],
  ] as const) {
    const body = right.slice(0, at) + octet + right.slice(at + 1);
    sent.push(attached(body));
    await append(store, to, sent.at(-1) ?? noTrace);
  }
  assert.deepEqual(await outOf(store, to), sent);
});

test('two messages that differ in one short part are two, and share the rest', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const to = await owner(store);
  const body = wrapped(seededRandom(9).bytes(20_000), 76);
  const sent = ['one', 'two'].map((text) => multipart(['Subject: s'], text, [{ encoding: 'base64', body }]));
  for (const octets of sent) await append(store, to, octets);
  assert.deepEqual(await outOf(store, to), sent);
  assert.deepEqual(await records(store), { part: 1, message: 2, entry: 2 });
});

/** ms of processor time that one turn may take here; the aim is 20. */
const longestTurnMs = 30;

async function manyAccounts(store: Store, count: number): Promise<AccountId[]> {
  const made = Array.from({ length: count }, (_, n) => store.createAccount(`u${n}@example.org`));
  return (await Promise.all(made)).map(({ account }) => account);
}

test('ten thousand recipients cost one PART, one MESSAGE and no long turn of the event loop', async (t) => {
  await using temp = await tempStore();
  const { store } = temp;
  const accounts = await manyAccounts(store, 10_000);
  await store.settle();
  const octets = attached(wrapped(seededRandom(10).bytes(50_000), 76));
  const targets = accounts.map((account) => ({ account, trace: Buffer.from(`Delivered-To: u${account}\r\n`) }));
  const longest: number[] = [];
  for (let round = 1; round <= 3; round++) {
    const turns = new LongestTurn();
    const results = await store.deliver(await store.take(octets), targets);
    await store.settle();
    longest.push(turns.stop());
    assert.ok(results.every((result) => result.ok));
    assert.deepEqual(await records(store), { part: 1, message: 1, entry: round * 10_000 });
  }
  t.diagnostic(`the event loop was held ${longest.map((ms) => ms.toFixed(1)).join(', ')} ms at most, 20 is the aim`);
  assert.ok(median(longest) < longestTurnMs, `the event loop was held ${longest.join(', ')} ms`);
  const again = await store.deliver(await store.take(octets), [{ account: accounts[0] ?? fail(), trace: noTrace }]);
  assert.ok(again[0]?.ok);
  assert.deepEqual(await records(store), { part: 1, message: 1, entry: 30_001 });
});

function fail(): never {
  throw new Error('no account');
}

test('one account gets one copy, wherever its addresses stand among the recipients', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const accounts = await manyAccounts(store, 300);
  const [first = fail()] = accounts;
  const targets = [...accounts, first, ...accounts].map((account) => ({ account, trace: noTrace }));
  const results = await store.deliver(await store.take(Buffer.from('Subject: s\r\n\r\n')), targets);
  await store.settle();
  assert.equal(results.length, targets.length);
  assert.ok(results.every((result, n) => result.ok && result.placed.account === targets[n]?.account));
  assert.equal((await records(store)).entry, accounts.length);
});

test('large parts are shared between messages, taken in and given out in bounded memory', async (t) => {
  await using temp = await tempStore();
  const { store } = temp;
  const to = await owner(store);
  const random = seededRandom(11);
  for (const bytes of [3_145_728, 12_582_912]) {
    const content = random.bytes(bytes);
    const before = await rss();
    for (const columns of [76, 57]) await append(store, to, attached(wrapped(content, columns), `${columns}`));
    t.diagnostic(`${bytes} octets twice: ${((await rss()) - before) >> 20} MiB more`);
    const parts = [...store.catalog().parts()].filter(([, row]) => row.size === bytes);
    assert.deepEqual(
      parts.map(([, row]) => row.refs),
      [2],
    );
    const sent = [76, 57].map((columns) => attached(wrapped(content, columns), `${columns}`));
    const got = (await outOf(store, to)).slice(-2);
    assert.ok(got.every((octets, n) => sent[n]?.equals(octets)));
  }
});

async function rss(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  return process.memoryUsage.rss();
}

/** Content that is made as it is read. */
async function* flowing(random: Random, bytes: number): AsyncGenerator<Buffer> {
  yield Buffer.from('Content-Transfer-Encoding: base64\r\n\r\n');
  for (let left = bytes; left > 0; left -= 57_000) {
    yield Buffer.from(wrapped(random.bytes(Math.min(left, 57_000)), 76));
  }
}

test('thousands of small parts go to the heap before their message, not in one turn with it', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const to = await owner(store);
  const parts = 2_000;
  const octets = manyParts(parts, 300, 'many');
  const message = await store.take(octets);
  // What a message may keep inline is none of them.
  const stored = parts - limits.inlineBytes / 300;
  assert.ok(partSizes(store).length > stored - limits.partsHeld - 1, `${partSizes(store).length} of ${stored} parts`);
  await store.append(to.mailbox, [{ message, flags: 0, keywords: [] }]);
  assert.deepEqual(await outOf(store, to), [octets]);
});

test('a message of 60 MiB passes in and out in pieces, in bounded memory', async (t) => {
  await using temp = await tempStore();
  const { store } = temp;
  const to = await owner(store);
  const bytes = 44_004_000;
  let highest = 0;
  const before = await rss();
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss() - before);
  }, 5);
  const message = await store.take(flowing(seededRandom(12), bytes));
  await store.append(to.mailbox, [{ message, flags: 0, keywords: [] }]);
  const wanted = flowing(seededRandom(12), bytes);
  let held = noTrace;
  for (const entry of store.catalog().entries(to.mailbox)) {
    for await (const octets of (await store.open(entry)).octets()) {
      while (held.length < octets.length) {
        const next = await wanted.next();
        held = Buffer.concat([held, next.done === true ? noTrace : next.value]);
        assert.ok(next.done !== true);
      }
      assert.ok(held.subarray(0, octets.length).equals(octets));
      held = held.subarray(octets.length);
    }
  }
  clearInterval(watch);
  assert.equal(held.length, 0);
  assert.equal((await wanted.next()).done, true);
  t.diagnostic(`${highest >> 20} MiB more than before at most`);
  assert.ok(highest < 200 << 20, `${highest} octets more`);
});

async function ranges(temp: TempStore, sizes: readonly number[], random: Random): Promise<void> {
  const { store } = temp;
  const to = await owner(store);
  const bodies = sizes.flatMap((size) => [
    { encoding: 'base64', body: wrapped(random.bytes(size), random.pick(base64Columns)) },
    { encoding: '8bit', body: `${random.bytes(size).toString('hex').replace(/.{64}/g, '$&\r\n')}\r\n` },
  ]);
  const octets = multipart(['Subject: ranges'], 'text', bodies);
  const trace = Buffer.from('Return-Path: <>\r\nDelivered-To: a@example.org\r\n');
  await store.deliver(await store.take(octets), [{ account: to.account, trace }]);
  await store.settle();
  const whole = Buffer.concat([trace, octets]);
  for (const entry of store.catalog().entries(to.mailbox)) {
    const message = await store.open(entry);
    assert.equal(message.size, whole.length);
    for (let n = 0; n < counts(150, 3_000); n++) {
      const from = random.int(whole.length + 1);
      const length = random.chance(0.5) ? random.int(200) : random.int(whole.length - from + 1);
      const end = Math.min(whole.length, from + length);
      const got: Buffer[] = [];
      for await (const some of message.octets(from, end)) got.push(some);
      assert.ok(Buffer.concat(got).equals(whole.subarray(from, end)), `octets ${from} to ${end}`);
    }
  }
}

test('any range of a message is that slice of it, also inside base64 and across chunks', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  for (const sizes of [[5_000, 100], [200_000], [1_500_000, 4_097]]) {
    await using temp = await tempStore();
    await ranges(temp, sizes, random);
  }
});
