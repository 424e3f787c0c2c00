import assert from 'node:assert/strict';
import { test } from 'node:test';
import { saslLogin, saslPlain } from '@mstore/net';
import { commands } from './dispatch.ts';
import { shownOf } from './shown.ts';

const mechanisms = [saslPlain, saslLogin];

/** What is shown of a command's first line, and of what follows it. */
function shown(first: string, ...others: string[]): string[] {
  const line = Buffer.from(first);
  return [line, ...others.map((other) => Buffer.from(other))].map((octets) =>
    shownOf(octets, line, mechanisms).toString(),
  );
}

test('passwords and SASL responses are not shown, wherever they stand', () => {
  assert.deepEqual(shown('a LOGIN ann secret'), ['a LOGIN …']);
  assert.deepEqual(shown('a login ann {6+}', 'secret', ''), ['a login …', '…', '…']);
  assert.deepEqual(shown('a LOGIN {3}', 'ann', ' secret'), ['a LOGIN …', '…', '…']);
  assert.deepEqual(shown('a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ='), ['a AUTHENTICATE PLAIN …']);
  assert.deepEqual(shown('a AUTHENTICATE secret'), ['a AUTHENTICATE …']);
  assert.deepEqual(shown('a LOGINann secret'), ['… (17 octets, no command)']);
});

test('of what is no command nothing is shown', () => {
  for (const line of [
    'secret',
    'AGFubgBzZWNyZXQ=',
    'a LOGGIN ann secret',
    'a  LOGIN ann secret',
    '',
    ' LOGIN a secret',
  ]) {
    assert.deepEqual(shown(line), [`… (${line.length} octets, no command)`]);
  }
});

test('everything else is shown as it came', () => {
  assert.deepEqual(shown('a SELECT "Sent items"'), ['a SELECT "Sent items"']);
  assert.deepEqual(shown('a1 uid fetch 1:* (FLAGS)'), ['a1 uid fetch 1:* (FLAGS)']);
  assert.deepEqual(shown('a CREATE {5}', 'Trash', ''), ['a CREATE {5}', 'Trash', '']);
  const secretive = [...commands.keys()].filter((name) => shown(`a ${name} secret`)[0]?.includes('secret') === false);
  assert.deepEqual(secretive, ['LOGIN', 'AUTHENTICATE']);
});
