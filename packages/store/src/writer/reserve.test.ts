import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { limits } from '../limits.ts';
import type { FileSystem } from '../sys/fs.ts';
import { nodeFs } from '../sys/node-fs.ts';
import { Reserve } from './reserve.ts';

const directories: string[] = [];
after(async () => {
  for (const directory of directories) await rm(directory, { recursive: true });
});

async function place(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mstore-'));
  directories.push(directory);
  return directory;
}

let fill = 0;
const random = (bytes: number): Buffer => Buffer.alloc(bytes, ++fill);
const slice = limits.reserveSliceBytes;

test('it grows slice by slice up to what is wanted, and the next writer finds it', async () => {
  const directory = await place();
  const reserve = new Reserve(nodeFs, directory, random);
  await reserve.open();
  assert.equal(reserve.bytes, 0);
  const lengths: number[] = [];
  for (let n = 0; n < 4; n++) {
    await reserve.grow(2 * slice + 10);
    lengths.push(reserve.bytes);
  }
  assert.deepEqual(lengths, [slice, 2 * slice, 2 * slice + 10, 2 * slice + 10]);
  assert.equal((await stat(`${directory}/reserve`)).size, 2 * slice + 10);
  // Real blocks, and no two slices alike: nothing makes them smaller.
  const octets = await readFile(`${directory}/reserve`);
  assert.notEqual(octets[0], octets[slice]);
  assert.ok((await stat(`${directory}/reserve`)).blocks * 512 >= 2 * slice);
  const next = new Reserve(nodeFs, directory, random);
  await next.open();
  assert.equal(next.bytes, 2 * slice + 10);
});

test('it is given away whole and at once, and can be made again', async () => {
  const directory = await place();
  const reserve = new Reserve(nodeFs, directory, random);
  assert.equal(reserve.release(), false);
  await reserve.grow(slice);
  assert.equal(reserve.release(), true);
  assert.equal(reserve.release(), false);
  await reserve.settle();
  assert.equal(reserve.bytes, 0);
  await assert.rejects(stat(`${directory}/reserve`), { code: 'ENOENT' });
  await reserve.grow(slice);
  assert.equal(reserve.bytes, slice);
});

test('a slice that fails leaves it as long as it was, and is tried again at the same place', async () => {
  const directory = await place();
  const fault: { call: 'write' | 'datasync' | undefined } = { call: undefined };
  const fs: FileSystem = {
    ...nodeFs,
    open: async (path, mode) => {
      const file = await nodeFs.open(path, mode);
      return {
        read: (...args) => file.read(...args),
        size: () => file.size(),
        close: () => file.close(),
        write: async (buffers, position) => {
          if (fault.call !== 'write') return file.write(buffers, position);
          await file.write([Buffer.alloc(100)], position);
          throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        },
        datasync: async () => {
          if (fault.call === 'datasync') throw Object.assign(new Error('failed'), { code: 'EIO' });
          await file.datasync();
        },
      };
    },
  };
  const reserve = new Reserve(fs, directory, random);
  await reserve.grow(3 * slice);
  for (const call of ['write', 'datasync'] as const) {
    fault.call = call;
    await assert.rejects(reserve.grow(3 * slice));
    assert.equal(reserve.bytes, slice);
  }
  fault.call = undefined;
  await reserve.grow(3 * slice);
  await reserve.grow(3 * slice);
  assert.equal(reserve.bytes, 3 * slice);
  assert.equal((await stat(`${directory}/reserve`)).size, 3 * slice);
});

test('whatever a crash left of it counts for its length, and a first slice cut short is made anew', async () => {
  const directory = await place();
  await writeFile(`${directory}/reserve`, 'x');
  await truncate(`${directory}/reserve`, 0);
  const reserve = new Reserve(nodeFs, directory, random);
  await reserve.open();
  await reserve.grow(slice);
  assert.equal(reserve.bytes, slice);
});
