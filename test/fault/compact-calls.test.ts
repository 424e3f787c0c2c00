/**
 * The n-th call of a compaction fails, for every n: of the disk with EIO and ENOSPC, of reads, of the catalog. The run says so or goes
 * on; what clients saw is there, before and after a restart, and the next run brings it to its end.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStore, isStoreError, rebuild, Store, type StoreErrorCode } from '@mstore/store';
import { compactAll, seen, told } from '../support/compacted.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { SimMachine, type SimMachineOptions, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Traffic } from '../support/traffic.ts';

const allowed: readonly StoreErrorCode[] = ['ioError', 'diskFull', 'readOnly', 'closed'];

const optionsFor = (machine: SimMachine) => ({ ports: machine.ports, segmentBytes: 16_384, idleCommitMs: 0 });

function assertAllowed(error: unknown): void {
  assert.ok(isStoreError(error), `not a StoreError: ${String(error instanceof Error ? error.stack : error)}`);
  assert.ok(allowed.includes(error.code), `${error.code}: ${error.message}`);
}

async function furnished(seed: number): Promise<{ machine: SimMachine; before: string[] }> {
  const machine = new SimMachine({ seed });
  await createStore(simDirectory, optionsFor(machine));
  const store = await Store.open(simDirectory, optionsFor(machine));
  const random = seededRandom(seed);
  const traffic = new Traffic(store, store, random, new MessageSource(random.fork()));
  for (let n = 0; n < 3; n++) await traffic.request('createAccount');
  await traffic.everything();
  for (let n = 0; n < 40; n++) await traffic.step();
  await store.settle();
  const before = seen(dumpStore(store));
  await store.close();
  return { machine, before };
}

/** Compacts on a machine with a fault; returns the machine as it is then. */
async function compactOn(
  start: SimMachine,
  options: SimMachineOptions,
  before: readonly string[],
): Promise<SimMachine> {
  const machine = start.kill(options);
  let store: Store;
  try {
    store = await Store.open(simDirectory, optionsFor(machine));
  } catch (error) {
    assertAllowed(error);
    return machine;
  }
  await store.compact({ minGarbage: 0, maxRate: 0 }).catch(assertAllowed);
  await store.dropRetired(true).catch(assertAllowed);
  assert.deepEqual(difference(seen(dumpStore(store)), before), []);
  await store.close().catch(assertAllowed);
  return machine;
}

async function assertKept(machine: SimMachine, before: readonly string[], seed: number): Promise<void> {
  const random = seededRandom(seed);
  for (const next of [machine.kill(), machine.crash(random, true)]) {
    let store = await Store.open(simDirectory, optionsFor(next));
    assert.deepEqual(difference(seen(dumpStore(store)), before), []);
    await assertClean(store, { content: random.chance(0.2) });
    await compactAll(store);
    await assertClean(store, { content: false });
    await store.close();
    store = await Store.open(simDirectory, optionsFor(next));
    const live = told(dumpStore(store));
    await store.close();
    await next.loseCatalog();
    assert.deepEqual((await rebuild(simDirectory, optionsFor(next))).damage, []);
    store = await Store.open(simDirectory, optionsFor(next));
    assert.deepEqual(difference(told(dumpStore(store)), live), []);
    assert.deepEqual(difference(seen(dumpStore(store)), before), []);
    await store.close();
  }
}

/** From one call that fails to the next: each round makes the catalog again twice. */
const stride = counts(2, 1);

/** For n from 1 until no call fails any more; every `stride`th in short runs. */
async function forEveryCall(
  fault: (call: number) => SimMachineOptions,
  reached: (machine: SimMachine, call: number) => boolean,
): Promise<number> {
  let rounds = 0;
  for (let seed = 1; seed <= counts(1, 5); seed++) {
    const { machine, before } = await furnished(seed);
    for (let call = 1; ; call += stride) {
      const after = await compactOn(machine, fault(call), before);
      if (!reached(after, call)) break;
      rounds++;
      await assertKept(after, before, seed * 10_000 + call).catch((error: unknown) => {
        throw new Error(`call ${call}, seed ${seed}: ${String(error)}`, { cause: error });
      });
    }
  }
  assert.ok(rounds > 0);
  return rounds;
}

for (const errno of ['EIO', 'ENOSPC'] as const) {
  for (const sticky of [false, true]) {
    test(`${errno} at any call of a compaction, ${sticky ? 'and from then on' : 'once'}, loses nothing`, async (t) => {
      const rounds = await forEveryCall(
        (call) => ({ disk: { fault: { call, errno, sticky } } }),
        (machine, call) => machine.disk.calls >= call,
      );
      t.diagnostic(`${rounds} rounds`);
    });
  }
}

test('a read that fails while a victim is gone through loses nothing', async (t) => {
  let reads = 0;
  const rounds = await forEveryCall(
    (call) => {
      reads = 0;
      return { disk: { failRead: () => (++reads === call ? 'EIO' : undefined) } };
    },
    (_machine, call) => reads >= call,
  );
  t.diagnostic(`${rounds} rounds`);
});

test('a catalog transaction that fails during a compaction ends the writer, and the next one goes on', async (t) => {
  let writes = 0;
  const rounds = await forEveryCall(
    (call) => {
      writes = 0;
      const failWrite = (number: number): Error | undefined => {
        writes = number;
        return number >= call ? new Error('the catalog failed') : undefined;
      };
      return { kv: { failWrite } };
    },
    (_machine, call) => writes >= call,
  );
  t.diagnostic(`${rounds} rounds`);
});
