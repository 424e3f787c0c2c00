import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionCounter, type TooMany } from './connection-counter.ts';
import { Company, until } from './support.test.ts';

/** Why a connection would be refused; nothing stays of the attempt. */
function refusal(counter: ConnectionCounter, address: string): TooMany | undefined {
  const why = counter.enter(address);
  if (why === undefined) counter.leave(address);
  return why;
}

test('an address has its own limit, a /64 counts as one, and loopback has none', () => {
  const counter = new ConnectionCounter(100, 2);
  assert.equal(counter.enter('192.0.2.1'), undefined);
  assert.equal(counter.enter('192.0.2.1'), undefined);
  assert.equal(counter.enter('192.0.2.1'), 'tooManyFromAddress');
  assert.equal(counter.enter('192.0.2.2'), undefined);
  counter.leave('192.0.2.1');
  assert.equal(counter.enter('192.0.2.1'), undefined);
  assert.equal(counter.enter('2001:db8::1'), undefined);
  assert.equal(counter.enter('2001:db8::2'), undefined);
  assert.equal(counter.enter('2001:db8::3'), 'tooManyFromAddress');
  for (const local of ['127.0.0.1', '::1', '', '127.0.0.1', '::1', '']) assert.equal(counter.enter(local), undefined);
  assert.equal(counter.open, 11);
});

test('processes under one supervisor share the limits, and a place that one gives up is free for all', async () => {
  const company = new Company();
  const [one, two] = [1, 2].map((pid) => new ConnectionCounter(5, 2, company.enter(pid)));
  assert.ok(one !== undefined && two !== undefined);
  assert.equal(one.enter('192.0.2.1'), undefined);
  assert.equal(two.enter('192.0.2.1'), undefined);
  await until(() => refusal(one, '192.0.2.1') === 'tooManyFromAddress', 'the first knows of the second');
  await until(() => refusal(two, '192.0.2.1') === 'tooManyFromAddress', 'the second knows of the first');
  for (let count = 0; count < 3; count += 1) assert.equal(one.enter('127.0.0.1'), undefined);
  await until(() => refusal(two, '127.0.0.1') === 'tooMany', 'the second knows of all');
  assert.deepEqual([one.open, two.open], [4, 1]);
  one.leave('192.0.2.1');
  await until(() => two.enter('192.0.2.1') === undefined, 'a place is free');
});

test('who joins late learns what others have, and what one had that is gone counts no more', async () => {
  const company = new Company();
  const one = new ConnectionCounter(2, 100, company.enter(1));
  const two = new ConnectionCounter(2, 100, company.enter(2));
  assert.deepEqual([one.enter(''), one.enter('192.0.2.1')], [undefined, undefined]);
  await until(() => refusal(two, '') === 'tooMany', 'the second knows of the first');
  const three = new ConnectionCounter(2, 100, company.enter(3));
  await until(() => refusal(three, '') === 'tooMany', 'the third knows of the first');
  company.leave(1);
  assert.deepEqual([refusal(two, ''), refusal(three, '')], [undefined, undefined]);
});
