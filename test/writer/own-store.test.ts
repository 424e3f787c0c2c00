/** Becoming a store's writer, and what the writer does when its disk fails. */
import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { test } from 'node:test';
import {
  type AccountId,
  brandNumber,
  createStore,
  type DeliveryResult,
  type DeliveryTarget,
  limits,
  type OwnStore,
  openAsWriter,
  rebuild,
  Store,
  type StoreNotice,
  WriterClient,
} from '@mstore/store';
import type { DiskOperation } from '../support/sim-disk.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean, simStore } from '../support/temp-store.ts';

/** A client of the store's socket can deliver; then the store is closed. */
async function assertServes(path: string, own: OwnStore, account: AccountId): Promise<void> {
  const client = await WriterClient.connect(`${path}/run/writer.sock`);
  const message = await client.take(Buffer.from('Subject: x\r\n\r\n'));
  const [result] = await client.deliver(message, [{ account, trace: Buffer.alloc(0) }]);
  assert.ok(result?.ok);
  await client.close();
  await own.store.settle();
  await assertClean(own.store);
  await own.close();
}

test('who wants to be the writer waits until the one before is done, and then serves the socket', async () => {
  await using temp = await tempDirectory();
  await createStore(temp.path);
  const first = await Store.open(temp.path);
  const { account } = await first.createAccount('anna');
  const second = openAsWriter(temp.path);
  await assert.rejects(openAsWriter(temp.path, { waitMs: 0 }), { code: 'locked' });
  await first.close();
  const own = await second;
  await assertServes(temp.path, own, account);
});

test('the heap alone, copied to another disk, is a store again once its catalog is made', async () => {
  await using temp = await tempDirectory();
  const [old, moved] = [`${temp.path}/old`, `${temp.path}/moved`];
  await createStore(old);
  const first = await openAsWriter(old);
  const { account } = await first.store.createAccount('anna');
  await first.close();
  await cp(`${old}/heap`, `${moved}/heap`, { recursive: true });
  await rebuild(moved);
  const own = await openAsWriter(moved);
  await assertServes(moved, own, account);
});

for (const operation of ['write', 'datasync'] as const) {
  test(`a store whose device fails every ${operation} refuses changes, reads on, and comes back by itself`, async () => {
    let isBroken = false;
    const onCall = (call: { readonly operation: DiskOperation }, moment: string): void => {
      if (isBroken && moment === 'before' && call.operation === operation) {
        throw Object.assign(new Error('input/output error'), { code: 'EIO' });
      }
    };
    const machine = new SimMachine({ disk: { onCall } });
    const told: StoreNotice[] = [];
    const options = { ports: machine.ports, idleCommitMs: 0, tell: (notice: StoreNotice) => void told.push(notice) };
    await createStore(simDirectory, options);
    const store = await Store.open(simDirectory, options);
    const { account } = await store.createAccount('anna');
    const deliver = async (subject: string): Promise<void> => {
      const message = await store.take(Buffer.from(`Subject: ${subject}\r\n\r\n`));
      const [result] = await store.deliver(message, [{ account, trace: Buffer.alloc(0) }]);
      assert.ok(result?.ok);
    };
    await deliver('one');
    isBroken = true;
    await assert.rejects(deliver('two'), { code: 'ioError' });
    await assert.rejects(deliver('three'), { code: 'readOnly' });
    await store.look();
    assert.equal(store.health.takesChanges, false);
    machine.passMs(limits.probeMs);
    await store.look();
    isBroken = false;
    // The pause doubles with each probe in vain.
    machine.passMs(limits.probeMs);
    await store.look();
    await assert.rejects(deliver('four'), { code: 'readOnly' });
    assert.equal(store.catalog().state()?.totals.entries, 1);
    machine.passMs(limits.probeMs);
    await store.look();
    await deliver('five');
    const lines = told.map((notice) => (notice.kind === 'device' ? notice.takesChanges : notice.kind));
    assert.deepEqual(lines, ['deviceErrors', false, 'deviceErrors', true]);
    assert.match(JSON.stringify(told), /input\/output error/);
    await store.close();
    const next = await Store.open(simDirectory, options);
    assert.equal(next.catalog().state()?.totals.entries, 2);
    await assertClean(next);
    await next.close();
  });
}

test('an account is not made with a quota that none can have, and the writer goes on', async () => {
  await using temp = await simStore();
  const id = brandNumber<AccountId>(7);
  const wanted = { id, name: 'anna@example.net', quotaBytes: 0, quotaMessages: 0 };
  for (const quotaBytes of [-1, 0.5]) {
    await assert.rejects(temp.store.ensureAccount({ ...wanted, quotaBytes }), { code: 'badIntent' });
  }
  assert.equal(temp.store.catalog().account(id), undefined);
  assert.equal((await temp.store.ensureAccount(wanted)).account, id);
});

test('a delivery makes the account it is for, in the same batch', async () => {
  await using temp = await simStore();
  const { store } = temp;
  const account = brandNumber<AccountId>(7);
  const wanted = { id: account, name: 'anna@example.net', quotaBytes: 0, quotaMessages: 1 };
  const trace = Buffer.alloc(0);
  const deliver = async (target: DeliveryTarget): Promise<DeliveryResult | undefined> =>
    (await store.deliver(await store.take(Buffer.from('Subject: x\r\n\r\n')), [target]))[0];
  const before = store.heapCounters.syncs;
  assert.equal((await deliver({ account, trace, wanted }))?.ok, true);
  assert.equal(store.heapCounters.syncs - before, 1);
  const over = await deliver({ account, trace, wanted });
  assert.ok(over?.ok === false && over.code === 'overQuota');
  assert.equal((await deliver({ account, trace, wanted: { ...wanted, quotaMessages: 2 } }))?.ok, true);
  const other = await deliver({ account, trace, wanted: { ...wanted, name: 'bert@example.net' } });
  assert.ok(other?.ok === false && other.code === 'accountExists');
  const stranger = await deliver({ account: brandNumber<AccountId>(8), trace, wanted });
  assert.ok(stranger?.ok === false && stranger.code === 'badIntent');
  await store.settle();
  assert.equal(store.catalog().account(account)?.messages, 2);
});

test('who lets a message wait after its beginning is not waited for', async () => {
  let ms = 0;
  const { ports } = new SimMachine({});
  const options = { ports: { ...ports, clock: { now: () => 0, monotonic: () => ms } }, idleCommitMs: 0 };
  await createStore(simDirectory, options);
  const store = await Store.open(simDirectory, options);
  const { account } = await store.createAccount('anna');
  const handedOver = store.expectDelivery();
  ms = 60_000;
  let isDelivered = false;
  const delivering = store
    .take(Buffer.from('Subject: x\r\n\r\n'))
    .then((message) => store.deliver(message, [{ account, trace: Buffer.alloc(0) }]))
    .finally(() => {
      isDelivered = true;
    });
  // The clock stands still: a wait would have no end.
  for (let turn = 0; turn < 1_000 && !isDelivered; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(isDelivered);
  handedOver();
  assert.ok((await delivering)[0]?.ok);
  await store.settle();
  await assertClean(store);
  await store.close();
});

test('of a delivery to many, those get the error whom it hit, and the others their copies once', async () => {
  let writesLeft = Number.POSITIVE_INFINITY;
  const onCall = (call: { readonly operation: DiskOperation }, moment: string): void => {
    if (moment !== 'before' || call.operation !== 'write') return;
    writesLeft -= 1;
    if (writesLeft < 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  };
  const { ports } = new SimMachine({ disk: { onCall } });
  // A clock so fast that each intent has a batch of its own.
  let ms = 0;
  const options = { ports: { ...ports, clock: { now: () => 0, monotonic: () => (ms += 10) } }, idleCommitMs: 0 };
  await createStore(simDirectory, options);
  const store = await Store.open(simDirectory, options);
  const accounts = await Promise.all(Array.from({ length: 100 }, (_, n) => store.createAccount(`user${n}`)));
  await store.settle();
  const message = await store.take(Buffer.from('Subject: x\r\n\r\n'));
  writesLeft = 1;
  const targets = accounts.map(({ account }) => ({ account, trace: Buffer.alloc(0) }));
  const results = await store.deliver(message, targets);
  writesLeft = Number.POSITIVE_INFINITY;
  const codes = new Set(results.map((result) => (result.ok ? 'ok' : result.code)));
  assert.deepEqual(codes, new Set(['ok', 'diskFull']));
  await store.settle();
  for (const [at, { account }] of accounts.entries()) {
    assert.equal(store.catalog().account(account)?.messages, results[at]?.ok === true ? 1 : 0);
  }
  await assertClean(store);
  await store.close();
});
