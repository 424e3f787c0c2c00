import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from './limits.ts';
import { ListPattern, ListPatterns } from './list-pattern.ts';
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
  assert.ok(matches('inbox*', 'INBOX/below'));
  assert.ok(matches('%box/below', 'INBOX/below'));
  assert.ok(!matches('inbox/BELOW*', 'INBOX/below'));
  assert.ok(matches('inbox*', 'inboxes') && !matches('inbox*', 'INBOXES'));
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
  // Others may use the processors.
  const start = process.cpuUsage();
  assert.ok(!pattern.matches(`${'a'.repeat(999)}b`));
  const { user } = process.cpuUsage(start);
  assert.ok(user < 100_000, `${user} µs`);
});

test('the wildcards of all patterns together are bounded, and so are the patterns', () => {
  const areAllowed = (...texts: readonly string[]): boolean => new ListPatterns(texts).areAllowed;
  const half = '*a'.repeat(limits.patternWildcards / 2);
  assert.ok(areAllowed(half, half));
  assert.ok(!areAllowed(half, half, '%'));
  assert.ok(areAllowed('*'.repeat(10_000)));
  const names = Array.from({ length: limits.listPatterns }, (_, at) => `${at}`);
  assert.ok(areAllowed(...names));
  assert.ok(!areAllowed(...names, 'one more'));
});

test('many names are gone through in turns of the event loop', async () => {
  const patterns = new ListPatterns(['*a'.repeat(limits.patternWildcards)]);
  const names = Array.from({ length: 60 }, (_, at) => `${'a'.repeat(900)}${at}${at % 3 === 0 ? 'a' : ''}`);
  let turns = 0;
  const count = (): void => {
    turns += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  assert.equal((await patterns.matching(names)).size, 20);
  clearImmediate(next);
  assert.ok(turns >= 40, `${turns} turns`);
});

test('parents are every level above, each once', () => {
  assert.deepEqual([...parentsOf(['a/b/c', 'a/b', 'd', 'e/f'])].sort(), ['a', 'a/b', 'e']);
  assert.deepEqual(sortedNames(['b', 'a'], ['a', 'c']), ['a', 'b', 'c']);
});
