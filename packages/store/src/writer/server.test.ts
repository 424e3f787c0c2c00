import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isStoreError } from '../errors.ts';
import { createStore, Store } from '../store.ts';
import { check } from '../upkeep/check.ts';
import { WriterClient } from './client.ts';
import { WriterServer } from './server.ts';
import { encodeFrame, encodeValue, type Frame, FrameReader, frameType } from './wire.ts';

async function withServer(use: (path: string, store: Store) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'mstore-server-'));
  try {
    await createStore(directory);
    const store = await Store.open(directory, { messageBytes: 1_000 });
    const path = join(directory, 'run', 'writer.sock');
    const server = await WriterServer.listen(store, path);
    try {
      await use(path, store);
    } finally {
      await server.close();
      assert.deepEqual((await check(store.catalog().view, store.heap)).findings, []);
      await store.close();
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('a connection outlives any number of refused messages, whose last frames come late', async () => {
  await withServer(async (path) => {
    const socket = connect(path);
    const frames = new FrameReader();
    const answers: Frame[] = [];
    let wake = (): void => undefined;
    socket.on('data', (octets) => {
      answers.push(...frames.push(octets));
      wake();
    });
    socket.on('close', () => wake());
    const rounds = 4_200;
    for (let id = 1; id <= rounds; id++) {
      socket.write(encodeFrame(frameType.request, id, encodeValue(['take', id, false])));
      socket.write(encodeFrame(frameType.discard, id, Buffer.alloc(0)));
      socket.write(encodeFrame(frameType.body, id, Buffer.from('late')));
      socket.write(encodeFrame(frameType.bodyEnd, id, Buffer.alloc(0)));
      if (id % 100 !== 0) continue;
      while (answers.length < id && !socket.destroyed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    assert.equal(answers.filter(({ type }) => type === frameType.error).length, rounds);
    socket.destroy();
  });
});

test('a message is sent, delivered once, and refused when it is too large', async () => {
  await withServer(async (path, store) => {
    const { account } = await store.createAccount('ann');
    const client = await WriterClient.connect(path);
    await assert.rejects(client.take(Buffer.alloc(1_001)), (error) => isStoreError(error, 'messageTooLarge'));
    const message = await client.take(Buffer.from('Subject: small\n\n'));
    assert.equal(message.size, 18);
    const targets = [{ account, trace: Buffer.from('Return-Path: <>\r\n') }];
    const [result] = await client.deliver(message, targets);
    assert.equal(result?.ok, true);
    await assert.rejects(client.deliver(message, targets), (error) => isStoreError(error, 'badIntent'));
    await client.close();
  });
});

test('a frame that is no request ends its connection, and the server still closes', async () => {
  await withServer(async (path) => {
    for (const frame of [
      encodeFrame(frameType.request, 1, Buffer.from('{')),
      encodeFrame(99, 1, Buffer.alloc(0)),
      Buffer.alloc(9, 0xff),
    ]) {
      const socket = connect(path);
      await new Promise<void>((resolve) => {
        socket.on('close', () => resolve());
        socket.on('error', () => undefined);
        socket.write(frame);
      });
    }
  });
});

test('a client that is sent something else than frames loses its writer, not its process', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mstore-client-'));
  const path = join(directory, 'socket');
  const server = createServer((socket) => socket.on('error', () => undefined).end(Buffer.alloc(64, 0xff)));
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const client = await WriterClient.connect(path);
    await assert.rejects(client.createAccount('ann'), (error) => isStoreError(error, 'noWriter'));
    await client.close();
  } finally {
    server.close();
    rmSync(directory, { recursive: true });
  }
});
