import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Connection } from './connection.ts';
import { limits } from './limits.ts';
import { SessionTable } from './sessions.ts';
import { HandClock, MemoryPeer } from './support.test.ts';

const ann = 'ann@example.org';

test('a trace that nobody asks about any more ends, and leaves nothing at the sessions', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const clock = new HandClock();
  const table = new SessionTable(clock);
  const { connection } = new MemoryPeer(clock);
  const session = table.open(connection, 'test', 'literals');
  assert.deepEqual([session.trace, connection.tap], [undefined, undefined]);
  table.traced('key', [ann]);
  assert.ok(session.trace !== undefined && connection.tap !== undefined);
  session.login = ann;
  connection.write('hello\r\n');
  await clock.advance(limits.traceForgetMs);
  t.mock.timers.tick(limits.traceForgetMs);
  assert.deepEqual([session.trace, connection.tap], [undefined, undefined]);
  table.traced('key', [ann]);
  assert.ok(session.trace !== undefined);
});

test('who is somebody else, or of a protocol that nobody traces, is not traced', () => {
  const clock = new HandClock();
  const table = new SessionTable(clock);
  const open = (form?: 'literals' | 'none') => {
    const { connection } = new MemoryPeer(clock);
    return { connection, session: table.open(connection, 'test', form) };
  };
  const before = open('literals');
  before.session.login = 'bob@example.org';
  table.traced('key', [ann]);
  const [later, bare, none] = [open('literals'), open(), open('none')];
  assert.ok(later.session.trace !== undefined, 'it may become hers');
  later.session.claim('ANN');
  later.session.login = 'bob@example.org';
  for (const { session, connection } of [before, later, bare, none]) {
    assert.deepEqual([session.trace, connection.tap], [undefined, undefined]);
  }
  table.traced('another', [none.session.id]);
  assert.ok(none.session.trace !== undefined);
});

test('an IPv6 address is told apart from its port', () => {
  const table = new SessionTable();
  const options = { wheel: new HandClock().wheel, localAddress: '[::1]:110', remotePort: 4_242 };
  for (const remoteAddress of ['2001:db8::5', '192.0.2.1', '']) {
    table.open(new Connection(new PassThrough(), { ...options, remoteAddress }), 'test');
  }
  const remotes = table.rows().map(({ remote }) => remote);
  assert.deepEqual(remotes, ['[2001:db8::5]:4242', '192.0.2.1:4242', '']);
});

test('traces are bounded', () => {
  const table = new SessionTable(new HandClock());
  for (let count = 0; count < limits.traces; count += 1) table.traced(String(count), [ann]);
  assert.throws(() => table.traced('one more', [ann]), /too many traces/);
  assert.deepEqual(table.traced('0', [ann]), { rows: [], lost: 0 });
});
