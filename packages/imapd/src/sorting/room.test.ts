import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Room } from './room.ts';

/** Work that ends when it is told. */
class Work {
  hasBegun = false;
  end: () => void = () => undefined;
  readonly ended: Promise<void>;

  constructor(room: Room, count: number) {
    this.ended = room.run(count, () => {
      this.hasBegun = true;
      return new Promise<void>((resolve) => {
        this.end = resolve;
      });
    });
  }
}

test('who finds no room waits, and nobody who came later goes first', async () => {
  const room = new Room(10);
  const [first, second, large, small] = [6, 4, 8, 1].map((count) => new Work(room, count));
  assert.deepEqual([first?.hasBegun, second?.hasBegun, large?.hasBegun, small?.hasBegun], [true, true, false, false]);
  first?.end();
  await first?.ended;
  assert.equal(large?.hasBegun, false, 'there is room for 6');
  second?.end();
  await second?.ended;
  assert.deepEqual([large?.hasBegun, small?.hasBegun], [true, true]);
});

test('what is more than all the room goes alone', async () => {
  const room = new Room(10);
  const before = new Work(room, 1);
  const large = new Work(room, 1_000);
  assert.equal(large.hasBegun, false);
  before.end();
  await before.ended;
  assert.equal(large.hasBegun, true);
  const behind = new Work(room, 0);
  assert.equal(behind.hasBegun, false);
  large.end();
  await large.ended;
  assert.equal(behind.hasBegun, true);
});

test('work that fails leaves its room to others', async () => {
  const room = new Room(10);
  await assert.rejects(
    room.run(10, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(await room.run(10, () => Promise.resolve(7)), 7);
});
