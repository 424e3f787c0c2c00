/** `mstore rebuild` */
import { isStore, machinePorts, rebuild, StoreError } from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { counted } from './text.ts';

const manual = `
Makes the catalog again from the heap alone: accounts, mailboxes, messages, flags, everything. The new one takes the old one's
place when it is complete. No writer may run (exit code 75). Damage in the heap is named and passed over (exit code 1).

Where a good checkpoint is there, the rebuild begins from it and reads only the log behind it; one that cannot be used is named
and passed over. --full reads the log from its start.`;

interface RebuildOptions {
  readonly full?: boolean;
}

export function addRebuild(program: Command): void {
  const command = program.command('rebuild').description('make the catalog again from the heap');
  command.option('--full', 'from the heap alone, without a checkpoint').addHelpText('after', manual);
  works<RebuildOptions>(command, rebuildStore);
}

async function rebuildStore(run: Run, { full = false }: RebuildOptions): Promise<number> {
  const { directory } = run;
  const { config } = await run.config();
  if (!(await isStore(machinePorts.fs, directory))) throw new StoreError('noStore', `no store in ${directory}`);
  const progress = run.progress('rebuilding', 'octets');
  const onProgress = (done: number, total: number): void => progress.at(done, total);
  const { segmentBytes } = config.heap;
  const report = await rebuild(directory, { segmentBytes, full, onProgress }).finally(progress.stop);
  for (const why of report.passedOver) run.note(why);
  const lines = report.damage.map(
    ({ kind, segment, offset, bytes }) =>
      `segment ${segment}, offset ${offset}: ${kind}, ${counted(bytes, 'octet')} passed over\n`,
  );
  const { generation, records, messages, entries, checkpoint } = report;
  const from = checkpoint === undefined ? '' : `the checkpoint at LSN ${checkpoint} and `;
  const done = `Catalog ${generation} is made of ${from}${counted(records, 'record')}: ${counted(entries, 'message')} in mailboxes, ${counted(messages, 'distinct message')}.\n`;
  await run.answer(report, lines.join('') + done);
  return report.damage.length === 0 ? exit.done : exit.findings;
}
