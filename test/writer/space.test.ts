/** A disk that fills up: what is taken at which level, who may use the reserve, and how everything comes back by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AccountId,
  createStore,
  flag,
  limits,
  type MailboxId,
  Store,
  StoreError,
  type StoreNotice,
  type StoreOptions,
  UidSet,
} from '@mstore/store';
import { SimMachine, simDirectory } from '../support/sim-machine.ts';
import { assertClean } from '../support/temp-store.ts';

const megabyte = 2 ** 20;
const full = { code: 'diskFull' };
const marks = { newMailBytes: 200 * megabyte, changesBytes: 100 * megabyte, reserveBytes: 4 * megabyte };

/** A store on a disk whose free octets a test sets; what the reserve holds is taken from them. */
class Site {
  readonly machine = new SimMachine();
  readonly told: StoreNotice[] = [];
  readonly options: StoreOptions;
  freeBytes = 1_000 * megabyte;
  #store: Store | undefined;
  #account: AccountId | undefined;

  constructor() {
    const space = async () => {
      return { totalBytes: 10_000 * megabyte, freeBytes: this.freeBytes - (await this.reserveOnDisk()) };
    };
    const ports = { ...this.machine.ports, space };
    this.options = { ports, idleCommitMs: 0, space: marks, tell: (notice) => void this.told.push(notice) };
  }

  static async make(): Promise<Site> {
    const site = new Site();
    await createStore(simDirectory, site.options);
    site.#store = await Store.open(simDirectory, site.options);
    site.#account = (await site.store.createAccount('ann@example.org')).account;
    return site;
  }

  get store(): Store {
    assert.ok(this.#store);
    return this.#store;
  }

  get inbox(): MailboxId {
    assert.ok(this.#account);
    const mailbox = this.store.catalog().mailboxNamed(this.#account, 'INBOX');
    assert.ok(mailbox);
    return mailbox.id;
  }

  async reserveOnDisk(): Promise<number> {
    const names = await this.machine.disk.list(simDirectory);
    return names.includes('reserve') ? this.machine.disk.contents(`${simDirectory}/reserve`).length : 0;
  }

  /** Sets what is free, and lets the writer see it. */
  async free(bytes: number): Promise<void> {
    this.freeBytes = bytes;
    this.machine.passMs(limits.roomStaleMs + 1);
    await this.store.look();
  }

  async deliver(): Promise<void> {
    assert.ok(this.#account);
    const message = await this.store.take(Buffer.from('Subject: x\r\n\r\n'));
    const [result] = await this.store.deliver(message, [{ account: this.#account, trace: Buffer.alloc(0) }]);
    assert.ok(result?.ok);
  }

  levels(): string[] {
    return this.told.flatMap((notice) => (notice.kind === 'space' ? [notice.level] : []));
  }

  reserves(): string[] {
    return this.told.flatMap((notice) => (notice.kind === 'reserve' ? [notice.state] : []));
  }

  async done(): Promise<void> {
    await this.store.settle();
    await assertClean(this.store);
    await this.store.close();
  }
}

const uids = (first: number, last = first): UidSet => UidSet.range(first, last);

test('below the first mark new mail alone is refused, and above it mail is taken again', async () => {
  const site = await Site.make();
  const { store } = site;
  for (let n = 0; n < 4; n++) await site.deliver();
  await site.free(150 * megabyte);
  assert.equal(store.health.space, 'noNewMail');
  await assert.rejects(site.deliver(), full);
  const request = { mailbox: site.inbox, mode: 'add', flags: flag.seen, keywords: [] } as const;
  assert.equal((await store.setFlags({ ...request, uids: uids(1, 4) })).changed.size, 4);
  assert.equal((await store.expunge(site.inbox, uids(1), false)).expunged.size, 1);
  const { mailbox } = await store.createMailbox(store.catalog().mailbox(site.inbox)?.account ?? assert.fail(), 'kept');
  await store.move(site.inbox, uids(2), mailbox);
  await store.copy(site.inbox, uids(3), mailbox);
  await site.free(1_000 * megabyte);
  await site.deliver();
  assert.deepEqual(site.levels(), ['noNewMail', 'ok']);
  await site.done();
});

test('below the second mark every change is refused but purge, which has the reserve, and all comes back by itself', async () => {
  const site = await Site.make();
  const { store } = site;
  for (let n = 0; n < 4; n++) await site.deliver();
  await store.expunge(site.inbox, uids(1, 2), false);
  await store.look();
  assert.equal(await site.reserveOnDisk(), marks.reserveBytes);
  await site.free(90 * megabyte);
  assert.equal(store.health.space, 'readOnly');
  const request = { mailbox: site.inbox, mode: 'add', flags: flag.seen, keywords: [], uids: uids(3) } as const;
  await assert.rejects(site.deliver(), full);
  await assert.rejects(store.setFlags(request), full);
  await assert.rejects(store.expunge(site.inbox, uids(3), false), full);
  await assert.rejects(store.createAccount('bob@example.org'), full);
  assert.deepEqual(site.reserves(), ['whole']);
  assert.equal(await store.purge(site.inbox, uids(1)), 1);
  await store.look();
  assert.equal(await site.reserveOnDisk(), 0);
  assert.deepEqual(site.reserves(), ['whole', 'released']);
  // What came free by that is the reserve's, not everybody's.
  assert.equal(store.health.space, 'readOnly');
  await assert.rejects(store.setFlags(request), full);
  assert.equal(await store.purge(site.inbox, uids(2)), 1);
  await site.free(150 * megabyte);
  assert.equal((await store.setFlags(request)).changed.size, 1);
  await assert.rejects(site.deliver(), full);
  await site.free(1_000 * megabyte);
  await site.deliver();
  await store.look();
  assert.equal(await site.reserveOnDisk(), marks.reserveBytes);
  assert.deepEqual(site.reserves(), ['whole', 'released', 'whole']);
  assert.deepEqual(site.levels(), ['readOnly', 'noNewMail', 'ok']);
  await site.done();
});

test('on the last octets even purge is refused, so that the catalog can still be written', async () => {
  const site = await Site.make();
  await site.deliver();
  await site.store.expunge(site.inbox, uids(1), false);
  await site.free(limits.lastFreeBytes - 1 - (await site.reserveOnDisk()));
  await assert.rejects(site.store.purge(site.inbox, uids(1)), full);
  await site.free(1_000 * megabyte);
  assert.equal(await site.store.purge(site.inbox, uids(1)), 1);
  await site.done();
});

test('a stop on a full disk is a clean one', async () => {
  const site = await Site.make();
  await site.deliver();
  await site.free(0);
  await site.store.close();
  const next = await Store.open(simDirectory, site.options);
  assert.equal(next.heap.report.voidBytes, 0);
  assert.equal(next.catalog().state()?.totals.entries, 1);
  await assertClean(next);
  await next.close();
});

test('a store that cannot recover for want of space gets the reserve for it', async () => {
  const site = await Site.make();
  await site.deliver();
  await site.store.settle();
  await site.store.look();
  assert.equal(await site.reserveOnDisk(), marks.reserveBytes);
  await site.store.close();
  // A disk that takes no page of a catalog as long as the reserve is there.
  let isReserved = true;
  const noPage = new StoreError('diskFull', 'catalog commit failed: ENOSPC');
  const { ports } = site.machine.kill({ kv: { failWrite: () => (isReserved ? noPage : undefined) } });
  const unlink = async (path: string): Promise<void> => {
    await ports.fs.unlink(path);
    if (path.endsWith('/reserve')) isReserved = false;
  };
  const options = { ...site.options, ports: { ...ports, fs: { ...ports.fs, unlink } }, newCatalog: true };
  const store = await Store.open(simDirectory, options);
  assert.deepEqual(site.reserves(), ['whole', 'released']);
  assert.equal(store.catalog().state()?.totals.entries, 1);
  await assertClean(store);
  await store.close();
});
