/** `mstore restore` of a whole store; of mail into one, restore-mail.ts. */
import { resolve } from 'node:path';
import { restoreStore } from '@mstore/store';
import type { Command } from 'commander';
import { rateOf } from './backup.ts';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { counted, humanBytes, humanTime } from './text.ts';

const manual = `
Makes a store in the folder that --data names, which must not hold one, of the backup FROM: mail, users and configuration as they were.
UIDVALIDITY stays. UIDs, MODSEQs and ids go on above all that can have been given since the backup, and clients compare everything
once. Each restore is counted in FROM, which must be writable: a second one of the same backup goes on above the first. Where the store
was restored from another backup or another copy of this one meanwhile, --epoch-above names the highest epoch it had
("mstore stats" shows it).

A restore that was interrupted leaves a folder that no other command takes for a store; run the same command again. What is damaged in
the backup is named and passed over (exit code 1). A service must not run on the old store at the same time as on the new one.`;

interface RestoreOptions {
  readonly maxRate?: string;
  readonly epochAbove?: string;
}

export function addRestore(program: Command): void {
  const command = program.command('restore').description('make a store of a backup');
  command.argument('<from>', 'the folder of the backup');
  command.option('--max-rate <octets>', 'octets copied in a second, as 20M');
  command.option('--epoch-above <number>', 'an epoch that the store had elsewhere after the backup');
  works<RestoreOptions>(command.addHelpText('after', manual), restoreWhole);
}

async function restoreWhole(run: Run, options: RestoreOptions): Promise<number> {
  const { directory } = run;
  const from = resolve(run.arg(0));
  const epochAbove = Number(options.epochAbove ?? 0);
  if (!Number.isSafeInteger(epochAbove) || epochAbove < 0) {
    throw new CommandError(exit.usage, `--epoch-above ${options.epochAbove}: a whole number`);
  }
  const progress = run.progress('copying', 'octets');
  const onProgress = (done: number, total: number): void => progress.at(done, total);
  const rateBytes = rateOf(options.maxRate);
  const report = await restoreStore(from, resolve(directory), { rateBytes, epochAbove, onProgress }).finally(
    progress.stop,
  );
  const { manifest, rebuilt, findings, restores, bytes, files } = report;
  for (const finding of findings) run.note(finding);
  for (const why of rebuilt.passedOver) run.note(why);
  for (const { segment, offset, kind } of rebuilt.damage) run.note(`segment ${segment}, offset ${offset}: ${kind}`);
  const when = humanTime(Math.floor(manifest.time / 1000));
  const text = `The store of ${when} is in ${directory}: ${counted(rebuilt.entries, 'message')}, ${humanBytes(bytes)}.\n`;
  const { entries, messages, checkpoint } = rebuilt;
  const damage = rebuilt.damage.length + findings.length;
  await run.answer(
    { directory, time: manifest.time, restores, bytes, files, entries, messages, checkpoint, damage },
    text,
  );
  return damage === 0 ? exit.done : exit.findings;
}
