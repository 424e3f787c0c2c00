/** A link to the writer, whichever process that is: it connects again, repeats nothing, and holds the feed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Change, isStoreError, type Store, socketPath, WriterLink } from '@mstore/store';
import { WriterServer } from '@mstore/store/internal/writer/server';
import { tempStore } from '../support/temp-store.ts';

interface Site extends AsyncDisposable {
  readonly store: Store;
  readonly link: WriterLink;
  listen(): Promise<WriterServer>;
}

async function site(): Promise<Site> {
  const temp = await tempStore();
  const path = socketPath(temp.directory);
  const link = new WriterLink(path);
  return {
    store: temp.store,
    link,
    listen: () => WriterServer.listen(temp.store, path),
    [Symbol.asyncDispose]: async () => {
      await link.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

const isNoWriter = (error: unknown): boolean => isStoreError(error, 'noWriter');

test('it connects when it is asked, and again to the next writer', async () => {
  await using place = await site();
  const { link } = place;
  await assert.rejects(link.createAccount('a@example.org'), isNoWriter);
  const first = await place.listen();
  const created = await Promise.all(['a@example.org', 'b@example.org'].map((name) => link.createAccount(name)));
  assert.equal(created.length, 2);
  await first.close();
  await assert.rejects(link.createAccount('c@example.org'), isNoWriter);
  const second = await place.listen();
  await link.createAccount('c@example.org');
  await second.close();
});

test('a message that another writer took cannot be placed', async () => {
  await using place = await site();
  const { link } = place;
  const first = await place.listen();
  const { account } = await link.createAccount('a@example.org');
  const lost = await link.take(Buffer.from('Subject: 1\r\n\r\n'));
  await first.close();
  const second = await place.listen();
  const target = { account, trace: Buffer.from('Delivered-To: a\r\n') };
  await assert.rejects(link.deliver(lost, [target]), isNoWriter);
  const [result] = await link.deliver(await link.take(Buffer.from('Subject: 1\r\n\r\n')), [target]);
  assert.equal(result?.ok, true);
  await second.close();
});

test('the feed goes on with the next writer, after an empty list that says: look again', async () => {
  await using place = await site();
  const { link, store } = place;
  const told: (readonly Change[])[] = [];
  const unsubscribe = link.subscribeFeed((changes) => told.push(changes));
  const until = async (condition: () => boolean): Promise<void> => {
    const deadline = performance.now() + 10_000;
    while (!condition()) {
      assert.ok(performance.now() < deadline);
      await sleep(5);
    }
  };
  for (let round = 1; round <= 2; round += 1) {
    const server = await place.listen();
    await until(() => told.filter((changes) => changes.length === 0).length === round);
    // A first answer over the same connection: the writer has heard that we listen.
    await link.createAccount(`r${round}@example.org`);
    const { account } = await store.createAccount(`a${round}@example.org`);
    await until(() => told.flat().some((change) => change.account === account));
    await server.close();
  }
  unsubscribe();
});

test('a closed link asks nobody', async () => {
  await using place = await site();
  const server = await place.listen();
  await place.link.createAccount('a@example.org');
  await place.link.close();
  await assert.rejects(place.link.createAccount('b@example.org'), (error) => isStoreError(error, 'closed'));
  await server.close();
});
