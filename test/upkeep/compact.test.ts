/** Compaction changes nothing that clients see, leaves a store that can be rebuilt without what went, and gives space back. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { brandNumber, type Lsn, UidSet } from '@mstore/store';
import { decodeRecord } from '@mstore/store/internal/log/records';
import { newAccount } from '../support/account.ts';
import { assertRebuildsAlike, compactAll, seen } from '../support/compacted.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { sumOfRuns, testSeeds } from '../support/seed.ts';
import { assertClean, simStore } from '../support/temp-store.ts';
import { Traffic } from '../support/traffic.ts';

test('random work, compacted again and again, is seen as it was and rebuilt as it is', async (t: TestContext) => {
  const seeds = testSeeds(counts(12, 200));
  const segments = await sumOfRuns(seeds, history);
  t.diagnostic(`MSTORE_TEST_SEED=${seeds[0]}: ${segments} segments retired`);
  assert.ok(segments > 0);
});

async function history(seed: number): Promise<number> {
  const random = seededRandom(seed);
  await using temp = await simStore({ segmentBytes: random.pick([8_192, 32_768, 262_144]) }, { seed });
  const source = new MessageSource(random.fork());
  let retired = 0;
  for (let round = 0; round < 6; round++) {
    const traffic = new Traffic(temp.store, temp.store, random, source);
    for (let n = 0; n < 3; n++) await traffic.request('createAccount');
    for (let n = 0; n < 60; n++) await traffic.step();
    await temp.store.settle();
    const before = seen(dumpStore(temp.store));
    const report = await temp.store.compact({ minGarbage: random.pick([0, 0.2, 0.5]), maxRate: 0 });
    assert.deepEqual(report.kept, []);
    retired += report.segments.length;
    await temp.store.settle();
    assert.deepEqual(difference(seen(dumpStore(temp.store)), before), [], `round ${round}`);
    await assertClean(temp.store);
    if (random.chance(0.5)) await temp.store.dropRetired(true);
    await temp.store.settle();
    await assertClean(temp.store);
    if (random.chance(0.6)) await assertRebuildsAlike(temp);
    assert.deepEqual(difference(seen(dumpStore(temp.store)), before), [], `round ${round}, rebuilt`);
  }
  await compactAll(temp.store);
  await assertRebuildsAlike(temp);
  return retired;
}

test('what says that very many messages of a mailbox are gone is said in pieces', async () => {
  await using temp = await simStore({ segmentBytes: 262_144 });
  const { store } = temp;
  const { id: account, inbox } = await newAccount(store);
  // The oldest segment stays: it may hold what made them.
  const random = seededRandom(1);
  while (store.heap.segments().length < 2) {
    const message = await store.take(random.bytes(20_000));
    await store.append(inbox, [{ message, flags: 0, keywords: [] }]);
  }
  const { mailbox } = await store.createMailbox(account, 'large');
  const message = await store.take(Buffer.from('Subject: one\r\n\r\n'));
  await store.append(mailbox, [{ message, flags: 0, keywords: [] }]);
  let count = 1;
  for (; count < 8_192; count *= 2) await store.copy(mailbox, UidSet.range(1, count), mailbox);
  await store.expunge(mailbox, UidSet.range(2, count), false);
  await store.purge(mailbox, UidSet.range(2, count));
  await store.settle();
  await store.compact({ minGarbage: 0.3, maxRate: 0 });
  await store.settle();
  const sizes: number[] = [];
  for await (const scanned of store.heap.scan({ from: brandNumber<Lsn>(0) })) {
    const record = scanned.commit === undefined ? decodeRecord(scanned) : undefined;
    if (record?.type === 'restate' && record.body.kind === 'gone') sizes.push(record.body.uids.size);
  }
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) >= count - 1, `${sizes}`);
  assert.ok(Math.max(...sizes) <= 5_000, `${sizes}`);
  await assertRebuildsAlike(temp);
});
