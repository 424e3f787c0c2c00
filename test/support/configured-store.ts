/** A store with a configuration of its own. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type Config, configPath, loadConfig, machinePorts, Store } from '@mstore/store';
import type { TroubledDisk } from './troubled-disk.ts';

/** Writes lines `table.key = value` as the store's configuration, and reads it. */
export async function configure(directory: string, lines: readonly string[]): Promise<Config> {
  await writeFile(configPath(directory), tables(lines));
  return (await loadConfig(directory)).config;
}

export function openStore(directory: string, disk: TroubledDisk, { limits: { messageBytes } }: Config): Promise<Store> {
  return Store.open(directory, { ports: { ...machinePorts, fs: disk }, messageBytes });
}

function tables(lines: readonly string[]): string {
  const byTable = new Map<string, string[]>();
  for (const line of lines) {
    const [, table = '', setting = ''] = /^(\w+)\.(\w+ *=.+)$/.exec(line) ?? [];
    assert.notEqual(table, '', `${line}: expected table.key = value`);
    byTable.set(table, [...(byTable.get(table) ?? []), setting]);
  }
  return [...byTable].map(([table, settings]) => `[${table}]\n${settings.join('\n')}\n`).join('');
}
