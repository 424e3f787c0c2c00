import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, StoreError } from '@mstore/store';
import { exit, failureOf } from './errors.ts';

const system = (code: string): Error => Object.assign(new Error(`${code}: as node says it`), { code });

test('who may not look at a store, or change it, is told that and nothing about devices or wrong keys', () => {
  for (const code of ['EACCES', 'EPERM']) {
    for (const error of [
      new StoreError('ioError', 'cannot write in s', {}, system(code)),
      new ConfigError('s/mstore.toml cannot be read', system(code)),
    ]) {
      const failure = failureOf(error);
      assert.equal(failure.exit, exit.noPermission);
      assert.match(failure.text, /^[^(]+ \(run as the user whose store it is\)$/);
    }
  }
});

test('a device that fails, and a configuration that is wrong, keep their codes', () => {
  assert.equal(failureOf(new StoreError('ioError', 'cannot read s', {}, system('EIO'))).exit, exit.ioError);
  assert.equal(failureOf(new ConfigError('mstore.toml: no such key')).exit, exit.configuration);
  assert.equal(failureOf(new ConfigError('mstore.toml cannot be read', system('EISDIR'))).exit, exit.configuration);
});
