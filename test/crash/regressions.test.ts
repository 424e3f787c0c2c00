/** Regressions: each was once found by the crash or the fault test, and is kept here in its smallest form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStore, Store } from '@mstore/store';
import { dumpStore } from '../support/dump-store.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean, simStore } from '../support/temp-store.ts';

test('a segment that was left without a clean stop keeps its end when two more have followed', async () => {
  const machine = new SimMachine();
  const options = { ports: machine.ports, segmentBytes: 4_096, idleCommitMs: 0 };
  await createStore(simDirectory, options);
  const first = await Store.open(simDirectory, options);
  const { account } = await first.createAccount('a@example.org');
  const killed = machine.kill();
  const again = { ...options, ports: killed.ports };
  const second = await Store.open(simDirectory, again);
  for (let n = 0; n < 8; n++) await second.setMetadata(account, 0, '/private/n', Buffer.alloc(2_000, n));
  const dump = dumpStore(second);
  await second.close();
  const third = await Store.open(simDirectory, again);
  const found = dumpStore(third).filter((line) => !/^(?:state|segment) /.test(line));
  assert.deepEqual(
    found,
    dump.filter((line) => !/^(?:state|segment) /.test(line)),
  );
  await assertClean(third);
  await third.close();
  await first.close();
});

test('an intent that comes while the idle COMMIT is being synced is done all the same', async () => {
  let idleSync: (() => void) | undefined;
  let idle = false;
  const idling = new Promise<void>((resolve) => {
    idleSync = resolve;
  });
  await using temp = await simStore(
    { idleCommitMs: 1 },
    {
      disk: {
        onCall: async ({ operation }, moment) => {
          if (!idle || operation !== 'datasync' || moment !== 'before') return;
          idle = false;
          idleSync?.();
          for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
        },
      },
    },
  );
  const { account } = await temp.store.createAccount('a@example.org');
  await temp.store.settle();
  idle = true;
  // The idle timer keeps no process alive.
  const alive = setInterval(() => undefined, 1_000);
  await idling;
  clearInterval(alive);
  await temp.store.setQuota(account, 1, 0);
  assert.equal(temp.store.catalog().account(account)?.quotaBytes, 1);
});
