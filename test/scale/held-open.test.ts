/**
 * A store in which mail comes and goes for good, while POP3 sessions stay open that have seen some of it: neither heap nor catalog may
 * grow with what went.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LmtpClient } from '../support/lmtp-client.ts';
import { counts } from '../support/long.ts';
import { Pop3Client } from '../support/pop3-client.ts';
import { commonPassword, Service } from '../support/service.ts';
import { until } from '../support/service-life.ts';

const user = 'ann@example.org';
const segmentBytes = 2 ** 20;
const config = `
[heap]
segmentBytes = ${segmentBytes}
[compaction]
garbage = 0.05
keep = 1
idle = 1
[retention]
expunged = 0
`;

const rounds = counts(4, 60);
const messages = counts(100, 400);

function heapBytes({ directory }: Service): number {
  const names = readdirSync(join(directory, 'heap'));
  return names.reduce((sum, name) => sum + statSync(join(directory, 'heap', name)).size, 0);
}

/** Octets of LMDB's file, which never shrinks. */
function catalogBytes({ directory }: Service): number {
  const generation = readFileSync(join(directory, 'catalog/CURRENT'), 'latin1').trim();
  return statSync(join(directory, 'catalog', generation, 'data.mdb')).blocks * 512;
}

/** Octets that do not get smaller. */
function letter(n: number): Buffer {
  const body = randomBytes(6_000).toString('base64').replace(/.{76}/g, '$&\r\n');
  return Buffer.from(
    `From: b@example.net\r\nSubject: letter ${n}\r\nMessage-ID: <${n}@example.net>\r\n\r\n${body}\r\n`,
  );
}

/** Some messages come; somebody fetches and deletes all but the first. */
async function comeAndGo(service: Service, round: number): Promise<void> {
  const lmtp = await LmtpClient.connect(service.tcp('lmtp'));
  for (let n = 0; n < messages; n += 1) {
    const [reply] = await lmtp.deliver({ message: letter(round * messages + n), recipients: [user] });
    assert.equal(reply?.code, 250);
  }
  await lmtp.quit();
  lmtp.wire.close();
  const pop3 = await Pop3Client.login(service.tcp('pop3'), user, commonPassword);
  const numbers = [...(await pop3.listing('LIST')).keys()];
  assert.ok(numbers.length > messages - 1);
  for (const number of numbers) {
    if (number === 1) continue;
    await pop3.blockOf(`RETR ${number}`);
    await pop3.command(`DELE ${number}`);
  }
  await pop3.quit();
}

test('POP3 sessions that stay open make neither heap nor catalog grow with mail that comes and goes', async (t) => {
  await using service = await Service.start({ users: [user], config });
  const kept = letter(-1);
  await service.deliver({ message: kept, recipients: [user] });
  const held: Pop3Client[] = [];
  const catalogs: number[] = [];
  const heaps: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Each has seen the mail of a round that goes while it stays.
    held.push(await Pop3Client.login(service.tcp('pop3'), user, commonPassword));
    await comeAndGo(service, round);
    for (const command of ['purge --user ann@example.org --now', 'compact --min-garbage 0.05']) {
      const { code, stderr } = await service.mstore(command.split(' '));
      assert.equal(code, 0, stderr);
    }
    await until('the files of retired segments go', () => heapBytes(service) < 3 * segmentBytes);
    for (const session of held) await session.command('NOOP');
    catalogs.push(catalogBytes(service));
    heaps.push(heapBytes(service));
  }
  const text = (sizes: readonly number[]): string => sizes.map((size) => (size / 1_024).toFixed(0)).join(' ');
  t.diagnostic(`KiB of heap: ${text(heaps)}; of catalog: ${text(catalogs)}`);
  const early = Math.max(...catalogs.slice(0, rounds / 2));
  const late = Math.max(...catalogs);
  assert.ok(late <= early * 1.25, `the catalog grows: ${text(catalogs)}`);
  for (const session of held) {
    assert.ok((await session.blockOf('RETR 1')).includes(kept));
    await session.quit();
  }
});
