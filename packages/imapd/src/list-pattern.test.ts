import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from './limits.ts';
import { ListPattern } from './list-pattern.ts';
import { parentsOf, sortedNames } from './mailbox-names.ts';

const matches = (pattern: string, name: string): boolean => new ListPattern(pattern).matches(name);

test('a star is anything, a percent sign anything within a level', () => {
  assert.ok(matches('*', 'a/b/c'));
  assert.ok(matches('%', 'a'));
  assert.ok(!matches('%', 'a/b'));
  assert.ok(matches('%/%', 'a/b'));
  assert.ok(matches('a*c', 'abc/c'));
  assert.ok(!matches('a%c', 'ab/c'));
  assert.ok(matches('a%%b*%', 'ab'));
  assert.ok(!matches('', 'a'));
  assert.ok(matches('a.c', 'a.c') && !matches('a.c', 'abc'));
});

test('INBOX is found in any letter case, and nothing else is', () => {
  assert.ok(matches('inbox', 'INBOX'));
  assert.ok(matches('iN%', 'INBOX'));
  assert.ok(!matches('sent', 'Sent'));
  assert.ok(!matches('inbox', 'INBOX/below'));
});

test('a pattern matches what the same regular expression matches', () => {
  const pattern = fc.array(fc.constantFrom('a', 'b', '/', '%', '*', '.'), { maxLength: 8 });
  const name = fc.array(fc.constantFrom('a', 'b', '/', '.'), { maxLength: 10 });
  fc.assert(
    fc.property(pattern, name, (parts, letters) => {
      const text = parts.join('');
      const source = text.replace(/[.*%]/g, (char) => ({ '.': '\\.', '*': '.*', '%': '[^/]*' })[char] ?? char);
      assert.equal(matches(text, letters.join('')), new RegExp(`^${source}$`).test(letters.join('')), text);
    }),
    { numRuns: 5_000 },
  );
});

test('the most awkward pattern takes little time for the longest name', () => {
  const pattern = new ListPattern('*a'.repeat(limits.patternWildcards));
  assert.ok(pattern.isAllowed);
  assert.ok(!new ListPattern('*a'.repeat(limits.patternWildcards + 1)).isAllowed);
  assert.ok(new ListPattern('*'.repeat(10_000)).isAllowed);
  // Others may use the processors.
  const start = process.cpuUsage();
  assert.ok(!pattern.matches(`${'a'.repeat(999)}b`));
  const { user } = process.cpuUsage(start);
  assert.ok(user < 100_000, `${user} µs`);
});

test('parents are every level above, each once', () => {
  assert.deepEqual([...parentsOf(['a/b/c', 'a/b', 'd', 'e/f'])].sort(), ['a', 'a/b', 'e']);
  assert.deepEqual(sortedNames(['b', 'a'], ['a', 'c']), ['a', 'b', 'c']);
});
