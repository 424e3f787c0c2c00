/**
 * The catalog's device fails, or hangs: the writer ends and says why, the next one makes another catalog where the old one is not to
 * be trusted, at whatever call it is interrupted, and those who read go over to it.
 */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import {
  type AccountId,
  createStore,
  diskState,
  isSuspectFailure,
  limits,
  Store,
  StoreError,
  type StoreNotice,
  type StoreOptions,
  StoreReader,
} from '@mstore/store';
import { suspect } from '@mstore/store/internal/catalog/kv';
import { dumpStore } from '../support/dump-store.ts';
import { SimMachine, type SimMachineOptions, simDirectory } from '../support/sim-machine.ts';
import { tempDirectory } from '../support/temp.ts';
import { assertClean } from '../support/temp-store.ts';

const optionsFor = (machine: SimMachine, more: StoreOptions = {}): StoreOptions => ({
  ports: machine.ports,
  segmentBytes: 16_384,
  idleCommitMs: 0,
  ...more,
});

const deviceError = (): StoreError => new StoreError('ioError', 'catalog commit failed: EIO', suspect);

async function deliver(store: Store, account: AccountId, subject: string): Promise<boolean> {
  const message = await store.take(Buffer.from(`Subject: ${subject}\r\n\r\nbody of ${subject}\r\n`));
  const [result] = await store.deliver(message, [{ account, trace: Buffer.alloc(0) }]);
  return result?.ok ?? false;
}

/** A file of one machine, as another has it. */
async function copyFile(from: SimMachine, to: SimMachine, path: string): Promise<void> {
  const octets = from.disk.contents(path);
  const file = await to.disk.open(
    path,
    (await to.disk.list(posix.dirname(path))).includes(posix.basename(path)) ? 'write' : 'create',
  );
  await file.write([octets], 0);
  await file.datasync();
  await file.close();
}

/** What a writer left whose catalog failed: three deliveries were answered, two of them not in the catalog. */
async function failedWriter(options: SimMachineOptions = {}): Promise<SimMachine> {
  const first = new SimMachine();
  await createStore(simDirectory, optionsFor(first));
  const store = await Store.open(simDirectory, optionsFor(first));
  const { account } = await store.createAccount('ann@example.org');
  assert.ok(await deliver(store, account, 'one'));
  await store.close();
  let isFailing = false;
  const machine = first.kill({
    ...options,
    kv: { failWrite: () => (isFailing ? deviceError() : undefined) },
  });
  const failing = await Store.open(simDirectory, optionsFor(machine));
  isFailing = true;
  assert.ok(await deliver(failing, account, 'two'));
  const failure = await failing.failed;
  assert.ok(isSuspectFailure(failure));
  await assert.rejects(deliver(failing, account, 'three'));
  return machine;
}

test('a catalog whose device failed is made again by the next writer, and nothing answered is lost', async () => {
  const machine = (await failedWriter()).kill();
  assert.deepEqual(
    [
      await machine.disk.list(`${simDirectory}/catalog`),
      (await diskState(simDirectory, optionsFor(machine))).isCatalogSuspect,
    ],
    [['CURRENT', 'SUSPECT.1'], true],
  );
  const told: StoreNotice[] = [];
  const store = await Store.open(simDirectory, optionsFor(machine, { tell: (notice) => void told.push(notice) }));
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ['rebuilding', 'rebuilt'],
  );
  assert.equal(store.catalog().state()?.totals.entries, 2);
  await assertClean(store);
  await store.close();
  assert.deepEqual(await machine.disk.list(`${simDirectory}/catalog`), ['CURRENT']);
  assert.equal((await diskState(simDirectory, optionsFor(machine))).isCatalogSuspect, false);
  // Once is enough.
  told.length = 0;
  const next = await Store.open(simDirectory, optionsFor(machine, { tell: (notice) => void told.push(notice) }));
  await next.close();
  assert.deepEqual(told, []);
});

test('making the catalog again can be cut short or fail at any call, and the next writer does it', async (t) => {
  let rounds = 0;
  const start = await failedWriter();
  for (const errno of ['EIO', 'ENOSPC'] as const) {
    for (let call = 1; ; call++) {
      const machine = start.kill({ disk: { fault: { call, errno } } });
      const opened = await Store.open(simDirectory, optionsFor(machine)).catch((error: unknown) => {
        assert.ok(error instanceof StoreError && ['ioError', 'diskFull'].includes(error.code), String(error));
        return undefined;
      });
      await opened?.close().catch(() => undefined);
      if (machine.disk.calls < call) break;
      rounds++;
      const store = await Store.open(simDirectory, optionsFor(machine.kill()));
      assert.equal(store.catalog().state()?.totals.entries, 2);
      await assertClean(store);
      await store.close();
    }
  }
  t.diagnostic(`${rounds} rounds`);
  assert.ok(rounds > 10);
});

test('where the disk did not take the mark, whoever starts the next writer can say it', async () => {
  // Every creation of a name fails, so that the mark cannot be made.
  const machine = await failedWriter({
    disk: { fault: { call: 1, errno: 'EIO', sticky: true, operations: ['create'] } },
  });
  const next = machine.kill();
  assert.deepEqual(await next.disk.list(`${simDirectory}/catalog`), ['CURRENT']);
  const told: StoreNotice[] = [];
  const options = optionsFor(next, { newCatalog: true, tell: (notice) => void told.push(notice) });
  const store = await Store.open(simDirectory, options);
  assert.equal(told.at(-1)?.kind, 'rebuilt');
  await assertClean(store);
  await store.close();
});

test('a catalog whose device fails while the log is replayed is made again by the next writer', async () => {
  const first = new SimMachine();
  await createStore(simDirectory, optionsFor(first));
  const store = await Store.open(simDirectory, optionsFor(first));
  const before = first.kill();
  await store.createAccount('ann@example.org');
  // The catalog as it was before, and the heap as it is: there is something to replay.
  const names = await first.disk.list(`${simDirectory}/heap`);
  const behind = before.restart({ kv: { failWrite: deviceError } });
  for (const name of names) await copyFile(first, behind, `${simDirectory}/heap/${name}`);
  await assert.rejects(Store.open(simDirectory, optionsFor(behind)), (error) => {
    return error instanceof StoreError && isSuspectFailure(error);
  });
  const next = await Store.open(simDirectory, optionsFor(behind.kill()));
  assert.equal([...next.catalog().accounts()].length, 1);
  await assertClean(next);
  await next.close();
});

test('damage in the heap is not passed over by itself when the catalog has to be made again', async () => {
  const machine = (await failedWriter()).kill();
  const [segment = ''] = await machine.disk.list(`${simDirectory}/heap`);
  machine.disk.damage(`${simDirectory}/heap/${segment}`, 300, Buffer.from([0xff, 0xff, 0xff]));
  await assert.rejects(Store.open(simDirectory, optionsFor(machine)), { code: 'corrupt' });
  const names = await machine.disk.list(`${simDirectory}/catalog`);
  assert.deepEqual(names, ['CURRENT', 'SUSPECT.1']);
});

test('a write that came short on a full disk is not taken for a failed device', async () => {
  const machine = new SimMachine({ kv: { failWrite: (call) => (call > 4 ? deviceError() : undefined) } });
  const ports = { ...machine.ports, space: async () => ({ totalBytes: 2 ** 40, freeBytes: 0 }) };
  const space = { newMailBytes: 0, changesBytes: 0 };
  const options = { ...optionsFor(machine), ports, space };
  await createStore(simDirectory, options);
  const store = await Store.open(simDirectory, options);
  for (let n = 0; n < 5; n++) await store.createAccount(`user${n}@example.org`).catch(() => undefined);
  const failure = await store.failed;
  assert.deepEqual([failure.code, isSuspectFailure(failure)], ['diskFull', false]);
  assert.deepEqual(await machine.disk.list(`${simDirectory}/catalog`), ['CURRENT']);
});

test('a catalog transaction that hangs ends the writer, a slow one and a machine that slept do not', async () => {
  let release: () => void = () => undefined;
  let isHanging = false;
  const onWrite = async (moment: string): Promise<void> => {
    if (isHanging && moment === 'before') await new Promise<void>((resolve) => (release = resolve));
  };
  const machine = new SimMachine({ kv: { onWrite } });
  await createStore(simDirectory, optionsFor(machine));
  const store = await Store.open(simDirectory, optionsFor(machine));
  await store.look();
  isHanging = true;
  const slow = store.createAccount('slow@example.org');
  while (store.health.catalogMs === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    machine.passMs(1_000);
    await store.look();
  }
  machine.passMs(3_600_000);
  await store.look();
  isHanging = false;
  release();
  await slow;
  isHanging = true;
  const hanging = store.createAccount('hanging@example.org');
  hanging.catch(() => undefined);
  let looks = 0;
  let failure: StoreError | undefined;
  void store.failed.then((error) => (failure = error));
  while (failure === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    machine.passMs(1_000);
    await store.look();
    looks++;
    assert.ok(looks < 100, 'nobody noticed');
  }
  assert.ok(looks * 1_000 >= limits.catalogHangMs);
  assert.match(failure.message, /catalog transaction hangs/);
  assert.equal(isSuspectFailure(failure), false);
  await assert.rejects(hanging, { code: 'ioError' });
  await assert.rejects(store.createAccount('late@example.org'), { code: 'ioError' });
  const next = await Store.open(simDirectory, optionsFor(machine.kill()));
  assert.equal([...next.catalog().accounts()].length, 2);
  await assertClean(next);
  await next.close();
  release();
});

test('who reads beside the writer goes over to the new catalog, on real files', async () => {
  await using temp = await tempDirectory();
  await createStore(temp.path);
  const first = await Store.open(temp.path);
  const { account } = await first.createAccount('ann@example.org');
  assert.ok(await deliver(first, account, 'one'));
  await first.close();
  const reader = await StoreReader.open(temp.path);
  assert.equal(reader.catalog().state()?.totals.entries, 1);
  const second = await Store.open(temp.path, { newCatalog: true });
  assert.ok(await deliver(second, account, 'two'));
  await second.settle();
  await reader.catchUp();
  assert.equal(reader.catalog().state()?.totals.entries, 2);
  assert.deepEqual(dumpStore(reader), dumpStore(second));
  assert.equal((await diskState(temp.path, {})).catalog, 2);
  await assertClean(second);
  await second.close();
  await reader.close();
  const again = await StoreReader.open(temp.path);
  assert.equal(again.catalog().state()?.totals.entries, 2);
  await again.close();
});
