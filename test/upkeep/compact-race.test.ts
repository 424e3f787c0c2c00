/**
 * A part is named anew while the last message that named it goes and compaction takes its segment: whichever comes first, what was
 * answered can be read.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountId, brandNumber, inbox, type MailboxId, type Placed, type Store, UidSet } from '@mstore/store';
import { counts } from '../support/long.ts';
import { multipart, wrapped } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { assertClean, simStore, type TempStore, tempStore } from '../support/temp-store.ts';

interface Held {
  readonly placed: Placed;
  readonly octets: Buffer;
}

/** Delivers a message and, beside it, removes the one before and compacts, in any order. */
class Race {
  readonly #temp: TempStore;
  readonly #random: Random;
  readonly #account: AccountId;
  readonly #contents: readonly Buffer[];
  #last: Held | undefined;
  #subject = 0;

  constructor(temp: TempStore, random: Random, account: AccountId, contentBytes: number) {
    this.#temp = temp;
    this.#random = random;
    this.#account = account;
    this.#contents = [random.bytes(contentBytes), random.bytes(contentBytes)];
  }

  get store(): Store {
    return this.#temp.store;
  }

  async round(): Promise<void> {
    const before = this.#last;
    const works = [() => this.#deliver(), () => this.#remove(before), () => this.#compact()];
    const order = works.map((work) => ({ work, at: this.#random.next() })).sort((a, b) => a.at - b.at);
    await Promise.all(
      order.map(async ({ work }) => {
        for (let turns = this.#random.int(6); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
        await work();
      }),
    );
    await this.#read();
  }

  async #deliver(): Promise<void> {
    const content = this.#random.chance(0.8) ? this.#contents[0] : this.#contents[1];
    assert.ok(content !== undefined);
    const columns = this.#random.pick([60, 72, 76]);
    const body = { encoding: 'base64', body: wrapped(content, columns) };
    const octets = multipart([`Subject: ${this.#subject++}`], 'text', [body]);
    const message = await this.store.take(octets);
    for (let turns = this.#random.int(6); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    const [result] = await this.store.deliver(message, [{ account: this.#account, trace: Buffer.alloc(0) }]);
    assert.ok(result?.ok === true, result?.ok === false ? result.message : 'no result');
    this.#last = { placed: result.placed, octets };
  }

  async #remove(held: Held | undefined): Promise<void> {
    if (held === undefined) return;
    const { mailbox, uid } = held.placed;
    await this.store.expunge(mailbox, UidSet.range(uid, uid), false);
    await this.store.purge(mailbox, UidSet.range(uid, uid));
  }

  async #compact(): Promise<void> {
    await this.store.compact({ minGarbage: this.#random.pick([0, 0.1, 0.4]), maxRate: 0 });
    await this.store.dropRetired(true);
  }

  async #read(): Promise<void> {
    const held = this.#last;
    assert.ok(held !== undefined);
    const entry = this.store.catalog().entry(brandNumber<MailboxId>(held.placed.mailbox), held.placed.uid);
    assert.ok(entry !== undefined);
    assert.ok((await (await this.store.open(entry)).whole()).equals(held.octets), 'its octets are those delivered');
  }
}

async function race(temp: TempStore, random: Random, rounds: number, contentBytes: number): Promise<void> {
  const { account } = await temp.store.createAccount('a@example.org');
  assert.ok(temp.store.catalog().mailboxNamed(account, inbox) !== undefined);
  const one = new Race(temp, random, account, contentBytes);
  for (let n = 0; n < rounds; n++) {
    await one.round();
    if (n % 200 === 199) await assertClean(temp.store);
  }
  await temp.rebuild();
}

test('a part that is named anew while it goes and its segment is compacted is never lost', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using temp = await simStore({ segmentBytes: 16_384 }, { seed });
  await race(temp, random, counts(400, 10_000), 5_000);
});

test('so it is on a real disk, and with parts in chunks that go ahead of their message', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using temp = await tempStore({ segmentBytes: 1_048_576 });
  await race(temp, random, counts(12, 300), 4_600_000);
});
