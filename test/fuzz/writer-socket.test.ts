/** The writer's socket, spoken to by peers that break off, come late or talk nonsense (docs/locking.md). */
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { isStoreError, limits, type Store } from '@mstore/store';
import { WriterClient } from '@mstore/store/internal/writer/client';
import { WriterServer } from '@mstore/store/internal/writer/server';
import { encodeFrame, encodeValue, type Frame, FrameReader, frameType } from '@mstore/store/internal/writer/wire';
import { tempDirectory } from '../support/temp.ts';
import { tempStore } from '../support/temp-store.ts';

async function withServer(use: (path: string, store: Store) => Promise<void>): Promise<void> {
  await using temp = await tempStore({ messageBytes: 1_000 });
  const path = join(temp.directory, 'run', 'writer.sock');
  const server = await WriterServer.listen(temp.store, path);
  try {
    await use(path, temp.store);
  } finally {
    await server.close();
  }
}

test('a connection outlives any number of refused messages, whose last frames come late', async () => {
  await withServer(async (path) => {
    const socket = connect(path);
    const frames = new FrameReader(limits.answerBytes);
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
  await using directory = await tempDirectory();
  const path = join(directory.path, 'socket');
  const server = createServer((socket) => socket.on('error', () => undefined).end(Buffer.alloc(64, 0xff)));
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const client = await WriterClient.connect(path);
    await assert.rejects(client.createAccount('ann'), (error) => isStoreError(error, 'noWriter'));
    await client.close();
  } finally {
    server.close();
  }
});
