/**
 * The n-th call of the file system and of the key-value store fails, for every n of an operation: with EIO and ENOSPC, once and from
 * then on. What was acknowledged is there and what was refused is absent or whole, in the running store, after a kill, and after
 * a power cut; and fsck finds nothing.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStore, Store, StoreError, type StoreErrorCode, type StoreOptions } from '@mstore/store';
import { suspect } from '@mstore/store/internal/catalog/kv';
import { counts } from '../support/long.ts';
import { seededRandom } from '../support/random.ts';
import { SimMachine, type SimMachineOptions, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { deliver, type Operation, operations } from './operations.ts';

const allowed: readonly unknown[] = ['ioError', 'diskFull', 'readOnly'] satisfies StoreErrorCode[];

const optionsFor = (machine: SimMachine): StoreOptions => ({
  ports: machine.ports,
  segmentBytes: 1_048_576,
  idleCommitMs: 0,
});

/** What clients can see of a store. */
function visible(store: Store): string {
  const catalog = store.catalog();
  const lines: string[] = [];
  for (const { id, row } of catalog.allMailboxes()) {
    lines.push(`${id} ${row.deleted ? 'deleted' : row.name} next ${row.uidNext}`);
    const words = catalog.keywords(id);
    for (const { uid, flags, keywords, message } of catalog.entries(id)) {
      const sha = catalog.message(message)?.sha.toString('hex').slice(0, 8);
      lines.push(`  ${uid} ${flags} ${keywords.map((number) => words[number]).join()} ${sha}`);
    }
    for (const { entry } of catalog.retained(id)) lines.push(`  ${entry.uid} is retained`);
  }
  return lines.join('\n');
}

/** A way in which one call fails, or it and all later ones. */
interface Fault {
  readonly name: string;
  /** The machine's options with the n-th call of the operation failing, where so many were made before it. */
  readonly options: (call: number, before: number) => SimMachineOptions;
  /** Calls that the machine made so far. */
  readonly calls: (machine: SimMachine) => number;
}

let catalogWrites = 0;
let reads = 0;

const diskFaults = (['EIO', 'ENOSPC'] as const).flatMap((errno) =>
  [false, true].map(
    (sticky): Fault => ({
      name: `${errno} of the file system, ${sticky ? 'from then on' : 'once'}`,
      options: (call, before) => ({ disk: { fault: { call: before + call, errno, sticky } } }),
      calls: ({ disk }) => disk.calls,
    }),
  ),
);

const catalogErrors: readonly [string, StoreError][] = [
  ['EIO', new StoreError('ioError', 'catalog commit failed: EIO', suspect)],
  ['ENOSPC', new StoreError('diskFull', 'catalog commit failed: ENOSPC')],
];

// A catalog that failed once takes nothing more: there is no second kind.
const catalogFaults = catalogErrors.map(
  ([errno, error]): Fault => ({
    name: `${errno} of the catalog`,
    options: (call, before) => {
      catalogWrites = 0;
      const failWrite = (number: number): StoreError | undefined => {
        catalogWrites = number;
        return number >= before + call ? error : undefined;
      };
      return { kv: { failWrite } };
    },
    calls: () => catalogWrites,
  }),
);

const readFault: Fault = {
  name: 'EIO of a read',
  options: (call, before) => {
    reads = 0;
    return { disk: { failRead: () => (++reads === before + call ? 'EIO' : undefined) } };
  },
  calls: () => reads,
};

interface Prepared {
  readonly start: SimMachine;
  readonly before: string;
  readonly after: string;
}

/** How the writer before ended: after a kill the operation begins a segment. */
type Ending = 'stopped' | 'killed';

/** A store before the operation, and what it and the operation show. */
async function prepare({ prepare, run, isSeen = true }: Operation, ending: Ending): Promise<Prepared> {
  const machine = new SimMachine();
  await createStore(simDirectory, optionsFor(machine));
  const store = await Store.open(simDirectory, optionsFor(machine));
  await store.createAccount('ann@example.org');
  await prepare(store);
  await store.settle();
  if (ending === 'stopped') await store.close();
  const start = machine.kill();
  const wellMachine = start.kill();
  const well = await Store.open(simDirectory, optionsFor(wellMachine));
  const before = visible(well);
  await run(well, wellMachine);
  const after = visible(well);
  assert.equal(after !== before, isSeen);
  await well.close();
  return { start, before, after };
}

/** Calls that opening makes. */
async function callsToOpen(start: SimMachine, fault: Fault): Promise<number> {
  const machine = start.kill(fault.options(Number.POSITIVE_INFINITY, 0));
  await Store.open(simDirectory, optionsFor(machine));
  return fault.calls(machine);
}

async function attempt(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
    assert.ok(allowed.includes(code), `${String(error)}: ${String(code)}`);
    return false;
  }
}

/** Runs the operation with one call failing; false when it made fewer calls. */
async function round(operation: Operation, prepared: Prepared, fault: Fault, call: number): Promise<boolean> {
  const { start, before, after } = prepared;
  const beforeCalls = await callsToOpen(start, fault);
  const machine = start.kill(fault.options(call, beforeCalls));
  const store = await Store.open(simDirectory, optionsFor(machine));
  const done = await attempt(operation.run(store, machine));
  await store.settle();
  if (fault.calls(machine) < beforeCalls + call) {
    assert.ok(done);
    return false;
  }
  const allowedStates = done ? [after] : [before, after];
  assert.ok(allowedStates.includes(visible(store)), `the running store, ${done ? 'acknowledged' : 'refused'}`);
  const hasEnded = await Promise.race([
    store.failed.then(() => true),
    new Promise((resolve) => setImmediate(resolve, false)),
  ]);
  // The mark of a failed catalog is on its way.
  if (hasEnded !== true && !(await attempt(deliver(store, 'later')))) await store.settle();
  const isWell = hasEnded !== true && !fault.name.includes('from then on');
  if (isWell) await assertClean(store, { content: false });
  const random = seededRandom(call);
  for (const next of [machine.kill(), machine.crash(random, false), machine.crash(random, true)]) {
    await assertWhole(next, allowedStates);
  }
  await operation.assertLeft?.(machine.kill(), done);
  return true;
}

/** After the next start all is as one of the states has it, but for the message that was delivered later. */
async function assertWhole(machine: SimMachine, states: readonly string[]): Promise<void> {
  const store = await Store.open(simDirectory, optionsFor(machine));
  const found = visible(store);
  const isState = states.some((state) => found === state || isWithOneMore(found, state));
  assert.ok(isState, `after a start:\n${found}\nis none of\n${states.join('\n---\n')}`);
  await assertClean(store);
  await deliver(store, 'last');
  await assertClean(store, { content: false });
  await store.close();
}

/** True when `found` has one line more, and one mailbox's next UID is one higher. */
function isWithOneMore(found: string, state: string): boolean {
  const known = new Map<string, number>();
  for (const line of state.split('\n')) known.set(line, (known.get(line) ?? 0) + 1);
  const news = found.split('\n').filter((line) => {
    const count = known.get(line) ?? 0;
    known.set(line, count - 1);
    return count <= 0;
  });
  return (
    news.length === 2 && news.some((line) => line.includes(' next ')) && news.some((line) => line.startsWith('  '))
  );
}

function named({ name }: Fault, call: number): (error: unknown) => never {
  return (error) => {
    throw new Error(`${name}, call ${call}: ${String(error)}`, { cause: error });
  };
}

for (const operation of operations) {
  test(`${operation.name}, each of whose calls fails in turn, is acknowledged or absent, and never half`, async (t) => {
    let rounds = 0;
    const step = counts(operation.stride ?? 1, 1);
    for (const ending of ['stopped', 'killed'] as const) {
      const prepared = await prepare(operation, ending);
      for (const fault of [...diskFaults, ...catalogFaults, readFault]) {
        let call = 1;
        for (; await round(operation, prepared, fault, call).catch(named(fault, call)); call += step) rounds++;
      }
    }
    t.diagnostic(`${rounds} rounds`);
    assert.ok(rounds >= 30);
  });
}
