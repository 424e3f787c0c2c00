import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { check, createStore, machinePorts, readFrom, Store, StoreReader } from '@mstore/store';
import { tempDirectory } from '../support/temp.ts';

async function assertChecked(store: Store): Promise<void> {
  const { findings } = await check(store.catalog().view, store.heap, { content: true });
  assert.deepEqual(findings, []);
}

test('a reader beside a writer takes no lock', async () => {
  await using temp = await tempDirectory();
  await createStore(temp.path);
  const store = await Store.open(temp.path);
  await store.createAccount('ada@x');
  const reading = await readFrom(temp.path);
  assert.equal(reading.catalog().accountNamed('ada@x')?.id, 1);
  await reading.close();
  await assertChecked(store);
  await store.close();
});

test('a catalog that is behind is brought up to its heap before it is read, and the lock let go', async () => {
  await using temp = await tempDirectory();
  await createStore(temp.path);
  const catalog = join(temp.path, 'catalog');
  const before = join(temp.path, 'before');
  await cp(catalog, before, { recursive: true });
  const first = await Store.open(temp.path);
  await first.createAccount('ada@x');
  await first.close();
  await rm(catalog, { recursive: true });
  await cp(before, catalog, { recursive: true });
  const behind = await StoreReader.open(temp.path);
  assert.equal(behind.catalog().accountNamed('ada@x'), undefined);
  await behind.close();
  const reading = await readFrom(temp.path);
  assert.equal(reading.catalog().accountNamed('ada@x')?.id, 1);
  const lock = machinePorts.lock(join(temp.path, 'writer.lock'));
  assert.ok(lock !== undefined);
  lock.release();
  await reading.close();
  const second = await Store.open(temp.path);
  await assertChecked(second);
  await second.close();
});
