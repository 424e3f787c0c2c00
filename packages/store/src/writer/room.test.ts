import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import { Room } from './room.ts';

const gigabyte = 2 ** 30;

/** A disk and a clock that a test moves. */
function site(totalBytes = 100 * gigabyte) {
  const disk = { totalBytes, freeBytes: totalBytes, asked: 0 };
  const time = { ms: 0 };
  const ask = async () => {
    disk.asked += 1;
    return disk;
  };
  return { disk, time, room: new Room(ask, { now: () => 0, monotonic: () => time.ms }) };
}

const isFull = (error: unknown): boolean => isStoreError(error, 'diskFull');

test('mail is refused below the mark, and taken again above it', async () => {
  const { disk, time, room } = site();
  await room.check();
  disk.freeBytes = limits.freeBytesMin - 1;
  time.ms += limits.roomStaleMs + 1;
  await assert.rejects(async () => room.check(), isFull);
  assert.throws(() => void room.check(), isFull);
  disk.freeBytes = limits.freeBytesMin;
  time.ms += limits.roomStaleMs + 1;
  await room.check();
});

test('of a small disk an eighth is kept free', async () => {
  const { disk, time, room } = site(8_000);
  disk.freeBytes = 1_000;
  await room.check();
  disk.freeBytes = 999;
  time.ms += limits.roomStaleMs + 1;
  await assert.rejects(async () => room.check(), isFull);
});

test('the disk is asked rarely, and nobody waits for it while mail keeps coming', async () => {
  const { disk, time, room } = site();
  await room.check();
  for (let n = 0; n < 1_000; n++) assert.equal(room.check(), undefined);
  assert.equal(disk.asked, 1);
  time.ms += limits.roomFreshMs + 1;
  assert.equal(room.check(), undefined);
  assert.equal(disk.asked, 2);
});

test('a disk that cannot be asked refuses nothing', async () => {
  const room = new Room(() => Promise.reject(new Error('no such call')), { now: () => 0, monotonic: () => 0 });
  await room.check();
});
