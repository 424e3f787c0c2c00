/**
 * Whatever left sight, came back or went for good, whatever is restated of it, and whichever files are gone: the catalog made again
 * says what the live one said, from a checkpoint, in the order of the log, and with content first; and so does a backup, restored.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type AccountId,
  backup,
  checkpoint,
  createStore,
  deletedMailboxes,
  isStoreError,
  type RebuildOptions,
  RetentionRunner,
  rebuild,
  restoreStore,
  Store,
  UidSet,
} from '@mstore/store';
import { seen, told } from '../support/compacted.ts';
import { difference, dumpStore } from '../support/dump-store.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { sumOfRuns, testSeeds } from '../support/seed.ts';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';
import { Traffic } from '../support/traffic.ts';

const dayMs = 86_400_000;
const rounds = 5;
/** A deletion or a return goes in slices of fewer mailboxes. */
const manyMailboxes = 110;
/** Names are forgotten in slices of fewer. */
const manyNames = 510;

class Life {
  readonly machine: SimMachine;
  readonly options: {
    readonly segmentBytes: number;
    readonly idleCommitMs: number;
    readonly ports: SimMachine['ports'];
  };
  readonly random: Random;
  readonly #source: MessageSource;
  directory: string = simDirectory;
  store: Store;
  retired = 0;
  #restores = 0;
  /** Expunges may be so old that compaction raises the floor over them. */
  #isOld = false;

  static async begin(seed: number, bytes?: number): Promise<Life> {
    const random = seededRandom(seed);
    const machine = new SimMachine({ seed });
    const segmentBytes = bytes ?? random.pick([8_192, 32_768, 262_144]);
    const options = { segmentBytes, idleCommitMs: 0, ports: machine.ports };
    await createStore(simDirectory, options);
    return new Life(machine, options, random, await Store.open(simDirectory, options));
  }

  private constructor(machine: SimMachine, options: Life['options'], random: Random, store: Store) {
    this.machine = machine;
    this.options = options;
    this.random = random;
    this.store = store;
    this.#source = new MessageSource(random.fork());
  }

  async work(steps: number): Promise<void> {
    let traffic = this.#traffic();
    for (let n = 0; n < 3; n++) await traffic.request('createAccount');
    for (let n = 0; n < steps; n++) {
      if (this.random.chance(0.8)) await traffic.step();
      else {
        await this.#rare().catch((error: unknown) => {
          if (!isStoreError(error)) throw error;
        });
        traffic = this.#traffic();
      }
    }
    await this.store.settle();
  }

  #traffic(): Traffic {
    return new Traffic(this.store, this.store, this.random, this.#source);
  }

  /** What random traffic leaves out, or asks for seldom. */
  async #rare(): Promise<void> {
    const { store, random } = this;
    const accounts = [...store.catalog().accounts()];
    if (accounts.length === 0) return;
    const { id, row } = random.pick(accounts);
    const luck = random.int(100);
    if (luck < 15) {
      const value = random.chance(0.7) ? Buffer.from(`expunged=${1 + random.int(40)}`) : undefined;
      await store.setMetadata(id, 0, 'mstore/retention', value);
    } else if (luck < 35) await this.#purgeOne(id);
    else if (luck < 55) await this.#passTime(random.pick([8, 8, 95]));
    else if (luck < 62) await store.deleteAccount(id);
    else if (luck < 72) await store.restoreAccount(accounts.find((one) => one.row.deleted)?.id ?? id);
    else if (luck < 76) await this.#interrupt(id);
    else if (luck < 78) await this.#renameOften(id);
    else if (luck < 82) await this.#loseHistory();
    else if (luck < 90) await checkpoint(this.directory, this.options);
    else if (!row.deleted) await this.#restoreEvery(id);
  }

  /** Purges a deleted account, mostly after its mailboxes. */
  async #purgeOne(id: AccountId): Promise<void> {
    for (const mailbox of deletedMailboxes(this.store.catalog(), id)) {
      if (this.random.chance(0.9)) await this.store.purgeRetained(mailbox);
    }
    await this.store.purgeAccount(id);
  }

  async #restoreEvery(id: AccountId): Promise<void> {
    for (const mailbox of deletedMailboxes(this.store.catalog(), id)) await this.store.restoreMailbox(mailbox);
  }

  async #passTime(days: number): Promise<void> {
    this.machine.passMs(days * dayMs);
    this.#isOld ||= days > 90;
    if (this.random.chance(0.3)) return;
    const runner = new RetentionRunner(this.store, {
      settings: { expunged: 7, trash: 0, junk: 0, pop3: 0 },
      clock: this.machine.ports.clock,
      observer: {
        done: () => undefined,
        failed: (error) => {
          throw error;
        },
      },
    });
    await runner.run();
  }

  /** A deletion, or a return, of which the store is closed in the middle. */
  async #interrupt(id: AccountId): Promise<void> {
    const { store, random } = this;
    for (let n = 0; n < manyMailboxes; n += 10) {
      await Promise.all(Array.from({ length: 10 }, (_, at) => store.createMailbox(id, `many/${n + at}`)));
    }
    if (random.chance(0.5)) await store.deleteAccount(id);
    const asked = store.catalog().account(id)?.deleted === true ? store.restoreAccount(id) : store.deleteAccount(id);
    const ended = asked.catch(() => undefined);
    await this.reopen();
    await ended;
  }

  async #renameOften(id: AccountId): Promise<void> {
    const { mailbox } = await this.store.createMailbox(id, 'name');
    const names = Array.from({ length: manyNames }, (_, n) => `name ${n}`);
    await Promise.all(names.map((name) => this.store.renameMailbox(mailbox, name)));
  }

  async #loseHistory(): Promise<void> {
    await this.rebuild({ historyLost: true });
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await Store.open(this.directory, this.options);
  }

  async rebuild(options: RebuildOptions): Promise<void> {
    await this.store.close();
    const { damage } = await rebuild(this.directory, { ...this.options, ...options });
    assert.deepEqual(damage, []);
    this.store = await Store.open(this.directory, this.options);
  }

  async checkRebuilds(when: string): Promise<void> {
    await this.reopen();
    const before = told(dumpStore(this.store));
    for (const options of [{}, { full: true }, { full: true, contentFirst: true }]) {
      await this.rebuild(options);
      const how = `rebuilt ${JSON.stringify(options)} ${when}`;
      assert.deepEqual(difference(told(dumpStore(this.store)), before), [], how);
      await assertClean(this.store);
    }
  }

  /** A backup of now is this store again; the run may go on with it. */
  async checkBackup(when: string, goOn: boolean): Promise<void> {
    const n = ++this.#restores;
    await this.store.settle();
    const target = `/backup-${this.directory.slice(1)}`;
    await backup(this.directory, target, this.store, this.options);
    const before = kept(dumpStore(this.store));
    const directory = `/restored-${n}`;
    const report = await restoreStore(target, directory, this.options);
    assert.deepEqual([report.findings, report.rebuilt.damage], [[], []]);
    const store = await Store.open(directory, this.options);
    assert.deepEqual(difference(kept(dumpStore(store)), before), [], `restored ${when}`);
    await assertClean(store);
    if (!goOn) {
      await store.close();
      return;
    }
    await this.store.close();
    this.store = store;
    this.directory = directory;
  }

  async compact(): Promise<void> {
    const look = (): string[] =>
      this.#isOld ? withoutExpunges(seen(dumpStore(this.store))) : seen(dumpStore(this.store));
    const before = look();
    const report = await this.store.compact({ minGarbage: this.random.pick([0, 0, 0.3]), maxRate: 0 });
    assert.deepEqual(report.kept, []);
    this.retired += report.segments.length;
    await this.store.settle();
    assert.deepEqual(difference(look(), before), [], 'compacted');
    await assertClean(this.store);
  }
}

/** All but what a restore raises, forgets with it, or places anew. */
function kept(dump: readonly string[]): string[] {
  return withoutExpunges(told(dump))
    .filter((line) => !/^(?:state|segment) /.test(line))
    .map((line) => line.replace(/ (?:uidNext|highestModSeq|modSeqFloor)=\d+/g, ''));
}

/** Without the memory of expunges. */
function withoutExpunges(dump: readonly string[]): string[] {
  return dump
    .filter((line) => !/^due 07| expunged \d+ at /.test(line))
    .map((line) => line.replace(/ expungeFloor=\d+/, ''));
}

async function history(seed: number): Promise<number> {
  const life = await Life.begin(seed);
  const { random } = life;
  for (let round = 0; round < rounds; round++) {
    await life.work(30);
    if (random.chance(0.4)) await checkpoint(life.directory, life.options);
    if (random.chance(0.2)) await life.checkBackup(`before compaction ${round}`, random.chance(0.3));
    await life.compact();
    if (random.chance(0.3)) await checkpoint(life.directory, life.options);
    if (random.chance(0.2)) await life.checkBackup(`between retirement and unlink ${round}`, random.chance(0.3));
    if (random.chance(0.5)) await life.work(10);
    if (random.chance(0.7)) await life.store.dropRetired(true);
    if (random.chance(0.2)) await life.checkBackup(`behind the unlink ${round}`, random.chance(0.3));
    if (random.chance(0.6)) await life.checkRebuilds(`round ${round}`);
  }
  await life.compact();
  await life.store.dropRetired(true);
  await life.checkRebuilds('at the end');
  await life.checkBackup('at the end', false);
  await life.store.close();
  return life.retired;
}

test('what left sight, came back or went is the same behind every rebuild and restore of a compacted log', async (t: TestContext) => {
  const seeds = testSeeds(counts(6, 200));
  const segments = await sumOfRuns(seeds, history);
  t.diagnostic(`MSTORE_TEST_SEED=${seeds[0]}: ${segments} segments retired`);
  assert.ok(segments > 0);
});

test('ids that may have been given in lost history are not given behind a rebuild, when who bore those before is gone', async () => {
  const life = await Life.begin(2, 8_192);
  await life.store.createAccount('stays@example.org');
  for (let n = 0; n < 60; n++) {
    const { account } = await life.store.createAccount(`a${n}@example.org`);
    await life.store.deleteAccount(account);
    for (const mailbox of deletedMailboxes(life.store.catalog(), account)) await life.store.purgeRetained(mailbox);
    await life.store.purgeAccount(account);
  }
  await life.compact();
  assert.ok(life.retired > 0);
  await life.store.dropRetired(true);
  await life.rebuild({ historyLost: true });
  const { account, mailbox, message, thread, uidValidity } = life.store.catalog().state() ?? {};
  for (const contentFirst of [false, true]) {
    await life.rebuild({ full: true, contentFirst });
    const found = life.store.catalog().state();
    assert.deepEqual(
      [found?.account, found?.mailbox, found?.message, found?.thread, found?.uidValidity],
      [account, mailbox, message, thread, uidValidity],
    );
  }
  await assertClean(life.store);
  await life.store.close();
});

test('what was moved by compaction while it was out of sight comes back octet for octet, with its lines on top', async () => {
  const life = await Life.begin(2, 8_192);
  const { store, random } = life;
  const { account } = await store.createAccount('a@example.org');
  const source = new MessageSource(random.fork(), [100, 5_000, 9_000]);
  const all = Array.from({ length: 30 }, () => source.next());
  const { mailbox } = await store.createMailbox(account, 'x');
  const trace = Buffer.from('Return-Path: <a@example.org>\r\n');
  for (const octets of all) await store.deliver(await store.take(octets), [{ account, trace, mailbox: 'x' }]);
  await store.settle();
  const wanted = all.map((octets) => Buffer.concat([trace, octets]));
  const half = UidSet.range(1, 15);
  await store.expunge(mailbox, half, false);
  const old = [...store.catalog().retained(mailbox, half)].map(({ entry }) => entry.lsn);
  await store.deleteMailbox(mailbox);
  await life.compact();
  await life.store.dropRetired(true);
  const rows = [...store.catalog().retained(mailbox, half)];
  const moved = rows.filter(({ entry }, at) => entry.lsn !== old[at]);
  assert.ok(moved.length > 0, 'some were restated');
  for (const [at, { entry }] of rows.entries()) {
    assert.deepEqual(await (await store.open(entry)).whole(), wanted[at]);
    const octets = store.atHand(entry, { before: 3, behind: 2, bytesMax: 131_072 });
    if (octets !== undefined) assert.deepEqual(octets.subarray(3, -2), wanted[at]);
  }
  await store.restoreMailbox(mailbox);
  const { pairs } = await store.undelete(mailbox, half, mailbox);
  assert.deepEqual(
    pairs.map(([from, to]) => to - from),
    Array.from({ length: 15 }, () => 30),
  );
  await life.checkRebuilds('back');
  for (const entry of life.store.catalog().entries(mailbox)) {
    const octets = await (await life.store.open(entry)).whole();
    assert.deepEqual(octets, wanted[entry.uid > 30 ? entry.uid - 31 : entry.uid - 1]);
  }
  await life.store.close();
});
