/** A site of many accounts: import, start, delivery and login work as with few. Rates are told, not judged (docs/testing.md). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counts } from '../support/long.ts';
import { addressOf, fillMany, importMany, manyPassword } from '../support/many-accounts.ts';
import { seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { Service } from '../support/service.ts';

const accounts = counts(500, 100_000);
const messages = counts(3, 10);

test(`a service of ${accounts} accounts with ${messages} messages each starts, delivers and is read`, async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using service = await Service.prepare();
  const rate = await importMany(service.administration, accounts);
  t.diagnostic(`${Math.round(rate)} users imported a second`);
  await fillMany(service.directory, accounts, messages);
  const start = performance.now();
  await service.start();
  t.diagnostic(`ready after ${Math.round(performance.now() - start)} ms`);
  const chosen = new Set(Array.from({ length: 20 }, () => addressOf(1 + random.int(accounts))));
  const message = Buffer.from('Subject: one more\r\n\r\nA line.\r\n');
  const replies = await service.deliver({ message, recipients: [...chosen] });
  assert.deepEqual(new Set(replies.map(({ code }) => code)), new Set([250]));
  for (const address of chosen) {
    const maildrop = await service.maildrop(address, manyPassword);
    assert.equal(maildrop.length, messages + 1);
    assert.match(String(maildrop[messages]), /\r\nSubject: one more\r\n\r\nA line\.\r\n$/);
  }
});
