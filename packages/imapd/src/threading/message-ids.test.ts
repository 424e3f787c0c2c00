import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allIds, firstId } from './message-ids.ts';

const cases: readonly (readonly [string, readonly string[]])[] = [
  ['', []],
  ['<a@b>', ['a@b']],
  ['<a@b><c@d>\t<e@f>', ['a@b', 'c@d', 'e@f']],
  ['< a @\tb >', ['a@b']],
  ['<"01KF8JCEOCBS0045PS"@xxx.yyy.com>', ['01KF8JCEOCBS0045PS@xxx.yyy.com']],
  ['<"a\\"b"@c>', ['a"b@c']],
  ['<"a.\\b"@c>', ['a.b@c']],
  ['<"a@b"@c>', ['a@b@c']],
  ['<a."b".c@d>', ['a.b.c@d']],
  ['<A@B> <a@b>', ['A@B', 'a@b']],
  ['Your message of <Tuesday> "and <x@y>" (not <this@one>) <a@b>', ['a@b']],
  ['(nested (comment) <x@y>) <a@b>', ['a@b']],
  ['<a(comment)@b>', ['a@b']],
  ['<a@[127.0.0.1]>', ['a@[127.0.0.1]']],
  ['<noat> <@b> <a@> <> <a@b>', ['a@b']],
  ['<a@<b@c>', ['b@c']],
  ['<a@b', []],
  ['a@b', []],
  ['"open <a@b>', ['a@b']],
  ['(open <a@b>', ['a@b']],
  ['<"open@b> <c@d>', ['open@b', 'c@d']],
];

for (const [text, ids] of cases) {
  test(`${JSON.stringify(text)} names ${JSON.stringify(ids)}`, () => {
    assert.deepEqual(allIds(text, 100), ids);
    assert.equal(firstId(text), ids[0]);
  });
}

test('of too many ids the first and the last ones are taken', () => {
  assert.deepEqual(allIds('<1@a> <2@a> <3@a> <4@a> <5@a>', 3), ['1@a', '4@a', '5@a']);
});

test('an id longer than a line is none', () => {
  assert.deepEqual(allIds(`<${'a'.repeat(996)}@b>`, 9), [`${'a'.repeat(996)}@b`]);
  assert.deepEqual(allIds(`<${'a'.repeat(997)}@b>`, 9), []);
});

test('what is opened a hundred thousand times and never closed is passed over quickly', () => {
  for (const piece of ['<', '"', '(', '<"', '<(', '\\', '<a@"(']) {
    const start = process.cpuUsage().user;
    allIds(piece.repeat(100_000), 200);
    assert.ok(process.cpuUsage().user - start < 2_000_000, piece);
  }
});
