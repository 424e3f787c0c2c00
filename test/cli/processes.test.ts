import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { seededRandom } from '../support/random.ts';
import { CliStore, start } from './command.ts';
import { mkfifo } from './fifo.ts';

const MiB = 2 ** 20;

/** A message of nearly 64 MiB: one attachment in base64, lines in CRLF. */
async function* largeMessage(): AsyncGenerator<Buffer> {
  const random = seededRandom(64);
  yield Buffer.from('Subject: large\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n');
  yield Buffer.from('--x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n');
  for (let bytes = 0; bytes < 63 * MiB; ) {
    const lines = random
      .bytes(57 * 1_000)
      .toString('base64')
      .replace(/.{76}/g, '$&\r\n');
    yield Buffer.from(lines);
    bytes += lines.length;
  }
  yield Buffer.from('--x--\r\n');
}

async function digest(octets: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const some of octets) hash.update(some);
  return hash.digest('hex');
}

test('a message of 64 MiB is delivered, imported and exported within 64 MiB above an idle command', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  const idle = (await store.run(['user', 'list'], { watchMemory: true })).rssBytes;
  const bound = (what: string, rssBytes: number): void => {
    assert.ok(rssBytes < idle + 64 * MiB, `${what}: ${Math.round((rssBytes - idle) / MiB)} MiB above idle`);
  };
  const delivered = await store.run(['deliver', '-d', 'ada@x'], { input: largeMessage(), watchMemory: true });
  assert.equal(delivered.code, 0, delivered.stderr);
  bound('deliver', delivered.rssBytes);
  for (const form of ['eml', 'mbox', 'maildir']) {
    const out = join(store.folder, form);
    const exported = await store.run(['export', form, out, '--user', 'ada@x'], { watchMemory: true });
    assert.equal(exported.code, 0, exported.stderr);
    bound(`export ${form}`, exported.rssBytes);
    const imported = await store.run(['import', form, out, '--user', 'grace@x', '--mailbox', form], {
      watchMemory: true,
    });
    assert.equal(imported.code, 0, imported.stderr);
    bound(`import ${form}`, imported.rssBytes);
  }
  await store.done(['export', 'eml', join(store.folder, 'again'), '--user', 'grace@x']);
  const first = createReadStream(join(store.folder, 'eml/INBOX/1.eml'));
  const expected = await digest(first);
  const trace = Number((await stat(join(store.folder, 'eml/INBOX/1.eml'))).size);
  for (const form of ['eml', 'mbox', 'maildir']) {
    const file = join(store.folder, `again/${form}/1.eml`);
    assert.deepEqual([await digest(createReadStream(file)), (await stat(file)).size], [expected, trace], form);
  }
});

test('beside an import that goes on, others deliver through its socket, and read', async () => {
  await using store = await CliStore.make('ada@x', 'grace@x');
  const fifo = join(store.folder, 'fifo.mbox');
  mkfifo(fifo);
  const child = start(['import', 'mbox', fifo, '--user', 'ada@x', '--data', store.directory]);
  const ended = new Promise((resolve) => child.on('close', resolve));
  // Opens once the import does, which has the lock by then.
  const file = await open(fifo, 'w');
  const message = (n: number): string => `From x Sat Jan  3 01:05:34 2015\nSubject: ${n}\n\nbody\n\n`;
  await file.write(message(1));
  await store.done(['deliver', '-d', 'grace@x'], { input: 'Subject: beside\n\nx\n' });
  assert.equal((await store.octets('grace@x')).length, 1);
  await store.refused(75, ['rebuild']);
  await file.write(message(2));
  await file.close();
  assert.equal(await ended, 0);
  assert.equal((await store.octets('ada@x')).length, 2);
});

test('an import that is interrupted says how many messages are in, and they are', async () => {
  await using store = await CliStore.make('ada@x');
  const fifo = join(store.folder, 'fifo.mbox');
  mkfifo(fifo);
  const child = start(['import', 'mbox', fifo, '--user', 'ada@x', '--data', store.directory]);
  let stderr = '';
  child.stderr?.on('data', (octets: Buffer) => {
    stderr += octets.toString();
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const file = await open(fifo, 'w');
  await file.write('From x Sat Jan  3 01:05:34 2015\nSubject: 1\n\nbody\n\n'.repeat(700));
  child.kill('SIGTERM');
  await file.write('From x Sat Jan  3 01:05:34 2015\nSubject: 1\n\nbody\n\n'.repeat(100)).catch(() => undefined);
  await file.close();
  assert.equal(await ended, 75, stderr);
  const imported = Number(/interrupted; (\d+) messages? imported/.exec(stderr)?.[1]);
  assert.equal((await store.octets('ada@x')).length, imported);
});
