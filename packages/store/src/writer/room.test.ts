import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import { Room, type SpaceMarks } from './room.ts';

const gigabyte = 2 ** 30;
const megabyte = 2 ** 20;

/** A disk and a clock that a test moves. */
function site(totalBytes = 100 * gigabyte, marks: Partial<SpaceMarks> = {}) {
  const disk = { totalBytes, freeBytes: totalBytes, asked: 0 };
  const time = { ms: 0 };
  const ask = async () => {
    disk.asked += 1;
    return { ...disk };
  };
  const told: [string, number][] = [];
  const room = new Room(ask, { now: () => 0, monotonic: () => time.ms }, marks, (...change) => told.push(change));
  const free = async (freeBytes: number): Promise<string> => {
    disk.freeBytes = freeBytes;
    await room.refresh();
    return room.level;
  };
  return { disk, time, room, told, free };
}

const isFull = (error: unknown): boolean => isStoreError(error, 'diskFull');

test('mail is refused below the mark, and taken again an eighth above it', async () => {
  const { disk, time, room } = site();
  await room.check();
  const see = (freeBytes: number): void => {
    disk.freeBytes = freeBytes;
    time.ms += limits.roomStaleMs + 1;
  };
  see(limits.newMailFreeBytes - 1);
  await assert.rejects(async () => room.check(), isFull);
  assert.throws(() => void room.check(), isFull);
  room.admit(false);
  see(limits.newMailFreeBytes * 1.125 - 1);
  await assert.rejects(async () => room.check(), isFull);
  see(limits.newMailFreeBytes * 1.125);
  await room.check();
});

test('levels follow what is free, each is told once, and none is left before an eighth more is free', async () => {
  const { free, told } = site(100 * gigabyte, { newMailBytes: 800, changesBytes: 400 });
  const seen: string[] = [];
  for (const bytes of [800, 799, 899, 400, 399, 449, 450, 899, 900, 100, 5_000]) seen.push(await free(bytes));
  assert.deepEqual(seen, [
    'ok',
    'noNewMail',
    'noNewMail',
    'noNewMail',
    'readOnly',
    'readOnly',
    'noNewMail',
    'noNewMail',
    'ok',
    'readOnly',
    'ok',
  ]);
  assert.deepEqual(told, [
    ['noNewMail', 799],
    ['readOnly', 399],
    ['noNewMail', 450],
    ['ok', 900],
    ['readOnly', 100],
    ['ok', 5_000],
  ]);
});

test('of a small disk an eighth is kept free of mail, and a thirty-second of changes', async () => {
  const { free } = site(8_000);
  assert.equal(await free(1_000), 'ok');
  assert.equal(await free(999), 'noNewMail');
  assert.equal(await free(250), 'noNewMail');
  assert.equal(await free(249), 'readOnly');
});

test('what the reserve is short of does not count as free, so that new mail never lives on it', async () => {
  const { free, room, told } = site(100 * gigabyte, { newMailBytes: 800, changesBytes: 400, reserveBytes: 1_000 });
  const reserve = { bytes: 1_000 };
  room.reserve = {
    reserveBytes: () => reserve.bytes,
    release: () => {
      reserve.bytes = 0;
    },
  };
  assert.equal(await free(399), 'readOnly');
  assert.throws(() => room.admit(false), isFull);
  assert.throws(() => room.admit(true), isFull, 'it is the last octets that are free');
  reserve.bytes = 1_000;
  // The same disk, with the reserve given away: what came free is what the reserve is short of.
  reserve.bytes = 0;
  assert.equal(await free(1_399), 'readOnly');
  assert.equal(room.freeBytes, 399);
  assert.equal(await free(1_900), 'ok');
  assert.deepEqual(
    told.map(([level]) => level),
    ['readOnly', 'ok'],
  );
});

test('what gives space back is taken below the last mark, out of the reserve, until the last octets', async () => {
  const { free, room } = site(100 * gigabyte, { reserveBytes: 64 * megabyte });
  let released = 0;
  let held = 64 * megabyte;
  room.reserve = {
    reserveBytes: () => held,
    release: () => {
      released += 1;
    },
  };
  await free(20 * megabyte);
  assert.throws(() => room.admit(false), isFull);
  room.admit(true);
  assert.equal(released, 1);
  held = 0;
  await free(limits.lastFreeBytes - 1);
  assert.throws(() => room.admit(true), isFull);
  await free(limits.lastFreeBytes);
  room.admit(true);
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
  room.admit(false);
});
