import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageUids, UidPage } from '../catalog/uid-pages.ts';
import { UidSet } from '../codec/uid-set.ts';
import { StoreError } from '../errors.ts';
import { brandNumber, type MailboxId } from '../types.ts';
import { inSlices, uidSlices } from './slices.ts';

const slices = [UidSet.range(1, 2), UidSet.range(3, 4), UidSet.range(5, 6)];

/** A slice that was asked for, and what lets it go on. */
interface Asked {
  readonly uids: string;
  decided(): void;
  answer(uids: string): void;
  refuse(error: unknown): void;
}

function asker(): { readonly asked: Asked[]; ask(uids: UidSet, decided: () => void): Promise<string> } {
  const asked: Asked[] = [];
  const ask = (uids: UidSet, decided: () => void): Promise<string> =>
    new Promise((answer, refuse) => asked.push({ uids: `${uids}`, decided, answer, refuse }));
  return { asked, ask };
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a slice is asked for when the one before was decided, and answers come in the order of the slices', async () => {
  const { asked, ask } = asker();
  const answers = inSlices(slices, ask);
  await soon();
  assert.deepEqual(
    asked.map(({ uids }) => uids),
    ['1:2'],
  );
  asked[0]?.decided();
  await soon();
  assert.deepEqual(
    asked.map(({ uids }) => uids),
    ['1:2', '3:4'],
  );
  asked[1]?.decided();
  await soon();
  assert.equal(asked.length, 3);
  for (const at of [2, 0, 1]) asked[at]?.answer(`${at}`);
  assert.deepEqual(await answers, ['0', '1', '2']);
});

test('without slices nothing is asked about once', async () => {
  const { asked, ask } = asker();
  const answers = inSlices([], ask);
  asked[0]?.answer('none');
  assert.deepEqual(await answers, ['none']);
  assert.deepEqual(
    asked.map(({ uids }) => uids),
    [''],
  );
});

test('after a refusal no further slice is asked for; it is told when those under way are answered', async () => {
  const { asked, ask } = asker();
  const answers = inSlices(slices, ask);
  asked[0]?.decided();
  await soon();
  asked[0]?.refuse(new StoreError('ioError', 'the first'));
  await soon();
  asked[1]?.refuse(new StoreError('ioError', 'the second'));
  await assert.rejects(answers, /the first/);
  assert.equal(asked.length, 2);
});

test('a mailbox that vanished between slices ends the work with what was done, and is told when it was never there', async () => {
  const gone = new StoreError('noMailbox', 'no mailbox');
  const { asked, ask } = asker();
  const answers = inSlices(slices, ask);
  asked[0]?.decided();
  await soon();
  asked[0]?.answer('done');
  asked[1]?.refuse(gone);
  assert.deepEqual(await answers, ['done']);
  assert.equal(asked.length, 2);
  const never = asker();
  const none = inSlices(slices, never.ask);
  never.asked[0]?.refuse(gone);
  await assert.rejects(none, /no mailbox/);
});

const mailbox = brandNumber<MailboxId>(1);

/** A mailbox with these UIDs; counts who goes through all its pages. */
function pagesOf(uids: readonly number[]): {
  uidPage(mailbox: MailboxId, number: number): UidPage | undefined;
  uidPages(): Generator<readonly [number, UidPage]>;
  looks: number;
} {
  const pages = new Map<number, UidPage>();
  for (const uid of uids) {
    const number = Math.floor(uid / pageUids);
    const page = pages.get(number) ?? new UidPage();
    page.set(uid, false);
    pages.set(number, page);
  }
  return {
    looks: 0,
    uidPage: (_mailbox, number) => pages.get(number),
    *uidPages() {
      this.looks += 1;
      yield* [...pages].sort(([a], [b]) => a - b);
    },
  };
}

test('slices hold the UIDs that exist of those wanted, across pages, so many at a time', () => {
  const pages = pagesOf([1, 2, 5, 8_191, 8_192, 8_193, 20_000, 90_000]);
  const slices = (wanted: UidSet, most: number): string[] => uidSlices(pages, mailbox, wanted, most).map(String);
  assert.deepEqual(slices(UidSet.range(1, 0xffff_ffff), 3), ['1:2,5', '8191:8193', '20000,90000']);
  assert.deepEqual(
    slices(
      UidSet.ofRanges([
        { first: 2, last: 8_192 },
        { first: 20_000, last: 20_009 },
      ]),
      2,
    ),
    ['2,5', '8191:8192', '20000'],
  );
  assert.deepEqual(slices(UidSet.range(30_000, 80_000), 10), []);
});

test('a few UIDs of a large mailbox are not looked for in all of it', () => {
  const pages = pagesOf([1, 8_191, 8_192, 100_000]);
  const few = UidSet.ofRanges([
    { first: 1, last: 2 },
    { first: 7, last: 7 },
    { first: 8_190, last: 8_193 },
    { first: 50_000, last: 50_000 },
    { first: 100_000, last: 100_000 },
  ]);
  assert.deepEqual(uidSlices(pages, mailbox, few, few.size).map(String), ['1,8191:8192,100000']);
  assert.deepEqual(uidSlices(pages, mailbox, UidSet.range(7, 9), 3), []);
  assert.equal(pages.looks, 0);
});
