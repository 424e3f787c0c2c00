/** `mstore init` */
import { stat, writeFile } from 'node:fs/promises';
import { configPath, configTemplate, createStore, errnoOf } from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';

const manual = `
Makes the directory named by --data, an empty store in it, and mstore.toml with every key as a comment. Refuses a directory
that holds a store (exit code 73); an mstore.toml that is there stays as it is, and is honoured.`;

export function addInit(program: Command): void {
  works(program.command('init').description('make an empty store').addHelpText('after', manual), init);
}

async function init(run: Run): Promise<number> {
  const { directory } = run;
  await makeStore(run);
  await run.answer({ directory, created: true }, `An empty store is in ${directory}. Next: mstore user add NAME\n`);
  return exit.done;
}

/** An empty store with a configuration in which every key is a comment. @throws {StoreError} storeExists */
export async function makeStore(run: Run): Promise<void> {
  const { directory } = run;
  const { config } = await run.config();
  await createStore(directory, { segmentBytes: config.heap.segmentBytes });
  if (!(await exists(configPath(directory)))) await writeFile(configPath(directory), configTemplate, { flag: 'wx' });
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
