/** `mstore checkpoint` */
import { checkpoint, isCheckpointDue } from '@mstore/store';
import type { Command } from 'commander';
import { type Run, works } from './command.ts';
import { exit } from './errors.ts';
import { counted, humanBytes } from './text.ts';

const manual = `
Writes all rows of the catalog, as it is now, to a file in DIR/checkpoint, from which "mstore rebuild" and a restored backup begin
instead of reading all of the log. Reads only, and runs beside a service: nobody waits for it. The two newest are kept. A service
makes them by itself, as [checkpoint] in mstore.toml says; with --if-due one is made only when that is due (exit code 0
either way). One at a time (exit code 75).`;

interface CheckpointOptions {
  readonly ifDue?: boolean;
}

export function addCheckpoint(program: Command): void {
  const command = program.command('checkpoint').description('write the catalog to a file that a rebuild begins from');
  command.option('--if-due', 'only when the configuration says that it is time').addHelpText('after', manual);
  works<CheckpointOptions>(command, makeCheckpoint);
}

async function makeCheckpoint(run: Run, options: CheckpointOptions): Promise<number> {
  const { directory } = run;
  const { ageHours, logBytes } = (await run.config()).config.checkpoint;
  const settings = { ageSeconds: ageHours * 3_600, logBytes };
  if (options.ifDue === true && !(await isCheckpointDue(directory, settings))) {
    await run.answer({ made: false }, 'No checkpoint is due.\n');
    return exit.done;
  }
  const progress = run.progress('writing', 'rows');
  const onRows = (rows: number): void => progress.at(rows, rows);
  const made = await checkpoint(directory, { onRows }).finally(progress.stop);
  const { path, rows, bytes, lsn } = made;
  const text = `${path}: ${counted(rows, 'row')}, ${humanBytes(bytes)}, the catalog at LSN ${lsn}.\n`;
  await run.answer({ made: true, ...made }, text);
  return exit.done;
}
