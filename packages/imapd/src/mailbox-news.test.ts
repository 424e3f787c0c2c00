import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AccountId, brandNumber, type Change, type ChangeKind, type MailboxId, UidSet } from '@mstore/store';
import { limits } from './limits.ts';
import { MailboxNews } from './mailbox-news.ts';

const inbox = brandNumber<MailboxId>(1);
const none: ReadonlySet<number> = new Set();

function change(kind: ChangeKind, sequence: number, ...uids: readonly number[]): Change {
  return { kind, sequence, account: brandNumber<AccountId>(1), mailbox: inbox, uids: UidSet.of(uids) };
}

/** A log that watches from MODSEQ 10 on. */
function watching(wake: () => void = () => undefined): { readonly news: MailboxNews; readonly leave: () => void } {
  const news = new MailboxNews();
  return { news, leave: news.watch(inbox, 10, wake) };
}

test('flags that changed are known between two MODSEQs, whatever else happened', () => {
  const { news } = watching();
  news.heard([change('flags', 11, 1, 2), change('appended', 12, 9), change('flags', 13, 5)]);
  assert.equal(news.changed(inbox, 10, 13, none)?.toString(), '1:2,5');
  assert.equal(news.changed(inbox, 11, 13, none)?.toString(), '5');
  assert.equal(news.changed(inbox, 11, 12, none)?.toString(), '');
});

test('what a session did itself is left out', () => {
  const { news } = watching();
  news.heard([change('flags', 11, 1), change('flags', 12, 2)]);
  assert.equal(news.changed(inbox, 10, 12, new Set([11]))?.toString(), '2');
});

test('nothing is said of what was not heard', () => {
  const { news } = watching();
  assert.equal(news.changed(inbox, 10, 11, none), undefined, 'the feed is behind the catalog');
  assert.equal(news.changed(inbox, 9, 10, none), undefined, 'before the watch began');
  assert.equal(news.changed(brandNumber<MailboxId>(2), 10, 10, none), undefined, 'nobody watches');
});

test('after a gap nothing is known until somebody has looked', () => {
  const { news } = watching();
  news.heard([change('flags', 11, 1)]);
  news.heard([]);
  news.heard([change('flags', 15, 3)]);
  assert.equal(news.changed(inbox, 10, 15, none), undefined);
  news.looked(inbox, 14);
  assert.equal(news.changed(inbox, 10, 15, none), undefined);
  assert.equal(news.changed(inbox, 14, 15, none)?.toString(), '3');
});

test('who watches is woken by each change and by a gap, until it leaves', () => {
  let woken = 0;
  const { news, leave } = watching(() => {
    woken += 1;
  });
  news.heard([change('flags', 11, 1), change('expunged', 12, 2)]);
  assert.equal(woken, 1);
  news.heard([]);
  assert.equal(woken, 2);
  leave();
  news.heard([change('flags', 13, 1)]);
  assert.equal(woken, 2);
  assert.equal(news.changed(inbox, 10, 13, none), undefined, 'a log that nobody watches is dropped');
});

test('a log forgets its oldest changes, and then says nothing of them', () => {
  const { news } = watching();
  for (let at = 0; at <= limits.newsKept; at += 1) news.heard([change('flags', 11 + at, 1)]);
  assert.equal(news.changed(inbox, 10, 11 + limits.newsKept, none), undefined);
  assert.equal(news.changed(inbox, 11, 11 + limits.newsKept, none)?.toString(), '1');
});
