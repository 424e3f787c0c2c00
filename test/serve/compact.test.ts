/** A service that has just compacted: files of retired segments lie about for a while, and nobody takes them for damage. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Store, UidSet } from '@mstore/store';
import { wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { Service } from '../support/service.ts';

const ann = 'ann@example.org';

test('fsck and doctor beside a service that has just compacted find nothing', async () => {
  await using service = await Service.start({ users: [ann], config: '[heap]\nsegmentBytes = "1M"\n' });
  const random = seededRandom(1);
  const deliver = async (): Promise<void> => {
    const message = Buffer.from(`Subject: s\r\n\r\n${wrapped(random.bytes(700_000), 76)}`);
    const [reply] = await service.deliver({ recipients: [ann], message });
    assert.equal(reply?.code, 250);
  };
  for (let n = 0; n < 5; n++) await deliver();
  await service.stop();
  const store = await Store.open(service.directory);
  const mailbox = [...store.catalog().allMailboxes()].find(({ row }) => row.messages === 5);
  assert.ok(mailbox !== undefined);
  await store.expunge(mailbox.id, UidSet.range(1, 4), false);
  await store.purge(mailbox.id, UidSet.range(1, 4));
  await store.close();
  await service.start();
  const files = await readdir(join(service.directory, 'heap'));
  const compacted = await service.mstore(['compact', '--min-garbage', '0.1']);
  assert.equal(compacted.code, 0, compacted.stderr);
  for (let round = 0; round < 2; round++) {
    for (const args of [['fsck'], ['fsck', '--quick'], ['doctor']]) {
      const { code, stdout, stderr } = await service.mstore(args);
      assert.equal(code, 0, `mstore ${args.join(' ')}: ${stdout}${stderr}`);
      assert.doesNotMatch(stdout, /no header lists|note:/);
    }
    // Segments begin whose headers do not list the retired ones any more.
    for (let n = 0; n < 3; n++) await deliver();
  }
  const left = await readdir(join(service.directory, 'heap'));
  assert.deepEqual(
    files.filter((name) => !left.includes(name)),
    [],
    'their files are there all the while',
  );
});
