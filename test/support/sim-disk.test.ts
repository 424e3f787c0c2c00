import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Random, seededRandom } from './random.ts';
import { SimDisk, type SimDiskOptions } from './sim-disk.ts';

async function diskWith(options: SimDiskOptions = {}): Promise<SimDisk> {
  const disk = new SimDisk(options);
  await disk.makeDirectory('/d');
  await disk.syncDirectory('/');
  return disk;
}

/** The same disk found after power loss many times. */
function* crashes(disk: SimDisk, count = 200): Iterable<SimDisk> {
  const random = seededRandom(3);
  for (let n = 0; n < count; n++) yield disk.crash(random);
}

test('a file whose octets and name were synced survives every crash', async () => {
  const disk = await diskWith();
  const file = await disk.open('/d/a', 'create');
  await file.write([Buffer.alloc(10_000, 'a')], 0);
  await file.datasync();
  await disk.syncDirectory('/d');
  await file.write([Buffer.alloc(5_000, 'b')], 10_000);
  for (const found of crashes(disk)) {
    assert.ok(found.contents('/d/a').subarray(0, 10_000).equals(Buffer.alloc(10_000, 'a')));
  }
});

test('unsynced octets may survive wholly, partly, out of order, as zeros or not at all', async () => {
  const disk = await diskWith();
  const file = await disk.open('/d/a', 'create');
  await file.datasync();
  await disk.syncDirectory('/d');
  for (const [at, letter] of ['a', 'b', 'c'].entries()) await file.write([Buffer.alloc(4096, letter)], at * 4096);
  const seen = new Set<string>();
  for (const found of crashes(disk, 500)) {
    const octets = found.contents('/d/a');
    const [first, second, third] = [0, 4096, 8192].map((at) => octets.subarray(at, at + 4096));
    if (octets.length === 0) seen.add('nothing');
    if (octets.length === 12_288 && !octets.includes(0)) seen.add('everything');
    if (first?.includes(0) && third?.includes('c')) seen.add('later without earlier');
    if (second?.includes(0) && second.includes('b')) seen.add('torn');
    if (octets.length === 8192) seen.add('shorter');
    for (let at = 0; at < octets.length; at += 512) {
      const sector = octets.subarray(at, at + 512);
      assert.ok(
        sector.every((octet) => octet === sector[0]),
        'a sector is old or new',
      );
    }
  }
  assert.deepEqual([...seen].sort(), ['everything', 'later without earlier', 'nothing', 'shorter', 'torn']);
});

test('names not yet synced may be there or not, the first of a directory before later ones', async () => {
  const disk = await diskWith();
  for (const name of ['1', '2', '3']) await (await disk.open(`/d/${name}`, 'create')).close();
  const seen = new Set<string>();
  for (const found of crashes(disk)) seen.add((await found.list('/d')).join(''));
  assert.deepEqual([...seen].sort(), ['', '1', '12', '123']);
  await disk.syncDirectory('/d');
  for (const found of crashes(disk)) assert.deepEqual(await found.list('/d'), ['1', '2', '3']);
});

test('a rename is found done or undone, with the octets that were synced, and an unlink likewise', async () => {
  const disk = await diskWith();
  for (const name of ['CURRENT', 'CURRENT.new', 'old']) {
    const file = await disk.open(`/d/${name}`, 'create');
    await file.write([Buffer.from(name)], 0);
    await file.datasync();
  }
  await disk.syncDirectory('/d');
  await disk.rename('/d/CURRENT.new', '/d/CURRENT');
  await disk.unlink('/d/old');
  const seen = new Set<string>();
  for (const found of crashes(disk)) {
    const names = await found.list('/d');
    seen.add(`${names.join(' ')}: ${found.contents('/d/CURRENT')}`);
  }
  assert.deepEqual([...seen].sort(), [
    'CURRENT CURRENT.new old: CURRENT',
    'CURRENT old: CURRENT.new',
    'CURRENT: CURRENT.new',
  ]);
});

test('what lies in a directory whose name was lost is lost', async () => {
  const disk = new SimDisk();
  await disk.makeDirectory('/d/e');
  const file = await disk.open('/d/e/a', 'create');
  await file.datasync();
  await disk.syncDirectory('/d/e');
  const seen = new Set<boolean>();
  for (const found of crashes(disk))
    seen.add(
      await found.list('/d/e').then(
        () => true,
        () => false,
      ),
    );
  assert.deepEqual([...seen].sort(), [false, true]);
});

test('kill -9 keeps what programs see but makes nothing durable', async () => {
  const disk = await diskWith();
  const file = await disk.open('/d/a', 'create');
  await file.write([Buffer.from('unsynced')], 0);
  const next = disk.afterKill();
  assert.equal(next.contents('/d/a').toString(), 'unsynced');
  const reopened = await next.open('/d/a', 'write');
  assert.ok([...crashes(next)].some((found) => !found.calls && !hasFile(found, '/d/a')));
  await reopened.datasync();
  await next.syncDirectory('/d');
  for (const found of crashes(next)) assert.equal(found.contents('/d/a').toString(), 'unsynced');
  assert.ok(
    [...crashes(disk)].some((found) => !hasFile(found, '/d/a')),
    'the first disk is not touched',
  );
});

test('after a failed sync, later syncs do not bring back what it lost', async () => {
  const disk = await diskWith({ fault: { call: 5, errno: 'EIO' } });
  const file = await disk.open('/d/a', 'create');
  await file.write([Buffer.alloc(4096, 'a')], 0);
  await assert.rejects(file.datasync(), { code: 'EIO' });
  await file.write([Buffer.alloc(4096, 'b')], 4096);
  await file.datasync();
  await disk.syncDirectory('/d');
  let lost = 0;
  for (const found of crashes(disk)) {
    const octets = found.contents('/d/a');
    assert.ok(octets.subarray(4096).equals(Buffer.alloc(4096, 'b')));
    if (octets.subarray(0, 4096).includes(0)) lost++;
  }
  assert.ok(lost > 0);
});

test('a chosen call fails, alone or with all after it, and a failed write may be applied in part', async () => {
  for (const sticky of [false, true]) {
    const disk = await diskWith({ fault: { call: 4, errno: 'ENOSPC', sticky, operations: ['write'] } });
    const file = await disk.open('/d/a', 'create');
    await assert.rejects(file.write([Buffer.alloc(10_000, 'x')], 0), { code: 'ENOSPC' });
    assert.ok((await file.size()) < 10_000);
    await file.datasync();
    if (sticky) await assert.rejects(file.write([Buffer.from('y')], 0), { code: 'ENOSPC' });
    else await file.write([Buffer.from('y')], 0);
  }
});

test('the hook sees every call before and after its effect', async () => {
  const seen: string[] = [];
  const disk = new SimDisk({
    onCall: (call, moment) => {
      seen.push(`${call.number} ${moment} ${call.operation} ${call.path}`);
    },
  });
  await disk.makeDirectory('/d');
  const file = await disk.open('/d/a', 'create');
  await file.write([Buffer.from('x')], 0);
  assert.deepEqual(seen, [
    '1 before makeDirectory /d',
    '1 after makeDirectory /d',
    '2 before create /d/a',
    '2 after create /d/a',
    '3 before write /d/a',
    '3 after write /d/a',
  ]);
});

test('property: synced octets are never harmed, and the same seed gives the same disk', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ at: fc.nat(20_000), bytes: fc.integer({ min: 1, max: 9000 }) }) },
    { weight: 1, arbitrary: fc.constant('sync' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(), async (steps, seed) => {
      const disk = await diskWith();
      const file = await disk.open('/d/a', 'create');
      await disk.syncDirectory('/d');
      const random = seededRandom(seed);
      let synced: Buffer = Buffer.alloc(0);
      let touched: [number, number][] = [];
      for (const each of steps) {
        if (each === 'sync') {
          await file.datasync();
          synced = disk.contents('/d/a');
          touched = [];
        } else {
          await file.write([random.bytes(each.bytes)], each.at);
          touched.push([each.at, each.at + each.bytes]);
        }
        checkCrash(disk, synced, touched, random.fork());
      }
    }),
    { numRuns: 60 },
  );
});

function checkCrash(disk: SimDisk, synced: Buffer, touched: readonly [number, number][], random: Random): void {
  const seed = random.int(2 ** 32);
  const found = disk.crash(seededRandom(seed)).contents('/d/a');
  assert.ok(found.equals(disk.crash(seededRandom(seed)).contents('/d/a')));
  assert.ok(found.length >= synced.length);
  assert.ok(found.length <= disk.contents('/d/a').length);
  const expected = Buffer.from(synced);
  for (const [from, to] of touched) {
    if (from < synced.length) found.copy(expected, from, from, Math.min(to, synced.length));
  }
  assert.ok(found.subarray(0, synced.length).equals(expected));
}

function hasFile(disk: SimDisk, path: string): boolean {
  try {
    disk.contents(path);
    return true;
  } catch {
    return false;
  }
}
