/** The scrub of a service that runs: damage is found in the background, told, kept, and repaired when the service has stopped. */
import assert from 'node:assert/strict';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { seededRandom } from '../support/random.ts';
import { Service } from '../support/service.ts';
import { until } from './service.ts';

const ann = 'ann@example.org';

test('a service finds damage by itself, says whose mail it is, and goes on serving the rest', async () => {
  await using service = await Service.start({ users: [ann] });
  for (const n of [1, 2]) {
    const body = seededRandom(n).bytes(6_000).toString('hex').replace(/.{70}/g, '$&\r\n');
    const [reply] = await service.deliver({
      recipients: [ann],
      message: Buffer.from(`Subject: ${n}\r\n\r\n${body}\r\n`),
    });
    assert.equal(reply?.code, 250);
  }
  await until('the first pass', () => service.log.includes('"scrubbed"'));
  await service.stop();
  const none = await service.mstore(['scrub']);
  assert.deepEqual([none.code, /nothing is wrong/.test(none.stdout)], [0, true]);

  await rm(join(service.directory, 'lost+found', 'scrub.json'));
  const file = await open(join(service.directory, 'heap', '0000000000000001.seg'), 'r+');
  const octets = await file.readFile();
  await file.write(Buffer.from('gone'), 0, 4, octets.indexOf('mREC\x01', 0, 'latin1') + 200);
  await file.close();
  await service.start();
  await until('the finding', () => service.log.includes('damage found'));
  assert.match(service.log, /ann@example\.org, INBOX: UID 1/);
  const told = await until('the kept finding', async () => {
    const ran = await service.mstore(['scrub']);
    return ran.code === 1 ? ran : undefined;
  });
  assert.match(told.stdout, /^badChecksum: segment 1, offset \d+ .*PART.*\n {4}ann@example\.org, INBOX: UID 1$/m);
  const doctor = await service.mstore(['doctor']);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /^!! {2}scrub: 1 finding/m);
  const [reply] = await service.deliver({ recipients: [ann], message: Buffer.from('Subject: 3\r\n\r\nnew\r\n') });
  assert.equal(reply?.code, 250);
  assert.equal((await service.mstore(['fsck', '--repair'])).code, 75, 'not beside the writer');

  await service.stop();
  const repaired = await service.mstore(['fsck', '--repair']);
  assert.equal(repaired.code, 0, repaired.stdout + repaired.stderr);
  await service.start();
  const subjects = (await service.maildrop(ann)).map(
    (message) => /^Subject: (\d)/m.exec(message.toString('latin1'))?.[1],
  );
  assert.deepEqual(subjects, ['2', '3', '1']);
});
