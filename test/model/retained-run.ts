/** Requests about what left sight, made to a store and its model. */
import assert from 'node:assert/strict';
import {
  type AccountId,
  brandNumber,
  deletedMailboxes,
  type MailboxId,
  type MailWriter,
  type RestoredMailbox,
  RetentionRunner,
  type Store,
  UidSet,
} from '@mstore/store';
import type { Random } from '../support/random.ts';
import { purgeAccount, purgeAll, restoreAccount, restoreMailbox, undelete } from '../support/retained-model.ts';
import type { SimMachine } from '../support/sim-machine.ts';
import type { ModelMailbox, StoreModel } from '../support/store-model.ts';

/** What of a run these requests need. */
interface RetainedRun {
  readonly store: Store;
  readonly model: StoreModel;
  ask<Actual, Wanted>(
    what: string,
    actual: () => Promise<Actual>,
    wanted: () => Wanted,
    compare?: (actual: Actual, wanted: Wanted) => void,
  ): Promise<void>;
  checkRenamed(mailbox: ModelMailbox): void;
}

const mailboxId = (id: number): MailboxId => brandNumber<MailboxId>(id);
const accountId = (id: number): AccountId => brandNumber<AccountId>(id);

/** One request about what left sight. */
export async function retainedStep(run: RetainedRun, writer: MailWriter, random: Random): Promise<void> {
  const luck = random.int(10);
  if (luck < 5) await undeleteSome(run, writer, random);
  else if (luck < 7) await restoreOne(run, writer, random);
  else if (luck < 8) await restoreOwner(run, writer, random);
  else if (luck < 9) await purgeOne(run, writer, random);
  else await purgeOwner(run, writer, random);
}

function anyMailbox(run: RetainedRun, random: Random, wanted: (mailbox: ModelMailbox) => boolean): ModelMailbox {
  const all = [...run.model.mailboxes.values()];
  const fit = all.filter(wanted);
  return random.pick(fit.length > 0 && random.chance(0.9) ? fit : all);
}

async function undeleteSome(run: RetainedRun, writer: MailWriter, random: Random): Promise<void> {
  const source = anyMailbox(run, random, (mailbox) => mailbox.retained.size > 0);
  const target = random.chance(0.7)
    ? source
    : anyMailbox(run, random, ({ account, deleted }) => account === source.account && !deleted);
  const uids = random.chance(0.5)
    ? UidSet.range(1, 0xffff_ffff)
    : UidSet.of([...source.retained.keys(), 1].filter(() => random.chance(0.5)));
  await run.ask(
    `undelete ${uids} of ${source.id} to ${target.id}`,
    () => writer.undelete(mailboxId(source.id), uids, mailboxId(target.id)),
    () => undelete(run.model, source.id, uids, target.id),
    (got, wanted) => assert.deepEqual({ pairs: got.pairs, sequence: got.sequence }, wanted),
  );
}

async function restoreOne(run: RetainedRun, writer: MailWriter, random: Random): Promise<void> {
  const { id } = anyMailbox(run, random, (mailbox) => mailbox.deleted);
  await run.ask(
    `restoreMailbox ${id}`,
    () => writer.restoreMailbox(mailboxId(id)),
    () => restoreMailbox(run.model, id),
    ({ uidValidity, ...got }: RestoredMailbox, wanted) => {
      assert.deepEqual(got, wanted);
      const mailbox = run.model.mailboxes.get(id);
      assert.ok(mailbox !== undefined);
      run.checkRenamed(mailbox);
      assert.equal(mailbox.uidValidity, uidValidity);
    },
  );
}

async function restoreOwner(run: RetainedRun, writer: MailWriter, random: Random): Promise<void> {
  const id = anyAccount(run, random);
  const catalog = run.store.catalog();
  const deletedAt = catalog.account(accountId(id))?.deletedAt ?? 0;
  const gone = deletedMailboxes(catalog, accountId(id)).filter(
    (one) => (catalog.mailbox(one)?.deletedAt ?? 0) >= deletedAt,
  );
  await run.ask(
    `restoreAccount ${id}`,
    () => writer.restoreAccount(accountId(id)),
    () => restoreAccount(run.model, id, gone),
    (got, wanted) => {
      assert.deepEqual(got, wanted);
      for (const one of gone) {
        const mailbox = run.model.mailboxes.get(one);
        if (mailbox !== undefined) run.checkRenamed(mailbox);
      }
    },
  );
}

function anyAccount(run: RetainedRun, random: Random): number {
  const deleted = [...run.model.accounts.values()].filter((account) => account.deleted).map(({ id }) => id);
  return deleted.length > 0 && random.chance(0.9) ? random.pick(deleted) : 1 + random.int(9);
}

async function purgeOne(run: RetainedRun, writer: MailWriter, random: Random): Promise<void> {
  const mailbox = anyMailbox(run, random, ({ retained }) => retained.size > 0);
  const bytes = [...mailbox.retained.values(), ...(mailbox.deleted ? mailbox.entries.values() : [])].reduce(
    (sum, { octets }) => sum + octets.length,
    0,
  );
  await run.ask(
    `purgeRetained ${mailbox.id}`,
    () => writer.purgeRetained(mailboxId(mailbox.id)),
    () => run.model.purge(mailbox.id, UidSet.range(1, 0xffff_ffff)),
    (got, wanted) => assert.deepEqual([got.entries, got.bytes], [wanted, bytes]),
  );
}

async function purgeOwner(run: RetainedRun, writer: MailWriter, random: Random): Promise<void> {
  const id = anyAccount(run, random);
  for (const one of deletedMailboxes(run.store.catalog(), accountId(id))) {
    if (random.chance(0.1)) break;
    await writer.purgeRetained(one);
    run.model.purge(one, UidSet.range(1, 0xffff_ffff));
  }
  await run.ask(
    `purgeAccount ${id}`,
    () => writer.purgeAccount(accountId(id)),
    () => purgeAccount(run.model, id),
  );
}

/** Time passes, and retention is run: all that left sight before goes. */
export async function passRetention(run: RetainedRun, machine: SimMachine): Promise<void> {
  machine.passMs(8 * 86_400_000);
  const runner = new RetentionRunner(run.store, {
    settings: { expunged: 7, trash: 0, junk: 0, pop3: 0 },
    clock: machine.ports.clock,
    observer: { done: () => undefined, failed: () => undefined },
  });
  await runner.run();
  const catalog = run.store.catalog();
  const floorOf = (id: number): number => catalog.mailbox(mailboxId(id))?.expungeFloor ?? 0;
  purgeAll(run.model, catalog.state()?.sequence ?? 0, floorOf);
}
