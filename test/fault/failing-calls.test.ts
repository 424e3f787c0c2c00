/**
 * Every call that can fail does, one after the other: each write, sync, create, rename and directory sync of a history, with EIO
 * and ENOSPC, once and from then on; each read; each catalog transaction. Every failure is a StoreError, nothing acknowledged
 * is lost, the store goes on or refuses changes, and after a restart it is clean and whole.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  brandNumber,
  createStore,
  isStoreError,
  type MailboxId,
  rebuild,
  Store,
  type StoreErrorCode,
  UidSet,
} from '@mstore/store';
import { dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { passDays } from '../support/retention.ts';
import type { DiskFault } from '../support/sim-disk.ts';
import { SimMachine, type SimMachineOptions, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Journal, Traffic } from '../support/traffic.ts';

const allowed: readonly StoreErrorCode[] = ['ioError', 'diskFull', 'readOnly', 'closed'];

const optionsFor = (machine: SimMachine) => ({ ports: machine.ports, segmentBytes: 16_384, idleCommitMs: 0 });

/** What a history did under a fault. */
interface Outcome {
  readonly machine: SimMachine;
  readonly journal: Journal;
  /** Codes of the errors, in order. */
  readonly failures: StoreErrorCode[];
  readonly opened: boolean;
}

function failureOf(error: unknown): StoreErrorCode {
  assert.ok(isStoreError(error), `not a StoreError: ${String(error instanceof Error ? error.stack : error)}`);
  assert.ok(allowed.includes(error.code), `${error.code}: ${error.message}`);
  assert.notEqual(error.message, '');
  return error.code;
}

/** The same requests each time, on a machine that was left by a clean stop or was killed at work. */
async function history(start: SimMachine, options: SimMachineOptions, seed: number): Promise<Outcome> {
  const machine = start.kill({ seed, ...options });
  const journal = new Journal();
  const failures: StoreErrorCode[] = [];
  let store: Store;
  try {
    store = await Store.open(simDirectory, optionsFor(machine));
  } catch (error) {
    failures.push(failureOf(error));
    return { machine, journal, failures, opened: false };
  }
  store.subscribeFeed((changes) => journal.feed(changes));
  const random = seededRandom(seed);
  const traffic = new Traffic(store, store, random, new MessageSource(random.fork()), journal);
  const attempt = (request: Promise<void>): Promise<void> =>
    request.catch((error: unknown) => {
      failures.push(failureOf(error));
    });
  for (let n = 0; n < 2; n++) await attempt(traffic.request('createAccount'));
  for (const name of ['deliver', 'append', 'setFlags', 'copy', 'move', 'expunge', 'createMailbox'] as const) {
    await attempt(traffic.request(name));
  }
  for (let n = 0; n < 25; n++) await attempt(traffic.step());
  for (const name of ['expunge', 'undelete', 'deleteMailbox', 'restoreMailbox', 'expunge', 'deleteMailbox'] as const) {
    await attempt(traffic.request(name));
  }
  await attempt(passDays(store, machine, 8));
  await Promise.all(Array.from({ length: 4 }, () => attempt(traffic.step())));
  // Reads go on whatever became of the disk under the writer.
  dumpStore(store);
  await attempt(store.close());
  return { machine, journal, failures, opened: true };
}

/** After a restart, and after power loss, all that was acknowledged is there. */
async function assertKept(outcome: Outcome, seed: number): Promise<void> {
  const { machine, journal } = outcome;
  const random = seededRandom(seed);
  for (const next of [machine.kill(), machine.crash(random, false), machine.crash(random, true)]) {
    const store = await Store.open(simDirectory, optionsFor(next));
    const catalog = store.catalog();
    assert.ok((catalog.state()?.sequence ?? 0) >= journal.sequence, 'a sequence that was told is gone');
    for (const [place, sha] of journal.placed) {
      const [mailbox = 0, uid = 0] = place.split(':').map(Number);
      const id = brandNumber<MailboxId>(mailbox);
      const row = catalog.mailbox(id);
      if (row === undefined) continue;
      assert.ok(row.uidNext > uid);
      for (const entry of catalog.entries(id, UidSet.range(uid, uid))) {
        assert.equal(catalog.message(entry.message)?.sha.toString('hex'), sha);
      }
    }
    await assertClean(store);
    const traffic = new Traffic(store, store, random, new MessageSource(random.fork()));
    for (let n = 0; n < 2; n++) await traffic.step();
    await assertClean(store, { content: false });
    await store.close();
  }
}

async function emptyStore(killed: boolean): Promise<SimMachine> {
  const machine = new SimMachine();
  await createStore(simDirectory, optionsFor(machine));
  const store = await Store.open(simDirectory, optionsFor(machine));
  await store.createAccount('first@example.org');
  if (!killed) await store.close();
  return machine;
}

/** Runs the history with call n failing, for n from 1 until no call fails any more. */
async function forEveryCall(
  fault: (call: number) => SimMachineOptions,
  reached: (machine: SimMachine, call: number) => boolean,
  look: (outcome: Outcome, call: number) => void,
): Promise<number> {
  const starts = [await emptyStore(false), await emptyStore(true)];
  let rounds = 0;
  for (let seed = 1; seed <= counts(1, 10); seed++) {
    for (const start of starts) {
      for (let call = 1; ; call++) {
        const outcome = await history(start, fault(call), seed);
        if (!reached(outcome.machine, call)) break;
        rounds++;
        look(outcome, call);
        await assertKept(outcome, seed * 10_000 + call).catch((error: unknown) => {
          throw new Error(`call ${call}, seed ${seed}: ${String(error)}`, { cause: error });
        });
      }
    }
  }
  return rounds;
}

for (const errno of ['EIO', 'ENOSPC'] as const) {
  const once = (call: number): SimMachineOptions => ({ disk: { fault: { call, errno } } });
  const from = (call: number): SimMachineOptions => ({ disk: { fault: { call, errno, sticky: true } } });
  const reached = (machine: SimMachine, call: number): boolean => machine.disk.calls >= call;

  test(`one ${errno} at any call is reported or survived, and the store goes on`, async (t) => {
    const rounds = await forEveryCall(once, reached, ({ failures }, call) => {
      // Four requests may share the batch that fails.
      assert.ok(failures.length <= 4, `call ${call}: ${failures.join(' ')}`);
      if (errno === 'EIO') assert.ok(failures.length <= 1, `call ${call} was not tried again: ${failures.join(' ')}`);
    });
    t.diagnostic(`${rounds} rounds`);
  });

  test(`${errno} from any call on makes every later change fail, and loses nothing`, async (t) => {
    const rounds = await forEveryCall(from, reached, ({ failures }, call) => {
      assert.ok(failures.length > 0, `call ${call} failed and nobody was told`);
    });
    t.diagnostic(`${rounds} rounds`);
  });
}

test('a read that fails is reported, and harms nothing', async (t) => {
  let reads = 0;
  const rounds = await forEveryCall(
    (call) => {
      reads = 0;
      return { disk: { failRead: () => (++reads === call ? 'EIO' : undefined) } };
    },
    (_machine, call) => reads >= call,
    ({ failures }, call) => assert.ok(failures.length <= 2, `read ${call}: ${failures.join(' ')}`),
  );
  t.diagnostic(`${rounds} rounds`);
});

test('a catalog transaction that fails ends the writer, and a restart finds all that was answered', async (t) => {
  let writes = 0;
  const rounds = await forEveryCall(
    (call) => {
      writes = 0;
      return {
        kv: {
          failWrite: (number) => {
            writes = number;
            return number >= call ? new Error('the catalog failed') : undefined;
          },
        },
      };
    },
    (_machine, call) => writes >= call,
    // One that only deliveries waited for is told by the next request, if there is one.
    ({ failures, opened }) => assert.ok(opened || failures.length > 0),
  );
  t.diagnostic(`${rounds} rounds`);
});

test('making a store or a catalog can fail at any call and be tried again', async () => {
  const faults: (keyof typeof makers)[] = ['createStore', 'rebuild'];
  for (const name of faults) {
    for (let call = 1; ; call++) {
      const fault: DiskFault = { call, errno: 'EIO' };
      const machine = await makers[name](fault).catch((error: unknown) => {
        throw new Error(`${name}, call ${call}`, { cause: error });
      });
      if (machine === undefined) break;
      const store = await Store.open(simDirectory, optionsFor(machine));
      await assertClean(store);
      await store.close();
    }
  }
});

/** Each tries with the fault, then without; undefined when the fault was not reached. */
const makers = {
  createStore: async (fault: DiskFault): Promise<SimMachine | undefined> => {
    const machine = new SimMachine({ disk: { fault } });
    const error = await createStore(simDirectory, optionsFor(machine)).then(() => undefined, failureOf);
    if (machine.disk.calls < fault.call) return undefined;
    assert.notEqual(error, undefined);
    const next = machine.kill();
    await createStore(simDirectory, optionsFor(next)).catch((failure: unknown) => {
      assert.ok(isStoreError(failure, 'storeExists'), String(failure));
    });
    const opened = await Store.open(simDirectory, optionsFor(next)).catch((failure: unknown) => {
      assert.ok(isStoreError(failure, 'catalogMissing'), String(failure));
      return undefined;
    });
    if (opened === undefined) await rebuild(simDirectory, optionsFor(next));
    else await opened.close();
    return next;
  },
  rebuild: async (fault: DiskFault): Promise<SimMachine | undefined> => {
    const start = await emptyStore(false);
    await start.loseCatalog();
    const machine = start.kill({ disk: { fault } });
    const error = await rebuild(simDirectory, optionsFor(machine)).then(() => undefined, failureOf);
    if (machine.disk.calls < fault.call) return undefined;
    assert.notEqual(error, undefined);
    const next = machine.kill();
    await rebuild(simDirectory, optionsFor(next));
    return next;
  },
};
