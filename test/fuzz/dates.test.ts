/** Dates from elsewhere: an absurd one must not reach the log, which a catalog could then not be made of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError, limits } from '@mstore/store';
import { tempStore } from '../support/temp-store.ts';

test('a date that the index cannot keep is refused, and the store goes on', async () => {
  await using temp = await tempStore();
  const { store } = temp;
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
