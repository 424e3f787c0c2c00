/** Golden stores: what earlier releases left on disk, brought to a folder where a test may change it. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { limits } from '@mstore/store';
import { type TableName, tableNames } from '@mstore/store/internal/catalog/kv';
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';
import { repositoryRoot } from '../support/repository.ts';

const folder = (version: number): string => join(repositoryRoot, 'test/format/golden', `v${version}`);

/** The store of a version as a directory, its catalog in LMDB. */
export async function bringGolden(version: number, directory: string): Promise<void> {
  await mkdir(join(directory, 'run'), { recursive: true });
  await mkdir(join(directory, 'lost+found'));
  await cp(join(folder(version), 'heap'), join(directory, 'heap'), { recursive: true });
  const rows = await readFile(join(folder(version), 'catalog.txt'), 'latin1');
  const kv = openLmdbKv(join(directory, 'catalog/1'), {
    readOnly: false,
    mapBytes: limits.catalogMapBytes,
    metaSync: true,
  });
  await kv.write(
    linesOf(rows).map((line) => {
      const [table = '', key = '', value = ''] = line.split(' ');
      return { table: tableNamed(table), key: Buffer.from(key, 'hex'), value: Buffer.from(value, 'hex') };
    }),
  );
  await kv.close();
  await writeFile(join(directory, 'catalog/CURRENT'), '1\n');
}

/** What the store of a version was recorded to hold. */
export async function goldenContents(version: number): Promise<string[]> {
  return linesOf(await readFile(join(folder(version), 'contents.txt'), 'utf8'));
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function tableNamed(name: string): TableName {
  const found = tableNames.find((known) => known === name);
  if (found === undefined) throw new Error(`no table ${name}`);
  return found;
}
