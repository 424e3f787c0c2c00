/** What tests of a daemon that runs as several processes share: who is in which of them. */
import assert from 'node:assert/strict';
import type { Service } from '../support/service.ts';
import { Lines, type Ready, readReady, until } from './service.ts';

/** A session as `mstore who` shows it. */
export interface WhoRow {
  readonly protocol: string;
  readonly remote: string;
  readonly login: string;
  /** The selected one; of POP3 there is none. */
  readonly mailbox?: string;
  readonly pid: number;
}

export async function who(service: Service): Promise<readonly WhoRow[]> {
  const { stdout } = await service.mstore(['who', '--json']);
  return JSON.parse(stdout).sessions;
}

export function readyNow(service: Service): Ready {
  const ready = readReady(service.directory);
  assert.ok(ready, 'ready.json is there');
  return ready;
}

/** A greeted session in each process, by pid: connections are made until there is one. The rest is closed. */
export async function oneInEach(
  service: Service,
  protocol: 'pop3' | 'imap',
  greeting: RegExp,
): Promise<ReadonlyMap<number, Lines>> {
  const { pids } = readyNow(service);
  const found = new Map<number, Lines>();
  const all: Lines[] = [];
  await until('a session in each process', async () => {
    const lines = Lines.open(service.tcp(protocol));
    all.push(lines);
    await lines.hears(greeting);
    const row = (await who(service)).find(({ remote }) => remote.endsWith(`:${lines.socket.localPort}`));
    if (row !== undefined && !found.has(row.pid)) found.set(row.pid, lines);
    return found.size === pids[protocol].length;
  });
  for (const lines of all) if (![...found.values()].includes(lines)) lines.socket.destroy();
  return found;
}
