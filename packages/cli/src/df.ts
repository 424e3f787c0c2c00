/** `mstore df` */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Catalog, errnoOf, nextPurge, type Totals } from '@mstore/store';
import type { Command } from 'commander';
import { withReading } from './access.ts';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { humanBytes, humanCount, humanTime, safeText, table } from './text.ts';

const manual = `
Logical octets are what clients see, expunged messages in retention included. What is stored of them is less:

  same message         a message that lies in several mailboxes is stored once
  same part            a body part that several messages hold is stored once
  base64 decoded       parts are stored decoded (counts repeats of a part within one message too)
  zstd                 what the compressor saved

"heap" and "catalog" are octets on disk. In the heap's log: "live" is content in use, of which "shared" are parts named by more
than one message; "dead" is content nothing names any more, which compaction can reclaim; "log" is the record of changes.`;

/** Octets. */
interface Space {
  readonly logical: number;
  readonly visible: number;
  readonly retained: number;
  readonly traceLines: number;
  readonly saved: { sameMessage: number; samePart: number; base64: number; zstd: number };
  readonly stored: number;
  readonly heap: number;
  readonly catalog: number;
  readonly live: number;
  readonly shared: number;
  readonly dead: number;
  readonly log: number;
  /** When the next retained thing goes for good, seconds since 1970; absent when nothing is retained. */
  readonly nextPurge?: number;
  readonly accounts: readonly AccountSpace[];
}

interface AccountSpace {
  readonly name: string;
  readonly deleted: boolean;
  readonly messages: number;
  readonly bytes: number;
  readonly retainedMessages: number;
  readonly retainedBytes: number;
  readonly quota: number;
}

export function addDf(program: Command): void {
  works(program.command('df').description('show where the space goes').addHelpText('after', manual), df);
}

export async function df(run: Run): Promise<number> {
  const heap = await diskBytes(join(run.directory, 'heap'));
  const catalog = await diskBytes(join(run.directory, 'catalog'));
  return withReading(run, async (reading) => {
    const { config } = await run.config();
    const next = nextPurge(reading.catalog(), config.retention);
    const measured = measure(reading.catalog(), heap, catalog);
    const space = next === undefined ? measured : { ...measured, nextPurge: next };
    await run.answer(space, describe(space));
    return exit.done;
  });
}

/** Adds up rows of the catalog: one pass over messages and parts. */
function measure(catalog: Catalog, heap: number, catalogBytes: number): Space {
  const totals = catalog.state()?.totals;
  if (totals === undefined)
    throw new CommandError(exit.systemFile, 'the catalog is empty (`mstore rebuild` makes it again)');
  let messageCopies = 0;
  for (const [, row] of catalog.messages()) messageCopies += row.refs * row.size;
  let partCopies = 0;
  for (const [, row] of catalog.parts()) partCopies += row.refs * row.size;
  const log = { live: 0, dead: 0, log: 0 };
  for (const [, row] of catalog.segments()) {
    log.live += row.live;
    log.dead += row.dead;
    log.log += row.other + row.restated;
  }
  const logical = totals.entryBytes + totals.retainedBytes;
  return {
    logical,
    visible: totals.entryBytes,
    retained: totals.retainedBytes,
    traceLines: logical - messageCopies,
    saved: saved(totals, messageCopies, partCopies),
    stored: totals.storedBytes,
    heap,
    catalog: catalogBytes,
    ...log,
    shared: totals.sharedBytes,
    accounts: accountsOf(catalog),
  };
}

function saved(totals: Totals, messageCopies: number, partCopies: number): Space['saved'] {
  return {
    sameMessage: messageCopies - totals.messageBytes,
    samePart: partCopies - totals.partBytes,
    base64: totals.namedBytes - partCopies,
    zstd: totals.plainBytes - totals.storedBytes,
  };
}

function accountsOf(catalog: Catalog): AccountSpace[] {
  const all = [...catalog.accounts()].filter(({ row }) => !row.deleted || row.retainedMessages > 0);
  return all.map(({ row }) => {
    const { name, deleted, messages, bytes, retainedMessages, retainedBytes, quotaBytes } = row;
    return { name, deleted, messages, bytes, retainedMessages, retainedBytes, quota: quotaBytes };
  });
}

function describe(space: Space): string {
  const share = (bytes: number, of: number): string => (of === 0 ? '' : `${((100 * bytes) / of).toFixed(1)}%`);
  const rows: [string, string, string][] = [
    ['logical', humanBytes(space.logical), ''],
    ['  expunged, retained', humanBytes(space.retained), share(space.retained, space.logical)],
    ['saved: same message', humanBytes(space.saved.sameMessage), share(space.saved.sameMessage, space.logical)],
    ['saved: same part', humanBytes(space.saved.samePart), share(space.saved.samePart, space.logical)],
    ['saved: base64 decoded', humanBytes(space.saved.base64), share(space.saved.base64, space.logical)],
    ['saved: zstd', humanBytes(space.saved.zstd), share(space.saved.zstd, space.logical)],
    ['stored', humanBytes(space.stored), share(space.stored, space.logical)],
    ['heap on disk', humanBytes(space.heap), share(space.heap, space.logical)],
    ['  live', humanBytes(space.live), share(space.live, space.heap)],
    ['  shared (of live)', humanBytes(space.shared), share(space.shared, space.heap)],
    ['  dead, reclaimable', humanBytes(space.dead), share(space.dead, space.heap)],
    ['  log of changes', humanBytes(space.log), share(space.log, space.heap)],
    ['catalog on disk', humanBytes(space.catalog), share(space.catalog, space.logical)],
  ];
  const accounts = space.accounts.map((account) => [
    `${safeText(account.name)}${account.deleted ? ' (removed)' : ''}`,
    humanCount(account.messages),
    humanBytes(account.bytes),
    humanCount(account.retainedMessages),
    humanBytes(account.retainedBytes),
    account.quota === 0 ? '-' : humanBytes(account.quota),
  ]);
  const head = ['account', 'messages', 'octets', 'retained', 'octets', 'quota'];
  const next =
    space.nextPurge === undefined ? '' : `\nthe next retained mail goes for good at ${humanTime(space.nextPurge)}\n`;
  return accounts.length === 0 ? table(rows) + next : `${table(rows)}${next}\n${table([head, ...accounts])}`;
}

/** Octets that the files below a folder take on disk. */
async function diskBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await listed(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += await diskBytes(path);
    else bytes += await fileBytes(path);
  }
  return bytes;
}

/** Octets that a file takes on disk; none where it went meanwhile, as segments do that were compacted. */
async function fileBytes(path: string): Promise<number> {
  try {
    return (await stat(path)).blocks * 512;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

async function listed(folder: string): Promise<{ name: string; isDirectory(): boolean }[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
