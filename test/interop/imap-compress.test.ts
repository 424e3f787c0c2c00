/** mutt, which compresses where it is told to: what it copies through COMPRESS=DEFLATE is what lay there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Daemons } from '../support/daemons.ts';
import { ImapClient, sectionOf } from '../support/imap-client.ts';
import { requireProgram } from '../support/interop.ts';
import { tempDirectory } from '../support/temp.ts';

const user = 'ann@example.org';
const messages = Array.from(
  { length: 20 },
  (_, at) => `From: bob@example.org\r\nSubject: ${at}\r\n\r\n${`The same line, ${at} times.\r\n`.repeat(1_000 * at)}`,
);

/** A way to the daemon on which the octets that it says are counted. */
async function tapBefore(address: string): Promise<{ readonly port: number; heardBytes(): number; close(): void }> {
  let heard = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const daemon = connect({ host: '127.0.0.1', port: Number(/:(\d+)$/.exec(address)?.[1]) });
    for (const socket of [client, daemon]) sockets.add(socket.on('error', () => socket.destroy()));
    daemon.on('data', (octets: Buffer) => {
      heard += octets.length;
    });
    client.pipe(daemon).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  assert.ok(bound !== null && typeof bound !== 'string');
  return {
    port: bound.port,
    heardBytes: () => heard,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test('mutt copies a mailbox through a compressed connection', async (t) => {
  const mutt = requireProgram(t, 'mutt');
  // It wants a terminal.
  const script = requireProgram(t, 'script');
  if (mutt === undefined || script === undefined) return;
  await using daemons = await Daemons.start();
  await using folder = await tempDirectory();
  await daemons.addUser(user);
  for (const message of messages) await daemons.deliver(user, Buffer.from(message));
  const tap = await tapBefore(daemons.address('imap'));
  const settings = [
    `set imap_user="${user}" imap_pass=secret folder="imap://127.0.0.1:${tap.port}/" imap_deflate=yes`,
    'set ssl_starttls=no ssl_force_tls=no confirmappend=no confirmcreate=no quit=yes wait_key=no record=""',
    "push '<tag-pattern>.<enter><tag-prefix><decode-copy>=decoded<enter><tag-prefix><copy-message>=copied<enter><exit>'",
  ];
  const file = join(folder.path, 'muttrc');
  await writeFile(file, `${settings.join('\n')}\n`);
  const command = `${mutt} -n -F ${file} -f imap://127.0.0.1:${tap.port}/INBOX`;
  const env = { ...process.env, HOME: folder.path, TERM: 'vt100', LC_ALL: 'C.UTF-8' };
  const child = spawn(script, ['--quiet', '--return', '--command', command, '/dev/null'], {
    env,
    stdio: 'ignore',
    timeout: 120_000,
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  const octets = messages.reduce((sum, { length }) => sum + length, 0);
  assert.ok(tap.heardBytes() > 1_000 && tap.heardBytes() < octets / 2, `${tap.heardBytes()} of ${octets} octets`);
  tap.close();
  const client = await ImapClient.logIn(daemons.address('imap'), user);
  await client.ok('EXAMINE copied');
  const copies = (await client.ok('FETCH 1:* BODY.PEEK[]')).map((line) => sectionOf(line, 'BODY[]'));
  assert.deepEqual(copies, messages);
  await client.ok('EXAMINE decoded');
  const texts = (await client.ok('FETCH 1:* BODY.PEEK[TEXT]')).map((line) => sectionOf(line, 'BODY[TEXT]'));
  const bodyOf = (message: string): string => message.slice(message.indexOf('\r\n\r\n') + 4);
  assert.deepEqual(
    texts.map((text) => text.trimEnd()),
    messages.map((message) => bodyOf(message).trimEnd()),
  );
  client.close();
});
