/** The same commands to the daemon and to Dovecot, on equal mailboxes, must have the same answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from '../support/imap-client.ts';
import { requireProgram } from '../support/interop.ts';
import { counts } from '../support/long.ts';
import { seededRandom } from '../support/random.ts';
import { testSeeds } from '../support/seed.ts';
import { Dovecot } from './dovecot.ts';
import { differences, Follower } from './imap-answers.ts';
import { CommandSource } from './imap-commands.ts';
import { commandRules } from './imap-differences.ts';
import { ImapScene } from './imap-scene.ts';

const commands = counts(1_000, 10_000);

/** Both begin with an INBOX that is subscribed, and nothing else. */
async function equalSessions(scene: ImapScene, dovecot: Dovecot): Promise<readonly [Follower, Follower]> {
  const ours = await scene.session();
  for (const name of await scene.names()) {
    if (name === 'INBOX') continue;
    await ours.ok(`DELETE ${name}`);
    await ours.ok(`UNSUBSCRIBE ${name}`);
  }
  const theirs = await ImapClient.open(dovecot.address);
  await theirs.ok('SUBSCRIBE INBOX');
  return [new Follower(ours), new Follower(theirs)];
}

const used = new Set<string>();

async function run(seed: number): Promise<void> {
  const source = new CommandSource(seededRandom(seed));
  await using scene = await ImapScene.start();
  await using dovecot = await Dovecot.start();
  const [ours, theirs] = await equalSessions(scene, dovecot);
  const first = [
    Buffer.from('SELECT INBOX'),
    Buffer.from('CREATE INBOX/y'),
    ...Array.from({ length: 20 }, () => source.append(true)),
  ];
  first.push(...commandRules.flatMap(({ examples }) => examples.map((text) => Buffer.from(text))));
  for (let at = 0; at < commands; at += 1) {
    const command = first[at] ?? source.next(ours);
    const [own, other] = await Promise.all([ours.ask(command), theirs.ask(command)]);
    const text = command.toString('latin1');
    for (const difference of differences(text, ours.isReadOnly, own, other)) {
      const rule = commandRules.find(({ explains }) => explains(difference));
      assert.ok(rule !== undefined, `seed ${seed}, command ${at}: ${JSON.stringify(difference).slice(0, 2_000)}`);
      used.add(rule.reason);
      if (rule.undo === undefined) continue;
      const undo = Buffer.from(rule.undo(text), 'latin1');
      await Promise.all([ours.ask(undo), theirs.ask(undo)]);
    }
  }
  ours.close();
  theirs.close();
}

test('commands drawn at random are answered as Dovecot answers them, but for what the ledger explains', async (t) => {
  if (requireProgram(t, 'dovecot') === undefined) return;
  for (const seed of testSeeds(counts(2, 20))) {
    t.diagnostic(`MSTORE_TEST_SEED=${seed}`);
    await run(seed);
  }
  const idle = commandRules.map(({ reason }) => reason).filter((reason) => !used.has(reason));
  assert.deepEqual(idle, [], 'these no longer occur: take them out');
});
