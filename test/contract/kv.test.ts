import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, rm, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Kv } from '@mstore/store/internal/catalog/kv';
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';
import { isStoreError } from '@mstore/store/internal/errors';
import { counts } from '../support/long.ts';
import { MemoryKv } from '../support/memory-kv.ts';
import { tempDirectory } from '../support/temp.ts';
import { keyValueContract } from './kv.ts';

const mapBytes = 2 ** 30;
const everything = { from: Buffer.alloc(0), to: Buffer.alloc(40, 0xff) };

for (const metaSync of [true, false]) {
  keyValueContract(`LMDB${metaSync ? '' : ' without metaSync'}`, async (use) => {
    await using directory = await tempDirectory();
    const kv = await openLmdbKv(`${directory.path}/1`, { readOnly: false, mapBytes, metaSync });
    try {
      await use(kv);
    } finally {
      await kv.close();
    }
  });
}

keyValueContract('memory', (use) => use(new MemoryKv()));

/** A process that writes, its files limited to so many KiB; each write is answered by `durable` or the error's code. */
function writerProcess(path: string, fileKiB: number | 'unlimited' = 'unlimited') {
  const blocks = fileKiB === 'unlimited' ? fileKiB : fileKiB * 2;
  const script = fileURLToPath(new URL('./kv-writer.js', import.meta.url));
  // With SIGXFSZ ignored, a write beyond the limit fails with EFBIG.
  const child = spawn(
    'sh',
    ['-c', `trap "" XFSZ; ulimit -f ${blocks}; exec "$@"`, 'sh', process.execPath, script, path, String(mapBytes)],
    {
      stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
    },
  );
  return {
    send(key: string, value: string): void {
      child.send([key, value]);
    },
    async write(key: string, value: string): Promise<unknown> {
      child.send([key, value]);
      const [answer] = await once(child, 'message');
      return answer;
    },
    async kill(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

test('LMDB: a read-only handle sees commits of another process when it takes a new snapshot', async () => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/1`;
  const writer = writerProcess(path);
  try {
    await writer.write('a', '1');
    const reader = await openLmdbKv(path, { readOnly: true, mapBytes });
    reader.refresh();
    const iterator = reader.range('meta', everything)[Symbol.iterator]();
    assert.equal(valueOfA(reader), '1');
    assert.equal(String(iterator.next().value?.[1]), '1');
    for (let n = 2; n < 50; n++) {
      await writer.write('a', String(n));
      reader.refresh();
      assert.equal(valueOfA(reader), String(n));
    }
    assert.equal(iterator.return?.()?.done, true);
    await assert.rejects(reader.write([{ table: 'meta', key: Buffer.from('x'), value: Buffer.alloc(1) }]), {
      code: 'readOnly',
    });
    await writer.kill();
    assert.equal(valueOfA(reader), '49');
    await reader.close();
  } finally {
    await writer.kill();
  }
});

test('LMDB: a reader sees all of another process’s write or none of it', { timeout: 60_000 }, async () => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/1`;
  const writer = writerProcess(path);
  try {
    await writer.write('a', '0');
    const reader = await openLmdbKv(path, { readOnly: true, mapBytes });
    const seen = new Set<string | undefined>();
    for (let n = 1; n <= 300; n++) writer.send('a', String(n));
    while (!seen.has('300')) {
      reader.refresh();
      const value = valueOfA(reader);
      assert.equal(reader.get('parts', Buffer.from('a'))?.toString(), value);
      seen.add(value);
      await setImmediate();
    }
    await reader.close();
  } finally {
    await writer.kill();
  }
});

test('LMDB: what was acknowledged before kill -9 is there at the next open', async () => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/1`;
  const writer = writerProcess(path);
  await writer.write('a', 'acknowledged');
  await writer.kill();
  const kv = await openLmdbKv(path, { readOnly: false, mapBytes });
  assert.equal(valueOfA(kv), 'acknowledged');
  await kv.write([{ table: 'meta', key: Buffer.from('a'), value: Buffer.from('next') }]);
  assert.equal(valueOfA(kv), 'next');
  await kv.close();
});

/** A process that opens and closes what is in `path` all the time, and how often it did so far. */
async function opener(path: string, ...more: readonly string[]) {
  const script = fileURLToPath(new URL('./kv-opener.js', import.meta.url));
  const child = spawn(process.execPath, [script, path, String(mapBytes), ...more], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const counted = { opened: 0 };
  child.on('message', (count) => {
    counted.opened = Number(count);
  });
  await once(child, 'message');
  return {
    counted,
    async kill(): Promise<void> {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

test('LMDB: who opens beside a writer takes none of its transactions away', { timeout: 120_000 }, async (t) => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/1`;
  const kv = await openLmdbKv(path, { readOnly: false, mapBytes, metaSync: false });
  const keyOf = (n: number): Buffer => Buffer.from(String(n).padStart(8, '0'));
  const write = (n: number): Promise<void> => kv.write([{ table: 'parts', key: keyOf(n), value: keyOf(n) }]);
  await write(0);
  const openers = [await opener(path), await opener(path)];
  const opened = (): number => openers.reduce((sum, { counted }) => sum + counted.opened, 0);
  let written = 1;
  while (opened() < counts(500, 10_000)) await write(written++);
  for (const each of openers) await each.kill();
  t.diagnostic(`${written} transactions beside ${opened()} opens`);
  assert.equal([...kv.range('parts', everything)].length, written);
  await kv.close();
});

test('LMDB: the handles of a process share what is open, and the last one closes it', async () => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/1`;
  const kv = await openLmdbKv(path, { readOnly: false, mapBytes });
  await kv.write([{ table: 'meta', key: Buffer.from('a'), value: Buffer.from('1') }]);
  // The first goes while the second comes.
  const [reader] = await Promise.all([openLmdbKv(path, { readOnly: true, mapBytes }), kv.close()]);
  assert.equal(valueOfA(reader), '1');
  const next = await openLmdbKv(path, { readOnly: false, mapBytes });
  await next.write([{ table: 'meta', key: Buffer.from('a'), value: Buffer.from('2') }]);
  reader.refresh();
  assert.equal(valueOfA(reader), '2');
  await reader.close();
  assert.equal(valueOfA(next), '2');
  await next.close();
  assert.throws(() => valueOfA(next), { code: 'closed' });
});

test('LMDB: the file of readers is made without holes, so that a full disk kills nobody who writes to its map', async () => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/1`;
  const kv = await openLmdbKv(path, { readOnly: false, mapBytes });
  const slots = await stat(`${path}/lock.mdb`);
  assert.ok(slots.blocks * 512 >= slots.size, `${slots.blocks} blocks for ${slots.size} octets`);
  await kv.close();
  // Who takes a copy that lacks it makes it so too.
  await rm(`${path}/lock.mdb`);
  const again = await openLmdbKv(path, { readOnly: true, mapBytes });
  const made = await stat(`${path}/lock.mdb`);
  assert.deepEqual([made.size, made.blocks], [slots.size, slots.blocks]);
  await again.close();
});

test('LMDB: a transaction that somebody else took away is noticed', { timeout: 120_000 }, async () => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/1`;
  const kv = await openLmdbKv(path, { readOnly: false, mapBytes, metaSync: false });
  await kv.write([{ table: 'meta', key: Buffer.from('a'), value: Buffer.from('0') }]);
  // The same two files under other names: a door beside the gate.
  const beside = `${directory.path}/2`;
  await mkdir(beside);
  for (const name of ['data.mdb', 'lock.mdb']) await link(`${path}/${name}`, `${beside}/${name}`);
  const openers = [await opener(beside, 'goesOn'), await opener(beside, 'goesOn')];
  const failure = await (async () => {
    for (let n = 1; ; n++) await kv.write([{ table: 'meta', key: Buffer.from('a'), value: Buffer.from(String(n)) }]);
  })().catch((error: unknown) => error);
  for (const each of openers) await each.kill();
  assert.ok(isStoreError(failure));
  assert.equal(failure.details.suspect, 1, failure.message);
  await kv.close();
});

test('LMDB: a reader does not make a catalog', async () => {
  await using directory = await tempDirectory();
  await assert.rejects(openLmdbKv(`${directory.path}/1`, { readOnly: true, mapBytes }), { code: 'catalogMissing' });
});

test('LMDB: a commit that fails changes nothing and is the last', async () => {
  await using directory = await tempDirectory();
  const path = `${directory.path}/1`;
  const writer = writerProcess(path, 1024);
  try {
    assert.equal(await writer.write('a', 'before'), 'durable');
    assert.equal(await writer.write('a', 'x'.repeat(2 * 1024 * 1024)), 'ioError');
    assert.equal(await writer.write('a', 'small'), 'ioError');
  } finally {
    await writer.kill();
  }
  const kv = await openLmdbKv(path, { readOnly: false, mapBytes });
  assert.equal(valueOfA(kv), 'before');
  await kv.write([{ table: 'meta', key: Buffer.from('a'), value: Buffer.from('after') }]);
  assert.equal(valueOfA(kv), 'after');
  await kv.close();
});

test('memory: a crash keeps what was durable, and a failed write changes nothing', async () => {
  const images: [string, string | undefined][] = [];
  const kv: MemoryKv = new MemoryKv({
    onWrite: (moment, call) => {
      images.push([`${moment} ${call}`, valueOfA(kv.crash())]);
    },
    failWrite: (call) => (call === 3 ? new Error('EIO') : undefined),
  });
  const write = (value: string) => kv.write([{ table: 'meta', key: Buffer.from('a'), value: Buffer.from(value) }]);
  await write('1');
  const reader = kv.reader();
  await write('2');
  assert.equal(valueOfA(reader), '1');
  reader.refresh();
  assert.equal(valueOfA(reader), '2');
  await assert.rejects(write('3'), /EIO/);
  await assert.rejects(write('4'), /EIO/);
  assert.equal(valueOfA(kv), '2');
  assert.equal(valueOfA(kv.crash({ loseLast: true })), '1');
  assert.deepEqual(images, [
    ['before 1', undefined],
    ['after 1', '1'],
    ['before 2', '1'],
    ['after 2', '2'],
    ['before 3', '2'],
  ]);
});

test('memory: a copy and its original go their own ways', async () => {
  const kv = new MemoryKv();
  const entries = Array.from({ length: 1000 }, (_, n) => ({
    table: 'meta' as const,
    key: Buffer.from(`k${n}`),
    value: Buffer.from('old'),
  }));
  await kv.write(entries);
  const copy = kv.clone();
  await copy.write([{ table: 'meta', key: Buffer.from('k5'), value: undefined }]);
  await kv.write([{ table: 'meta', key: Buffer.from('k6'), value: Buffer.from('new') }]);
  assert.equal([...copy.entries()].length, 999);
  assert.equal(String(copy.get('meta', Buffer.from('k6'))), 'old');
  assert.equal([...kv.entries()].length, 1000);
});

function valueOfA(kv: Kv): string | undefined {
  return kv.get('meta', Buffer.from('a'))?.toString();
}
