import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runLda } from './lda-program.ts';

async function* endless(): AsyncGenerator<Buffer> {
  await new Promise(() => undefined);
  yield Buffer.alloc(0);
}

test('a wrong command line, and a store that is nowhere, are answered without reading', async () => {
  const octets = endless();
  const wrong = await runLda({ args: ['-x'], data: '/nonexistent', octets });
  assert.deepEqual(wrong, { code: 75, text: 'unknown option -x' });
  const nowhere = await runLda({ args: ['a@b'], data: undefined, octets });
  assert.match(nowhere.text, /--data/);
  const absent = await runLda({ args: ['--data', '/nonexistent', 'a@b'], data: undefined, octets });
  assert.equal(absent.code, 75);
  assert.match(absent.text, /nonexistent/);
});

test('where nothing moves, be it the input or the daemon, it gives up', async () => {
  const data = await mkdtemp(join(tmpdir(), 'mstore-test-'));
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
  });
  await mkdir(join(data, 'run'));
  await new Promise<void>((resolve) => server.listen(join(data, 'run', 'lda.sock'), resolve));
  const octets = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.from('a: b\n');
  };
  try {
    for (const input of [endless(), octets()]) {
      const { code, text } = await runLda({ args: ['a@b'], data, octets: input, patienceMs: 50 });
      assert.deepEqual([code, text], [75, 'nothing moved for too long']);
    }
  } finally {
    // The program would exit now; its side of the connections is not its own to close.
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(data, { recursive: true });
  }
});

test('a store that lies too deep for a socket is no other store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mstore-test-'));
  // What the system would make of the path below.
  const other = join(folder, 'x'.repeat(107 - folder.length - 1));
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(other, resolve));
  let connections = 0;
  server.on('connection', () => connections++);
  try {
    const { code, text } = await runLda({ args: ['a@b'], data: `${other}xxx`, octets: endless() });
    assert.deepEqual([code, /too long/.test(text), connections], [75, true, 0]);
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});
