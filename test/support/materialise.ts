/** Brings a simulated machine's store to a real disk: its files as they are, its catalog into LMDB. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { limits, machinePorts, Store, type StoreOptions } from '@mstore/store';
import { openLmdbKv } from '@mstore/store/internal/catalog/lmdb-kv';
import { type SimMachine, simDirectory } from './sim-machine.ts';
import { tempDirectory } from './temp.ts';

/** Copies the store to a directory, opens it there with the real ports, and closes it after `use`. */
export async function openOnDisk(
  machine: SimMachine,
  options: StoreOptions,
  use: (store: Store) => Promise<void>,
): Promise<void> {
  await using temp = await tempDirectory();
  await copyFiles(machine, simDirectory, temp.path);
  const generation = machine.disk.contents(`${simDirectory}/catalog/CURRENT`).toString('latin1').trim();
  const kvOptions = { readOnly: false, mapBytes: limits.catalogMapBytes, metaSync: false };
  const kv = await openLmdbKv(`${temp.path}/catalog/${generation}`, kvOptions);
  const changes = [...(await machine.catalog()).entries()].map(([table, key, value]) => ({ table, key, value }));
  await kv.write(changes);
  await kv.close();
  const store = await Store.open(temp.path, { ...options, idleCommitMs: 0, ports: machinePorts });
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

async function copyFiles(machine: SimMachine, from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await machine.disk.list(from)) {
    const path = `${from}/${name}`;
    const target = `${to}/${name}`;
    if (await isDirectory(machine, path)) await copyFiles(machine, path, target);
    else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, machine.disk.contents(path));
    }
  }
}

async function isDirectory(machine: SimMachine, path: string): Promise<boolean> {
  return machine.disk.list(path).then(
    () => true,
    () => false,
  );
}
