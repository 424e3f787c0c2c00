import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Decoder } from './decoder.ts';
import { expectListArguments, expectReferenceAndPattern, expectStatusItems } from './list-arguments.ts';
import { expectAppendItem, expectCreateArguments, expectSelectArguments } from './mailbox-arguments.ts';
import { accepted, refused } from './support.test.ts';

const plain = {
  onlySubscribed: false,
  isRecursive: false,
  onlySpecialUse: false,
  returns: undefined,
  isPlain: true,
};

test('LIST has a reference and patterns, and options around them', () => {
  assert.deepEqual(accepted('"" *', expectListArguments), { ...plain, reference: '', patterns: ['*'] });
  assert.deepEqual(accepted('Lists/ ""', expectListArguments), { ...plain, reference: 'Lists/', patterns: [''] });
  const extended = '(SUBSCRIBED RECURSIVEMATCH) "" (INBOX "a b/%") RETURN (CHILDREN STATUS (UNSEEN MESSAGES))';
  assert.deepEqual(accepted(extended, expectListArguments), {
    reference: '',
    patterns: ['INBOX', 'a b/%'],
    onlySubscribed: true,
    isRecursive: true,
    onlySpecialUse: false,
    returns: { subscribed: false, children: true, specialUse: false, status: ['UNSEEN', 'MESSAGES'] },
    isPlain: false,
  });
  assert.equal(accepted('() "" %', expectListArguments).isPlain, false);
  assert.equal(accepted('"" % return ()', expectListArguments).isPlain, false);
  assert.equal(accepted('(special-use) "" *', expectListArguments).onlySpecialUse, true);
});

test('options that mean nothing are refused', () => {
  const wrong = [
    '""',
    '"" ()',
    '(FOO) "" *',
    '(RECURSIVEMATCH) "" *',
    '(REMOTE RECURSIVEMATCH) "" *',
    '"" * RETURN',
    '"" * RETURN (FOO)',
    '"" * RETURN (STATUS)',
    '"" * RETURN (STATUS ())',
    '"" * (CHILDREN)',
    '"" * *',
  ];
  for (const text of wrong) refused(text, expectListArguments);
  assert.equal(refused('"" Q&A', expectListArguments).kind, 'name');
});

test('LSUB and STATUS take what they take', () => {
  assert.deepEqual(accepted('"" "Lists/*"', expectReferenceAndPattern), { reference: '', pattern: 'Lists/*' });
  assert.deepEqual(accepted('(messages UIDNEXT MESSAGES)', expectStatusItems), ['MESSAGES', 'UIDNEXT']);
  for (const text of ['()', 'MESSAGES', '(FOO)', '(MESSAGES']) refused(text, expectStatusItems);
});

test('SELECT takes CONDSTORE and what QRESYNC knows', () => {
  assert.deepEqual(accepted('inbox', expectSelectArguments), {
    mailbox: 'INBOX',
    given: 'inbox',
    condStore: false,
    quickResync: undefined,
  });
  assert.equal(accepted('INBOX (CONDSTORE)', expectSelectArguments).condStore, true);
  const known = (text: string): string => {
    const { quickResync } = accepted(`INBOX (QRESYNC ${text})`, expectSelectArguments);
    assert.ok(quickResync !== undefined);
    const { uidValidity, modSeq, knownUids, match } = quickResync;
    return `${uidValidity} ${modSeq} ${knownUids} ${match?.numbers} ${match?.uids}`;
  };
  assert.equal(known('(67890007 20050715194045)'), '67890007 20050715194045 undefined undefined undefined');
  assert.equal(known('(1 2 41,43:211)'), '1 2 41,43:211 undefined undefined');
  assert.equal(known('(1 2 1:9 (1,3 7,9))'), '1 2 1:9 1,3 7,9');
  assert.equal(known('(1 2 (1,3 7,9))'), '1 2 undefined 1,3 7,9');
  assert.equal(known('(1 9223372036854775807 (1:3 7,9,11))'), '1 9007199254740991 undefined 1:3 7,9,11');
  const wrong = [
    '()',
    '(FOO)',
    '(QRESYNC)',
    '(QRESYNC (1))',
    '(QRESYNC (0 1))',
    '(QRESYNC (1 0))',
    '(QRESYNC (1 2 1:*))',
  ];
  for (const text of [
    ...wrong,
    '(QRESYNC (1 2 $))',
    '(QRESYNC (1 2 1 (1)))',
    '(QRESYNC (1 2 1 (1 2) 3))',
    '(QRESYNC (1 2 1:9 (1:2 7)))',
    '(QRESYNC (1 2 (1 7:8)))',
    '(QRESYNC (1 9223372036854775808))',
    '(CONDSTORE',
  ]) {
    refused(`INBOX ${text}`, expectSelectArguments);
  }
});

test('CREATE takes special uses', () => {
  assert.deepEqual(accepted('Sent', expectCreateArguments), { mailbox: 'Sent', uses: [] });
  assert.deepEqual(accepted('Sent (USE (\\Sent \\Flagged))', expectCreateArguments).uses, ['\\Sent', '\\Flagged']);
  for (const text of ['Sent ()', 'Sent (USE)', 'Sent (USE (Sent))', 'Sent (FOO ())'])
    refused(text, expectCreateArguments);
});

test('a message of APPEND comes behind its flags and its date', () => {
  const append = (line: string, isUtf8 = false): unknown => {
    const decoder = new Decoder([{ line: Buffer.from(line), literal: 'unread' }], isUtf8);
    const item = expectAppendItem(decoder);
    return decoder.expectEnd() ? item : undefined;
  };
  const message = { bytes: 310, isBinary: false };
  const plain = { flags: [], internalDate: undefined, message, isInParentheses: false };
  assert.deepEqual(append('{310}'), plain);
  assert.deepEqual(append('(\\Seen x) {310+}'), { ...plain, flags: ['\\Seen', 'x'] });
  assert.deepEqual(append('() " 1-Jan-1970 00:00:01 +0000" {310}'), { ...plain, internalDate: 1 });
  const binary = { bytes: 310, isBinary: true };
  assert.deepEqual(append('~{310}'), { ...plain, message: binary });
  assert.deepEqual(append('utf8 (~{310}', true), { ...plain, message: binary, isInParentheses: true });
  for (const line of ['UTF8 ({310}', 'UTF8 ~{310}', 'UTF8(~{310}']) assert.equal(append(line, true), undefined, line);
  assert.equal(append('UTF8 (~{310}'), undefined, 'only where it is enabled');
  for (const line of ['(\\Seen){310}', '"yesterday" {310}', '(\\Seen) x {310}', '{310} ', '']) {
    assert.equal(append(line), undefined, line);
  }
});
