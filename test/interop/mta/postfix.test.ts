import assert from 'node:assert/strict';
import { chmod, chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { requireProgram } from '../../support/interop.ts';
import { Service, type UnixUser } from '../../support/service.ts';
import { tempDirectory } from '../../support/temp.ts';
import { WireClient } from '../../support/wire-client.ts';
import { everyCase } from './cases.ts';
import { throughPostfix } from './changes.ts';
import { ConfigurationDocument } from './document.ts';
import { say } from './mta.ts';
import { ldaLink, openCheckout, serviceUser, unixUser } from './places.ts';
import { Postfix } from './postfix.ts';

const printed = new ConfigurationDocument('docs/operations/postfix.md');
const sections = { unix: 'LMTP over a Unix socket', tcp: 'LMTP over TCP', pipe: 'The pipe' } as const;

interface Users {
  readonly service: UnixUser;
  readonly postfix: UnixUser;
}

/** Who runs what, or undefined after marking the test as skipped. */
async function usersHere(t: TestContext): Promise<Users | undefined> {
  if (process.getuid?.() !== 0) return void t.skip('Postfix needs root');
  if (requireProgram(t, 'postfix') === undefined) return undefined;
  const [service, postfix] = await Promise.all([unixUser(serviceUser.name), unixUser('postfix')]);
  if (service === undefined || postfix === undefined) return void t.skip('no user nobody or postfix');
  return { service, postfix };
}

interface Joined {
  readonly postfix: Postfix;
  readonly service: Service;
  /** mstore.toml as printed. */
  readonly config: string;
  readonly lda: string;
}

/** Runs `work` with Postfix and the service as these sections of the document join them. */
async function withPostfix(
  users: Users,
  names: readonly string[],
  work: (joined: Joined) => Promise<void>,
): Promise<void> {
  await using temp = await tempDirectory();
  const queue = join(temp.path, 'spool');
  const sockets = join(queue, 'mstore');
  await chmod(temp.path, 0o755);
  await mkdir(sockets, { recursive: true });
  // As the document's `install -d` makes it.
  await chown(sockets, users.service.uid, users.postfix.gid);
  await chmod(sockets, 0o2750);
  const listen = [`lmtp=unix:${sockets}/lmtp.sock`, 'lmtp=127.0.0.1:0', 'pop3=127.0.0.1:0'];
  const checkout = await openCheckout(users.service, temp.path);
  await using service = await Service.prepare({
    users: ['postmaster@example.org'],
    runAs: users.service,
    listen,
    checkout,
  });
  const lda = await ldaLink(checkout, temp.path);
  const values = {
    '/var/lib/mstore': service.directory,
    '/var/spool/postfix': queue,
    '/usr/local/bin/mstore-lda': lda,
    'user=mstore:mstore': `user=${serviceUser.name}:${serviceUser.group}`,
  };
  const [way = ''] = names;
  const config = way === sections.pipe ? '' : printed.blocks('/var/lib/mstore/mstore.toml', way);
  await service.start();
  const filled = (text: string): string =>
    printed.filled(text, { ...values, '[127.0.0.1]:2424': `[127.0.0.1]:${service.port('lmtp')}` });
  await using postfix = await Postfix.start({
    folder: temp.path,
    owner: users.postfix,
    main: filled(printed.blocks('/etc/postfix/main.cf', 'All three', ...names)),
    master: way === sections.pipe ? filled(printed.blocks('/etc/postfix/master.cf', way)) : '',
  });
  await work({ postfix, service, config: filled(config), lda });
}

for (const way of ['unix', 'tcp', 'pipe'] as const) {
  test(`Postfix delivers as its document says: ${sections[way]}`, async (t) => {
    const users = await usersHere(t);
    if (users === undefined) return;
    await withPostfix(users, [sections[way]], async ({ postfix: mta, service, config, lda }) => {
      await everyCase(t, { mta, service, way, config, lda, passes: throughPostfix });
    });
  });
}

test('Postfix asks the service about recipients before it takes a message, as its document says', async (t) => {
  const users = await usersHere(t);
  if (users === undefined) return;
  await withPostfix(users, [sections.unix, 'Unknown users'], async ({ postfix, service }) => {
    await service.addUser('known@example.org');
    const wire = await WireClient.connect(postfix.smtp);
    try {
      await wire.line();
      await say(wire, 'EHLO sender.test', 250);
      await say(wire, 'MAIL FROM:<eve@example.net>', 250);
      await say(wire, 'RCPT TO:<known+detail@example.org>', 250);
      assert.match(await say(wire, 'RCPT TO:<nobody@example.org>', 550), /5\.1\.1 .*Address unknown/);
      await say(wire, 'QUIT', 221);
    } finally {
      wire.close();
    }
    assert.deepEqual(await service.maildrop('known@example.org'), []);
  });
});
