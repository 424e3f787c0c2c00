/** Scattered messages of a large mailbox are found and copied without holding up the writer, who serves everybody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Catalog, isStoreError, type MailboxId, UidSet } from '@mstore/store';
import { fillWithCopies } from '../support/copies.ts';
import { Daemons } from '../support/daemons.ts';
import { counts } from '../support/long.ts';
import { LongestTurn, median, ranMs } from '../support/longest-turn.ts';

const user = 'ann@example.org';

/** ms of one turn of the writer. */
const turnMs = 40;

/** Every second UID up to one. */
function oddUpTo(most: number): UidSet {
  return UidSet.of(Array.from({ length: Math.ceil(most / 2) }, (_, at) => 2 * at + 1));
}

/** ms that a look at entries takes: the one in the middle of some. */
function lookMs(catalog: Catalog, mailbox: MailboxId, uids: UidSet): number {
  const times = Array.from({ length: 5 }, () => {
    const since = ranMs();
    let size = 0;
    for (const entry of catalog.entries(mailbox, uids)) size += entry.size;
    assert.ok(size > 0);
    return ranMs() - since;
  });
  return median(times);
}

test('scattered messages of a large mailbox are found and copied under a quota, and nobody is held up', async (t) => {
  const messages = counts(40_000, 200_000);
  await using daemons = await Daemons.start();
  const { store } = daemons;
  await daemons.addUser(user, 'secret', '1G');
  const mailbox = await fillWithCopies(daemons, user, messages);
  const account = store.catalog().mailbox(mailbox)?.account;
  assert.ok(account !== undefined);
  const { mailbox: target } = await store.createMailbox(account, 'target');
  const [some, all] = [oddUpTo(messages), UidSet.range(1, messages)].map((uids) =>
    lookMs(store.catalog(), mailbox, uids),
  );
  assert.ok((some ?? 0) < 3 * (all ?? 0), `half of them take ${some} ms, all take ${all} ms`);
  const turns = new LongestTurn();
  const { pairs } = await store.copy(mailbox, oddUpTo(messages), target);
  const longest = turns.stop();
  assert.equal(pairs.length, messages / 2);
  await store.setQuota(account, 0, messages + messages / 2 + 10);
  await assert.rejects(store.copy(mailbox, oddUpTo(messages), target), (error) => isStoreError(error, 'overQuota'));
  assert.equal(store.catalog().mailbox(target)?.messages, messages / 2, 'all or none');
  assert.ok(longest < turnMs, `a turn of ${longest} ms`);
  t.diagnostic(`${messages} messages, a turn of ${longest} ms, looks of ${some} and ${all} ms`);
});
