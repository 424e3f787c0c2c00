/** Every call of a backup and of a restore fails once: it is reported, the backup there was stays good, and the next attempt works. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backup, createStore, isStoreError, restoreStore, Store, StoreError, verifyBackup } from '@mstore/store';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { SimMachine, type SimMachineOptions, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Traffic } from '../support/traffic.ts';

let scratches = 0;

const optionsOn = (machine: SimMachine) => ({ ports: machine.ports, segmentBytes: 32_768, idleCommitMs: 0 });

/** A store that was backed up, and has news since. */
async function start(): Promise<SimMachine> {
  const machine = new SimMachine();
  await createStore(simDirectory, optionsOn(machine));
  const store = await Store.open(simDirectory, optionsOn(machine));
  const random = seededRandom(5);
  const traffic = new Traffic(store, store, random, new MessageSource(random.fork()));
  await traffic.request('createAccount');
  for (let n = 0; n < 30; n++) await traffic.step();
  await backup(simDirectory, '/backup', store, optionsOn(machine));
  for (let n = 0; n < 20; n++) await traffic.step();
  await store.close();
  return machine;
}

async function assertGood(machine: SimMachine): Promise<void> {
  const { findings } = await verifyBackup('/backup', { ...optionsOn(machine), scratch: `/scratch/${++scratches}` });
  assert.deepEqual(
    findings.map(({ text }) => text),
    [],
  );
}

/** Tries with call n failing, for n from the first call of the work until it makes no more. */
async function forEveryCall(
  fault: (call: number) => SimMachineOptions,
  work: (machine: SimMachine) => Promise<unknown>,
  after: (machine: SimMachine, failed: boolean) => Promise<void>,
): Promise<number> {
  const base = await start();
  let failures = 0;
  for (let call = 1; ; call++) {
    const machine = base.kill(fault(call));
    const error = await work(machine).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (machine.disk.calls < call) return failures;
    if (error !== undefined) {
      failures++;
      const isTold = ['ioError', 'diskFull', 'readOnly'].some((code) => isStoreError(error) && error.code === code);
      assert.ok(isTold, `call ${call}: ${String(error)}`);
    }
    await after(machine.kill(), error !== undefined).catch((thrown: unknown) => {
      throw new Error(`call ${call}: ${String(thrown)}`, { cause: thrown });
    });
  }
}

async function openAndBackUp(machine: SimMachine): Promise<void> {
  const store = await Store.open(simDirectory, optionsOn(machine));
  try {
    await backup(simDirectory, '/backup', store, optionsOn(machine));
  } finally {
    await store.close().catch(() => undefined);
  }
}

for (const errno of ['EIO', 'ENOSPC'] as const) {
  for (const sticky of [false, true].slice(0, counts(1, 2))) {
    const fault = (call: number): SimMachineOptions => ({ disk: { fault: { call, errno, sticky } } });

    test(`${errno} at any call of a backup${sticky ? ' on' : ''} is told, and leaves a good backup`, async (t) => {
      const failures = await forEveryCall(fault, openAndBackUp, async (machine) => {
        await assertGood(machine);
        await openAndBackUp(machine);
        await assertGood(machine);
        const store = await Store.open(simDirectory, optionsOn(machine));
        await assertClean(store);
        await store.close();
      });
      assert.ok(failures > 10);
      t.diagnostic(`${failures} failures`);
    });

    test(`${errno} at any call of a restore${sticky ? ' on' : ''} is told, and it can be repeated`, async (t) => {
      const restore = (machine: SimMachine) => restoreStore('/backup', '/new', optionsOn(machine));
      const failures = await forEveryCall(fault, restore, async (machine, failed) => {
        if (failed) {
          await restore(machine).catch((error: unknown) => {
            // The last call of all failed: the store is whole, only its name may be lost with the power.
            if (!isStoreError(error, 'storeExists')) throw error;
          });
        }
        const store = await Store.open('/new', optionsOn(machine));
        await assertClean(store);
        await store.close();
        await assertGood(machine);
      });
      assert.ok(failures > 10);
      t.diagnostic(`${failures} failures`);
    });
  }
}

test('a read that fails while a backup or a restore is made is told', async () => {
  const base = await start();
  for (const work of [openAndBackUp, (machine: SimMachine) => restoreStore('/backup', '/new', optionsOn(machine))]) {
    for (let read = 1; ; read++) {
      let reads = 0;
      const machine = base.kill({ disk: { failRead: () => (++reads === read ? 'EIO' : undefined) } });
      const error = await work(machine).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (reads < read) break;
      assert.ok(error === undefined || isStoreError(error), `read ${read}: ${String(error)}`);
      await assertGood(machine.kill());
    }
  }
});

test('a catalog transaction that fails in a restore is told, and the restore can be repeated', async () => {
  const base = await start();
  for (let call = 1; ; call++) {
    let calls = 0;
    const failWrite = (number: number): Error | undefined => {
      calls = Math.max(calls, number);
      return number === call ? new StoreError('ioError', 'the catalog failed') : undefined;
    };
    const machine = base.kill({ kv: { failWrite } });
    const error = await restoreStore('/backup', '/new', optionsOn(machine)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (calls < call) break;
    assert.ok(isStoreError(error, 'ioError'), String(error));
    const next = machine.kill();
    await assert.rejects(Store.open('/new', optionsOn(next)), (refused) => isStoreError(refused, 'unfinished'));
    await restoreStore('/backup', '/new', optionsOn(next));
    const store = await Store.open('/new', optionsOn(next));
    await assertClean(store);
    await store.close();
  }
});
