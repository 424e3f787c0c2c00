import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LdaOptions, parseLdaOptions, UsageError } from './lda-options.ts';
import { limits } from './limits.ts';

test('the destination is -d, else -a and the words beside it, else the words', () => {
  const cases: [readonly string[], LdaOptions][] = [
    [['a'], { recipients: ['a'] }],
    [['a', 'b'], { recipients: ['a', 'b'] }],
    [['-d', 'a'], { recipients: ['a'] }],
    [['-da'], { recipients: ['a'] }],
    [['-a', 'a', 'b', 'c'], { recipients: ['a', 'b', 'c'] }],
    [['-d', 'a', '-a', 'b'], { recipients: ['a'], original: 'b' }],
    [['-d', 'a', '-a', ''], { recipients: ['a'] }],
    [['-a', 'a', 'b', '-f', 's', 'c', '-m', 'Box'], { recipients: ['a', 'b', 'c'], sender: 's', mailbox: 'Box' }],
    [['--', '-d', '--', 'x'], { recipients: ['-d', '--', 'x'] }],
    [['-f', '--', '-d', '-x'], { recipients: ['-x'], sender: '--' }],
    [['--data', 'D', '-f', '', 'a'], { recipients: ['a'], data: 'D', sender: '' }],
    [['--data=--data=D', 'a'], { recipients: ['a'], data: '--data=D' }],
    [['-m', '', 'a'], { recipients: ['a'] }],
  ];
  for (const [args, expected] of cases) assert.deepEqual(parseLdaOptions(args), expected, args.join(' '));
});

test('what is not in the grammar is wrong', () => {
  const wrong: readonly (readonly string[])[] = [
    [],
    [''],
    ['-d', ''],
    ['-d'],
    ['a', '-f'],
    ['-d', 'a', 'b'],
    ['-d', 'a', '--', 'b'],
    ['-d', 'a', '-db'],
    ['-x', 'a'],
    ['-', 'a'],
    ['--help'],
    ['--datax', 'a'],
    ['--data'],
    ['-a', 'a', ''],
  ];
  for (const args of wrong) assert.throws(() => parseLdaOptions(args), UsageError, args.join(' '));
});

test('so many arguments and no more', () => {
  const args = Array.from({ length: limits.arguments }, (_, at) => `u${at}`);
  assert.equal(parseLdaOptions(args).recipients.length, limits.arguments);
  assert.throws(() => parseLdaOptions([...args, 'one']), UsageError);
});
