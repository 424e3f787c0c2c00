import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isStoreError } from '../errors.ts';
import { limits } from '../limits.ts';
import { isBelow, mailboxName } from './mailbox-name.ts';

const refused = (name: string): void => {
  assert.throws(
    () => mailboxName(name),
    (error) => isStoreError(error, 'badName'),
    JSON.stringify(name),
  );
};

test('names are kept in NFC', () => {
  assert.equal(mailboxName('Entwu\u0308rfe'), 'Entw\u00fcrfe');
  for (const name of ['Work', 'Work/2024', ' a ', '日本語', '&', '%*', '🙂', 'INBOXES', '.', '..']) {
    assert.equal(mailboxName(name), name);
  }
});

test('INBOX is one in any letter case, at the top only', () => {
  for (const name of ['INBOX', 'inbox', 'InBox']) assert.equal(mailboxName(name), 'INBOX');
  assert.equal(mailboxName('inbox/Inbox'), 'INBOX/Inbox');
  assert.equal(mailboxName('Work/inbox'), 'Work/inbox');
});

test('only the letters of INBOX make INBOX, not those that turn into them', () => {
  assert.equal(mailboxName('\u0131nbox'), '\u0131nbox');
});

test('empty levels, control characters and halves of surrogate pairs are refused', () => {
  for (const name of ['', '/', '/a', 'a/', 'a//b', 'a\u0000', 'a\nb', 'a\u007f', 'a\u0085', 'a\u2028b', 'a\ud800b']) {
    refused(name);
  }
});

test('levels and octets are bounded', () => {
  const levels = (n: number): string => Array.from({ length: n }, () => 'a').join('/');
  assert.equal(mailboxName(levels(limits.mailboxDepth)), levels(limits.mailboxDepth));
  refused(levels(limits.mailboxDepth + 1));
  const octets = 'ä'.repeat(limits.mailboxNameBytes / 2);
  assert.equal(mailboxName(octets), octets);
  refused(`${octets}a`);
});

test('property: a name that was taken is taken as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (given) => {
      let name: string;
      try {
        name = mailboxName(given);
      } catch (error) {
        assert.ok(isStoreError(error, 'badName'));
        return;
      }
      assert.equal(mailboxName(name), name);
    }),
  );
});

test('a mailbox lies below another by whole levels', () => {
  assert.equal(isBelow('a/b', 'a'), true);
  assert.equal(isBelow('ab', 'a'), false);
  assert.equal(isBelow('a', 'a'), false);
});
