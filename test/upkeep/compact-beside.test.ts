/** Who reads, copies files or looks for damage while segments go. */
import assert from 'node:assert/strict';
import { cp, open as openFile, readdir, readlink, rename, rm } from 'node:fs/promises';
import { test } from 'node:test';
import {
  type AccountId,
  brandNumber,
  type Entry,
  examine,
  inbox,
  isSegmentGone,
  keepLog,
  type MailboxId,
  openListed,
  rebuild,
  repair,
  Store,
  StoreReader,
  UidSet,
} from '@mstore/store';
import { WriterClient } from '@mstore/store/internal/writer/client';
import { WriterServer } from '@mstore/store/internal/writer/server';
import { compactAll } from '../support/compacted.ts';
import { multipart, wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { tempDirectory } from '../support/temp.ts';
import { type TempStore, tempStore } from '../support/temp-store.ts';

const segmentBytes = 65_536;

/** Segments whose files are there. */
async function filesOf({ directory }: TempStore): Promise<number[]> {
  return (await readdir(`${directory}/heap`)).map((name) => Number.parseInt(name, 10));
}

interface Scene {
  readonly account: AccountId;
  readonly mailbox: MailboxId;
  readonly messages: Buffer[];
}

/** Messages of which every second one is gone for good. */
async function furnish(store: Store, count = 60): Promise<Scene> {
  const random = seededRandom(1);
  const { account } = await store.createAccount('a@example.org');
  const mailbox = store.catalog().mailboxNamed(account, inbox)?.id;
  assert.ok(mailbox !== undefined);
  const messages: Buffer[] = [];
  for (let n = 0; n < count; n++) {
    const body = { encoding: 'base64', body: wrapped(random.bytes(6_000), 76) };
    const octets = multipart([`Subject: ${n}`], `text ${n}`, [body]);
    const [result] = await store.deliver(await store.take(octets), [{ account, trace: Buffer.from('X: y\r\n') }]);
    assert.ok(result?.ok === true);
    messages.push(Buffer.concat([Buffer.from('X: y\r\n'), octets]));
  }
  const odd = UidSet.of(messages.map((_octets, at) => at + 1).filter((uid) => uid % 2 === 1));
  await store.expunge(mailbox, odd, false);
  await store.purge(mailbox, odd);
  await store.settle();
  return { account, mailbox, messages };
}

function entriesOf(store: Store | StoreReader, mailbox: MailboxId): Entry[] {
  return [...store.catalog().entries(mailbox)];
}

test('files of retired segments go, their space comes back, and what is left is read as before', async () => {
  await using temp = await tempStore({ segmentBytes });
  const { mailbox, messages } = await furnish(temp.store);
  const before = await filesOf(temp);
  const gone = await compactAll(temp.store);
  assert.ok(gone.length > 3);
  const after = await filesOf(temp);
  assert.deepEqual(
    after.filter((number) => gone.includes(number)),
    [],
  );
  assert.ok(after.length < before.length);
  for (const entry of entriesOf(temp.store, mailbox)) {
    assert.ok((await (await temp.store.open(entry)).whole()).equals(messages[entry.uid - 1] ?? Buffer.alloc(0)));
  }
});

test('segments go while deliveries never pause', { timeout: 60_000 }, async () => {
  await using temp = await tempStore({ segmentBytes });
  const { store } = temp;
  const { account } = await furnish(store);
  let isOver = false;
  let delivered = 0;
  const caller = async (): Promise<void> => {
    for (; !isOver; delivered++) {
      const taken = await store.take(Buffer.from(`Subject: ${delivered}\r\n\r\nnew\r\n`));
      const [result] = await store.deliver(taken, [{ account, trace: Buffer.alloc(0) }]);
      assert.ok(result?.ok === true);
    }
  };
  const callers = Array.from({ length: 8 }, caller);
  try {
    const gone = await compactAll(store);
    assert.ok(gone.length > 3);
    const files = await filesOf(temp);
    assert.ok(!files.some((number) => gone.includes(number)));
    const before = delivered;
    await store.settle();
    assert.ok(delivered - before < 100, `${delivered - before} deliveries came before what was asked before them`);
  } finally {
    isOver = true;
    await Promise.all(callers);
  }
});

test('a reader with old places is told that they are gone, and finds the new ones', async () => {
  await using temp = await tempStore({ segmentBytes });
  const { mailbox, messages } = await furnish(temp.store);
  const reader = await StoreReader.open(temp.directory);
  const old = entriesOf(reader, mailbox);
  const first = old[0];
  assert.ok(first !== undefined);
  // Its descriptor holds the file for as long as it is not looked after.
  await (await reader.open(first)).whole();
  await compactAll(temp.store);
  await reader.heap.forgetUnlinked();
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  );
  assert.deepEqual(
    links.filter((link) => link.startsWith(temp.directory) && link.includes('.seg') && link.endsWith('(deleted)')),
    [],
  );
  for (const entry of old) {
    const now = reader.catalog().entry(mailbox, entry.uid);
    assert.ok(now !== undefined && now.lsn !== entry.lsn);
    await assert.rejects(reader.open(entry), isSegmentGone);
    assert.ok((await (await reader.open(now)).whole()).equals(messages[entry.uid - 1] ?? Buffer.alloc(0)));
  }
  await reader.close();
});

test('a message that was listed before it was moved is found, expunged or not, and one that was purged is gone, not damaged', async () => {
  await using temp = await tempStore({ segmentBytes });
  const { store } = temp;
  const { mailbox, messages } = await furnish(store);
  const old = entriesOf(store, mailbox);
  const [kept, expunged, purged] = old;
  assert.ok(kept !== undefined && expunged !== undefined && purged !== undefined);
  await store.expunge(mailbox, UidSet.of([expunged.uid, purged.uid]), false);
  await store.purge(mailbox, UidSet.of([purged.uid]));
  const reader = await StoreReader.open(temp.directory);
  // Its record is still there, the message is not.
  await assert.rejects(openListed(reader, mailbox, purged.uid, purged), { code: 'noMessage' });
  await compactAll(store);
  for (const { uid, ...place } of [kept, expunged]) {
    const message = await openListed(reader, mailbox, uid, place);
    assert.ok((await message.whole()).equals(messages[uid - 1] ?? Buffer.alloc(0)));
  }
  await assert.rejects(openListed(reader, mailbox, purged.uid, purged), { code: 'noMessage' });
  await reader.close();
});

test('a message on its way out goes on when its parts are moved under it', async () => {
  await using temp = await tempStore({ segmentBytes: 1_048_576 });
  const { store } = temp;
  const random = seededRandom(2);
  const { account } = await store.createAccount('a@example.org');
  const mailbox = store.catalog().mailboxNamed(account, inbox)?.id;
  assert.ok(mailbox !== undefined);
  const bodies = [random.bytes(5_000_000), random.bytes(700_000), random.bytes(700_000)];
  const octets = multipart(
    ['Subject: large'],
    'text',
    bodies.map((content) => ({ encoding: 'base64', body: wrapped(content, 76) })),
  );
  await store.append(mailbox, [{ message: await store.take(octets), flags: 0, keywords: [] }]);
  await store.settle();
  const reader = await StoreReader.open(temp.directory);
  const [entry] = entriesOf(reader, mailbox);
  assert.ok(entry !== undefined);
  for (const reading of [store, reader]) {
    const got: Buffer[] = [];
    let moved = false;
    const now = reading.catalog().entry(mailbox, entry.uid);
    assert.ok(now !== undefined);
    for await (const some of (await reading.open(now)).octets()) {
      got.push(Buffer.from(some));
      if (!moved) await compactAll(store);
      moved = true;
      await reader.heap.forgetUnlinked();
    }
    assert.ok(Buffer.concat(got).equals(octets));
  }
  await reader.close();
});

test('while segments are pinned no file goes, and all go when the connection that pinned them ends', async () => {
  await using temp = await tempStore({ segmentBytes });
  await furnish(temp.store);
  const path = `${temp.directory}/run/writer.sock`;
  const server = await WriterServer.listen(temp.store, path);
  const client = await WriterClient.connect(path);
  const pinned = await client.pinLog();
  const before = await filesOf(temp);
  const { segments } = await client.compact({ minGarbage: 0.1, maxRate: 0 });
  assert.ok(segments.length > 3);
  const goneNow = async (): Promise<number[]> => {
    await temp.store.dropRetired(true);
    const now = await filesOf(temp);
    return before.filter((number) => !now.includes(number));
  };
  assert.deepEqual(await goneNow(), []);
  await client.pinLog();
  await pinned.release();
  assert.deepEqual(await goneNow(), []);
  await client.close();
  const deadline = performance.now() + 5_000;
  while ((await goneNow()).length < segments.length) {
    assert.ok(performance.now() < deadline, 'the pin outlived its connection');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await server.close();
});

test('a file that a crash left behind goes at the next open', async () => {
  await using temp = await tempStore({ segmentBytes });
  await furnish(temp.store);
  const pinned = await temp.store.pinLog();
  const { segments } = await temp.store.compact({ minGarbage: 0.1, maxRate: 0 });
  // Closing cannot take the files either: as if the process had been killed.
  await temp.reopen();
  assert.ok(segments.every((segment) => !temp.store.heap.isListed(segment) || segment > 0));
  await pinned.release();
  await temp.reopen();
  const left = await filesOf(temp);
  assert.deepEqual(
    left.filter((number) => segments.includes(number)),
    [],
  );
});

/** Begins segments; their headers do not list what was retired. */
async function fillSegments({ store }: TempStore, { account }: Scene): Promise<void> {
  for (let n = 0; n < 3; n++) {
    const message = await store.take(seededRandom(n).bytes(segmentBytes));
    await store.deliver(message, [{ account, trace: Buffer.alloc(0) }]);
  }
  await store.settle();
}

/** Compacts while everything is pinned, until no header lists what was retired. */
async function retireUnlisted(temp: TempStore, scene: Scene): Promise<readonly number[]> {
  const { segments } = await temp.store.compact({ minGarbage: 0.1, maxRate: 0 });
  assert.ok(segments.length > 3);
  await fillSegments(temp, scene);
  assert.ok(segments.every((segment) => !temp.store.heap.isListed(segment)));
  return [...segments].sort((a, b) => a - b);
}

test('fsck beside a writer that has just compacted finds nothing, whether headers list the segments or not', async () => {
  await using temp = await tempStore({ segmentBytes });
  const scene = await furnish(temp.store);
  const pinned = await temp.store.pinLog();
  const { segments } = await temp.store.compact({ minGarbage: 0.1, maxRate: 0 });
  assert.ok(segments.length > 3 && segments.some((segment) => temp.store.heap.isListed(segment)));
  assert.deepEqual((await examine(temp.directory)).findings, []);
  await fillSegments(temp, scene);
  const unlisted = (await filesOf(temp)).filter((segment) => !temp.store.heap.isListed(segment));
  assert.deepEqual(unlisted.sort(), [...segments].sort());
  const { findings, notes } = await examine(temp.directory);
  assert.deepEqual([findings, notes], [[], []]);
  await pinned.release();
});

test('a retired segment is left where it is by repair and rebuild, and one that came back later is foreign', async () => {
  await using temp = await tempStore({ segmentBytes });
  const scene = await furnish(temp.store);
  const pinned = await temp.store.pinLog();
  const retired = await retireUnlisted(temp, scene);
  await using copy = await tempDirectory();
  const [killed, aside] = [`${copy.path}/killed`, `${copy.path}/aside`];
  await cp(temp.directory, killed, { recursive: true });
  const there = async (): Promise<number[]> => {
    const names = await readdir(`${killed}/heap`);
    return names.map((name) => Number.parseInt(name, 10)).filter((number) => retired.includes(number));
  };
  await rm(`${killed}/catalog`, { recursive: true });
  assert.deepEqual(
    (await examine(killed)).findings.map(({ state }) => state),
    ['noCatalog'],
  );
  const { findings, steps } = await repair(killed, { segmentBytes });
  assert.deepEqual(findings, []);
  assert.deepEqual(
    steps.filter(({ state }) => state === 'unlistedSegment'),
    [],
  );
  assert.deepEqual(await there(), retired);
  for (const full of [false, true]) {
    await rebuild(killed, { segmentBytes, full });
    assert.deepEqual((await examine(killed)).findings, []);
  }
  // The next writer takes them away. Then one comes back out of an old copy.
  const [number = 0] = retired;
  const name = `heap/${String(number).padStart(16, '0')}.seg`;
  await cp(`${killed}/${name}`, aside);
  await (await Store.open(killed, { segmentBytes })).close();
  assert.deepEqual(await there(), []);
  await rename(aside, `${killed}/${name}`);
  assert.deepEqual(
    (await examine(killed)).findings.map(({ state }) => state),
    ['unlistedSegment'],
  );
  assert.deepEqual((await repair(killed, { segmentBytes })).findings, []);
  assert.deepEqual(await there(), []);
  assert.deepEqual(await readdir(`${killed}/lost+found`), [`segment-${number}`]);
  await pinned.release();
});

test('who reads the whole log keeps its files from being taken away', async () => {
  await using temp = await tempStore({ segmentBytes });
  await furnish(temp.store);
  assert.equal(await keepLog(temp.directory), undefined, 'nobody listens');
  const server = await WriterServer.listen(temp.store, `${temp.directory}/run/writer.sock`);
  const kept = await keepLog(temp.directory);
  assert.ok(kept !== undefined);
  const before = await filesOf(temp);
  const { segments } = await temp.store.compact({ minGarbage: 0.1, maxRate: 0 });
  await temp.store.dropRetired(true);
  const missing = async (): Promise<number[]> => {
    const now = await filesOf(temp);
    return before.filter((number) => !now.includes(number));
  };
  assert.deepEqual(await missing(), []);
  await kept.release();
  const deadline = performance.now() + 20_000;
  while ((await missing()).length < segments.length) {
    assert.ok(performance.now() < deadline, 'the pin outlived its connection');
    await temp.store.dropRetired(true);
  }
  await server.close();
});

test('a damaged segment stays, is named, and is left alone from then on', async () => {
  const temp = await tempStore({ segmentBytes });
  try {
    const { mailbox } = await furnish(temp.store);
    const victims = temp.store.heap.segments();
    const hurt = victims[1];
    assert.ok(hurt !== undefined);
    const place = temp.store
      .catalog()
      .entry(mailbox, 2 * Math.ceil(([...temp.store.catalog().entries(mailbox)][3]?.uid ?? 2) / 2));
    assert.ok(place !== undefined);
    const segment = temp.store.heap.segmentOf(brandNumber(place.lsn));
    const state = victims.find(({ number }) => number === segment);
    assert.ok(state !== undefined && segment !== undefined);
    const file = await openFile(`${temp.directory}/heap/${String(segment).padStart(16, '0')}.seg`, 'r+');
    await file.write(Buffer.of(0xff, 0xff), 0, 2, place.lsn - state.baseLsn + 40);
    await file.close();
    for (let run = 0; run < 2; run++) {
      const { segments, kept } = await temp.store.compact({ minGarbage: 0.1, maxRate: 0 });
      assert.ok(!segments.includes(segment));
      assert.deepEqual(
        kept.map((one) => [one.segment, one.damaged]),
        [[segment, true]],
      );
      assert.match(kept[0]?.reason ?? '', new RegExp(`segment ${segment} at`));
    }
    await temp.store.dropRetired(true);
    assert.ok((await filesOf(temp)).includes(segment));
  } finally {
    // Its check finds the damage.
    await Promise.resolve(temp[Symbol.asyncDispose]()).catch(() => undefined);
  }
});

test('a store that is told to compacts by itself once there is enough to win, and then no more', async () => {
  await using temp = await tempStore({ segmentBytes });
  const reports: number[] = [];
  temp.store.compactAlone(
    { minGarbage: 0.3, maxRate: 0, idleMs: 0, segmentBytes, lookMs: 5 },
    {
      compacted: ({ segments }) => void reports.push(segments.length),
      failed: (error) => assert.fail(String(error)),
    },
  );
  await furnish(temp.store);
  const deadline = performance.now() + 20_000;
  const garbage = (): number => {
    let octets = 0;
    for (const [number, { live, dead, retiredAt }] of temp.store.catalog().segments()) {
      const isOld = number !== temp.store.heap.segments().at(-1)?.number;
      if (retiredAt === 0 && isOld && dead > 0.3 * (live + dead)) octets += dead;
    }
    return octets;
  };
  while (reports.length === 0 || garbage() > segmentBytes) {
    assert.ok(performance.now() < deadline, `${reports.length} runs, ${garbage()} octets left`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(reports.some((segments) => segments > 0));
});
