/**
 * Several sessions on one mailbox that others deliver to, expunge from, move from and set flags in: what each session was told adds
 * up to what is there, message by message, at any time it looks (RFC 9051 §7.4.1, §7.5.1).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UidSet } from '@mstore/store';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { counts } from '../support/long.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { truthOf } from './flag-truth.ts';
import { Mirror } from './mirror.ts';

const user = 'ann@example.org';

/** Something that a session does. */
function someCommand(random: Random, count: number): string {
  const one = (): string => `${1 + random.int(Math.max(count, 1))}`;
  const set = random.pick([one(), `${one()}:*`, '1:*', '*', `${one()},${one()}`]);
  const flags = random.pick(['\\Seen', '\\Deleted', '\\Flagged $Label', '$Junk', `k${random.int(200)}`, '']);
  const silent = random.chance(0.5) ? '.SILENT' : '';
  const mode = random.pick(['+', '-', '']);
  return random.pick([
    'NOOP',
    'NOOP',
    `STORE ${set} ${mode}FLAGS${silent} (${flags})`,
    `UID STORE ${set} ${mode}FLAGS${silent} (${flags})`,
    `FETCH ${set} (UID FLAGS)`,
    `UID FETCH ${set} FLAGS`,
    `FETCH ${set} BODY[TEXT]`,
    'EXPUNGE',
    `UID EXPUNGE ${set}`,
    `COPY ${set} INBOX`,
    `UID MOVE ${set} Archive`,
    `MOVE ${one()} INBOX`,
    'CHECK',
  ]);
}

async function deliver(daemons: Daemons): Promise<void> {
  await daemons.deliver(user, Buffer.from('Subject: x\r\n\r\nbody\r\n'));
}

test('whatever several sessions do to one mailbox, what each was told is what is there', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  for (let at = 0; at < 5; at += 1) await deliver(daemons);
  const mirrors: Mirror[] = [];
  for (let at = 0; at < 3; at += 1) {
    const mirror = new Mirror(await ImapClient.logIn(daemons.address('imap'), user));
    assert.match(await mirror.ask('SELECT INBOX'), /^OK/);
    mirrors.push(mirror);
  }
  for (let round = 0; round < counts(300, 5_000); round += 1) {
    const mirror = random.pick(mirrors);
    if (random.chance(0.15)) await deliver(daemons);
    else if (random.chance(0.05)) {
      await daemons.store.expunge(await daemons.mailbox(user), UidSet.of([1 + random.int(round + 5)]), false);
    } else if (mirror.count === 0) await mirror.ask('NOOP');
    else {
      const command = someCommand(random, mirror.count);
      assert.match(await mirror.ask(command), /^(?:OK|NO \[EXPUNGEISSUED\])/, command);
    }
    if (!random.chance(0.2)) continue;
    const truth = await truthOf(daemons, user);
    for (const looking of mirrors) {
      await looking.ask('NOOP');
      looking.assertIs(truth);
    }
  }
  for (const { client } of mirrors) client.close();
});

test('sessions that act at the same time see the same in the end', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  for (let at = 0; at < 20; at += 1) await deliver(daemons);
  const act = async (): Promise<Mirror> => {
    const mirror = new Mirror(await ImapClient.logIn(daemons.address('imap'), user));
    assert.match(await mirror.ask('SELECT INBOX'), /^OK/);
    for (let round = 0; round < counts(60, 600); round += 1) {
      if (mirror.count === 0) await mirror.ask('NOOP');
      else assert.match(await mirror.ask(someCommand(random, mirror.count)), /^(?:OK|NO \[EXPUNGEISSUED\])/);
      if (random.chance(0.3)) await deliver(daemons);
    }
    return mirror;
  };
  const mirrors = await Promise.all([act(), act(), act(), act()]);
  const truth = await truthOf(daemons, user);
  for (const mirror of mirrors) {
    await mirror.ask('NOOP');
    await mirror.ask('FETCH 1:* (UID FLAGS)');
    mirror.assertIs(truth);
    mirror.client.close();
  }
});
