/** The IMAP daemon around its sessions: where it listens, who is shown and ended, what is counted and logged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backing } from '@mstore/access';
import { startImap } from '@mstore/imapd/internal/imapd';
import { openLog, type Running } from '@mstore/net';
import { Daemons } from '../support/daemons.ts';
import { ImapClient } from '../support/imap-client.ts';
import { Peer } from '../support/peer.ts';

const user = 'ann@example.org';

/** A daemon of the test's own beside those of `daemons`, with its log. */
async function started(
  daemons: Daemons,
  ...addresses: string[]
): Promise<{ readonly daemon: Running; readonly lines: string[]; stop(): Promise<void> }> {
  const lines: string[] = [];
  const log = openLog({ name: 'imapd', to: { write: (line: string) => void lines.push(line) } });
  const { directory } = daemons;
  const config = { ...daemons.config, listen: { ...daemons.config.listen, imap: addresses } };
  const backing = await Backing.open(directory, config);
  try {
    const daemon = await startImap({ directory, config, log, sockets: [] }, backing);
    const stop = async (): Promise<void> => {
      await daemon.drain(2_000);
      await backing.close();
    };
    return { daemon, lines, stop };
  } catch (error) {
    await backing.close();
    throw error;
  }
}

test('without TLS the daemon does not listen beyond this machine', async () => {
  await using daemons = await Daemons.start();
  await assert.rejects(started(daemons, '0.0.0.0:0'), /does not listen beyond this machine/);
});

test('it listens on a Unix socket below the directory too', async () => {
  await using daemons = await Daemons.start();
  const { stop } = await started(daemons, 'unix:run/imap.sock');
  const peer = await Peer.connect(`unix:${daemons.directory}/run/imap.sock`);
  assert.match((await peer.line()) ?? '', /^\* OK \[CAPABILITY IMAP4rev1 /);
  peer.kill();
  await stop();
});

test('sessions are shown, counted and ended by login', async () => {
  await using daemons = await Daemons.start();
  await daemons.addUser(user);
  const { daemon, lines, stop } = await started(daemons, '127.0.0.1:0');
  const [address = ''] = daemon.ready?.imap ?? [];
  const client = await ImapClient.logIn(address, user);
  const rows = await daemon.answer?.('who', []);
  assert.ok(Array.isArray(rows) && rows.length === 1);
  assert.equal(rows[0].protocol, 'imap');
  assert.equal(rows[0].login, user);
  assert.equal(await daemon.answer?.('kick', ['login', user]), 1);
  assert.match(await client.next(), /^\* BYE /);
  client.close();
  const metrics = JSON.stringify(await daemon.answer?.('metrics', []));
  for (const name of ['mstore_imap_logins_total', 'mstore_imap_sessions_total', 'mstore_imap_connections']) {
    assert.ok(metrics.includes(name), name);
  }
  await stop();
  const log = lines.join('');
  assert.match(log, /"event":"login"/);
  assert.match(log, /"event":"session ended"/);
  assert.ok(!log.includes('secret'), 'no password is logged');
});
