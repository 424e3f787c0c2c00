/** `mstore stats` */
import type { StoreReading } from '@mstore/store';
import type { Command } from 'commander';
import { withReading } from './access.ts';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { humanBytes, humanCount, table } from './text.ts';

const manual = `
Counts, from the catalog alone. For space see "mstore df".`;

export function addStats(program: Command): void {
  works(program.command('stats').description('count what is in the store').addHelpText('after', manual), stats);
}

function stats(run: Run): Promise<number> {
  return withReading(run, async (reading) => {
    const value = count(reading);
    const { totals } = value;
    const rows: [string, string, string][] = [
      ['accounts', humanCount(value.accounts), ''],
      ['mailboxes', humanCount(value.mailboxes), ''],
      ['messages in mailboxes', humanCount(totals.entries), humanBytes(totals.entryBytes)],
      ['expunged, retained', humanCount(totals.retained), humanBytes(totals.retainedBytes)],
      ['distinct messages', humanCount(totals.messages), humanBytes(totals.messageBytes)],
      ['distinct parts', humanCount(totals.parts), humanBytes(totals.partBytes)],
      ['segments', humanCount(value.segments), humanBytes(value.logBytes)],
      ['event sequence', humanCount(value.sequence), ''],
      ['log ends at LSN', humanCount(value.durableLsn), ''],
      ['epoch', humanCount(value.epoch), ''],
    ];
    await run.answer(value, table(rows));
    return exit.done;
  });
}

function count(reading: StoreReading) {
  const catalog = reading.catalog();
  const state = catalog.state();
  if (state === undefined)
    throw new CommandError(exit.systemFile, 'the catalog is empty (`mstore rebuild` makes it again)');
  const accounts = [...catalog.accounts()].filter(({ row }) => !row.deleted);
  const segments = reading.heap.segments();
  return {
    accounts: accounts.length,
    mailboxes: accounts.reduce((sum, { row }) => sum + row.mailboxes, 0),
    totals: state.totals,
    segments: segments.length,
    logBytes: segments.reduce((sum, { baseLsn, endLsn }) => sum + (endLsn - baseLsn), 0),
    sequence: state.sequence,
    appliedLsn: state.appliedLsn,
    durableLsn: reading.heap.durableLsn,
    epoch: state.epoch,
    storeId: state.storeId.toString('hex'),
  };
}
