import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isStoreError } from '../../errors.ts';
import { nodeFs } from '../../sys/node-fs.ts';
import {
  type BackupManifest,
  countRestore,
  encodeChecked,
  manifestPath,
  needManifest,
  readManifest,
  writeManifest,
} from './manifest.ts';

const empty = createHash('sha256').digest('hex');
const manifest: Omit<BackupManifest, 'format'> = {
  store: '000102030405060708090a0b0c0d0e0f',
  number: 2,
  time: 1_700_000_000_000,
  durableLsn: 9_000,
  epoch: 1,
  segments: [
    {
      number: 1,
      headerCrc: 305_419_896,
      pieces: [
        { bytes: 4_000, sha256: empty },
        { bytes: 904, sha256: empty },
      ],
    },
  ],
  checkpoint: null,
  files: [],
};

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mstore-manifest-'));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("the document's example is what the code writes and reads", () =>
  inFolder(async (folder) => {
    const document = await readFile(new URL('../../../../../docs/format/backup.md', import.meta.url), 'utf8');
    const example = /```json\n([\s\S]*?)```/.exec(document)?.[1] ?? '';
    await writeManifest(nodeFs, folder, manifest);
    const written = await readFile(manifestPath(folder), 'utf8');
    const sum = createHash('sha256').update(example).digest('hex');
    assert.equal(written, `${example}sha256 ${sum}\n`);
    assert.deepEqual(await readManifest(nodeFs, folder), { format: 1, ...manifest });
  }));

test('a manifest with one octet changed or cut anywhere is damaged, and without one there is no backup', () =>
  inFolder(async (folder) => {
    assert.equal(await readManifest(nodeFs, folder), undefined);
    await assert.rejects(needManifest(nodeFs, folder), (error) => isStoreError(error, 'noBackup'));
    await writeManifest(nodeFs, folder, manifest);
    const good = await readFile(manifestPath(folder));
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 1;
      for (const octets of [bad, good.subarray(0, at)]) {
        await writeFile(manifestPath(folder), octets);
        await assert.rejects(readManifest(nodeFs, folder), (error) => isStoreError(error, 'corrupt'));
      }
    }
  }));

test('a manifest of a later release is refused, and so is one with paths outside', () =>
  inFolder(async (folder) => {
    await writeFile(manifestPath(folder), encodeChecked({ format: 2 }));
    await assert.rejects(readManifest(nodeFs, folder), (error) => isStoreError(error, 'newerFormat'));
    for (const path of ['../x', 'a/b', '']) {
      const files = [{ name: path, path: 'x', bytes: 0, sha256: empty }];
      await writeFile(manifestPath(folder), encodeChecked({ format: 1, ...manifest, files }));
      await assert.rejects(readManifest(nodeFs, folder), (error) => isStoreError(error, 'corrupt'), path);
    }
  }));

test('each restore gets an epoch above all before, and a second of its own', () =>
  inFolder(async (folder) => {
    const of = { format: 1, ...manifest };
    const now = 1_700_000_500_000;
    assert.deepEqual(await countRestore(nodeFs, folder, of, { now }), {
      restores: 1,
      epoch: 2,
      seconds: 1_700_000_500,
    });
    assert.deepEqual(await countRestore(nodeFs, folder, of, { now }), {
      restores: 2,
      epoch: 3,
      seconds: 1_700_000_501,
    });
    assert.deepEqual(await countRestore(nodeFs, folder, { ...of, epoch: 3 }, { now: now - 9_000 }), {
      restores: 1,
      epoch: 4,
      seconds: 1_700_000_502,
    });
    assert.equal((await countRestore(nodeFs, folder, of, { now, epochAbove: 10 })).restores, 10);
    assert.equal((await countRestore(nodeFs, folder, of, { now })).restores, 11);
  }));
