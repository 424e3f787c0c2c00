import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AskedClaims, MemoryClaims } from './claims.ts';
import { Crew } from './crew.ts';
import { Company, HandClock } from './support.test.ts';

test('a name belongs to the first for its time, unless it is given back', async () => {
  const clock = new HandClock();
  const claims = new MemoryClaims(clock);
  assert.deepEqual([await claims.claim('a', 1_000), await claims.claim('a', 1_000)], [true, false]);
  assert.equal(await claims.claim('b', 1_000), true);
  await clock.advance(999);
  assert.equal(await claims.claim('a', 1_000), false);
  await clock.advance(1);
  assert.equal(await claims.claim('a', 1_000), true);
  await claims.release('a');
  assert.equal(await claims.claim('a', 1_000), true);
});

test('claims that are over are forgotten, and the oldest where there are too many', async () => {
  const clock = new HandClock();
  const claims = new MemoryClaims(clock, 3);
  for (const name of ['a', 'b', 'c', 'd']) await claims.claim(name, 1_000);
  assert.equal(claims.size, 3);
  assert.equal(await claims.claim('a', 1_000), true);
  await clock.advance(1_000);
  await claims.claim('e', 1_000);
  assert.equal(claims.size, 1);
});

test('of several processes that claim a name at the same instant, one gets it, and it outlives that one', async () => {
  const clock = new HandClock();
  const company = new Company(new Crew(new MemoryClaims(clock)));
  const all = [1, 2, 3, 4].map((pid) => new AskedClaims(company.enter(pid)));
  const won = await Promise.all(all.map((claims) => claims.claim('login 7', 60_000)));
  assert.equal(won.filter((mine) => mine).length, 1);
  company.leave(won.indexOf(true) + 1);
  const late = new AskedClaims(company.enter(5));
  assert.equal(await late.claim('login 7', 60_000), false);
  await late.release('login 7');
  assert.equal(await late.claim('login 7', 60_000), true);
});
