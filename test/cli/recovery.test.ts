/** docs/operations/recovery.md, executed: each box of commands, on a store that has the damage of its section. */
import assert from 'node:assert/strict';
import { cp, readFile, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AccountId, inbox, limits, repair, Store } from '@mstore/store';
import { Catalog } from '@mstore/store/internal/catalog/catalog';
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';
import { accountNameTable, accountTable, messageHashTable } from '@mstore/store/internal/catalog/schema';
import { View, WriteSet } from '@mstore/store/internal/catalog/write-set';
import { SegmentSurvey } from '@mstore/store/internal/heap/survey';
import { nodeFs } from '@mstore/store/internal/sys/node-fs';
import { multipart, wrapped } from '../support/messages.ts';
import { seededRandom } from '../support/random.ts';
import { readRepositoryFile } from '../support/repository.ts';
import { tempDirectory } from '../support/temp.ts';
import { mstore } from './command.ts';

/** A box: its section, and its commands with the exit codes they may end with. */
interface Box {
  readonly section: string;
  readonly commands: readonly { readonly words: readonly string[]; readonly codes: readonly number[] }[];
}

function boxesOf(document: string): Box[] {
  const boxes: Box[] = [];
  let section = '';
  let open: Box['commands'][number][] | undefined;
  for (const line of document.split('\n')) {
    section = /^## (.*)/.exec(line)?.[1] ?? section;
    if (/^\s*```sh/.test(line)) open = [];
    else if (/^\s*```$/.test(line) && open !== undefined) {
      boxes.push({ section, commands: open });
      open = undefined;
    } else open?.push(commandOf(line.trim()));
  }
  return boxes;
}

function commandOf(line: string): Box['commands'][number] {
  const match = /^mstore (.*?)\s+# exit code (\d+)(?: or (\d+))?$/.exec(line);
  assert.ok(match !== null, `a command that says how it ends: ${line}`);
  const [, text = '', ...codes] = match;
  return { words: text.trim().split(/\s+/), codes: codes.filter((code) => code !== undefined).map(Number) };
}

const segment = (directory: string, number: number): string =>
  join(directory, 'heap', `${String(number).padStart(16, '0')}.seg`);

/** A store of three segments, and a backup of it. */
async function furnish(directory: string, backup: string): Promise<void> {
  await mstore(['init', '--data', directory]);
  const random = seededRandom(5);
  for (let round = 0; round < 3; round++) {
    // Each opening with so small a bound begins a segment of its own.
    const store = await Store.open(directory, { segmentBytes: 1_024 });
    const known = store.catalog().accountNamed('ann@example.org');
    const account = known?.id ?? (await store.createAccount('ann@example.org')).account;
    for (let n = 0; n < 2; n++) await deliver(store, account, wrapped(random.bytes(5_000), 76));
    await store.close();
  }
  const ran = await mstore(['backup', backup, '--data', directory]);
  assert.equal(ran.code, 0, ran.stderr);
}

async function deliver(store: Store, account: AccountId, body: string): Promise<void> {
  const subject = `Subject: ${body.slice(0, 8)}`;
  const taken = await store.take(multipart([subject], 'text', [{ encoding: 'base64', body }]));
  const [result] = await store.deliver(taken, [{ account, trace: Buffer.from('Return-Path: <>\r\n') }]);
  assert.ok(result?.ok);
}

/** Turns several bits of the first record of a type in a segment: of its payload, or of its head. */
async function spoil(directory: string, type: number, where: 'head' | 'payload'): Promise<void> {
  const survey = await SegmentSurvey.open(nodeFs, directory);
  try {
    for (const one of survey.segments) {
      for await (const record of survey.records(one)) {
        if (record.type !== type) continue;
        const offset = record.location.lsn - (one.header?.baseLsn ?? 0);
        const at = where === 'head' ? offset + 8 : offset + 32 + record.fields.length + 5;
        const file = await nodeFs.open(survey.path(one.number), 'write');
        await file.write([Buffer.from([0xde, 0xad, 0xbe])], at);
        await file.close();
        return;
      }
    }
  } finally {
    await survey.close();
  }
}

async function changeCatalog(directory: string, change: (view: View, catalog: Catalog) => void): Promise<void> {
  const current = (await readFile(join(directory, 'catalog', 'CURRENT'), 'latin1')).trim();
  const options = { readOnly: false, mapBytes: limits.catalogMapBytes, metaSync: false };
  const kv = await openLmdbKv(join(directory, 'catalog', current), options);
  const set = new WriteSet();
  const view = new View(kv, [], set);
  change(view, new Catalog(view));
  await kv.write(WriteSet.encode([set]));
  await kv.close();
}

/** What is done to the store before a box of the section is executed. */
const damages: Readonly<Record<string, (directory: string) => Promise<void>>> = {
  'What to do, always': (directory) => spoil(directory, 1, 'payload'),
  badChecksum: (directory) => spoil(directory, 1, 'payload'),
  corruptLog: (directory) => spoil(directory, 4, 'head'),
  missingSegment: (directory) => rm(segment(directory, 2)),
  unlistedSegment: async (directory) => {
    const aside = join(directory, 'aside');
    await rename(segment(directory, 2), aside);
    await repair(directory);
    await rename(aside, segment(directory, 2));
  },
  lostTail: async (directory) => {
    const newest = await newestSegment(directory);
    await truncate(newest.path, Math.floor(newest.bytes / 2));
  },
  tornTail: async (directory) => {
    const newest = await newestSegment(directory);
    const file = await nodeFs.open(newest.path, 'write');
    await file.write([Buffer.from('half a batch, as a power cut leaves it')], newest.bytes);
    await file.close();
  },
  noCatalog: (directory) => rm(join(directory, 'catalog'), { recursive: true }),
  wrongCount: (directory) =>
    changeCatalog(directory, (view, catalog) => {
      const [account] = [...catalog.accounts()];
      assert.ok(account !== undefined);
      const row = view.edit(accountTable, account.id);
      if (row !== undefined) row.messages++;
    }),
  orphan: (directory) => changeCatalog(directory, (view) => void view.put(accountNameTable, 99, 'nobody@example.org')),
  danglingReference: (directory) =>
    changeCatalog(directory, (view, catalog) => {
      const [message] = [...catalog.messages()];
      if (message !== undefined) view.remove(messageHashTable, message[1].sha);
    }),
};

async function newestSegment(directory: string): Promise<{ readonly path: string; readonly bytes: number }> {
  const survey = await SegmentSurvey.open(nodeFs, directory);
  const last = survey.segments.at(-1);
  await survey.close();
  assert.ok(last !== undefined);
  return { path: segment(directory, last.number), bytes: last.fileBytes };
}

const boxes = boxesOf(readRepositoryFile('docs/operations/recovery.md'));

test('every state that fsck names has a section with commands', () => {
  const sections = new Set(boxes.map(({ section }) => section));
  assert.deepEqual([...sections], Object.keys(damages));
});

test('the commands of each section do what it says', async (t) => {
  await using temp = await tempDirectory();
  const [sound, backup, directory] = ['sound', 'backup', 'store'].map((name) => join(temp.path, name));
  assert.ok(sound !== undefined && backup !== undefined && directory !== undefined);
  await furnish(sound, backup);
  for (const { section, commands } of boxes) {
    await t.test(section, async () => {
      await rm(directory, { recursive: true, force: true });
      await cp(sound, directory, { recursive: true });
      await damages[section]?.(directory);
      for (const { words, codes } of commands) {
        const args = words.map((word) => (word === '/srv/backup/mstore' ? backup : word));
        const ran = await mstore([...args, '--data', directory]);
        const said = `${section}: mstore ${words.join(' ')}: ${ran.code}\n${ran.stdout}${ran.stderr}`;
        assert.ok(ran.code !== null && codes.includes(ran.code), said);
        const isNamed = !Object.hasOwn(damages, section) || ran.code !== 1 || words.includes('--repair');
        assert.ok(isNamed || section.includes(' ') || ran.stdout.includes(section), said);
      }
      if (section.includes(' ')) return;
      const after = await mstore(['fsck', '--data', directory]);
      assert.equal(after.code, 0, `${section}: ${after.stdout}`);
      await serves(directory);
    });
  }
});

/** The store takes and gives mail as any other. */
async function serves(directory: string): Promise<void> {
  const store = await Store.open(directory);
  try {
    const account = store.catalog().accountNamed('ann@example.org');
    assert.ok(account !== undefined);
    const box = store.catalog().mailboxNamed(account.id, inbox);
    assert.ok(box !== undefined);
    const entries = [...store.catalog().entries(box.id)];
    assert.equal(entries.length, 6, 'no message is gone without a word');
    for (const entry of entries) await (await store.open(entry)).whole();
    await deliver(store, account.id, 'after');
  } finally {
    await store.close();
  }
}
