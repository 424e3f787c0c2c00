import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from './limits.ts';
import { HandClock } from './support.test.ts';

test('a deadline is met after its time, by at most a tick', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 900_000 }), { minLength: 1, maxLength: 20 }), async (times) => {
      const clock = new HandClock();
      const start = clock.monotonic();
      const met: number[] = times.map(() => -1);
      for (const [index, time] of times.entries()) {
        const deadline = clock.wheel.add(() => {
          met[index] = clock.monotonic() - start;
        });
        deadline.set(start + time);
      }
      await clock.advance(901_000);
      for (const [index, time] of times.entries()) {
        const at = met[index] ?? -1;
        assert.ok(at >= time && at <= time + 2 * limits.deadlineTickMs, `${time} was met at ${at}`);
      }
    }),
    { numRuns: 30 },
  );
});

test('a deadline moved later, earlier, away or out is met where it was put last', async () => {
  const clock = new HandClock();
  const start = clock.monotonic();
  const met: string[] = [];
  const add = (name: string): ReturnType<typeof clock.wheel.add> =>
    clock.wheel.add(() => met.push(`${name} ${Math.floor((clock.monotonic() - start) / 1_000)}`));
  const [later, earlier, away, out] = [add('later'), add('earlier'), add('away'), add('out')];
  for (const deadline of [later, earlier, away, out]) deadline.set(start + 10_000);
  later.set(start + 400_000);
  earlier.set(start + 5_000);
  away.clear();
  out.remove();
  await clock.advance(500_000);
  assert.deepEqual(met, ['earlier 5', 'later 400']);
});

test('a met deadline may be set again from within', async () => {
  const clock = new HandClock();
  let times = 0;
  const deadline = clock.wheel.add(() => {
    times += 1;
    deadline.set(clock.monotonic() + 1_000);
  });
  deadline.set(clock.monotonic());
  await clock.advance(10_250);
  assert.ok(times >= 8 && times <= 11, `${times} times`);
  deadline.remove();
});

test('a machine that slept meets everything at once', async () => {
  const clock = new HandClock();
  let met = 0;
  for (let minute = 1; minute <= 60; minute += 1) {
    clock.wheel
      .add(() => {
        met += 1;
      })
      .set(clock.monotonic() + minute * 60_000);
  }
  await clock.advance(4_000_000, 4_000_000);
  await clock.advance(limits.deadlineTickMs);
  assert.equal(met, 60);
});
