/** Retention in a running service: what left sight a week ago is purged without anybody asking, and the log says so. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { machinePorts, Store, UidSet } from '@mstore/store';
import { repositoryRoot } from '../support/repository.ts';
import { ServedStore, until } from './service.ts';

const program = join(repositoryRoot, 'packages/cli/dist/main.js');
const daysMs = 8 * 86_400_000;

test('a service purges by itself what was expunged long enough ago', async () => {
  await using store = await ServedStore.make();
  const { clock } = machinePorts;
  // A writer of last week.
  const before = await Store.open(store.directory, {
    ports: { ...machinePorts, clock: { now: () => clock.now() - daysMs, monotonic: () => clock.monotonic() } },
  });
  const { account } = await before.createAccount('ann@example.org');
  const inbox = before.catalog().mailboxNamed(account, 'INBOX');
  assert.ok(inbox !== undefined);
  for (const text of ['one', 'two']) {
    const message = await before.take(Buffer.from(`Subject: ${text}\r\n\r\n${text}\r\n`));
    await before.append(inbox.id, [{ message, flags: 0, keywords: [] }]);
  }
  await before.expunge(inbox.id, UidSet.of([1]), false);
  await before.close();
  const listen = ['lmtp', 'pop3'].flatMap((name) => ['--listen', `${name}=127.0.0.1:0`]);
  const service = store.start([program, 'serve', '--data', store.directory, ...listen]);
  await service.ready();
  const [line] = await until('a run of retention', () => {
    const lines = service.logged('retention ended');
    return lines.length > 0 ? lines : undefined;
  });
  assert.equal(line?.messages, 1);
  service.child.kill('SIGTERM');
  assert.equal(await service.exit(), 0);
  const after = await Store.open(store.directory);
  assert.deepEqual([...after.catalog().retained(inbox.id)], []);
  assert.equal(after.catalog().mailbox(inbox.id)?.messages, 1);
  await after.close();
});
