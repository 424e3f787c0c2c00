/** What `mstore doctor` finds that needs neither a service nor a full disk. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/repository.ts';
import { CliStore } from './command.ts';

test('doctor names a directory of users that cannot be read, and a look at the users does not make an empty one of it', async () => {
  await using store = await CliStore.make('ann@example.org');
  assert.match(await store.done(['doctor']), /ok {2}users: directory\.sqlite can be read/);
  const file = join(store.directory, 'directory.sqlite');
  const away = join(store.folder, 'away.sqlite');
  await rename(file, away);
  for (const octets of ['', 'no file of SQLite'.repeat(100)]) {
    await writeFile(file, octets);
    const found = await store.run(['doctor']);
    assert.equal(found.code, 1);
    assert.match(found.stdout.toString(), /!! {2}users: nobody can log in and no mail is taken: .*directory\.sqlite/);
    await store.refused(75, ['user', 'list']);
    await store.refused(75, ['domain', 'list']);
  }
  await copyFile(away, file);
  assert.match(await store.done(['user', 'list']), /ann@example\.org/);
});

test('a catalog whose file was cut kills who reads it: doctor and fsck say so instead, and a repair makes a new one', async () => {
  await using store = await CliStore.make('ann@example.org');
  await store.done(['deliver', '-d', 'ann@example.org'], { input: 'Subject: x\n\nx\n' });
  await truncate(join(store.directory, 'catalog/1/data.mdb'), 8_192);
  const death = /the catalog cannot be used: who reads .*catalog\/1 is killed \(SIG\w+\)/;
  for (const args of [['fsck'], ['fsck', '--quick']]) {
    const found = await store.run(args);
    assert.equal(found.code, 1, found.stderr);
    assert.match(found.stdout.toString(), death);
  }
  const found = await store.run(['doctor']);
  assert.equal(found.code, 1, found.stderr);
  assert.match(found.stdout.toString(), /!! {2}catalog: who reads .* is killed/);
  assert.match(await store.done(['fsck', '--repair']), /noCatalog[\s\S]*nothing is wrong now/);
  assert.equal((await store.octets('ann@example.org')).length, 1);
});

test('doctor says that the file system is read-only', async (t) => {
  await using store = await CliStore.make('ann@example.org');
  const script = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"';
  const inside = (...command: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync('unshare', ['--mount', '--map-root-user', 'sh', '-c', script, 'sh', store.directory, ...command]);
  if (inside('true').status !== 0) return t.skip('nobody may mount here');
  const main = join(repositoryRoot, 'packages/cli/dist/main.js');
  const found = inside(process.execPath, main, 'doctor', '--data', store.directory);
  assert.match(String(found.stdout), /!! {2}permissions: the file system of .* is read-only/);
  assert.equal(found.status, 1);
});
