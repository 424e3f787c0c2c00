/**
 * Clients that come and go (RFC 7162): whatever others did while one was away, and wherever its connection broke, after a
 * SELECT with QRESYNC it has what the catalog has. Also where the memory of expunges ends, after compaction, after a restart and
 * after a restore.
 */
import assert from 'node:assert/strict';
import { cp, readdir, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { backup, restoreStore, UidSet } from '@mstore/store';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { counts } from '../support/long.ts';
import { type Random, seededRandom } from '../support/random.ts';
import { testSeed } from '../support/seed.ts';
import { tempDirectory } from '../support/temp.ts';
import { truthOf } from './flag-truth.ts';
import { type Remembered, ResyncClient } from './resync-client.ts';

const user = 'ann@example.org';
const remembered: readonly Remembered[] = ['nothing', 'uids', 'numbers', 'both'];

async function deliver(daemons: Daemons): Promise<void> {
  await daemons.deliver(user, Buffer.from('Subject: x\r\n\r\nbody\r\n'));
}

/** Something that somebody else does to the mailbox. */
async function meanwhile(daemons: Daemons, random: Random): Promise<void> {
  const mailbox = await daemons.mailbox(user);
  const { store } = daemons;
  const there = [...(await truthOf(daemons, user)).keys()];
  const uids = UidSet.of(there.filter(() => random.chance(0.2)));
  const mode = random.pick(['add', 'remove', 'replace'] as const);
  const keywords = random.chance(0.3) ? ['$Label'] : [];
  const flags = { mailbox, uids, mode, flags: random.int(32), keywords };
  const steps: (() => Promise<unknown>)[] = [
    () => deliver(daemons),
    () => deliver(daemons),
    () => store.setFlags(flags),
    () => store.setFlags(flags),
    () => store.expunge(mailbox, uids, random.chance(0.5)),
    async () => store.move(mailbox, UidSet.of(there.slice(0, 1)), await daemons.mailbox(user, 'Archive')),
    () => store.copy(mailbox, UidSet.of(there.slice(-2)), mailbox),
  ];
  await random.pick(steps)();
}

/** What the store does for itself. */
async function upkeep(daemons: Daemons, random: Random): Promise<void> {
  if (random.chance(0.3)) await daemons.store.compact({ minGarbage: 0, maxRate: 0 });
  // The memory of what was expunged until now ends.
  if (random.chance(0.4)) await daemons.store.forgetExpunges(await daemons.mailbox(user), Date.now() / 1_000 + 60);
}

function someCommand(random: Random, { uids, modSeq, count }: ResyncClient): string {
  if (count === 0) return 'NOOP';
  const number = (): number => 1 + random.int(Math.max(uids.length, 1));
  const set = random.pick([`${number()}`, '1:*', `${number()}:*`]);
  const uidSet = random.pick(['1:*', `${uids[number() - 1] ?? 1}`, `${uids[number() - 1] ?? 1}:*`]);
  const store = `${random.pick(['+', '-', ''])}FLAGS (${random.pick(['\\Seen', '\\Deleted', '$Label', '\\Flagged'])})`;
  return random.pick([
    'NOOP',
    `STORE ${set} ${store}`,
    `UID STORE ${uidSet} ${store}`,
    `UID STORE ${uidSet} (UNCHANGEDSINCE ${modSeq}) ${store}`,
    `FETCH ${set} (UID FLAGS MODSEQ)`,
    `UID FETCH ${uidSet} (FLAGS) (CHANGEDSINCE ${modSeq})`,
    `UID FETCH ${uidSet} (FLAGS) (CHANGEDSINCE ${modSeq} VANISHED)`,
    'EXPUNGE',
    `UID EXPUNGE ${uidSet}`,
    `UID MOVE ${uids[0] ?? 1} Archive`,
  ]);
}

test('a client that comes back has what the catalog has, whatever it missed', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  for (let at = 0; at < 8; at += 1) await deliver(daemons);
  const clients = [new ResyncClient(), new ResyncClient(), new ResyncClient()];
  for (let round = 0; round < counts(50, 1_000); round += 1) {
    const client = random.pick(clients);
    for (let step = random.int(5); step > 0; step -= 1) await meanwhile(daemons, random);
    await upkeep(daemons, random);
    if (random.chance(0.05)) {
      for (const one of clients) one.disconnect();
      await daemons.restart();
    }
    await daemons.store.settle();
    if (!client.isConnected) {
      await client.connect(daemons.address('imap'), user, random.pick(remembered), () => random.chance(0.4));
      client.assertIs(await truthOf(daemons, user));
    }
    for (let step = random.int(4); step > 0; step -= 1) {
      await client.ask(someCommand(random, client));
      if (random.chance(0.5)) await meanwhile(daemons, random);
    }
    if (random.chance(0.3)) {
      const others = async (): Promise<void> => {
        for (let step = random.int(4); step > 0; step -= 1) await meanwhile(daemons, random);
      };
      await client.idle(others, random.chance(0.3));
    }
    if (client.isConnected && random.chance(0.5)) {
      await daemons.store.settle();
      await client.ask('NOOP');
      await client.fetchNew();
      client.assertIs(await truthOf(daemons, user));
    }
    if (random.chance(0.6)) client.disconnect();
  }
  for (const client of clients) client.disconnect();
});

test('after a restore a client compares everything once, and its MODSEQs hold from then on', async (t) => {
  const seed = testSeed();
  t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using folder = await tempDirectory();
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  for (let at = 0; at < 12; at += 1) await deliver(daemons);
  const client = new ResyncClient();
  const sync = async (): Promise<void> => {
    // Who names the UIDs it knows hears nothing of messages that a restore brings back; it sees that there are more.
    const known = random.pick(['nothing', 'numbers'] as const);
    await client.connect(daemons.address('imap'), user, known, () => random.chance(0.5));
    client.assertIs(await truthOf(daemons, user));
    client.disconnect();
  };
  for (let step = 0; step < 20; step += 1) await meanwhile(daemons, random);
  await sync();
  await daemons.store.settle();
  await backup(daemons.directory, `${folder.path}/backup`, daemons.store);
  for (let step = 0; step < 20; step += 1) await meanwhile(daemons, random);
  await deliver(daemons);
  await sync();
  const lost = client.modSeq;
  await daemons.restart(async () => {
    await restoreStore(`${folder.path}/backup`, `${folder.path}/restored`);
    for (const name of await readdir(`${folder.path}/restored`)) {
      if (name !== 'heap' && name !== 'catalog') continue;
      await rm(`${daemons.directory}/${name}`, { recursive: true });
      await cp(`${folder.path}/restored/${name}`, `${daemons.directory}/${name}`, { recursive: true });
    }
  });
  await deliver(daemons);
  await deliver(daemons);
  const plain = await ImapClient.logIn(daemons.address('imap'), user);
  const selected = (await plain.ok('SELECT INBOX (CONDSTORE)')).join('\n');
  const highest = Number(/HIGHESTMODSEQ (\d+)/.exec(selected)?.[1]);
  const count = Number(/(\d+) EXISTS/.exec(selected)?.[1]);
  assert.ok(highest > lost && count > 2);
  const told = (await plain.ok('FETCH 1:* (MODSEQ)')).map((line) => Number(/MODSEQ \((\d+)\)/.exec(line)?.[1]));
  const bound = Math.min(...told);
  assert.ok(bound > lost, 'no MODSEQ is one that was told before');
  assert.equal(Math.max(...told), highest);
  assert.equal((await plain.ok(`FETCH 1:* (FLAGS) (CHANGEDSINCE ${lost})`)).length, count);
  assert.equal((await plain.ok(`FETCH 1:* (FLAGS) (CHANGEDSINCE ${bound - 1})`)).length, count);
  assert.equal((await plain.ok(`FETCH 1:* (FLAGS) (CHANGEDSINCE ${bound})`)).length, 2, 'what came since');
  const refused = await plain.ask(`STORE 1 (UNCHANGEDSINCE ${bound - 1}) +FLAGS.SILENT ($Checked)`);
  assert.match(refused.status, /^OK \[MODIFIED 1\]/);
  const done = await plain.ask(`STORE 1 (UNCHANGEDSINCE ${bound}) +FLAGS.SILENT ($Checked)`);
  assert.match(done.status, /^OK stored/);
  assert.match(done.untagged.join(), /MODSEQ \((\d+)\)/);
  plain.close();
  await sync();
  await meanwhile(daemons, random);
  await sync();
});

test('who was away for longer than expunges are remembered is told what is not there', async () => {
  await using daemons = await Daemons.start();
  const { store } = daemons;
  await daemons.addUser(user);
  for (let at = 0; at < 10; at += 1) await deliver(daemons);
  const mailbox = await daemons.mailbox(user);
  const row = (): { readonly uidValidity: number; readonly highestModSeq: number; readonly expungeFloor: number } => {
    const found = store.catalog().mailbox(mailbox);
    assert.ok(found !== undefined);
    return found;
  };
  const { uidValidity, highestModSeq: start } = row();
  await store.expunge(mailbox, UidSet.of([2, 3]), false);
  await store.expunge(mailbox, UidSet.of([7]), false);
  await store.forgetExpunges(mailbox, Date.now() / 1_000 + 60);
  const floor = row().highestModSeq;
  assert.equal(row().expungeFloor, floor);
  await store.expunge(mailbox, UidSet.of([9]), false);
  await store.settle();
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('ENABLE QRESYNC');
  const vanished = async (command: string): Promise<string> => {
    const lines = (await client.ok(command)).filter((line) => line.includes('VANISHED'));
    assert.ok(lines.length < 2);
    return lines[0]?.replace('* VANISHED (EARLIER) ', '') ?? '';
  };
  const select = (rest: string): Promise<string> => vanished(`SELECT INBOX (QRESYNC (${uidValidity} ${rest}))`);
  assert.equal(await select(`${start}`), '2:3,7,9');
  assert.equal(await select(`${floor - 1}`), '2:3,7,9', 'one below the floor is as good as none');
  assert.equal(await select(`${floor}`), '9');
  assert.equal(await select(`${row().highestModSeq}`), '');
  assert.equal(await select(`${start} 1:5,8:99`), '2:3,9', 'of the UIDs it knows');
  assert.equal(await select(`${start} 20:30`), '');
  // What is left are 1, 4, 5, 6, 8 and 10.
  assert.equal(await select(`${start} (4 6)`), '7,9', 'it knows that 2 and 3 are gone');
  assert.equal(await select(`${start} (1,4,7 1,4,7)`), '2:3,7,9', 'it knows of nothing but the first');
  assert.equal(await select(`${start} 5:10 (2:5 4:6,8)`), '9');
  assert.equal(await select(`${start} (6 10)`), '');
  assert.equal(await vanished(`UID FETCH 1:* (UID) (CHANGEDSINCE ${start} VANISHED)`), '2:3,7,9');
  assert.equal(await vanished(`UID FETCH 3:7,11:20 (UID) (CHANGEDSINCE ${start} VANISHED)`), '3,7');
  assert.equal(await vanished(`UID FETCH 1:* (UID) (CHANGEDSINCE ${floor} VANISHED)`), '9');
  client.close();
});
