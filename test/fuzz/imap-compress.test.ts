/** Peers that compress, and get that wrong: whatever comes, the daemon goes on serving the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { constants, deflateRawSync } from 'node:zlib';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { keptSince, liveBytes } from '../support/live-bytes.ts';
import { counts } from '../support/long.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';

const user = 'ann@example.org';

/** Octets that may stay behind any number of sessions: caches, not sessions. */
const keptBytesMax = 32 * 2 ** 20;

const commands = [
  'a SELECT INBOX',
  'b FETCH 1 (FLAGS BODY.PEEK[])',
  `c APPEND INBOX {5000+}\r\n${'x'.repeat(5_000)}`,
  'd IDLE\r\nDONE',
  'e COMPRESS DEFLATE',
  'f NOOP',
  'g LOGOUT',
];

/** Commands as a peer compresses them, with some octets changed, doubled or missing. */
function spoilt(random: Random): Buffer {
  const some = Array.from({ length: 1 + random.int(8) }, () => `${random.pick(commands)}\r\n`).join('');
  let octets: Buffer = deflateRawSync(some, random.chance(0.8) ? { finishFlush: constants.Z_SYNC_FLUSH } : {});
  for (let changes = random.int(4); changes > 0; changes -= 1) {
    const at = random.int(octets.length);
    const rest = octets.subarray(at + random.int(3));
    octets = Buffer.concat([octets.subarray(0, at), random.bytes(random.int(4)), rest]);
  }
  return octets;
}

test('streams with anything changed in them end their own session at most', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  await daemons.deliver(user, Buffer.from('Subject: one\r\n\r\nA body.\r\n'));
  const before = liveBytes();
  for (let round = 0; round < counts(60, 2_000); round += 1) {
    const client = await ImapClient.logIn(daemons.address('imap'), user);
    await client.compress();
    client.sendBelow(spoilt(random));
    for (let turns = random.int(10); turns > 0; turns -= 1) await turn();
    client.close();
  }
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.compress();
  await client.ok('SELECT INBOX');
  client.close();
  const kept = await keptSince(before, keptBytesMax);
  assert.ok(kept < keptBytesMax, `${Math.round(kept / 1_024)} KiB stay behind`);
});
