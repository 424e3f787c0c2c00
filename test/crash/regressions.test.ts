/** Regressions: each was once found by the crash or the fault test, and is kept here in its smallest form. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStore, inbox, isStoreError, Store } from '@mstore/store';
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

test('numbers that the catalog cannot hold are refused, not logged', async () => {
  await using temp = await simStore();
  const { account } = await temp.store.createAccount('a@example.org');
  const mailbox = temp.store.catalog().mailboxNamed(account, inbox)?.id;
  assert.ok(mailbox !== undefined);
  const append = async (internalDate: number, flags = 0): Promise<unknown> => {
    const good = await temp.store.take(Buffer.from('Subject: good\r\n\r\n'));
    const bad = await temp.store.take(Buffer.from('Subject: bad\r\n\r\n'));
    return temp.store.append(mailbox, [
      { message: good, flags: 0, keywords: [], internalDate: 0 },
      { message: bad, flags, keywords: [], internalDate },
    ]);
  };
  for (const date of [1.5, Number.NaN, -(2 ** 41), 2 ** 52, Number.POSITIVE_INFINITY]) {
    await assert.rejects(append(date), (error) => isStoreError(error, 'badIntent'));
  }
  await assert.rejects(append(0, 32), (error) => isStoreError(error, 'badIntent'));
  for (const id of [0, -1, 2 ** 32, 1.5]) {
    await assert.rejects(temp.store.createAccount('b@example.org', id), (error) => isStoreError(error, 'badIntent'));
  }
  await append(-(2 ** 37));
  await temp.reopen();
});
