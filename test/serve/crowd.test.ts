/**
 * Twenty sessions on one mailbox of a running service: one searches all bodies again and again, one stores flags, one expunges, mail
 * comes by LMTP. The others get their turns meanwhile, and what each was told is what is there.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sortedFlags } from '../imap/flag-truth.ts';
import { Mirror } from '../imap/mirror.ts';
import { ImapClient, multiply } from '../support/imap-client.ts';
import { LmtpClient } from '../support/lmtp-client.ts';
import { counts } from '../support/long.ts';
import { MessageSource } from '../support/messages.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { commonPassword, Service } from '../support/service.ts';

const user = 'ann@example.org';
const messages = counts(1_000, 10_000);
const distinct = 50;
const lookers = 17;
const lastsMs = counts(2_000, 20_000);
/** ms between what a session asks. */
const pauseMs = 10;

class Crowd {
  readonly service: Service;
  readonly #random: Random;
  readonly mirrors: Mirror[] = [];
  readonly source: MessageSource;
  #until = 0;
  /** ms that each NOOP of a looker took. */
  readonly waits: number[] = [];
  deliveries = 0;
  searches = 0;

  constructor(service: Service, random: Random) {
    this.service = service;
    this.#random = random;
    this.source = new MessageSource(random);
  }

  async enter(): Promise<Mirror> {
    const mirror = new Mirror(await ImapClient.logIn(this.service.tcp('imap'), user, commonPassword));
    assert.match(await mirror.ask('SELECT INBOX'), /^OK/);
    this.mirrors.push(mirror);
    return mirror;
  }

  async act(): Promise<void> {
    this.#until = performance.now() + lastsMs;
    const [searching, storing, expunging, ...looking] = this.mirrors;
    assert.ok(searching && storing && expunging);
    await Promise.all([
      this.#repeat(() => this.#search(searching)),
      this.#repeat(() => this.#store(storing)),
      this.#repeat(() => this.#expunge(expunging)),
      this.#deliver(),
      ...looking.map((mirror) => this.#repeat(() => this.#look(mirror))),
    ]);
  }

  async #repeat(act: () => Promise<void>): Promise<void> {
    while (performance.now() < this.#until) {
      await act();
      await sleep(pauseMs);
    }
  }

  async #search(mirror: Mirror): Promise<void> {
    assert.match(await mirror.ask('SEARCH BODY nosuch'), /^OK/);
    this.searches += 1;
  }

  async #store(mirror: Mirror): Promise<void> {
    const first = 1 + this.#random.int(mirror.count);
    const flags = this.#random.pick(['+FLAGS (\\Flagged)', '-FLAGS (\\Flagged $Word)', '+FLAGS.SILENT ($Word \\Seen)']);
    assert.match(
      await mirror.ask(`STORE ${first}:${Math.min(first + 50, mirror.count)} ${flags}`),
      /^OK|EXPUNGEISSUED/,
    );
  }

  async #expunge(mirror: Mirror): Promise<void> {
    const some = 1 + this.#random.int(mirror.count);
    assert.match(await mirror.ask(`STORE ${some} +FLAGS (\\Deleted)`), /^OK|EXPUNGEISSUED/);
    assert.match(await mirror.ask('EXPUNGE'), /^OK/);
  }

  async #look(mirror: Mirror): Promise<void> {
    const start = performance.now();
    assert.match(await mirror.ask('NOOP'), /^OK/);
    this.waits.push(performance.now() - start);
  }

  async #deliver(): Promise<void> {
    const lmtp = await LmtpClient.connect(this.service.tcp('lmtp'));
    await this.#repeat(async () => {
      const [reply] = await lmtp.deliver({ message: this.source.next(), recipients: [user] });
      assert.equal(reply?.code, 250);
      this.deliveries += 1;
    });
    await lmtp.quit();
    lmtp.wire.close();
  }
}

/** Flags by UID, as somebody is told who comes now. */
async function truth(service: Service): Promise<ReadonlyMap<number, string>> {
  const client = await ImapClient.logIn(service.tcp('imap'), user, commonPassword);
  await client.ok('SELECT INBOX');
  const found = new Map<number, string>();
  for (const line of await client.ok('FETCH 1:* (UID FLAGS)')) {
    const [, uid, flags = ''] = /UID (\d+) FLAGS \(([^)]*)\)/.exec(line) ?? [];
    if (uid !== undefined) found.set(Number(uid), sortedFlags(flags));
  }
  client.close();
  return found;
}

test(`twenty sessions on a mailbox of ${messages} messages`, async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  await using service = await Service.start({ users: [user] });
  const crowd = new Crowd(service, seededRandom(seed));
  for (let at = 0; at < distinct; at += 1) {
    const [reply] = await service.deliver({ message: crowd.source.next(), recipients: [user] });
    assert.equal(reply?.code, 250);
  }
  const first = await crowd.enter();
  await multiply(first.client, distinct, messages);
  assert.match(await first.ask('SELECT INBOX'), /^OK/);
  while (crowd.mirrors.length < lookers + 3) await crowd.enter();
  await crowd.act();
  const waits = crowd.waits.sort((a, b) => a - b);
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? 0;
  t.diagnostic(
    `${crowd.searches} searches, ${crowd.deliveries} deliveries; 99 % of ${waits.length} NOOPs in ${p99.toFixed(1)} ms`,
  );
  assert.ok(crowd.searches > 0 && crowd.deliveries > 0 && waits.length > lookers);
  const there = await truth(service);
  for (const mirror of crowd.mirrors) {
    await mirror.ask('NOOP');
    mirror.assertIs(there);
    await mirror.ask('FETCH 1:* (UID FLAGS)');
    mirror.assertIs(there);
    mirror.client.close();
  }
});
