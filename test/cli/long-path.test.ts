/** A store so deep in folders that the system can make no socket there. */
import assert from 'node:assert/strict';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDirectory } from '../support/temp.ts';
import { anyHash, mstore, refusal } from './command.ts';

test('a store whose socket no path can name says so, ends, and works through a link', async () => {
  await using temp = await tempDirectory();
  const deep = 'x'.repeat(107);
  await mkdir(join(temp.path, deep));
  const at = (args: readonly string[], input = ''): ReturnType<typeof mstore> =>
    mstore([...args, '--data', `${deep}/store`], { cwd: temp.path, input });
  assert.equal((await at(['init'])).code, 0);
  assert.equal((await at(['user', 'import', '-'], `ada@x ${anyHash}\n`)).code, 0);
  const message = 'Subject: deep\n\nx\n';
  assert.match(
    refusal(75, ['deliver'], await at(['deliver', '-d', 'ada@x'], message)),
    /octets.*shorter path, or a link/,
  );
  assert.match(refusal(1, ['compact'], await at(['compact'])), /shorter path/);
  // Of a longer path the system takes the beginning: a socket with the folder's name would lie here.
  assert.deepEqual(await readdir(temp.path), [deep]);
  await symlink(`${deep}/store`, join(temp.path, 'link'));
  const linked = await mstore(['deliver', '-d', 'ada@x', '--data', 'link'], { cwd: temp.path, input: message });
  assert.equal(linked.code, 0, linked.stderr);
  const checked = await at(['fsck']);
  assert.equal(checked.code, 0, checked.stdout.toString());
});
