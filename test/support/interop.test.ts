import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { requireProgram } from './interop.ts';

const variable = 'MSTORE_REQUIRE_INTEROP';
const before = process.env[variable];

function skipRecorder(): { skip: (message?: string) => void; messages: string[] } {
  const messages: string[] = [];
  return { messages, skip: (message = '') => void messages.push(message) };
}

beforeEach(() => {
  delete process.env[variable];
});

afterEach(() => {
  if (before === undefined) delete process.env[variable];
  else process.env[variable] = before;
});

test('an installed program is found and nothing is skipped', () => {
  const t = skipRecorder();
  assert.match(requireProgram(t, 'sh') ?? '', /\/sh$/);
  assert.deepEqual(t.messages, []);
});

test('a missing program skips the test with one line', () => {
  const t = skipRecorder();
  assert.equal(requireProgram(t, 'no-such-mail-server'), undefined);
  assert.deepEqual(t.messages, ['no-such-mail-server is not installed']);
});

test('a missing program fails the test where interoperability is required', () => {
  process.env[variable] = '1';
  assert.throws(() => requireProgram(skipRecorder(), 'no-such-mail-server'), /no-such-mail-server is not installed/);
});
