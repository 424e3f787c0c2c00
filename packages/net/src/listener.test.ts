import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { parseListenAddress } from './address.ts';
import type { Connection } from './connection.ts';
import { ConnectionCounter } from './connection-counter.ts';
import { DeadlineWheel } from './deadline.ts';
import { LineReader } from './line-reader.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import { until } from './support.test.ts';

/** Greets, echoes lines, says goodbye. */
async function echo(connection: Connection): Promise<void> {
  const lines = new LineReader(connection);
  connection.write('hello\r\n');
  for (;;) {
    const line = await lines.next();
    if (line === undefined) break;
    if (String(line) === 'throw') throw new Error('a bug');
    if (String(line) === 'hang') await new Promise(() => undefined);
    await connection.write(`${line}\r\n`);
  }
  connection.write(`bye ${connection.farewell}\r\n`);
}

function options(more: Partial<ListenerOptions> = {}): ListenerOptions {
  return {
    wheel: new DeadlineWheel(),
    counter: new ConnectionCounter(),
    serve: echo,
    failed: () => undefined,
    refusal: (why) => `go away: ${why}\r\n`,
    ...more,
  };
}

interface Client {
  readonly socket: Socket;
  text: string;
}

function call(address: string): Client {
  const { host, port } = { host: '127.0.0.1', port: 0, ...parseListenAddress(address) };
  const client: Client = { socket: connect({ port, host, allowHalfOpen: true }), text: '' };
  client.socket.on('data', (octets) => {
    client.text += octets.toString();
  });
  client.socket.on('end', () => client.socket.end());
  client.socket.on('error', () => client.socket.destroy());
  return client;
}

test('a session is served, and ended when it returns', async () => {
  const listener = await Listener.listen(parseListenAddress('127.0.0.1:0'), options());
  const client = call(listener.address);
  client.socket.end('one\r\ntwo\r\n');
  await until(() => client.socket.closed, 'closed');
  assert.equal(client.text, 'hello\r\none\r\ntwo\r\nbye peer\r\n');
  await listener.drain();
});

test('who ends in the middle of a line still gets the answers to the lines before', async () => {
  const failed: unknown[] = [];
  const listener = await Listener.listen(
    parseListenAddress('127.0.0.1:0'),
    options({ failed: (error) => void failed.push(error) }),
  );
  const client = call(listener.address);
  client.socket.end('one\r\ntwo\r\nthr');
  await until(() => client.socket.closed, 'closed');
  assert.equal(client.text, 'hello\r\none\r\ntwo\r\n');
  assert.equal(failed.length, 1);
  await listener.drain();
});

test('who comes beyond a limit is told so and disconnected; a place that becomes free is given again', async () => {
  for (const limited of [{ connectionsMax: 2 }, { counter: new ConnectionCounter(2) }]) {
    const refused: string[] = [];
    const listener = await Listener.listen(
      parseListenAddress('127.0.0.1:0'),
      options({ ...limited, refused: (why) => refused.push(why) }),
    );
    const [first, second] = [call(listener.address), call(listener.address)];
    await until(() => first.text !== '' && second.text !== '', 'two are served');
    const third = call(listener.address);
    await until(() => third.socket.closed, 'the third is closed');
    assert.equal(third.text, 'go away: tooMany\r\n');
    first.socket.end();
    await until(() => listener.connections.size === 1, 'a place is free');
    const fourth = call(listener.address);
    await until(() => fourth.text === 'hello\r\n', 'the fourth is served');
    assert.deepEqual(refused, ['tooMany']);
    await listener.drain();
  }
});

test('a session that throws is broken off and reported, and the others go on', async () => {
  const failures: unknown[] = [];
  const listener = await Listener.listen(
    parseListenAddress('127.0.0.1:0'),
    options({ failed: (error) => failures.push(error) }),
  );
  const [broken, whole] = [call(listener.address), call(listener.address)];
  broken.socket.write('throw\r\n');
  await until(() => broken.socket.closed, 'broken off');
  whole.socket.write('still here\r\n');
  await until(() => whole.text.includes('still here'), 'the other goes on');
  assert.match(String(failures), /a bug/);
  await listener.drain();
});

test('a drain waits for a session that still works behind its broken connection', async () => {
  let finish: () => void = () => undefined;
  let hasFinished = false;
  const serve = async (connection: Connection): Promise<void> => {
    await new LineReader(connection).next();
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    hasFinished = true;
  };
  const listener = await Listener.listen(parseListenAddress('127.0.0.1:0'), options({ serve }));
  const client = call(listener.address);
  client.socket.write('update\r\n');
  await until(() => [...listener.connections].some(({ bytesIn }) => bytesIn > 0), 'asked');
  client.socket.resetAndDestroy();
  await until(() => listener.connections.size === 0, 'closed');
  const drained = listener.drain(60_000).then(() => hasFinished);
  setImmediate(() => finish());
  assert.equal(await drained, true);
});

test('a drain says goodbye to who waits, breaks off who hangs, and lets nobody in', async () => {
  const listener = await Listener.listen(parseListenAddress('127.0.0.1:0'), options());
  const [waiting, hanging] = [call(listener.address), call(listener.address)];
  hanging.socket.write('hang\r\n');
  await until(() => waiting.text !== '' && hanging.text !== '', 'both are served');
  const draining = listener.drain(200);
  const late = call(listener.address);
  await draining;
  assert.equal(waiting.text, 'hello\r\nbye drain\r\n');
  await until(() => hanging.socket.closed && late.socket.closed, 'all are closed');
  assert.equal(late.text, '');
  assert.equal(listener.connections.size, 0);
});

test('a server that somebody else opened is listened on', async () => {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const listener = await Listener.listenOn(server, options());
  const client = call(listener.address);
  await until(() => client.text === 'hello\r\n', 'served');
  await listener.drain();
});

test('a connection that somebody else accepted is adopted', async () => {
  const listener = Listener.unbound(options(), 'handed over');
  const server = createServer({ allowHalfOpen: true }, (socket) => listener.adopt(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === 'object');
  const client = call(`127.0.0.1:${bound.port}`);
  await until(() => client.text === 'hello\r\n', 'served');
  await listener.drain();
  const refused = call(`127.0.0.1:${bound.port}`);
  await until(() => refused.socket.closed, 'closed');
  assert.equal(refused.text, 'go away: stopping\r\n');
  server.close();
});

test('a connection that cannot be accepted is told of, and the next ones are served', async () => {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const told: string[] = [];
  const listener = await Listener.listenOn(server, options({ notAccepted: (error) => told.push(error.message) }));
  for (const errno of ['accept EMFILE', 'accept ENOBUFS']) server.emit('error', new Error(errno));
  const client = call(listener.address);
  client.socket.end('one\r\n');
  await until(() => client.socket.closed, 'closed');
  assert.equal(client.text, 'hello\r\none\r\nbye peer\r\n');
  assert.deepEqual(told, ['accept EMFILE', 'accept ENOBUFS']);
  await listener.drain();
});
