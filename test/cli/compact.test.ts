import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { brandNumber, type Lsn, Store, UidSet } from '@mstore/store';
import { wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { CliStore } from './command.ts';

/** A store of small segments, most of whose mail is gone for good. */
async function garbage(): Promise<CliStore> {
  const cli = await CliStore.make('ada@x');
  await writeFile(join(cli.directory, 'mstore.toml'), '[heap]\nsegmentBytes = "1M"\n');
  const random = seededRandom(1);
  for (let n = 0; n < 4; n++) {
    const text = wrapped(random.bytes(150_000), 76);
    await cli.done(['deliver', '-d', 'ada@x'], { input: `Subject: ${n}\r\n\r\n${text}` });
  }
  const store = await Store.open(cli.directory, { segmentBytes: 65_536 });
  const account = store.catalog().accountNamed('ada@x');
  assert.ok(account !== undefined);
  const mailbox = store.catalog().mailboxNamed(account.id, 'INBOX')?.id;
  assert.ok(mailbox !== undefined);
  await store.expunge(mailbox, UidSet.range(1, 3), false);
  await store.purge(mailbox, UidSet.range(1, 3));
  await store.close();
  return cli;
}

/** How many messages there are to read. */
async function messages(cli: CliStore): Promise<number> {
  const folder = join(cli.folder, `out-${process.hrtime.bigint()}`);
  const report: unknown = JSON.parse(await cli.done(['export', 'eml', folder, '--user', 'ada@x', '--json']));
  assert.ok(typeof report === 'object' && report !== null && 'exported' in report);
  return Number(report.exported);
}

/** What `df` tells of the log is all of it: the octets of every record. */
async function assertAllCounted(cli: CliStore): Promise<void> {
  const space: unknown = JSON.parse(await cli.done(['df', '--json']));
  assert.ok(typeof space === 'object' && space !== null && 'live' in space && 'dead' in space && 'log' in space);
  let octets = 0;
  const store = await Store.open(cli.directory);
  for await (const { location } of store.heap.scan({ from: brandNumber<Lsn>(0) })) octets += location.bytes;
  await store.close();
  assert.equal(Number(space.live) + Number(space.dead) + Number(space.log), octets);
}

test('compact gives space back at once where no service runs, and says how much', async () => {
  await using cli = await garbage();
  assert.equal(await messages(cli), 1);
  const heap = join(cli.directory, 'heap');
  const files = await readdir(heap);
  const report: unknown = JSON.parse(await cli.done(['compact', '--min-garbage', '0.1', '--json']));
  assert.ok(typeof report === 'object' && report !== null && 'segments' in report && 'kept' in report);
  assert.ok(Array.isArray(report.segments) && report.segments.length > 0);
  assert.deepEqual(report.kept, []);
  const left = await readdir(heap);
  assert.ok(files.some((name) => !left.includes(name)));
  assert.equal(await messages(cli), 1);
  await assertAllCounted(cli);
  assert.match(await cli.done(['compact', '--min-garbage', '1', '--max-rate', '16M/s']), /No segment was worth it/);
  const { code, stdout } = await cli.run(['rebuild', '--json']);
  assert.equal(code, 0, stdout.toString());
  assert.equal(await messages(cli), 1);
});

test('compact refuses shares and rates that are none', async () => {
  await using cli = await CliStore.make();
  assert.match(await cli.refused(2, ['compact', '--min-garbage', '1.5']), /share from 0 to 1/);
  assert.match(await cli.refused(2, ['compact', '--min-garbage', '']), /share from 0 to 1/);
  assert.match(await cli.refused(2, ['compact', '--max-rate', 'fast']), /octets per second/);
});
