/** `mstore restore`: a whole store; mail of a user is restore-mail.ts's. */
import { resolve } from 'node:path';
import { restoreStore } from '@mstore/store';
import type { Command } from 'commander';
import { rateOf } from './backup.ts';
import { type Run, works } from './command.ts';
import { CommandError, exit } from './errors.ts';
import { type MailOptions, restoreUser } from './restore-mail.ts';
import { counted, humanBytes, humanTime } from './text.ts';

const manual = `
Makes a store of the backup FROM in the folder that --data names: mail, users and configuration as they were. Nothing is written
over: a folder that holds a store, or one of the backup's files, is refused (exit code 73). UIDVALIDITY stays. UIDs, MODSEQs and ids go
on above all that can have been given since the backup, and clients compare everything once. Each restore is counted in FROM, which must
be writable: a second one of the same backup goes on above the first. Where the store was restored from another backup or another copy of
this one meanwhile, --epoch-above names the highest epoch it had ("mstore stats" shows it).

A restore that was interrupted leaves a folder that no other command takes for a store; run the same command again. What is damaged in
the backup is named and passed over (exit code 1). A service must not run on the old store at the same time as on the new one.

With --user, mail of that user comes back into the store that --data names, which works on: what is missing is appended, with new UIDs,
and with dates, flags and keywords as they were. --mailbox and --message choose (MESSAGE is the number that --list shows, or a
Message-ID). Each message goes to the mailbox it was in, which is made again if need be, or with --into to one mailbox. What is still
in the account, wherever, is left out, unless --all is given. A user who was removed must be added again first. The backup is only
read; its catalog is made in a scratch folder. Exit code 1 when something could not be restored, 66 when
the backup has no such mailbox or message.`;

interface RestoreOptions extends Partial<MailOptions> {
  readonly maxRate?: string;
  readonly epochAbove?: string;
}

export function addRestore(program: Command): void {
  const command = program.command('restore').description('make a store of a backup');
  command.argument('<from>', 'the folder of the backup');
  command.option('--max-rate <octets>', 'octets copied in a second, as 20M');
  command.option('--epoch-above <number>', 'an epoch that the store had elsewhere after the backup');
  command.option('--user <name>', 'mail of this user, into a store that is there');
  command.option('--mailbox <name>', 'of one mailbox of the backup');
  command.option('--message <id>', 'one message');
  command.option('--into <mailbox>', 'everything into this mailbox');
  command.option('--all', 'also what is still there');
  command.option('--list', 'only list what the backup has');
  command.option('--scratch <dir>', 'where a catalog is made, and removed; default: the system’s');
  works<RestoreOptions>(command.addHelpText('after', manual), restore);
}

async function restore(run: Run, options: RestoreOptions): Promise<number> {
  const { user, mailbox, message, into, all, list } = options;
  if (user === undefined && [mailbox, message, into, all, list].some((option) => option !== undefined)) {
    throw new CommandError(exit.usage, '--mailbox, --message, --into, --all and --list need --user');
  }
  if (user === undefined) return restoreWhole(run, options);
  if (options.epochAbove !== undefined || options.maxRate !== undefined) {
    throw new CommandError(exit.usage, '--epoch-above and --max-rate are for a whole store');
  }
  return restoreUser(run, resolve(run.arg(0)), { ...options, user });
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
