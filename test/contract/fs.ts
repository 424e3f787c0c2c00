/** What every implementation of the file system port does (`sys/fs.ts`). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errnoOf } from '@mstore/store/internal/errors';
import type { FileHandle, FileSystem } from '@mstore/store/internal/sys/fs';

/** Runs `use` with a file system and an empty directory in it. */
export type WithFileSystem = (use: (fs: FileSystem, directory: string) => Promise<void>) => Promise<void>;

export function fileSystemContract(name: string, within: WithFileSystem): void {
  const check = (sentence: string, use: (fs: FileSystem, directory: string) => Promise<void>): void => {
    test(`${name}: ${sentence}`, () => within(use));
  };

  check('what was written is read back, across handles', async (fs, directory) => {
    const file = await fs.open(`${directory}/a`, 'create');
    await file.write([Buffer.from('hello '), Buffer.alloc(0), Buffer.from('world')], 0);
    await file.datasync();
    assert.equal(await file.size(), 11);
    await file.close();
    const reader = await fs.open(`${directory}/a`, 'read');
    assert.equal((await readAll(reader)).toString(), 'hello world');
    await reader.close();
  });

  check('a read stops at the end of the file, and beyond it returns nothing', async (fs, directory) => {
    const file = await fs.open(`${directory}/a`, 'create');
    await file.write([Buffer.from('abcdef')], 0);
    const buffer = Buffer.alloc(8, '.');
    assert.equal(await file.read(buffer, 2, 6, 3), 3);
    assert.equal(buffer.toString(), '..def...');
    assert.equal(await file.read(buffer, 0, 8, 6), 0);
    assert.equal(await file.read(buffer, 0, 8, 600), 0);
    await file.close();
  });

  check('a gap reads as zeros, and an overwrite changes only its octets', async (fs, directory) => {
    const file = await fs.open(`${directory}/a`, 'create');
    await file.write([Buffer.from('tail')], 5000);
    await file.write([Buffer.from('AB')], 5001);
    const octets = await readAll(file);
    assert.equal(octets.length, 5004);
    assert.ok(octets.subarray(0, 5000).every((octet) => octet === 0));
    assert.equal(octets.subarray(5000).toString(), 'tABl');
    await file.close();
  });

  check('thousands of buffers go into one write', async (fs, directory) => {
    const buffers = Array.from({ length: 3000 }, (_, index) => Buffer.alloc(index % 300, index));
    const file = await fs.open(`${directory}/a`, 'create');
    await file.write([Buffer.from('head')], 0);
    await file.write(buffers, 4);
    assert.deepEqual((await readAll(file)).subarray(4), Buffer.concat(buffers));
    await file.write([], 4);
    await file.close();
  });

  check('the buffer that was written may be used again', async (fs, directory) => {
    const file = await fs.open(`${directory}/a`, 'create');
    const buffer = Buffer.from('first');
    await file.write([buffer], 0);
    buffer.fill('x');
    assert.equal((await readAll(file)).toString(), 'first');
    await file.close();
  });

  check(
    'modes: create refuses an existing file, read and write a missing one, read does not write',
    async (fs, directory) => {
      await (await fs.open(`${directory}/a`, 'create')).close();
      await fails(fs.open(`${directory}/a`, 'create'), 'EEXIST');
      await fails(fs.open(`${directory}/b`, 'read'), 'ENOENT');
      await fails(fs.open(`${directory}/b`, 'write'), 'ENOENT');
      await fails(fs.open(`${directory}/missing/b`, 'create'), 'ENOENT');
      const reader = await fs.open(`${directory}/a`, 'read');
      await fails(reader.write([Buffer.from('x')], 0), 'EBADF');
      await reader.close();
      const writer = await fs.open(`${directory}/a`, 'write');
      await writer.write([Buffer.from('x')], 0);
      assert.equal((await readAll(writer)).toString(), 'x');
      await writer.close();
    },
  );

  check('list gives the names of one directory, sorted', async (fs, directory) => {
    await fs.makeDirectory(`${directory}/sub/deeper`);
    for (const file of ['b', 'a', 'c']) await (await fs.open(`${directory}/${file}`, 'create')).close();
    assert.deepEqual(await fs.list(directory), ['a', 'b', 'c', 'sub']);
    assert.deepEqual(await fs.list(`${directory}/sub`), ['deeper']);
    await fails(fs.list(`${directory}/missing`), 'ENOENT');
  });

  check('making a directory that exists is no error, over a file it is', async (fs, directory) => {
    await fs.makeDirectory(`${directory}/x/y`);
    await fs.makeDirectory(`${directory}/x/y`);
    await (await fs.open(`${directory}/x/y/f`, 'create')).close();
    await fails(fs.makeDirectory(`${directory}/x/y/f`), 'EEXIST');
    assert.deepEqual(await fs.list(`${directory}/x/y`), ['f']);
  });

  check('rename replaces its target and keeps octets and open handles', async (fs, directory) => {
    const source = await fs.open(`${directory}/a`, 'create');
    await source.write([Buffer.from('new')], 0);
    await (await fs.open(`${directory}/b`, 'create')).close();
    await fs.rename(`${directory}/a`, `${directory}/b`);
    assert.deepEqual(await fs.list(directory), ['b']);
    await source.write([Buffer.from('er')], 3);
    const target = await fs.open(`${directory}/b`, 'read');
    assert.equal((await readAll(target)).toString(), 'newer');
    await target.close();
    await source.close();
    await fails(fs.rename(`${directory}/a`, `${directory}/c`), 'ENOENT');
  });

  check('an unlinked file lives until its handle is closed', async (fs, directory) => {
    const file = await fs.open(`${directory}/a`, 'create');
    await file.write([Buffer.from('still here')], 0);
    await fs.unlink(`${directory}/a`);
    assert.deepEqual(await fs.list(directory), []);
    assert.equal((await readAll(file)).toString(), 'still here');
    await file.close();
    await fails(fs.unlink(`${directory}/a`), 'ENOENT');
  });

  check('a directory can be synced, a missing one not', async (fs, directory) => {
    await (await fs.open(`${directory}/a`, 'create')).close();
    await fs.syncDirectory(directory);
    await fails(fs.syncDirectory(`${directory}/missing`), 'ENOENT');
  });
}

async function readAll(file: FileHandle): Promise<Buffer> {
  const octets = Buffer.alloc(await file.size());
  assert.equal(await file.read(octets, 0, octets.length, 0), octets.length);
  return octets;
}

async function fails(promise: Promise<unknown>, errno: string): Promise<void> {
  await assert.rejects(promise, (error) => errnoOf(error) === errno);
}
