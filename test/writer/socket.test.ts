/** The writer's socket: the same answers as in its own process, the feed in order, back-pressure, and peers that misbehave. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import {
  type AccountId,
  brandNumber,
  type Change,
  createStore,
  inbox,
  isStoreError,
  type Lsn,
  limits,
  type MailboxId,
  type Store,
  type StoreErrorCode,
  type TakenMessage,
  UidSet,
  workOn,
} from '@mstore/store';
import { recordType } from '@mstore/store/internal/log/records';
import { WriterClient } from '@mstore/store/internal/writer/client';
import { WriterServer } from '@mstore/store/internal/writer/server';
import { encodeFrame, encodeValue, frameType } from '@mstore/store/internal/writer/wire';
import { compareAll } from '../model/compare.ts';
import { ModelRun } from '../model/model-run.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { StoreModel } from '../support/store-model.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean, simStore, tempStore } from '../support/temp-store.ts';

interface Served extends AsyncDisposable {
  readonly client: WriterClient;
  readonly server: WriterServer;
  readonly path: string;
}

/** A server for the store on a socket of its own, and a client of it. */
async function serve(store: Store): Promise<Served> {
  const temp = await tempDirectory();
  const path = `${temp.path}/writer.sock`;
  const server = await WriterServer.listen(store, path);
  const client = await WriterClient.connect(path);
  return {
    client,
    server,
    path,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await server.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

async function ownInbox(store: Store): Promise<{ account: AccountId; mailbox: MailboxId }> {
  const { account } = await store.createAccount('a@example.org');
  const mailbox = store.catalog().mailboxNamed(account, inbox)?.id;
  assert.ok(mailbox !== undefined);
  return { account, mailbox };
}

async function refused(promise: Promise<unknown>, code: StoreErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => isStoreError(error, code));
}

test('requests through the socket get the answers that the model predicts', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using temp = await simStore({ segmentBytes: 65_536 });
  await using served = await serve(temp.store);
  const model = new StoreModel();
  const run = new ModelRun(temp.store, model, random, new MessageSource(random.fork())).through(served.client);
  for (let n = 0; n < 4; n++) await run.burst(1);
  for (let n = 0; n < counts(300, 3_000); n++) await run.step();
  await compareAll(temp.store, model, true);
  t.diagnostic(`${run.requests} requests`);
});

test('the feed tells a client the same as a listener beside the writer, in order', async () => {
  await using temp = await tempStore();
  const { store } = temp;
  const { account } = await ownInbox(store);
  await using served = await serve(store);
  const told: string[] = [];
  const heard: string[] = [];
  const text = (change: Change): string =>
    `${change.sequence} ${change.kind} ${change.mailbox} ${change.uids.toString()}`;
  await store.settle();
  store.subscribeFeed((changes) => told.push(...changes.map(text)));
  served.client.subscribeFeed((changes) => heard.push(...changes.map(text)));
  // Its answer comes after the subscription is in force.
  await served.client.subscribe(account, 'x', true);
  for (let n = 0; n < 50; n++) {
    const messages = await Promise.all(
      [1, 2, 3].map((k) => served.client.take(Buffer.from(`Subject: ${n} ${k}\r\n\r\n`))),
    );
    await Promise.all(messages.map((message) => served.client.deliver(message, [{ account, trace: Buffer.alloc(0) }])));
  }
  await served.client.subscribe(account, 'x', false);
  assert.deepEqual(heard, told);
  const sequences = heard.map((line) => Number(line.split(' ')[0]));
  assert.deepEqual(
    sequences,
    sequences.toSorted((a, b) => a - b),
  );
});

test('a message streams only as fast as the disk takes it', async () => {
  let hold: Promise<void> | undefined;
  let release = (): void => undefined;
  const onCall = ({ operation }: { operation: string }, moment: string): Promise<void> | undefined =>
    operation === 'datasync' && moment === 'before' ? hold : undefined;
  await using temp = await simStore({}, { disk: { onCall: (call, moment) => onCall(call, moment) } });
  const { mailbox } = await ownInbox(temp.store);
  await temp.store.settle();
  await using served = await serve(temp.store);
  hold = new Promise((resolve) => {
    release = resolve;
  });
  const random = seededRandom(5);
  let sent = 0;
  async function* octets(): AsyncGenerator<Buffer> {
    yield Buffer.from('Content-Transfer-Encoding: binary\r\n\r\n');
    for (; sent < 20_971_520; sent += 65_536) yield Buffer.alloc(65_536, `${random.bytes(1_000).toString('hex')}\r\n`);
  }
  const taken = served.client.take(octets());
  await quiet(() => sent);
  assert.ok(sent < limits.partSpillBytes + 4 * 1_048_576, `${sent} octets were sent to a disk that stands still`);
  hold = undefined;
  release();
  const message = await taken;
  const [placed] = await served.client.append(mailbox, [{ message, flags: 0, keywords: [] }]);
  assert.equal(placed?.size, message.size);
  await temp.store.settle();
});

/** Waits until a number that rises stands still. */
async function quiet(read: () => number): Promise<void> {
  for (let still = 0, before = -1; still < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    still = read() === before ? still + 1 : 0;
    before = read();
  }
}

test('thousands of requests at once are all answered', async () => {
  await using temp = await simStore();
  const { account } = await ownInbox(temp.store);
  await using served = await serve(temp.store);
  const count = 3 * limits.intentsInFlight;
  const value = Buffer.alloc(20);
  const asked = Array.from({ length: count }, (_, n) => served.client.setMetadata(account, 0, `/private/${n}`, value));
  await Promise.all(asked);
});

test('a delivery to as many recipients as are allowed passes the socket', async () => {
  await using temp = await simStore();
  const { account } = await ownInbox(temp.store);
  await using served = await serve(temp.store);
  const trace = Buffer.alloc(300, 'x');
  const targets = Array.from({ length: limits.recipients }, () => ({ account, trace }));
  const results = await served.client.deliver(await served.client.take(Buffer.from('\r\n')), targets);
  assert.equal(results.length, limits.recipients);
  const more = [...targets, ...targets, ...targets];
  await refused(served.client.deliver(await served.client.take(Buffer.from('\r\n')), more), 'limitExceeded');
  await served.client.subscribe(account, 'x', true);
});

test('refused messages leave nothing behind on the connection', async () => {
  await using temp = await simStore({ messageBytes: 300_000 });
  const { account } = await ownInbox(temp.store);
  await using served = await serve(temp.store);
  const large = Buffer.alloc(600_000, 'x');
  for (let n = 0; n < 20; n++) await refused(served.client.take(large), 'messageTooLarge');
  async function* broken(): AsyncGenerator<Buffer> {
    yield large.subarray(0, 1_000);
    throw new Error('the source failed');
  }
  await assert.rejects(served.client.take(broken()), /the source failed/);
  const message = await served.client.take(Buffer.from('\r\n'));
  const [result] = await served.client.deliver(message, [{ account, trace: Buffer.alloc(0) }]);
  assert.ok(result?.ok);
  await refused(served.client.deliver(message, [{ account, trace: Buffer.alloc(0) }]), 'badIntent');
});

test('what went ahead of a message that nobody will use keeps no segment from being compacted', async () => {
  await using temp = await simStore({ segmentBytes: 1_048_576 });
  const { store } = temp;
  const { account } = await ownInbox(store);
  await using served = await serve(store);
  // Larger than what is held in memory.
  const large = Buffer.from(`Subject: x\r\n\r\n${seededRandom(1).bytes(4_500_000).toString('hex')}\r\n`);
  const other = await WriterClient.connect(served.path);
  const held = [await served.client.take(large), await other.take(large)];
  assert.equal(held.length, 2);
  await served.client.subscribe(account, 'later', true);
  const isKept = async (): Promise<boolean> => (await store.compact({ minGarbage: 0, maxRate: 0 })).kept.length > 0;
  assert.ok(await isKept());
  for (const message of held.slice(0, 1)) served.client.discard(message);
  await other.close();
  for (let looks = 0; await isKept(); looks++)
    assert.ok(looks < 50, 'a segment is kept for messages that were given up');
});

test('a message taken early is placed as any other, and its place is refused for what it was refused for', async () => {
  await using temp = await simStore({ messageBytes: 300_000 });
  const { mailbox } = await ownInbox(temp.store);
  await using served = await serve(temp.store);
  const { client } = served;
  const octets = (n: number) => Buffer.from(`Subject: ${n}\r\n\r\n${'x'.repeat(n * 1_000)}\r\n`);
  const append = (message: TakenMessage) => client.append(mailbox, [{ message, flags: 0, keywords: [] }]);
  for (let n = 0; n < 20; n++) {
    const early = await client.take(octets(n), { early: true });
    const [placed] = await append(early);
    assert.equal(placed?.size, octets(n).length);
    await refused(append(early), 'badIntent');
  }
  const both = [await client.take(octets(1), { early: true }), await client.take(octets(2))];
  const placed = await client.append(
    mailbox,
    both.map((message) => ({ message, flags: 0, keywords: [] })),
  );
  assert.deepEqual(
    placed.map(({ size }) => size),
    [octets(1).length, octets(2).length],
  );
  await refused(append(await client.take(Buffer.alloc(600_000, 'x'), { early: true })), 'messageTooLarge');
  const unwanted = await client.take(octets(3), { early: true });
  client.discard(unwanted);
  await refused(append(unwanted), 'badIntent');
  await append(await client.take(octets(4), { early: true }));
});

test('a writer that goes away leaves its callers with noWriter', async () => {
  await using temp = await tempDirectory();
  const path = `${temp.path}/writer.sock`;
  const server = createServer((socket) => socket.once('data', () => socket.destroy()));
  server.listen(path);
  await once(server, 'listening');
  const client = await WriterClient.connect(path);
  const asked = [client.createAccount('a@example.org'), client.take(Buffer.alloc(5_000_000))];
  for (const one of asked) await refused(one, 'noWriter');
  await refused(client.createAccount('b@example.org'), 'noWriter');
  await client.close();
  server.close();
  await once(server, 'close');
  await refused(WriterClient.connect(path), 'noWriter');
});

test('answers that are none end the connection and not the process', async () => {
  await using temp = await tempDirectory();
  const path = `${temp.path}/writer.sock`;
  for (const nonsense of [Buffer.alloc(100, 0xff), encodeFrame(frameType.answer, 1, Buffer.from('{'))]) {
    const server = createServer((socket) => socket.once('data', () => socket.write(nonsense)));
    server.listen(path);
    await once(server, 'listening');
    const client = await WriterClient.connect(path);
    await refused(client.createAccount('a@example.org'), 'noWriter');
    await client.close();
    server.close();
    await once(server, 'close');
  }
});

async function rawPeer(path: string): Promise<Socket> {
  const socket = connect(path);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

const request = (id: number, ...value: unknown[]): Buffer => encodeFrame(frameType.request, id, encodeValue(value));

test('frames that break the protocol cost their sender the connection, and nobody else anything', async () => {
  await using temp = await simStore();
  const { account } = await ownInbox(temp.store);
  await using served = await serve(temp.store);
  const breaches = [
    Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0]),
    Buffer.from([0, 0, 0, 0, 1, 0, 0, 0, 0]),
    encodeFrame(99, 1, Buffer.alloc(0)),
    encodeFrame(frameType.request, 1, Buffer.from('not JSON')),
    request(1, 'expunge', 1, { $uids: '0' }, false),
    Buffer.concat([request(1, 'take', 5, false), request(2, 'take', 5, false)]),
    seededRandom(3).bytes(5_000),
  ];
  for (const breach of breaches) {
    const socket = await rawPeer(served.path);
    const closed = once(socket, 'close');
    socket.end(breach);
    socket.resume();
    await closed;
    await served.client.subscribe(account, 'x', true);
  }
});

test('requests that make no sense are refused one by one', async () => {
  await using temp = await simStore();
  const { account, mailbox } = await ownInbox(temp.store);
  await using served = await serve(temp.store);
  const nonsense: unknown[][] = [
    ['nothing'],
    ['toString'],
    [7],
    ['deliver', 4711, [{ account, trace: Buffer.alloc(0) }]],
    ['append', mailbox, [{ message: 1, flags: 77, keywords: [] }]],
    ['setFlags', { mailbox, uids: '1:*', mode: 'add', flags: 0, keywords: [] }],
    ['expunge', mailbox, UidSet.empty, 1],
    ['createAccount', '', null],
    ['setQuota', account, -1, 0],
    ['take', 'x', false],
  ];
  const socket = await rawPeer(served.path);
  let answers = Buffer.alloc(0);
  socket.on('data', (octets) => {
    answers = Buffer.concat([answers, octets]);
  });
  for (const [n, one] of nonsense.entries()) socket.write(request(n + 1, ...one));
  await quiet(() => answers.length);
  const types: number[] = [];
  for (let at = 0; at < answers.length; at += 4 + answers.readUInt32BE(at)) types.push(answers.readUInt8(at + 4));
  assert.deepEqual(
    types,
    nonsense.map(() => frameType.error),
  );
  socket.destroy();
});

test('a client that vanishes in the middle of a message leaves nothing', async () => {
  await using temp = await simStore();
  const { mailbox } = await ownInbox(temp.store);
  await using served = await serve(temp.store);
  for (const frames of [2, 40]) {
    const socket = await rawPeer(served.path);
    socket.write(request(1, 'take', 2, false));
    for (let n = 0; n < frames; n++) socket.write(encodeFrame(frameType.body, 2, Buffer.alloc(50_000, 'x')));
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
  }
  await served.client.expunge(mailbox, UidSet.range(1, 9), false);
  await temp.store.settle();
  const types: number[] = [];
  for await (const { type } of temp.store.heap.scan({ from: brandNumber<Lsn>(0) })) types.push(type);
  assert.ok(!types.includes(recordType.message) && !types.includes(recordType.entry));
});

test('a client in the middle of a message does not keep the writer from ending', { timeout: 10_000 }, async () => {
  await using temp = await simStore();
  await using directory = await tempDirectory();
  const path = `${directory.path}/writer.sock`;
  const server = await WriterServer.listen(temp.store, path);
  const socket = await rawPeer(path);
  socket.write(request(1, 'take', 2, false));
  socket.write(encodeFrame(frameType.body, 2, Buffer.alloc(50_000, 'x')));
  await new Promise((resolve) => setTimeout(resolve, 20));
  await server.close();
  socket.destroy();
});

test('the second to work on a store becomes a client of the first', async () => {
  await using temp = await tempDirectory();
  await createStore(temp.path);
  const first = await workOn(temp.path);
  const second = await workOn(temp.path);
  assert.deepEqual([first.isWriter, second.isWriter], [true, false]);
  const { account, sequence } = await second.writer.createAccount('a@example.org');
  const { reading } = second;
  assert.ok((reading.catalog().state()?.sequence ?? 0) >= sequence);
  const message = await second.writer.take(Buffer.from('Subject: s\r\n\r\nbody'), { finalLineEnd: true });
  const [result] = await second.writer.deliver(message, [{ account, trace: Buffer.alloc(0) }]);
  assert.ok(result?.ok);
  await second.writer.subscribe(account, 'x', true);
  const [entry] = reading.catalog().entries(result.placed.mailbox);
  assert.ok(entry !== undefined);
  assert.equal((await (await reading.open(entry)).whole()).toString(), 'Subject: s\r\n\r\nbody\r\n');
  await assertClean(reading);
  await second.close();
  await first.close();
});
