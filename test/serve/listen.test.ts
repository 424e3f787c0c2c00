/** What `mstore serve` is told to open, and how it says no. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { CliStore, mstore, refusal } from '../cli/command.ts';
import { ServedStore } from './service.ts';

test('addresses and names that cannot be are refused in one line that names them', async () => {
  await using store = await CliStore.make();
  const refused = async (code: number, listen: string, pattern: RegExp): Promise<void> => {
    assert.match(await store.refused(code, ['serve', '--listen', listen]), pattern);
  };
  await refused(
    2,
    'imaps=127.0.0.1:0',
    /--listen imaps=127\.0\.0\.1:0: imaps is not served yet; there are lmtp, pop3, imap, metrics/,
  );
  await refused(2, 'smtp=127.0.0.1:0', /no listener is called "smtp"/);
  await refused(2, 'lmtp', /expected NAME=ADDRESS/);
  await refused(2, 'lmtp=localhost:24', /localhost:24: expected 127\.0\.0\.1:PORT, \[::1\]:PORT or unix:PATH/);
  await refused(2, `lmtp=unix:${'long/'.repeat(30)}`, /the path has \d+ octets/);
  await refused(78, 'pop3=0.0.0.0:0', /there is no TLS yet.*pop3\.plaintextAnywhere/);
  await refused(78, 'imap=0.0.0.0:0', /there is no TLS yet.*imap\.plaintextAnywhere/);
  await refused(69, 'lmtp=192.0.2.1:24', /cannot listen for lmtp on 192\.0\.2\.1:24: this machine has no such address/);
  await refused(77, 'lmtp=unix:no/folder', /cannot listen for lmtp on unix:\S+\/no\/folder: its folder does not exist/);
  writeFileSync(join(store.directory, 'file'), '');
  await refused(69, 'pop3=unix:file', /there is a file that is not a socket/);
  assert.ok(!existsSync(join(store.directory, 'run/ready.json')));
});

test('a wrong configuration and a directory without a store are refused with their usual lines', async () => {
  await using store = await CliStore.make();
  const file = join(store.folder, 'own.toml');
  assert.match(await store.refused(78, ['serve', '--config', file]), /own\.toml cannot be read/);
  writeFileSync(file, '[listen]\npop3 = "everywhere"\n');
  assert.match(await store.refused(78, ['serve', '--config', file]), /own\.toml: listen\.pop3: everywhere: expected/);
  writeFileSync(file, '[listen]\nsmtp = "127.0.0.1:0"\n');
  assert.match(await store.refused(78, ['serve', '--config', file]), /own\.toml: unknown key listen\.smtp/);
  const none = ['serve', '--data', join(store.folder, 'none')];
  assert.match(refusal(66, none, await mstore(none)), /no store in \S+none .*mstore init/);
  await rm(join(store.directory, 'directory.sqlite'));
  assert.match(await store.refused(72, ['serve']), /directory\.sqlite is missing: bring it back, or/);
});

test('what the configuration lists is opened where nothing is given, and a taken port is replaced when any will do', async (t) => {
  await using store = await ServedStore.make();
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' ? address?.port : 0;
  writeFileSync(
    join(store.directory, 'mstore.toml'),
    `[listen]\nlmtp = ["unix:run/a.sock"]\npop3 = "127.0.0.1:${port}"\nimap = []\nmetrics = "127.0.0.1:${port}"\n`,
  );
  const refused = store.pretend();
  assert.equal(await refused.exit(), 69);
  const why = new RegExp(
    `^mstore: cannot listen for pop3 on 127\\.0\\.0\\.1:${port}: another program listens there$`,
    'm',
  );
  assert.match(refused.stderr, why);
  const { lmtp, pop3, metrics } = await store.pretend('--any-port').ready();
  assert.deepEqual(lmtp, [`unix:${store.directory}/run/a.sock`]);
  for (const [at] of [pop3, metrics]) assert.notEqual(at, `127.0.0.1:${port}`);
});
