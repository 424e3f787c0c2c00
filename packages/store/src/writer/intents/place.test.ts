import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isStoreError } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { createStore, Store } from '../../store.ts';
import { check } from '../../upkeep/check.ts';

async function withStore(use: (store: Store) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'mstore-place-'));
  try {
    await createStore(directory);
    const store = await Store.open(directory);
    try {
      await use(store);
      await store.settle();
      assert.deepEqual((await check(store.catalog().view, store.heap)).findings, []);
    } finally {
      await store.close();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('a date that the index cannot keep is refused, and the store goes on', async () => {
  await withStore(async (store) => {
    const { account } = await store.createAccount('ann');
    const inbox = store.catalog().mailboxNamed(account, 'INBOX');
    assert.ok(inbox !== undefined);
    const append = async (internalDate: number): Promise<number | undefined> => {
      const message = await store.take(Buffer.from('Subject: a date\r\n\r\n'));
      const [placed] = await store.append(inbox.id, [{ message, flags: 0, keywords: [], internalDate }]);
      return placed === undefined ? undefined : store.catalog().entry(inbox.id, placed.uid)?.internalDate;
    };
    const { dateSeconds } = limits;
    for (const date of [-(2 ** 41), -dateSeconds - 1, dateSeconds + 1, 2 ** 53, 0.5, Number.NaN]) {
      await assert.rejects(append(date), (error) => isStoreError(error, 'badIntent'), String(date));
    }
    for (const date of [-dateSeconds, -1, 0, dateSeconds]) assert.equal(await append(date), date);
  });
});
