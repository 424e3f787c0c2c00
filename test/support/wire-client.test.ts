import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { boundAddress, formatListenAddress } from '@mstore/net';
import { WireClient } from './wire-client.ts';

/** What a client that reads one line, then blocks, makes of these pieces, each sent when the one before has arrived. */
async function read(
  pieces: readonly string[],
  blocks: number,
): Promise<{ line: string | undefined; blocks: string[] }> {
  const server = createServer({ noDelay: true }, (socket) => {
    let at = 0;
    const next = (): void => {
      const piece = pieces[at++];
      if (piece === undefined) socket.end();
      else socket.write(Buffer.from(piece, 'latin1'), () => setImmediate(next));
    };
    socket.on('error', () => socket.destroy());
    next();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = await WireClient.connect(formatListenAddress(boundAddress(server)));
  try {
    const line = await client.line();
    const found: string[] = [];
    for (let at = 0; at < blocks; at++) found.push((await client.block()).toString('latin1'));
    assert.equal(await client.line(), undefined);
    return { line, blocks: found };
  } finally {
    client.close();
    server.close();
  }
}

test('lines and blocks are read wherever the octets are cut, and dots come off', async () => {
  const stream = '+OK\r\na\r\n..b\r\n...\r\n\xe9.\n.\r\n.\r\n.\r\n..\r\n\r\n.\r\n';
  const whole = { line: '+OK', blocks: ['a\r\n.b\r\n..\r\n\xe9.\n.\r\n', '', '.\r\n\r\n'] };
  assert.deepEqual(await read([stream], 3), whole);
  assert.deepEqual(await read([...stream], 3), whole);
});

test('a block may be much larger than what is read at once', async () => {
  const line = `${'x'.repeat(997)}\r\n`;
  const pieces = ['+OK\r\n', ...Array.from({ length: 300 }, () => line.repeat(10)), '.\r\n'];
  const { blocks } = await read(pieces, 1);
  assert.equal(blocks[0], line.repeat(3_000));
});

test('a block that the connection cuts off is an error', async () => {
  await assert.rejects(read(['+OK\r\nhalf\r\n'], 1), /ended within a block/);
});
