import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flag } from '@mstore/store';
import { limits } from '../limits.ts';
import { expectSearchArguments, expectSortArguments, expectThreadArguments } from './search-arguments.ts';
import type { SearchKey } from './search-keys.ts';
import { accepted, refused } from './support.test.ts';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

function key(text: string): SearchKey {
  return accepted(text, expectSearchArguments).key;
}

/** A key as text, to compare without much ado. */
function shown(search: SearchKey): string {
  switch (search.kind) {
    case 'not':
      return `!${shown(search.key)}`;
    case 'and':
    case 'or':
      return `${search.kind}(${search.keys.map(shown).join(' ')})`;
    case 'messages':
      return `${search.by}:${search.set.toString()}`;
    default:
      return [search.kind, ...Object.entries(search).flatMap(([name, value]) => (name === 'kind' ? [] : [value]))].join(
        ':',
      );
  }
}

test('every key of both revisions is understood', () => {
  const day = Date.UTC(1994, 1, 1) / 86_400_000;
  const pairs: readonly (readonly [string, string])[] = [
    ['ALL', 'all'],
    ['answered', `flags:${flag.answered}:0`],
    ['DELETED', `flags:${flag.deleted}:0`],
    ['DRAFT', `flags:${flag.draft}:0`],
    ['FLAGGED', `flags:${flag.flagged}:0`],
    ['SEEN', `flags:${flag.seen}:0`],
    ['UNANSWERED', `flags:0:${flag.answered}`],
    ['UNDELETED', `flags:0:${flag.deleted}`],
    ['UNDRAFT', `flags:0:${flag.draft}`],
    ['UNFLAGGED', `flags:0:${flag.flagged}`],
    ['UNSEEN', `flags:0:${flag.seen}`],
    ['RECENT', 'recent:true'],
    ['OLD', 'recent:false'],
    ['NEW', 'new'],
    ['KEYWORD $Junk', 'keyword:$Junk:true'],
    ['UNKEYWORD $Junk', 'keyword:$Junk:false'],
    ['FROM ann', 'field:From:ann'],
    ['TO "ann b"', 'field:To:ann b'],
    ['CC {3}\r\nann', 'field:Cc:ann'],
    ['BCC ann', 'field:Bcc:ann'],
    ['SUBJECT ""', 'field:Subject:'],
    ['HEADER X-Spam ""', 'field:X-Spam:'],
    ['BODY text', 'body:text'],
    ['TEXT text', 'text:text'],
    ['BEFORE 1-Feb-1994', `date:internal:before:${day}`],
    ['ON "1-Feb-1994"', `date:internal:on:${day}`],
    ['SINCE 1-Feb-1994', `date:internal:since:${day}`],
    ['SENTBEFORE 1-Feb-1994', `date:sent:before:${day}`],
    ['SENTON 1-Feb-1994', `date:sent:on:${day}`],
    ['SENTSINCE 1-Feb-1994', `date:sent:since:${day}`],
    ['LARGER 0', 'size:larger:0'],
    ['SMALLER 9007199254740991', 'size:smaller:9007199254740991'],
    ['OLDER 3600', 'age:older:3600'],
    ['YOUNGER 1', 'age:younger:1'],
    ['MODSEQ 0', 'modSeq:0'],
    ['MODSEQ "/flags/\\\\draft" all 620162338', 'modSeq:620162338'],
    ['EMAILID M6d99', 'objectId:email:M6d99'],
    ['THREADID T64b4', 'objectId:thread:T64b4'],
    ['UID 1,3:*', 'uid:1,3:*'],
    ['UID $', 'uid:saved'],
    ['2:4', 'sequence:2:4'],
    ['*', 'sequence:*'],
    ['$', 'sequence:saved'],
    ['NOT SEEN', `!flags:${flag.seen}:0`],
    ['NOT NOT ALL', 'all'],
    ['OR ALL NEW', 'or(all new)'],
    ['(ALL)', 'all'],
    ['ALL NEW', 'and(all new)'],
    ['OR (ALL NEW) NOT (OLD)', 'or(and(all new) !recent:false)'],
  ];
  for (const [text, wanted] of pairs) assert.equal(shown(key(text)), wanted, text);
});

test('what is no key is refused', () => {
  const wrong = [
    '',
    'FOO',
    'ALL  NEW',
    'NOT',
    'OR ALL',
    'OR ALL ',
    '()',
    '(ALL',
    'FROM',
    'BEFORE yesterday',
    'LARGER x',
    'LARGER -1',
    'OLDER 0',
    'MODSEQ "/flags" none 1',
    'UID',
    'UID x',
    'KEYWORD (a)',
    'HEADER "a b" c',
    'HEADER a',
    '0',
    'CHARSET UTF-8',
    'RETURN ALL',
    'RETURN (FOO) ALL',
  ];
  for (const text of wrong) assert.equal(refused(text, expectSearchArguments).kind, 'syntax', text);
});

test('chains of OR and NOT are as long as they like, nesting is not', () => {
  const chain = `${'OR FROM a '.repeat(2_000)}ALL`;
  const found = key(chain);
  assert.ok(found.kind === 'or' && found.keys.length === 2_001);
  assert.equal(shown(key(`${'NOT '.repeat(10_001)}ALL`)), '!all');
  const nested = (levels: number): string => `${'('.repeat(levels)}ALL${')'.repeat(levels)}`;
  assert.equal(shown(key(nested(limits.nesting))), 'all');
  for (const text of [
    nested(limits.nesting + 1),
    `${'OR '.repeat(1_000)}ALL${' ALL'.repeat(1_000)}`,
    '('.repeat(60_000),
  ]) {
    assert.match(refused(text, expectSearchArguments).why, /levels|search key/);
  }
});

test('strings are text in the character set of the command', () => {
  const subject = (text: string): string => {
    const found = key(text);
    return found.kind === 'field' ? found.text : '';
  };
  assert.equal(subject(`CHARSET UTF-8 SUBJECT "${latin1('grün')}"`), 'grün');
  assert.equal(subject('CHARSET ISO-8859-1 SUBJECT {4}\r\ngr\xfcn'), 'grün');
  assert.equal(subject('charset "us-ascii" SUBJECT plain'), 'plain');
  assert.equal(subject(`SUBJECT "${latin1('grün')}"`), 'grün');
  assert.equal(refused('CHARSET UTF-8 SUBJECT "\xfc"', expectSearchArguments).kind, 'syntax');
  assert.equal(refused('CHARSET x-unknown ALL', expectSearchArguments).kind, 'charset');
  assert.equal(refused(`CHARSET ${'x'.repeat(1_000)} ALL`, expectSearchArguments).kind, 'charset');
});

test('ESEARCH names what to return, and nothing means all', () => {
  const returns = (text: string): unknown => {
    const set = accepted(text, expectSearchArguments).returns;
    return set === undefined ? undefined : [...set].join();
  };
  assert.equal(returns('ALL'), undefined);
  assert.equal(returns('RETURN () ALL'), 'ALL');
  assert.equal(returns('return (min MAX count) CHARSET UTF-8 ALL'), 'MIN,MAX,COUNT');
  assert.equal(returns('RETURN (SAVE) ALL'), 'SAVE');
});

test('SORT has an order and a character set, THREAD an algorithm', () => {
  const sorted = accepted('(REVERSE DATE subject) UTF-8 UNSEEN', expectSortArguments);
  assert.deepEqual(sorted.order, [
    { by: 'DATE', isReverse: true },
    { by: 'SUBJECT', isReverse: false },
  ]);
  assert.equal(sorted.returns, undefined);
  assert.deepEqual(accepted('RETURN (COUNT) (ARRIVAL) US-ASCII ALL', expectSortArguments).returns, new Set(['COUNT']));
  assert.equal(accepted('references UTF-8 ALL', expectThreadArguments).algorithm, 'REFERENCES');
  for (const text of [
    '() UTF-8 ALL',
    '(REVERSE) UTF-8 ALL',
    '(FOO) UTF-8 ALL',
    '(DATE) ALL',
    'DATE UTF-8 ALL',
    '(DATE) UTF-8',
  ]) {
    refused(text, expectSortArguments);
  }
  assert.equal(refused('(DATE) x-unknown ALL', expectSortArguments).kind, 'charset');
  for (const text of ['FOO UTF-8 ALL', 'REFERENCES ALL', 'REFERENCES']) refused(text, expectThreadArguments);
});
