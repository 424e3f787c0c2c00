import { chmod, copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findProgram, requireProgram } from '../../support/interop.ts';
import { Service, type UnixUser } from '../../support/service.ts';
import { tempDirectory } from '../../support/temp.ts';
import { everyCase } from './cases.ts';
import { throughExim } from './changes.ts';
import { ConfigurationDocument } from './document.ts';
import { Exim } from './exim.ts';
import { ldaLink, openCheckout, serviceUser, unixUser } from './places.ts';

const printed = new ConfigurationDocument('docs/operations/exim.md');
const sections = { unix: 'LMTP over the Unix socket', tcp: 'LMTP over TCP', pipe: 'The pipe' } as const;

/** The user that Debian's Exim is compiled for. */
const eximUser = 'Debian-exim';

interface Here {
  readonly program: string;
  readonly service: UnixUser;
  readonly exim: UnixUser;
}

/** What the tests need of this machine, or undefined after marking the test as skipped. */
async function here(t: TestContext): Promise<Here | undefined> {
  if (process.getuid?.() !== 0) return void t.skip('Exim needs root');
  const unpacked = process.env.MSTORE_EXIM_ROOT;
  const program = unpacked === undefined ? findProgram('exim4') : join(unpacked, 'usr/sbin/exim4');
  if (program === undefined) return void requireProgram(t, 'exim4');
  const [service, exim] = await Promise.all([unixUser(serviceUser.name), unixUser(eximUser)]);
  if (service === undefined || exim === undefined) return void t.skip(`no user nobody or ${eximUser}`);
  return { program, service, exim };
}

for (const way of ['unix', 'tcp', 'pipe'] as const) {
  test(`Exim delivers as its document says: ${sections[way]}`, async (t) => {
    const found = await here(t);
    if (found === undefined) return;
    await using temp = await tempDirectory();
    await chmod(temp.path, 0o755);
    // Exim starts itself again as its own user, who may not enter every folder.
    const program = join(temp.path, 'exim4');
    await copyFile(found.program, program);
    const checkout = await openCheckout(found.service, temp.path);
    await using service = await Service.start({
      users: ['postmaster@example.org'],
      runAs: found.service,
      checkout,
    });
    const lda = await ldaLink(checkout, temp.path);
    const values = {
      '/var/lib/mstore': service.directory,
      '/usr/local/bin/mstore-lda': lda,
      'user = mstore': `user = ${serviceUser.name}`,
      'group = mstore': `group = ${serviceUser.group}`,
      'hosts = 127.0.0.1': 'hosts = 127.0.0.1',
      'port = 2424': `port = ${service.port('lmtp')}`,
    };
    const part = (file: string): string =>
      printed.filled(printed.blocks(`/etc/exim4/conf.d/${file}`, 'All three', sections[way]), values);
    await using mta = await Exim.start({
      program,
      folder: temp.path,
      owner: found.exim,
      main: part('main/10_mstore'),
      routers: part('router/120_mstore'),
      transports: part('transport/30_mstore'),
    });
    await everyCase(t, { mta, service, way, config: '', lda, passes: throughExim });
  });
}
