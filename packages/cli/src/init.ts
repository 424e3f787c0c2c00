/** `mstore init` */
import { writeFile } from 'node:fs/promises';
import { configPath, configTemplate, createStore, isStore, machinePorts, StoreError } from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { makeDirectory } from './directory.ts';
import { exit } from './errors.ts';
import { isThere } from './file-tree.ts';

const manual = `
Makes the directory named by --data, an empty store in it, and mstore.toml with every key as a comment. Refuses a directory
that holds a store (exit code 73); an mstore.toml that is there stays as it is, and is honoured. The directory of users,
directory.sqlite, is made too; where only that is missing from a store, it is made, empty: until its users are added again
("mstore user list" names the accounts), mail for them is refused.`;

export function addInit(program: Command): void {
  works(program.command('init').description('make an empty store').addHelpText('after', manual), init);
}

async function init(run: Run): Promise<number> {
  const { directory } = run;
  if (await isStore(machinePorts.fs, directory)) return initDirectory(run);
  await makeStore(run);
  const text = `An empty store is in ${directory}. Next: mstore user add ADDRESS\n`;
  await run.answer({ directory, created: true, users: 'new' }, text);
  return exit.done;
}

/** A store without its directory of users gets one. @throws {StoreError} storeExists */
async function initDirectory(run: Run): Promise<number> {
  const { directory } = run;
  if (!(await makeDirectory(run))) throw new StoreError('storeExists', `a store is in ${directory}`);
  const text = `An empty directory of users is in ${directory}; its store was there. Next: mstore user import FILE\n`;
  await run.answer({ directory, created: false, users: 'new' }, text);
  return exit.done;
}

/** An empty store and directory, with a configuration in which every key is a comment. @throws {StoreError} storeExists */
export async function makeStore(run: Run): Promise<void> {
  const { directory } = run;
  const { config } = await run.config();
  await createStore(directory, { segmentBytes: config.heap.segmentBytes });
  if (!(await isThere(configPath(directory)))) await writeFile(configPath(directory), configTemplate, { flag: 'wx' });
  await makeDirectory(run);
}
