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

const commands = counts(1_500, 10_000);

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

let devs = 0; let cur = 0;
const used = new Set<string>();

async function run(seed: number): Promise<void> {
  const source = new CommandSource(seededRandom(seed));
  await using scene = await ImapScene.start();
  await using dovecot = await Dovecot.start();
  const [ours, theirs] = await equalSessions(scene, dovecot);
  const first = [Buffer.from('SELECT INBOX'), ...Array.from({ length: 20 }, () => source.append())];
  for (let at = 0; at < commands; at += 1) {
    const command = first[at] ?? source.next(ours);
    setTimeout(() => { if (process.env.DEV && at === cur) console.log('SLOW', at, command.toString('latin1').slice(0, 200)); }, 3000).unref(); cur = at; if (process.env.DEV) (await import('node:fs')).writeSync(2, at + ' ' + command.toString('latin1').slice(0, 120) + '\n');
    const [own, other] = await Promise.all([ours.ask(command).catch(e => { console.log('OURS', command.toString('latin1').slice(0,300)); throw e; }), theirs.ask(command).catch(e => { console.log('THEIRS', command.toString('latin1').slice(0, 300)); throw e; })]);
    const text = command.toString('latin1');
    for (const difference of differences(text, ours.isReadOnly, own, other)) {
      const rule = commandRules.find(({ explains }) => explains(difference));
      if (process.env.DEV && rule === undefined && ours.count === theirs.count) { if (devs++ < 30) console.log(JSON.stringify(difference).slice(0, 900)); continue; }
      assert.ok(rule !== undefined, `command ${at}: ${JSON.stringify(difference).slice(0, 2_000)}`);
      used.add(rule.reason);
      if (rule.undo === undefined) continue;
      assert.equal((await ours.ask(Buffer.from(rule.undo(text), 'latin1'))).status, 'OK');
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
});
