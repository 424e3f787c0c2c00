import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog, sessionId } from './log.ts';

function recorded(): { log: ReturnType<typeof openLog>; lines: string[] } {
  const lines: string[] = [];
  const log = openLog({ name: 'test', to: { write: (line) => void lines.push(line) } });
  return { log, lines };
}

test('an event is one line of JSON with its session', () => {
  const { log, lines } = recorded();
  log.child({ session: 'abc' }).info('login', { login: 'anna', ms: 3 });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^\{.*\}\n$/);
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, {
    level: 'info',
    name: 'test',
    pid: process.pid,
    session: 'abc',
    login: 'anna',
    ms: 3,
    event: 'login',
  });
});

test('an error is shown with its stack and cause, still on one line', () => {
  const { log, lines } = recorded();
  log.error('failed', {}, new Error('outer', { cause: new Error('inner') }));
  assert.equal(lines[0]?.trimEnd().includes('\n'), false);
  const { error } = JSON.parse(lines[0] ?? '');
  assert.equal(error.message, 'outer');
  assert.equal(error.cause.message, 'inner');
});

test('passwords and content never appear', () => {
  const { log, lines } = recorded();
  log.info('login', { password: 'hunter2', login: 'anna' });
  log.child({ secret: 'hunter2' }).warn('login', {}, Object.assign(new Error('wrong'), { password: 'hunter2' }));
  assert.equal(lines.join('').includes('hunter2'), false);
});

test('what a peer names cannot begin a line of its own', () => {
  const { log, lines } = recorded();
  log.info('login', { login: 'anna"\r\n{"event":"forged"}' });
  assert.equal(lines.join('').trimEnd().split('\n').length, 1);
});

test('session names do not repeat', () => {
  const names = new Set(Array.from({ length: 10_000 }, sessionId));
  assert.equal(names.size, 10_000);
  for (const name of names) assert.match(name, /^[0-9a-f]{16}$/);
});
