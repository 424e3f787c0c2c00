/** Golden stores: what earlier releases left on disk, brought to a folder where a test may change it. */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { limits } from '@mstore/store';
import { type KvChange, type TableName, tableNames } from '@mstore/store/internal/catalog/kv';
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';
import { repositoryRoot } from '../support/repository.ts';
import { SimMachine, type SimMachineOptions, simDirectory } from '../support/sim-machine.ts';

const folder = (version: number): string => join(repositoryRoot, 'test/format/golden', `v${version}`);

/** The store of a version as a directory, its catalog in LMDB. */
export async function bringGolden(version: number, directory: string): Promise<void> {
  await mkdir(join(directory, 'run'), { recursive: true });
  await mkdir(join(directory, 'lost+found'));
  await cp(join(folder(version), 'heap'), join(directory, 'heap'), { recursive: true });
  const kv = await openLmdbKv(join(directory, 'catalog/1'), {
    readOnly: false,
    mapBytes: limits.catalogMapBytes,
    metaSync: true,
  });
  await kv.write(await goldenRows(version));
  await kv.close();
  await writeFile(join(directory, 'catalog/CURRENT'), '1\n');
}

/** The same on a simulated machine. */
export async function goldenMachine(version: number, options: SimMachineOptions): Promise<SimMachine> {
  const machine = new SimMachine(options);
  const { fs, openKv } = machine.ports;
  const put = async (path: string, octets: Buffer): Promise<void> => {
    const file = await fs.open(path, 'create');
    await file.write([octets], 0);
    await file.datasync();
    await file.close();
    await fs.syncDirectory(dirname(path));
  };
  for (const name of ['heap', 'catalog', 'run', 'lost+found']) await fs.makeDirectory(`${simDirectory}/${name}`);
  for (const name of await readdir(join(folder(version), 'heap'))) {
    await put(`${simDirectory}/heap/${name}`, await readFile(join(folder(version), 'heap', name)));
  }
  const kv = await openKv(`${simDirectory}/catalog/1`, false);
  const rows = await goldenRows(version);
  // Once more, so that a crash cannot undo it.
  for (const changes of [rows, rows.slice(0, 1)]) await kv.write(changes);
  await kv.close();
  await put(`${simDirectory}/catalog/CURRENT`, Buffer.from('1\n'));
  await fs.syncDirectory(simDirectory);
  await fs.syncDirectory('/');
  return machine;
}

/** The rows of its catalog. */
export async function goldenRows(version: number): Promise<KvChange[]> {
  return linesOf(await readFile(join(folder(version), 'catalog.txt'), 'latin1')).map((line) => {
    const [table = '', key = '', value = ''] = line.split(' ');
    return { table: tableNamed(table), key: Buffer.from(key, 'hex'), value: Buffer.from(value, 'hex') };
  });
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
